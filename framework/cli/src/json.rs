//! What a command says as JSON: the version of its fields, and the one thing that was asked for.

use std::io::{self, Write};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// What this version of raytree writes.
const VERSION: u32 = 1;

/// `{"version": .., NAME: WHAT}`
struct Versioned<'a, T> {
    name: &'a str,
    what: &'a T,
}

impl<T: Serialize> Serialize for Versioned<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(Some(2))?;
        all.serialize_entry("version", &VERSION)?;
        all.serialize_entry(self.name, self.what)?;
        all.end()
    }
}

/// Writes it, under its name, with the version of its fields.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn write(name: &str, what: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Versioned { name, what })?;
    writeln!(out)
}
