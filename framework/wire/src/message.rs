//! The bytes of a handshake.
//!
//! Every message begins with 16 bytes of head:
//!
//! | bytes | content |
//! |---|---|
//! | 0-6 | `raytree` |
//! | 7 | what it is: [`Kind`] |
//! | 8-9 | the sender's version of this protocol |
//! | 10 | introduction: the plane; refused: the reason; else 0 |
//! | 11 | introduction: bytes of the name; else 0 |
//! | 12-15 | introduction: bytes of the details; else 0 |
//!
//! Numbers are unsigned and little-endian. The head of every message, and all of *refused*, stay the same in every version,
//! so that two versions can tell each other that they differ.

use std::io::{self, Read};

use crate::error::{HandshakeError, Refusal};
use crate::hello::{Hello, Plane};

/// The version of the handshake that this crate speaks. Both sides have to have the same.
pub const VERSION: u16 = 1;

/// Bytes of a head.
pub(crate) const HEAD_BYTES: usize = 16;

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 32;

const MAGIC: [u8; 7] = *b"raytree";

/// The first byte of a TLS record: a handshake, an alert.
const TLS_RECORDS: [u8; 2] = [0x16, 0x15];

/// What else people point at a port, known by its first bytes.
const OTHERS: [(&[u8], &str); 8] = [
    (b"GET ", "an HTTP request"),
    (b"POST ", "an HTTP request"),
    (b"HEAD ", "an HTTP request"),
    (b"PUT ", "an HTTP request"),
    (b"OPTIONS ", "an HTTP request"),
    (b"PRI * HTTP/2", "an HTTP request"),
    (b"HTTP/", "an HTTP server"),
    (b"SSH-", "SSH"),
];

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The dialer's first.
    Opening,
    /// The listener's first.
    Challenge,
    /// The dialer's hello.
    Introduction,
    /// The listener's last.
    Welcome,
    /// Anybody's last.
    Refused,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Opening => 1,
            Self::Challenge => 2,
            Self::Introduction => 3,
            Self::Welcome => 4,
            Self::Refused => 5,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Opening => "an opening",
            Self::Challenge => "a challenge",
            Self::Introduction => "an introduction",
            Self::Welcome => "a welcome",
            Self::Refused => "a refusal",
        }
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    kind: u8,
    version: u16,
    code: u8,
    name_bytes: u8,
    details_bytes: u32,
}

impl Head {
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind: kind.code(), version: VERSION, code: 0, name_bytes: 0, details_bytes: 0 }
    }

    pub(crate) fn of_refusal(reason: Refusal) -> Self {
        Self { code: reason.code(), ..Self::of(Kind::Refused) }
    }

    /// A hello is within its bounds, so its lengths fit.
    pub(crate) fn of_introduction(hello: &Hello) -> Self {
        Self {
            code: hello.plane().code(),
            name_bytes: u8::try_from(hello.name().len()).unwrap_or(u8::MAX),
            details_bytes: u32::try_from(hello.details().len()).unwrap_or(u32::MAX),
            ..Self::of(Kind::Introduction)
        }
    }

    pub(crate) fn bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = self.kind;
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        bytes[10] = self.code;
        bytes[11] = self.name_bytes;
        bytes[12..].copy_from_slice(&self.details_bytes.to_le_bytes());
        bytes
    }

    /// Reads a head of this kind. Whatever is no message of raytree is refused at its first wrong byte: one who does not
    /// know the protocol may wait for an answer before it says more.
    pub(crate) fn read(from: &mut impl Read, expected: Kind) -> Result<Self, HandshakeError> {
        let mut bytes = [0; HEAD_BYTES];
        let mut read = 0;
        while read < HEAD_BYTES {
            match from.read(&mut bytes[read..]) {
                Ok(0) => return Err(HandshakeError::Closed),
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            begins_well(&bytes[..read])?;
        }
        Self::parse(&bytes, expected)
    }

    fn parse(bytes: &[u8; HEAD_BYTES], expected: Kind) -> Result<Self, HandshakeError> {
        begins_well(bytes)?;
        let head = Self {
            kind: bytes[7],
            version: u16::from_le_bytes([bytes[8], bytes[9]]),
            code: bytes[10],
            name_bytes: bytes[11],
            details_bytes: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
        };
        // Before what a version may have changed; and the one who refuses may be of another.
        if head.version != VERSION {
            return Err(HandshakeError::Version { theirs: head.version });
        }
        if head.kind == Kind::Refused.code() {
            return Err(HandshakeError::Refused { reason: Refusal::of_code(head.code) });
        }
        if head.kind != expected.code() {
            let expected = expected.name();
            return Err(HandshakeError::Unexpected { kind: head.kind, expected });
        }
        let reserved = (head.code, head.name_bytes, head.details_bytes) != (0, 0, 0);
        if expected != Kind::Introduction && reserved {
            return Err(HandshakeError::Reserved);
        }
        Ok(head)
    }

    /// The lengths of name and details, within their bounds: only then is memory taken for them.
    pub(crate) fn introduces(&self) -> Result<(Plane, usize, usize), HandshakeError> {
        let plane = Plane::of_code(self.code).ok_or(HandshakeError::Plane { code: self.code })?;
        let name = usize::from(self.name_bytes);
        let details = usize::try_from(self.details_bytes).unwrap_or(usize::MAX);
        Hello::check_lengths(name, details)?;
        Ok((plane, name, details))
    }
}

