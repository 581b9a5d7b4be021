//! What goes from one gate to the other: to whom, and what.
//!
//! 16 bytes of address, one of kind, then a message as JSON, or two numbers of 8 bytes (unsigned, little-endian).

use std::io;

use raytree_types::limits;
use serde::Serialize;

use super::window::Amount;

/// By this number a gate finds the session. Its own side has drawn it at random and told it to the peer alone, so that
/// nobody else can speak in this session.
pub(super) type Address = [u8; 16];

const ADDRESS_BYTES: usize = 16;
const SAID: u8 = 1;
const HEARD: u8 = 2;

/// Bytes before the message itself.
const HEAD_BYTES: usize = ADDRESS_BYTES + 1;

/// A letter as bytes; whom it is to is written when that is known.
#[derive(Debug)]
pub(super) struct Letter(Vec<u8>);

/// Why there is no letter.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// It would have so many bytes.
    TooLarge(usize),
    Json(serde_json::Error),
}

impl Letter {
    /// With this message.
    pub(super) fn said(message: &impl Serialize) -> Result<Self, Unwritten> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[ADDRESS_BYTES] = SAID;
        let mut paper = Paper { bytes, written: 0 };
        serde_json::to_writer(&mut paper, message).map_err(Unwritten::Json)?;
        if paper.written > limits::SESSION_MESSAGE_BYTES_MAX {
            return Err(Unwritten::TooLarge(paper.written));
        }
        Ok(Self(paper.bytes))
    }

    /// That so much was heard.
    pub(super) fn heard(amount: Amount) -> Self {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[ADDRESS_BYTES] = HEARD;
        bytes.extend(amount.messages.to_le_bytes());
        bytes.extend(amount.bytes.to_le_bytes());
        Self(bytes)
    }

    /// Bytes of its message.
    pub(super) fn message_bytes(&self) -> usize {
        self.0.len() - HEAD_BYTES
    }

    pub(super) fn to(mut self, address: &Address) -> Vec<u8> {
        self.0[..ADDRESS_BYTES].copy_from_slice(address);
        self.0
    }
}

/// Takes as many bytes as a message may have, and counts the others.
struct Paper {
    bytes: Vec<u8>,
    written: usize,
}

impl io::Write for Paper {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.written += more.len();
        if self.written <= limits::SESSION_MESSAGE_BYTES_MAX {
            self.bytes.extend_from_slice(more);
        }
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is in a letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Said(&'a [u8]),
    Heard(Amount),
    /// Nothing that is known here.
    Nonsense,
}

/// To whom a letter is, and what is in it; nothing when not even that can be read.
pub(super) fn read(letter: &[u8]) -> Option<(Address, Content<'_>)> {
    let (address, rest) = letter.split_first_chunk::<ADDRESS_BYTES>()?;
    let (kind, rest) = rest.split_first()?;
    let content = match *kind {
        SAID if rest.len() <= limits::SESSION_MESSAGE_BYTES_MAX => Content::Said(rest),
        HEARD => amount(rest).map_or(Content::Nonsense, Content::Heard),
        _ => Content::Nonsense,
    };
    Some((*address, content))
}

fn amount(bytes: &[u8]) -> Option<Amount> {
    let (messages, bytes) = bytes.split_first_chunk::<8>()?;
    let bytes = bytes.try_into().ok()?;
    Some(Amount { messages: u64::from_le_bytes(*messages), bytes: u64::from_le_bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TO: Address = [7; 16];

    #[test]
    fn a_letter_arrives_as_it_was_written() {
        let letter = Letter::said(&("hello", 3)).unwrap();
        assert_eq!(letter.message_bytes(), 11);
        let bytes = letter.to(&TO);
        assert_eq!(read(&bytes), Some((TO, Content::Said(&br#"["hello",3]"#[..]))));
        let amount = Amount { messages: 3, bytes: u64::MAX };
        let bytes = Letter::heard(amount).to(&TO);
        assert_eq!(read(&bytes), Some((TO, Content::Heard(amount))));
    }

    #[test]
    fn se_3_a_message_has_a_bound() {
        let max = limits::SESSION_MESSAGE_BYTES_MAX;
        let text = |bytes: usize| "x".repeat(bytes - 2);
        let letter = Letter::said(&text(max)).unwrap();
        assert_eq!(letter.message_bytes(), max);
        let Err(Unwritten::TooLarge(bytes)) = Letter::said(&text(3 * max)) else { panic!() };
        assert_eq!(bytes, 3 * max);
        let mut over = letter.to(&TO);
        over.push(b' ');
        assert_eq!(read(&over), Some((TO, Content::Nonsense)));
    }

    #[test]
    fn what_has_no_json_is_refused() {
        let odd = std::collections::HashMap::from([((1, 2), 3)]);
        assert!(matches!(Letter::said(&odd), Err(Unwritten::Json(_))));
    }

    proptest! {
        #[test]
        fn se_4_any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let is_one = read(&bytes).is_some();
            prop_assert_eq!(is_one, bytes.len() >= HEAD_BYTES);
        }
    }
}
