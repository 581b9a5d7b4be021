//! Recording what an environment shows.

use crate::env::Frame;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes frames to an animated GIF that repeats for ever.
///
/// ```
/// use raytree_rllib::{make, record::GifRecorder};
///
/// let folder = tempfile::tempdir()?;
/// let mut env = make("CartPole-v1")?;
/// env.reset()?;
/// let first = env.render().ok_or("CartPole draws itself")?;
/// let mut gif = GifRecorder::create(&folder.path().join("pole.gif"), &first, 50)?;
/// gif.push(&first)?;
/// gif.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GifRecorder {
    encoder: gif::Encoder<BufWriter<File>>,
    path: PathBuf,
    delay: u16,
    size: (u16, u16),
}

impl GifRecorder {
    /// Creates the file, for frames of the size of `like` at `frames_per_s` (1 to 100; the format counts in hundredths
    /// of a second). Writes no frame yet.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn create(path: &Path, like: &Frame, frames_per_s: u32) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let side = |pixels: usize| u16::try_from(pixels).unwrap_or(u16::MAX);
        let size = (side(like.width()), side(like.height()));
        let failed = |error| encoding_failed(path, error);
        let mut encoder =
            gif::Encoder::new(BufWriter::new(file), size.0, size.1, &[]).map_err(failed)?;
        encoder.set_repeat(gif::Repeat::Infinite).map_err(failed)?;
        let delay = (100 / frames_per_s.clamp(1, 100)) as u16;
        Ok(Self { encoder, path: path.to_owned(), delay, size })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// [`Error::Length`] if it has another size than the first one, [`Error::Io`] or [`Error::DiskFull`].
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        let expected = 3 * usize::from(self.size.0) * usize::from(self.size.1);
        Error::check_len("frame", frame.rgb().len(), expected)?;
        let mut picture = encode(frame, self.size);
        picture.delay = self.delay;
        self.encoder.write_frame(&picture).map_err(|error| encoding_failed(&self.path, error))
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::DiskFull`].
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        let mut file = self.encoder.into_inner().map_err(|error| encoding_failed(&path, error))?;
        file.flush().map_err(Error::io("write", &path))
    }
}

/// Exact where a frame has at most 256 colours, as flat drawings have; otherwise by the nearest of 256.
fn encode(frame: &Frame, (width, height): (u16, u16)) -> gif::Frame<'static> {
    let mut palette: HashMap<[u8; 3], u8> = HashMap::new();
    let mut colors = Vec::new();
    let mut indices = Vec::with_capacity(frame.rgb().len() / 3);
    for &color in frame.rgb().as_chunks::<3>().0 {
        let next = palette.len();
        let index = match (palette.get(&color), u8::try_from(next)) {
            (Some(&index), _) => index,
            (None, Ok(index)) => {
                palette.insert(color, index);
                colors.extend_from_slice(&color);
                index
            }
            (None, Err(_)) => return gif::Frame::from_rgb_speed(width, height, frame.rgb(), 10),
        };
        indices.push(index);
    }
    gif::Frame::from_palette_pixels(width, height, indices, colors, None)
}

fn encoding_failed(path: &Path, error: gif::EncodingError) -> Error {
    let source = match error {
        gif::EncodingError::Io(source) => source,
        other => io::Error::other(other),
    };
    Error::io("write", path)(source)
}

impl fmt::Debug for GifRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GifRecorder").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        let mut frame = Frame::new(20, 10, [10, 20, 30]);
        let mut gif = GifRecorder::create(&path, &frame, 50).unwrap();
        gif.push(&frame).unwrap();
        frame.fill_rect(0.0, 0.0, 5.0, 5.0, [200, 100, 0]);
        gif.push(&frame).unwrap();
        let wrong = gif.push(&Frame::new(9, 9, [0; 3])).unwrap_err();
        assert!(matches!(wrong, Error::Length { name: "frame", .. }));
        gif.finish().unwrap();

        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(File::open(&path).unwrap()).unwrap();
        assert_eq!((decoder.width(), decoder.height()), (20, 10));
        let first = decoder.read_next_frame().unwrap().unwrap();
        assert_eq!((&first.buffer[..3], first.delay), (&[10, 20, 30][..], 2));
        let second = decoder.read_next_frame().unwrap().unwrap();
        assert_eq!(&second.buffer[..3], [200, 100, 0]);
        assert!(decoder.read_next_frame().unwrap().is_none());
    }

    #[test]
    fn many_colours_are_reduced() {
        let mut frame = Frame::new(40, 40, [0; 3]);
        for x in 0..40 {
            for y in 0..40u8 {
                let (left, top) = (f64::from(x), f64::from(y));
                frame.fill_rect(left, top, left + 1.0, top + 1.0, [x * 6, y * 6, 0]);
            }
        }
        let picture = encode(&frame, (40, 40));
        assert!(picture.palette.unwrap().len() <= 768);
    }

    #[test]
    fn an_impossible_path_is_named() {
        let frame = Frame::new(2, 2, [0; 3]);
        let error = GifRecorder::create(Path::new("/nowhere/a.gif"), &frame, 50).unwrap_err();
        assert!(error.to_string().starts_with("cannot create /nowhere/a.gif: "), "{error}");
    }
}
