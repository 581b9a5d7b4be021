//! What goes over the line between a process and its child: one frame of 32 bytes a packet, with text behind it where a child
//! says what it fails of.
//!
//! | bytes | content |
//! |---|---|
//! | 0-1 | `rt` |
//! | 2 | the version of this format, 1 |
//! | 3 | what it is: [`FromChild`] 1 to 6, [`ToChild`] 129 to 134 |
//! | 4-7, 8-11 | the child's incarnation: placement, restart |
//! | 12-19, 20-27 | two numbers, whose meaning depends on what it is; 0 where there is none |
//! | 28-31 | 0 |
//! | 32- | of [`FromChild::Fails`] alone: the cause, as JSON, at most [`limits::CAUSE_BYTES_MAX`] |
//!
//! Numbers are unsigned and little-endian. Whoever gets anything else hears no more from that line.

use std::time::Duration;

use raytree_types::{Cause, Incarnation, limits};

/// The size of every frame.
pub const FRAME_BYTES: usize = 32;

/// The size of the largest packet.
pub const PACKET_BYTES_MAX: usize = FRAME_BYTES + limits::CAUSE_BYTES_MAX;

const MAGIC: [u8; 2] = *b"rt";
const VERSION: u8 = 1;
const FAILS: u8 = 6;

/// The status with which a process ends in order.
pub const ENDED: i32 = 0;

/// The status with which a process ends that has left of its own will, after [`FromChild::Drains`].
pub const DRAINED: i32 = 72;

/// What a child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromChild {
    /// It has come up and can be given work.
    Up {
        /// Where it listens for others; 0 where it does not.
        port: u16,
    },
    /// It is there.
    Beat {
        /// Counts the beats of this life from 1.
        number: u64,
        /// Counts what the child's system has got done; one that beats and gets nothing done is stuck.
        progress: u64,
    },
    /// It has begun to end, because it was told to.
    Leaving,
    /// It ends of its own will, with [`DRAINED`], once what runs has finished: another one is to take its place.
    Drains,
    /// As the answer to [`ToChild::Short`]: of its own processes it would end this one first.
    Offers(Offer),
    /// Its tree has given up, and it ends: the origin of that, and the way it has come.
    Fails(Box<Cause>),
}

/// A process that a child would end first, if its machine needs memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The operating system's number.
    pub process: u32,
    /// It does nothing that anybody waits for.
    pub is_idle: bool,
    /// What it does may be done again.
    pub is_retriable: bool,
    /// For how many tenths of a second it has been there, at most [`Offer::AGE_MAX`].
    pub age: u32,
    /// Bytes of memory that are its own.
    pub own: u64,
}

impl Offer {
    /// Three years, in tenths of a second.
    pub const AGE_MAX: u32 = (1 << 30) - 1;

    /// Number, marks and age as one number.
    fn packed(&self) -> u64 {
        let marks = u64::from(self.is_idle) << 1 | u64::from(self.is_retriable);
        u64::from(self.process) | marks << 32 | u64::from(self.age.min(Self::AGE_MAX)) << 34
    }

    fn unpacked(own: u64, packed: u64) -> Self {
        Self {
            process: packed as u32,
            is_idle: packed >> 33 & 1 == 1,
            is_retriable: packed >> 32 & 1 == 1,
            age: (packed >> 34) as u32,
            own,
        }
    }
}

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToChild {
    /// This beat was heard: from the moment it was sent the child's lease is new.
    Answer {
        /// The number of the beat.
        number: u64,
    },
    /// It is to end in order, within this time (whole milliseconds).
    Stop {
        /// What is not over by then is ended by force.
        within: Duration,
    },
    /// With it comes one end of a stream, for what is larger than a frame.
    Stream,
    /// Its machine is short of memory: it begins nothing new for now, and says which of its own processes it would end first. Said
    /// again and again for as long as that is so.
    Short {
        /// What is in use, in bytes.
        used: u64,
        /// All there is, in bytes.
        total: u64,
    },
    /// Its machine is not short of memory any more.
    Eased,
    /// It is to end this one of its own processes, as its machine is short of memory.
    Sacrifice {
        /// Which it has offered.
        process: u32,
        /// The bound that was passed, in bytes.
        limit: u64,
    },
}

/// These bytes are no frame of this line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It is shorter or longer than a frame.
    #[error("a packet of {0} bytes, where frames have {FRAME_BYTES}")]
    Size(usize),
    /// It does not begin as a frame does.
    #[error("a packet that does not begin as a frame does")]
    Magic,
    /// Another version of this format.
    #[error("version {0} of the line, and this process speaks version {VERSION}")]
    Version(u8),
    /// A kind that the other side does not send.
    #[error("a frame of kind {0}, which this side is not sent")]
    Kind(u8),
    /// Bytes that are 0 in every frame are not.
    #[error("a frame with something behind its end")]
    Tail,
    /// What is behind a frame that has something there is no cause.
    #[error("a failure without a cause that can be read")]
    Cause,
}

