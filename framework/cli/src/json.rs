//! What a command says as JSON: the version of its fields, and what was asked for.

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

/// `{"version": .., ..}`: what is written has its fields beside the version.
#[derive(Serialize)]
struct Beside<'a, T> {
    version: u32,
    #[serde(flatten)]
    what: &'a T,
}

/// Writes it, under its name, with the version of its fields.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn write(name: &str, what: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Versioned { name, what })?;
    writeln!(out)
}

/// Writes its fields, with the version of them.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn fields(what: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Beside { version: VERSION, what })?;
    writeln!(out)
}

/// The same in one line: more of them follow.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn line(what: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Beside { version: VERSION, what })?;
    writeln!(out)
}
