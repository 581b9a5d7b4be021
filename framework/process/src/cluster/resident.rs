//! Residents: detached actors of a cluster, which belong to the head and to no driver. Each life of one has a worker of its
//! own.

use std::fmt::Write as _;
use std::net::SocketAddr;

use raytree_types::{ActorId, ActorOptions, Cause, Resources};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Worker;
use crate::program::Manifest;

/// A resident as the driver describes it that wants it: all that it takes to begin a life anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resident {
    /// Never given before.
    pub id: ActorId,
    /// Where its name is unique.
    pub namespace: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What others have to know to call it.
    pub about: About,
    /// What its process holds.
    pub wants: Resources,
    /// How many lives may follow the first.
    pub restarts: u32,
    /// The options of one life.
    pub options: Box<ActorOptions>,
    /// The written arguments of its constructor: head and buffers of each.
    pub arguments: Vec<(Hex, Vec<Hex>)>,
}

/// Bytes that are written as two digits each: they travel in JSON, and in an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in &self.0 {
            // Writing to a string does not fail.
            _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<_> =
            pairs.iter().map(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty());
        bytes.map(Self).ok_or_else(|| D::Error::custom("bytes are written as two digits each"))
    }
}

/// What others have to know of a resident to call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its type, as the registry of its program has it.
    pub class: String,
    /// That of its constructor.
    pub signature: String,
    /// How it is called in the tree and in messages.
    pub label: String,
    /// As many calls of one process may wait.
    pub mailbox: usize,
    /// How often a call that was lost with a life is made again.
    #[serde(default)]
    pub retries: u32,
}

/// Which life of a resident a worker is started for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residence {
    /// Whose.
    pub resident: Resident,
    /// Counts its lives from 0.
    pub life: u32,
}

/// What a driver wants of residents. What it follows it hears of, under the ticket it has chosen, until it has heard a
/// [last word](ResidentNews::is_last) or wants no more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ResidentWish {
    /// A new one, which it follows.
    Create {
        /// Used once.
        ticket: u64,
        /// What.
        resident: Box<Resident>,
        /// A living one of its name will do.
        get_if_exists: bool,
    },
    /// The one of this name, which it follows.
    Find {
        /// Used once.
        ticket: u64,
        /// Where the name is unique.
        namespace: String,
        /// The name.
        name: String,
    },
    /// It wants to hear no more.
    Unfollow {
        /// Of what.
        ticket: u64,
    },
    /// Its end, for good.
    End {
        /// Of what it follows under this.
        ticket: u64,
        /// Its process is killed; else it ends in order.
        kill: bool,
    },
}

/// What a driver hears of a resident that it follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ResidentNews {
    /// Nobody has this name.
    Missing,
    /// Another one has its name.
    NameTaken,
    /// It is not taken in.
    Refused {
        /// Why.
        reason: String,
    },
    /// This is who it follows. The first word, unless it is the last.
    Is {
        /// Which.
        id: ActorId,
        /// Of what program.
        program: Box<Manifest>,
        /// How it is called.
        about: About,
    },
    /// It lives, and is called there.
    Up {
        /// By this worker.
        worker: Worker,
        /// Which of its lives.
        life: u32,
        /// Where that is dialed.
        address: SocketAddr,
    },
    /// A life has surely ended, and another one follows.
    Down {
        /// Which of its lives.
        life: u32,
        /// Why.
        cause: Cause,
    },
    /// It has ended for good.
    Dead {
        /// Why.
        cause: Cause,
        /// In order, and not because of a failure.
        in_order: bool,
    },
}

impl ResidentNews {
    /// Nothing follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self {
            Self::Missing | Self::NameTaken | Self::Refused { .. } | Self::Dead { .. } => true,
            Self::Is { .. } | Self::Up { .. } | Self::Down { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_pair_of_digits_is_refused() {
        for text in ["\"a\"", "\"0g\"", "\"é\"", "7"] {
            assert!(serde_json::from_str::<Hex>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = serde_json::to_string(&Hex(bytes.clone())).expect("text");
            prop_assert_eq!(text.len(), 2 * bytes.len() + 2);
            prop_assert_eq!(serde_json::from_str::<Hex>(&text).expect("bytes"), Hex(bytes));
        }
    }
}
