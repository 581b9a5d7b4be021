//! What a dialer says of itself, once it knows to whom.

use raytree_types::limits;

/// What a connection is for. Each plane has connections of its own, so that a burst in one holds up no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Supervision and placement.
    Control,
    /// Calls between workers.
    Calls,
    /// Objects.
    Bytes,
    /// Signs of life.
    Beats,
}

impl Plane {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Control => 1,
            Self::Calls => 2,
            Self::Bytes => 3,
            Self::Beats => 4,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        [Self::Control, Self::Calls, Self::Bytes, Self::Beats]
            .into_iter()
            .find(|plane| plane.code() == code)
    }
}

/// Who dials, and what for. The listener can believe it as far as it believes everybody who knows the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    plane: Plane,
    name: String,
    details: Vec<u8>,
}

/// This cannot be said in a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHello {
    /// The name is too long, or empty.
    #[error("a name of {bytes} bytes, where 1 to {} are allowed", limits::NAME_BYTES_MAX)]
    NameLength {
        /// Its length.
        bytes: usize,
    },
    /// The name is not UTF-8, or has control characters in it, which would end up in logs and on terminals.
    #[error("a name that is no plain text")]
    NameText,
    /// The details are too long.
    #[error(
        "details of {bytes} bytes, where at most {} are allowed",
        limits::WIRE_DETAILS_BYTES_MAX
    )]
    DetailsLength {
        /// Their length.
        bytes: usize,
    },
}

impl Hello {
    /// A dialer of this name: 1 to 128 bytes without control characters. The details are for the code above, at most 4096
    /// bytes.
    ///
    /// # Errors
    /// [`BadHello`].
    pub fn new(
        plane: Plane,
        name: impl Into<String>,
        details: impl Into<Vec<u8>>,
    ) -> Result<Self, BadHello> {
        let (name, details) = (name.into(), details.into());
        Self::check_lengths(name.len(), details.len())?;
        if name.chars().any(char::is_control) {
            return Err(BadHello::NameText);
        }
        Ok(Self { plane, name, details })
    }

    /// What can be said before either is there.
    pub(crate) fn check_lengths(name: usize, details: usize) -> Result<(), BadHello> {
        if name == 0 || name > limits::NAME_BYTES_MAX {
            return Err(BadHello::NameLength { bytes: name });
        }
        if details > limits::WIRE_DETAILS_BYTES_MAX {
            return Err(BadHello::DetailsLength { bytes: details });
        }
        Ok(())
    }

    /// What the connection is for.
    #[must_use]
    pub fn plane(&self) -> Plane {
        self.plane
    }

    /// What the dialer is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the code above said besides.
    #[must_use]
    pub fn details(&self) -> &[u8] {
        &self.details
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_has_bounds() {
        let of = |name: &str, details: usize| Hello::new(Plane::Beats, name, vec![0; details]);
        assert!(of("n", 0).is_ok());
        assert!(of(&"n".repeat(128), 4096).is_ok());
        assert_eq!(of("", 0), Err(BadHello::NameLength { bytes: 0 }));
        assert_eq!(of(&"n".repeat(129), 0), Err(BadHello::NameLength { bytes: 129 }));
        assert_eq!(of("n", 4097), Err(BadHello::DetailsLength { bytes: 4097 }));
        for name in ["a\nb", "\u{1b}[31m", "a\0"] {
            assert_eq!(of(name, 0), Err(BadHello::NameText), "{name:?}");
        }
    }

    #[test]
    fn planes_are_told_apart() {
        let planes: Vec<_> = (0..=u8::MAX).filter_map(Plane::of_code).collect();
        assert_eq!(planes, [Plane::Control, Plane::Calls, Plane::Bytes, Plane::Beats]);
    }
}
