//! Beats of nodes, as they travel: of one size, on a connection of their own.

use raytree_types::ProcessIncarnation;

/// A beat of a node, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It is there.
    Of {
        /// As whom.
        incarnation: ProcessIncarnation,
        /// Its number, rising within a life.
        seq: u64,
        /// What its system runtime has got done.
        progress: u64,
    },
    /// That beat was heard: its lease begins anew.
    Heard {
        /// Whose.
        incarnation: ProcessIncarnation,
        /// Which.
        seq: u64,
    },
    /// Exit: this life is over.
    Exit {
        /// Whose.
        incarnation: ProcessIncarnation,
    },
}

impl Beat {
    /// The size of every beat.
    pub const BYTES: usize = 25;

    /// As it travels.
    #[must_use]
    pub fn written(self) -> [u8; Self::BYTES] {
        let (kind, incarnation, seq, progress) = match self {
            Self::Of { incarnation, seq, progress } => (1, incarnation, seq, progress),
            Self::Heard { incarnation, seq } => (2, incarnation, seq, 0),
            Self::Exit { incarnation } => (3, incarnation, 0, 0),
        };
        let mut bytes = [0; Self::BYTES];
        bytes[0] = kind;
        bytes[1..9].copy_from_slice(&incarnation.0.to_le_bytes());
        bytes[9..17].copy_from_slice(&seq.to_le_bytes());
        bytes[17..].copy_from_slice(&progress.to_le_bytes());
        bytes
    }

    /// From what came; none for anything else.
    #[must_use]
    pub fn read(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let (incarnation, seq, progress) = (ProcessIncarnation(number(1)), number(9), number(17));
        match bytes[0] {
            1 => Some(Self::Of { incarnation, seq, progress }),
            2 => Some(Self::Heard { incarnation, seq }),
            3 => Some(Self::Exit { incarnation }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn beats_travel_whole(incarnation: u64, seq: u64, progress: u64) {
            let incarnation = ProcessIncarnation(incarnation);
            for beat in [
                Beat::Of { incarnation, seq, progress },
                Beat::Heard { incarnation, seq },
                Beat::Exit { incarnation },
            ] {
                prop_assert_eq!(Beat::read(&beat.written()), Some(beat));
            }
        }

        #[test]
        fn what_is_no_beat_is_none(bytes: [u8; Beat::BYTES]) {
            prop_assert_eq!(Beat::read(&bytes).is_some(), (1..=3).contains(&bytes[0]));
        }
    }
}
