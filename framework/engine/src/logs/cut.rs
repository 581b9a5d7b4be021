//! From bytes to lines.

use raytree_types::limits;

/// Cuts what one output writes into lines of bounded length.
#[derive(Debug, Default)]
pub struct Cutter {
    /// The beginning of a line that has not ended.
    open: Vec<u8>,
}

impl Cutter {
    /// The lines that have ended with these bytes. One that is too long comes in pieces.
    pub fn takes(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while !bytes.is_empty() {
            let room = limits::LOG_LINE_BYTES_MAX - self.open.len();
            let piece = &bytes[..bytes.len().min(room)];
            if let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
                self.open.extend_from_slice(&piece[..end]);
                bytes = &bytes[end + 1..];
                line(self.close(true));
                continue;
            }
            self.open.extend_from_slice(piece);
            bytes = &bytes[piece.len()..];
            if self.open.len() == limits::LOG_LINE_BYTES_MAX {
                // A character is not cut in two.
                let whole = whole(&self.open);
                let rest = self.open.split_off(whole);
                line(self.close(false));
                self.open = rest;
            }
        }
    }

    /// Nothing more comes: the line that has not ended, if there is one.
    pub fn ends(&mut self) -> Option<String> {
        (!self.open.is_empty()).then(|| self.close(true))
    }

    fn close(&mut self, is_end: bool) -> String {
        if is_end && self.open.last() == Some(&b'\r') {
            self.open.pop();
        }
        let text = String::from_utf8_lossy(&self.open).into_owned();
        self.open.clear();
        text
    }
}

/// Up to where no character is cut; all of it where none can be found.
fn whole(bytes: &[u8]) -> usize {
    let cut = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    if cut == 0 { bytes.len() } else { cut }
}
