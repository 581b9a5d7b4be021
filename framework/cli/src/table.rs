//! Rows under headings, as every command prints them.

use std::io::{self, Write};

use crate::text::{cut, width};
use crate::tree::Style;

/// Prints the rows below their headings, each column as wide as it has to be; what does not fit is cut on the right.
///
/// # Errors
/// `out` cannot be written.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: Vec<[String; N]>,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: Vec<_> =
        (0..N).map(|at| rows.iter().map(|row| width(&row[at])).max().unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", cut(line.trim_end(), style.columns))?;
    }
    Ok(())
}
