//! What can go wrong between a value and its bytes.

use std::any::type_name;
use std::fmt::{self, Display};

use super::scope::ScopeError;
use crate::limits::CODEC_HEAD_BYTES_MAX;

/// A value that could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value cannot be written. [`check`](super::check) finds the reason.
    #[error("a {type_name} cannot be encoded: {reason}")]
    CannotEncode {
        /// The Rust type.
        type_name: String,
        /// What its implementation or the codec said.
        reason: String,
    },
    /// The bytes are not those of a value of this type.
    #[error("a frame is not a {type_name}: {reason}")]
    BadFrame {
        /// The Rust type.
        type_name: String,
        /// What is wrong with the bytes.
        reason: String,
    },
    /// The head has too many bytes. Large parts belong into buffers.
    #[error(
        "a {type_name} has a head of {bytes} bytes or more, and {limit} is the bound: put \
         its large parts into Bytes or Array"
    )]
    TooLarge {
        /// The Rust type.
        type_name: String,
        /// The bytes it has, as far as they were counted.
        bytes: usize,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A reference was written while another value was read, or the other way round.
    #[error("a {type_name} was refused: {}", ScopeError::Outside)]
    OutsideScope {
        /// The Rust type.
        type_name: String,
    },
}

impl CodecError {
    pub(super) fn encoding<T>(fault: Fault) -> Self {
        let type_name = type_name::<T>().to_owned();
        match fault {
            Fault::TooLarge(bytes) => {
                Self::TooLarge { type_name, bytes, limit: CODEC_HEAD_BYTES_MAX }
            }
            Fault::OutsideScope => Self::OutsideScope { type_name },
            other => Self::CannotEncode { type_name, reason: other.to_string() },
        }
    }

    pub(super) fn decoding<T>(fault: Fault) -> Self {
        match Self::encoding::<T>(fault) {
            Self::CannotEncode { type_name, reason } => Self::BadFrame { type_name, reason },
            other => other,
        }
    }
}

/// The same before the type is known.
#[derive(Debug)]
pub(super) enum Fault {
    /// Reading asked the bytes what they are, and compact ones do not say. With what the reader expected.
    NotDescribed(String),
    /// A sequence or map that does not know its length.
    UnknownLength,
    /// More bytes than a head may have.
    TooLarge(usize),
    /// Nested so deeply that the stack would not do.
    TooDeep,
    /// A reference went the wrong way.
    OutsideScope,
    /// Anything else, as a sentence.
    Other(String),
}

impl Fault {
    /// Any fault that is only a sentence.
    pub(super) fn said(what: impl Display) -> Self {
        Self::Other(what.to_string())
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDescribed(expected) => {
                write!(f, "the compact codec does not say what comes next, and {expected} needs it")
            }
            Self::UnknownLength => f.write_str("a map or sequence does not know its length"),
            Self::TooLarge(bytes) => write!(f, "its head has {bytes} bytes or more"),
            Self::TooDeep => f.write_str("it is nested too deeply"),
            Self::OutsideScope => ScopeError::Outside.fmt(f),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::said(message)
    }
}
