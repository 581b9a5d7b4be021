//! What a program must be to run here: made for this machine, and of this version of raytree.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Manifest, Program, ProgramError};

/// Bytes at the start of an executable that say which machine it is for.
pub(super) const HEADER_BYTES: usize = 20;

/// Which machine executes a program, by the header of its file (ELF).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Machine {
    /// Bits of an address, 32 or 64.
    bits: u8,
    is_little_endian: bool,
    /// `e_machine`: 62 is x86-64, 183 is AArch64.
    number: u16,
}

impl Machine {
    /// None for what is no ELF file.
    pub(super) fn of_header(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let bits = match (header.starts_with(b"\x7fELF"), header[4]) {
            (true, 1) => 32,
            (true, 2) => 64,
            _ => return None,
        };
        let number = [header[18], header[19]];
        let (is_little_endian, number) = match header[5] {
            1 => (true, u16::from_le_bytes(number)),
            2 => (false, u16::from_be_bytes(number)),
            _ => return None,
        };
        Some(Self { bits, is_little_endian, number })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.is_little_endian { "little" } else { "big" };
        write!(f, "ELF machine {}, {} bits, {order} endian", self.number, self.bits)
    }
}

/// What a program was compiled for.
///
/// The machine decides whether it can run somewhere. The target triple is for people: a program that was linked
/// statically also runs where another C library is at home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    pub(super) machine: Machine,
    triple: String,
}

impl Architecture {
    /// The one of this very executable.
    ///
    /// # Errors
    /// [`ProgramError`] when the executable cannot be read.
    pub fn of_this_process() -> Result<Self, ProgramError> {
        Ok(Program::of_this_process()?.architecture().clone())
    }

    pub(super) fn compiled_for(machine: Machine) -> Self {
        Self { machine, triple: env!("RAYTREE_TARGET").to_owned() }
    }

    /// What is known from a header alone.
    pub(super) fn unknown_on(machine: Machine) -> Self {
        Self { machine, triple: "another target".to_owned() }
    }

    /// The target triple it was compiled for, e.g. `x86_64-unknown-linux-gnu`.
    #[must_use]
    pub fn triple(&self) -> &str {
        &self.triple
    }

    /// A program for the one runs on a machine of the other.
    #[must_use]
    pub fn is_same_machine(&self, other: &Self) -> bool {
        self.machine == other.machine
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.triple, self.machine)
    }
}

/// What a program must be to run here.
///
/// ```
/// # use raytree_process::program::{Program, Requirement};
/// let mut manifest = Program::of_this_process()?.manifest()?;
/// let here = Requirement::of_this_process()?;
/// assert!(here.check(&manifest).is_ok());
/// manifest.version = "0.0.7".to_owned();
/// let refused = here.check(&manifest).map_err(|mismatch| mismatch.to_string());
/// assert!(refused.is_err_and(|why| why.contains("was built with raytree 0.0.7")));
/// # Ok::<(), raytree_process::program::ProgramError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The machine it has to be made for.
    pub architecture: Architecture,
    /// The raytree version it has to be built with, exactly: what processes say to each other may change with each.
    pub version: String,
}

/// A program that cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It is for another machine.
    #[error("program {program} is for {is}, and this node is {needed}")]
    Architecture {
        /// Which program.
        program: String,
        /// What it was compiled for.
        is: Architecture,
        /// What this node is.
        needed: Architecture,
    },
    /// It was built with another raytree.
    #[error("program {program} was built with raytree {is}, and this node runs raytree {needed}")]
    Version {
        /// Which program.
        program: String,
        /// Its version.
        is: String,
        /// The one of this node.
        needed: String,
    },
}

impl Requirement {
    /// What this process requires of others: to be as it is.
    ///
    /// # Errors
    /// [`ProgramError`] when this very executable cannot be read.
    pub fn of_this_process() -> Result<Self, ProgramError> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { architecture: Architecture::of_this_process()?, version })
    }

    /// Whether a program can run here.
    ///
    /// # Errors
    /// [`Mismatch`], with both sides.
    pub fn check(&self, manifest: &Manifest) -> Result<(), Mismatch> {
        let program = || manifest.to_string();
        if !manifest.architecture.is_same_machine(&self.architecture) {
            let (is, needed) = (manifest.architecture.clone(), self.architecture.clone());
            return Err(Mismatch::Architecture { program: program(), is, needed });
        }
        if manifest.version != self.version {
            let (is, needed) = (manifest.version.clone(), self.version.clone());
            return Err(Mismatch::Version { program: program(), is, needed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::ProgramId;

    const ARM: Machine = Machine { bits: 64, is_little_endian: true, number: 183 };
    const X86: Machine = Machine { bits: 64, is_little_endian: true, number: 62 };

    fn header(bits: u8, order: u8, machine: [u8; 2]) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(b"\x7fELF");
        (header[4], header[5]) = (bits, order);
        header[18..].copy_from_slice(&machine);
        header
    }

    fn architecture(triple: &str, machine: Machine) -> Architecture {
        Architecture { machine, triple: triple.to_owned() }
    }

    #[test]
    fn the_header_names_the_machine() {
        assert_eq!(Machine::of_header(&header(2, 1, [183, 0])), Some(ARM));
        assert_eq!(Machine::of_header(&header(2, 1, [62, 0])), Some(X86));
        let old = Machine { bits: 32, is_little_endian: false, number: 20 };
        assert_eq!(Machine::of_header(&header(1, 2, [0, 20])), Some(old));
        assert_eq!(Machine::of_header(&header(3, 1, [62, 0])), None);
        assert_eq!(Machine::of_header(&header(2, 0, [62, 0])), None);
        assert_eq!(Machine::of_header(b"#!/bin/sh -e exit 0\n"), None);
    }

    #[test]
    fn what_cannot_run_here_is_told_with_both_sides() {
        let here = Requirement {
            architecture: architecture("x86_64-unknown-linux-gnu", X86),
            version: "0.2.0".to_owned(),
        };
        let mut manifest = Manifest {
            id: ProgramId::of(b"hello"),
            length: 5,
            architecture: architecture("aarch64-unknown-linux-gnu", ARM),
            version: "0.1.0".to_owned(),
            name: "train".to_owned(),
        };
        let told = |manifest: &Manifest| here.check(manifest).map_err(|why| why.to_string());
        assert_eq!(
            told(&manifest),
            Err("program train (ea8f163db386) is for aarch64-unknown-linux-gnu (ELF machine 183, 64 \
                 bits, little endian), and this node is x86_64-unknown-linux-gnu (ELF machine 62, 64 \
                 bits, little endian)"
                .to_owned())
        );
        // Another C library is no other machine.
        manifest.architecture = architecture("x86_64-unknown-linux-musl", X86);
        assert_eq!(
            told(&manifest),
            Err("program train (ea8f163db386) was built with raytree 0.1.0, and this node runs \
                 raytree 0.2.0"
                .to_owned())
        );
        manifest.version = "0.2.0".to_owned();
        assert_eq!(told(&manifest), Ok(()));
    }
}