/// Whether this is, or may become, a message.
pub(crate) fn begins_well(bytes: &[u8]) -> Result<(), HandshakeError> {
    let shared = bytes.len().min(MAGIC.len());
    if bytes[..shared] == MAGIC[..shared] {
        return Ok(());
    }
    if TLS_RECORDS.contains(&bytes[0]) {
        return Err(HandshakeError::OnlyTls);
    }
    let other = OTHERS.iter().find(|(begin, _)| bytes.starts_with(begin));
    Err(HandshakeError::NotRaytree { looks_like: other.map(|(_, name)| *name) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::BadHello;

    fn parse(bytes: &[u8; HEAD_BYTES], expected: Kind) -> String {
        Head::parse(bytes, expected).unwrap_err().to_string()
    }

    #[test]
    fn the_bytes_of_an_introduction() {
        let hello = Hello::new(Plane::Bytes, "node-2", vec![0; 258]).unwrap();
        let bytes = Head::of_introduction(&hello).bytes();
        assert_eq!(bytes, *b"raytree\x03\x01\x00\x03\x06\x02\x01\x00\x00");
    }

    #[test]
    fn each_fault_is_named() {
        let good = Head::of(Kind::Opening).bytes();
        let with = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            parse(&bytes, Kind::Opening)
        };
        assert_eq!(with(0, b'R'), "the other side does not speak raytree's protocol");
        assert_eq!(with(0, 0x16), "the other side speaks TLS, and this one does not");
        assert_eq!(with(7, 9), "a message of kind 9, where an opening was expected");
        assert_eq!(
            with(9, 1),
            "the other side speaks version 257 of the protocol, and this one version 1"
        );
        assert_eq!(with(10, 1), "a message that says something which this version does not know");
        assert!(with(12, 1).starts_with("a message that says something"));
        assert_eq!(
            parse(b"GET / HTTP/1.1\r\n", Kind::Opening),
            "the other side does not speak raytree's protocol, but what looks like an HTTP request"
        );
        let refused = Head::of_refusal(Refusal::Token).bytes();
        assert_eq!(
            parse(&refused, Kind::Challenge),
            "refused: this side does not know the token of the other's cluster"
        );
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        let with = |code: u8, name_bytes: u8, details_bytes: u32| {
            Head { code, name_bytes, details_bytes, ..Head::of(Kind::Introduction) }.introduces()
        };
        let hello = |result: Result<_, HandshakeError>| match result {
            Err(HandshakeError::Hello(bad)) => bad,
            other => panic!("{other:?}"),
        };
        assert!(matches!(with(1, 128, 4096), Ok((Plane::Control, 128, 4096))));
        assert!(matches!(with(0, 1, 0), Err(HandshakeError::Plane { code: 0 })));
        assert_eq!(hello(with(1, 0, 0)), BadHello::NameLength { bytes: 0 });
        assert_eq!(hello(with(1, 129, 0)), BadHello::NameLength { bytes: 129 });
        let most = usize::try_from(u32::MAX).unwrap();
        assert_eq!(hello(with(1, 1, u32::MAX)), BadHello::DetailsLength { bytes: most });
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(code in 1u8..5, name in 1u8..129, details in 0u32..4097) {
            let said = Head { code, name_bytes: name, details_bytes: details, ..Head::of(Kind::Introduction) };
            let heard = Head::read(&mut &said.bytes()[..], Kind::Introduction).unwrap();
            prop_assert_eq!(heard, said);
            prop_assert!(heard.introduces().is_ok());
        }

        #[test]
        fn nothing_else_is_taken_for_a_message(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            begins_well: bool,
            expected in prop::sample::select(vec![Kind::Opening, Kind::Challenge, Kind::Introduction, Kind::Welcome]),
        ) {
            let mut bytes = bytes;
            if begins_well {
                bytes.splice(..0, *b"raytree");
            }
            if let Ok(head) = Head::read(&mut &bytes[..], expected) {
                prop_assert_eq!(&head.bytes()[..], &bytes[..HEAD_BYTES]);
                if let Ok((_, name, details)) = head.introduces() {
                    prop_assert!(name <= 128 && details <= 4096);
                }
            }
        }
    }
}
