//! Rows of the learning layer.

use crate::report::Row;

/// All rows, in the order in which they are printed.
pub(crate) const ROWS: &[Row] = &[];