/// A side's vocabulary.
pub trait Say: Sized {
    /// Kind and numbers.
    fn parts(&self) -> (u8, u64, u64);

    /// From kind and numbers; none for a kind that this side does not say.
    fn of(kind: u8, first: u64, second: u64) -> Option<Self>;

    /// From kind and what is behind the frame; none for a kind that has nothing there.
    fn with_text(_kind: u8, _text: &[u8]) -> Option<Result<Self, BadFrame>> {
        None
    }

    /// The frame of a child of this incarnation.
    fn frame(&self, incarnation: Incarnation) -> [u8; FRAME_BYTES] {
        let (kind, first, second) = self.parts();
        let mut frame = [0; FRAME_BYTES];
        frame[..2].copy_from_slice(&MAGIC);
        frame[2] = VERSION;
        frame[3] = kind;
        frame[4..8].copy_from_slice(&incarnation.placement.to_le_bytes());
        frame[8..12].copy_from_slice(&incarnation.restart.to_le_bytes());
        frame[12..20].copy_from_slice(&first.to_le_bytes());
        frame[20..28].copy_from_slice(&second.to_le_bytes());
        frame
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// [`BadFrame`] says what is wrong with it.
    fn read(packet: &[u8]) -> Result<(Incarnation, Self), BadFrame> {
        let wrong = || BadFrame::Size(packet.len());
        let (frame, text) = packet.split_first_chunk::<FRAME_BYTES>().ok_or_else(wrong)?;
        if frame[..2] != MAGIC {
            return Err(BadFrame::Magic);
        }
        if frame[2] != VERSION {
            return Err(BadFrame::Version(frame[2]));
        }
        if frame[28..] != [0; 4] {
            return Err(BadFrame::Tail);
        }
        let said = match Self::with_text(frame[3], text) {
            Some(said) => said?,
            None if !text.is_empty() => return Err(wrong()),
            None => {
                let said = Self::of(frame[3], number(frame, 12), number(frame, 20));
                said.ok_or(BadFrame::Kind(frame[3]))?
            }
        };
        let (placement, restart) = (half(frame, 4), half(frame, 8));
        Ok((Incarnation { placement, restart }, said))
    }
}

fn half(frame: &[u8; FRAME_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}

fn number(frame: &[u8; FRAME_BYTES], at: usize) -> u64 {
    u64::from(half(frame, at)) | u64::from(half(frame, at + 4)) << 32
}

impl Say for FromChild {
    fn parts(&self) -> (u8, u64, u64) {
        match *self {
            Self::Up { port } => (1, u64::from(port), 0),
            Self::Beat { number, progress } => (2, number, progress),
            Self::Leaving => (3, 0, 0),
            Self::Drains => (4, 0, 0),
            Self::Offers(offer) => (5, offer.own, offer.packed()),
            Self::Fails(_) => (FAILS, 0, 0),
        }
    }

    fn of(kind: u8, first: u64, second: u64) -> Option<Self> {
        match kind {
            1 => Some(Self::Up { port: u16::try_from(first).ok()? }),
            2 => Some(Self::Beat { number: first, progress: second }),
            3 => Some(Self::Leaving),
            4 => Some(Self::Drains),
            5 => Some(Self::Offers(Offer::unpacked(first, second))),
            _ => None,
        }
    }

    fn with_text(kind: u8, text: &[u8]) -> Option<Result<Self, BadFrame>> {
        let read = |text| serde_json::from_slice(text).ok().map(Self::Fails);
        let fits = text.len() <= limits::CAUSE_BYTES_MAX;
        (kind == FAILS).then(|| Some(text).filter(|_| fits).and_then(read).ok_or(BadFrame::Cause))
    }
}

impl FromChild {
    /// All that is sent: the frame, and what is behind it. A cause that is too long is cut, but for its origin; none where that
    /// alone is.
    #[must_use]
    pub fn packet(&self, incarnation: Incarnation) -> Option<Vec<u8>> {
        let frame = self.frame(incarnation).to_vec();
        let Self::Fails(cause) = self else { return Some(frame) };
        let written = |cause: &Cause| serde_json::to_vec(cause).ok();
        let cause = cause.cut_to(|cause| {
            written(cause).is_some_and(|text| text.len() <= limits::CAUSE_BYTES_MAX)
        });
        Some([frame, written(&cause?)?].concat())
    }
}

impl Say for ToChild {
    fn parts(&self) -> (u8, u64, u64) {
        match *self {
            Self::Answer { number } => (129, number, 0),
            Self::Stop { within } => {
                (130, u64::try_from(within.as_millis()).unwrap_or(u64::MAX), 0)
            }
            Self::Stream => (131, 0, 0),
            Self::Short { used, total } => (132, used, total),
            Self::Eased => (133, 0, 0),
            Self::Sacrifice { process, limit } => (134, u64::from(process), limit),
        }
    }

    fn of(kind: u8, first: u64, second: u64) -> Option<Self> {
        match kind {
            129 => Some(Self::Answer { number: first }),
            130 => Some(Self::Stop { within: Duration::from_millis(first) }),
            131 => Some(Self::Stream),
            132 => Some(Self::Short { used: first, total: second }),
            133 => Some(Self::Eased),
            134 => Some(Self::Sacrifice { process: u32::try_from(first).ok()?, limit: second }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use raytree_types::ExitKind;

    use super::*;

    #[test]
    fn the_bytes_of_a_beat() {
        let incarnation = Incarnation { placement: 2, restart: 1 };
        let frame = FromChild::Beat { number: 258, progress: 7 }.frame(incarnation);
        let mut expected = [0; FRAME_BYTES];
        expected[..5].copy_from_slice(&[b'r', b't', 1, 2, 2]);
        expected[8] = 1;
        expected[12..14].copy_from_slice(&[2, 1]);
        expected[20] = 7;
        assert_eq!(frame, expected);
    }

    #[test]
    fn an_offer_comes_as_it_was_made() {
        let offer = Offer {
            process: u32::MAX,
            is_idle: true,
            is_retriable: false,
            age: Offer::AGE_MAX,
            own: u64::MAX,
        };
        for offer in [offer, Offer { is_idle: false, is_retriable: true, age: 7, ..offer }] {
            let frame = FromChild::Offers(offer).frame(Incarnation::default());
            assert_eq!(FromChild::read(&frame).map(|(_, said)| said), Ok(FromChild::Offers(offer)));
        }
        // One that is older than can be said is as old as can be said.
        let old = Offer { age: u32::MAX, ..offer };
        assert_eq!(Offer::unpacked(old.own, old.packed()), offer);
    }

    #[test]
    fn a_failure_comes_with_its_origin_however_much_it_has_to_say() {
        let place = Some("a.rs:1:2".to_owned());
        let kind = ExitKind::Panicked(Cause { place, ..Cause::message("zero") });
        let mut cause = Cause::begins("r/w/a", &kind);
        cause.goes_on("r/w", "it gives up");
        let sent = |cause: &Cause| {
            let fails = FromChild::Fails(Box::new(cause.clone()));
            let packet = fails.packet(Incarnation::default()).expect("a packet");
            assert!(packet.len() <= PACKET_BYTES_MAX, "{}", packet.len());
            match FromChild::read(&packet) {
                Ok((_, FromChild::Fails(cause))) => *cause,
                other => panic!("a cause: {other:?}"),
            }
        };
        assert_eq!(sent(&cause), cause);
        for number in 0..100 {
            cause.goes_on(&number.to_string(), &"\u{1}".repeat(1 << 16));
        }
        cause.chain = vec!["y".repeat(1 << 16); 100];
        let heard = sent(&cause);
        assert_eq!((heard.way[0].clone(), heard.place), (cause.way[0].clone(), cause.place));
        assert_eq!(heard.way.last().map(|last| &*last.who), Some("99"));
    }

    #[test]
    fn each_fault_is_named() {
        let good = FromChild::Up { port: 0 }.frame(Incarnation::default());
        let with = |at: usize, byte: u8| {
            let mut frame = good;
            frame[at] = byte;
            FromChild::read(&frame).unwrap_err()
        };
        assert_eq!(FromChild::read(&good[1..]).unwrap_err(), BadFrame::Size(31));
        assert_eq!(FromChild::read(&[]).unwrap_err(), BadFrame::Size(0));
        assert_eq!(with(0, b'x'), BadFrame::Magic);
        assert_eq!(with(2, 2), BadFrame::Version(2));
        assert_eq!(with(3, 129), BadFrame::Kind(129));
        assert_eq!(with(31, 1), BadFrame::Tail);
        let stop = ToChild::Stop { within: Duration::from_secs(3) }.frame(Incarnation::default());
        assert_eq!(FromChild::read(&stop).unwrap_err(), BadFrame::Kind(130));
        assert_eq!(FromChild::read(&[&good[..], &[0]].concat()).unwrap_err(), BadFrame::Size(33));
        assert_eq!(with(3, FAILS), BadFrame::Cause);
        let long = " ".repeat(PACKET_BYTES_MAX);
        let fails = [&good[..3], &[FAILS], &good[4..], long.as_bytes()].concat();
        assert_eq!(FromChild::read(&fails).unwrap_err(), BadFrame::Cause);
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(placement: u32, restart: u32, kind in 1u8..8, first: u64, second: u64) {
            let incarnation = Incarnation { placement, restart };
            if let Some(said) = FromChild::of(kind, first, second) {
                prop_assert_eq!(FromChild::read(&said.frame(incarnation)), Ok((incarnation, said)));
            }
            if let Some(said) = ToChild::of(kind + 128, first, second) {
                prop_assert_eq!(ToChild::read(&said.frame(incarnation)), Ok((incarnation, said)));
            }
        }

        #[test]
        fn nothing_else_is_taken_for_a_frame(packet in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((incarnation, said)) = FromChild::read(&packet) {
                prop_assert_eq!(&said.frame(incarnation)[..4], &packet[..4]);
            }
        }
    }
}
