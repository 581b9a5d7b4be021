//! Which of the records are wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ActorRecord, ObjectRecord, Record, Sort, TaskRecord};
use crate::limits;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Tasks, and calls of actors that have no answer yet.
    Tasks,
    /// Actors of users.
    Actors,
    /// Objects that are still to come, in a store, or held by several processes.
    Objects,
}

impl What {
    /// The columns of its records.
    #[must_use]
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Tasks => TaskRecord::COLUMNS,
            Self::Actors => ActorRecord::COLUMNS,
            Self::Objects => ObjectRecord::COLUMNS,
        }
    }

    /// Those of them that are whole numbers.
    #[must_use]
    pub fn numbers(self) -> &'static [&'static str] {
        match self {
            Self::Tasks => TaskRecord::NUMBERS,
            Self::Actors => ActorRecord::NUMBERS,
            Self::Objects => ObjectRecord::NUMBERS,
        }
    }

    /// A list can be sorted by this: its columns, and the age of tasks and objects.
    #[must_use]
    pub fn is_sorted_by(self, column: &str) -> bool {
        self.columns().contains(&column) || (self != Self::Actors && column == "age")
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tasks => "tasks",
            Self::Actors => "actors",
            Self::Objects => "objects",
        })
    }
}

/// A condition: what stands in a column, or what does not. Case does not count.
///
/// Reads from `state=running` or `name!=load`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Which column.
    pub column: String,
    /// It is so, or it is not.
    pub is: bool,
    /// What stands there.
    pub value: String,
}

impl Filter {
    /// `value` stands in `column`.
    #[must_use]
    pub fn is(column: impl Into<String>, value: impl Into<String>) -> Self {
        Self { column: column.into(), is: true, value: value.into() }
    }

    /// Anything but `value` stands in `column`.
    #[must_use]
    pub fn is_not(column: impl Into<String>, value: impl Into<String>) -> Self {
        Self { is: false, ..Self::is(column, value) }
    }

    /// Whether a record meets it.
    #[must_use]
    pub fn admits<R: Record>(&self, record: &R) -> bool {
        record.cell(&self.column).eq_ignore_ascii_case(&self.value) == self.is
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is { "=" } else { "!=" };
        write!(f, "{}{sign}{}", self.column, self.value)
    }
}

impl FromStr for Filter {
    type Err = BadQuery;

    fn from_str(text: &str) -> Result<Self, BadQuery> {
        let bad = || BadQuery::Filter { text: text.to_owned() };
        let (column, value) = text.split_once('=').ok_or_else(bad)?;
        let (column, is) =
            column.strip_suffix('!').map_or((column, true), |column| (column, false));
        let column = column.trim();
        if column.is_empty() {
            return Err(bad());
        }
        Ok(Self { column: column.to_owned(), is, value: value.trim().to_owned() })
    }
}

/// Why nothing can be listed like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadQuery {
    /// A condition cannot be read.
    #[error("`{text}` is no condition: write COLUMN=VALUE or COLUMN!=VALUE")]
    Filter {
        /// What was written.
        text: String,
    },
    /// There is no such column.
    #[error("{what} have no column `{column}`; there are {}", what.columns().join(", "))]
    Column {
        /// What is listed.
        what: What,
        /// What was asked for.
        column: String,
    },
    /// A list is not that long.
    #[error("a list has 1 to {max} rows, not {limit}")]
    Limit {
        /// What was asked for.
        limit: usize,
        /// The most there may be.
        max: usize,
    },
}

/// Which records are wanted, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateQuery {
    /// What is listed.
    pub what: What,
    /// All of them are met.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// At most so many rows, 1 to [`STATE_ROWS_MAX`](limits::STATE_ROWS_MAX).
    #[serde(default = "default_limit")]
    pub limit: usize,
    /// In which order, before the list is cut; else those that matter most come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Sort>,
    /// Count them by name and state, and give no rows.
    #[serde(default)]
    pub summary: bool,
    /// Of all processes below the one that is asked, too.
    #[serde(default)]
    pub whole: bool,
}

fn default_limit() -> usize {
    limits::STATE_ROWS
}

impl StateQuery {
    /// All of a kind, in the whole cluster, up to the usual limit.
    #[must_use]
    pub fn all(what: What) -> Self {
        let limit = limits::STATE_ROWS;
        Self { what, filters: Vec::new(), limit, sort: None, summary: false, whole: true }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`BadQuery`].
    pub fn check(&self) -> Result<(), BadQuery> {
        let is_known = |filter: &&Filter| !self.what.columns().contains(&&*filter.column);
        if let Some(bad) = self.filters.iter().find(is_known) {
            return Err(BadQuery::Column { what: self.what, column: bad.column.clone() });
        }
        let what = self.what;
        if let Some(sort) = self.sort.as_ref().filter(|sort| !what.is_sorted_by(&sort.column)) {
            return Err(BadQuery::Column { what, column: sort.column.clone() });
        }
        if self.limit == 0 || self.limit > limits::STATE_ROWS_MAX {
            let (limit, max) = (self.limit, limits::STATE_ROWS_MAX);
            return Err(BadQuery::Limit { limit, max });
        }
        Ok(())
    }

    /// Whether a record is wanted.
    #[must_use]
    pub fn admits<R: Record>(&self, record: &R) -> bool {
        self.filters.iter().all(|filter| filter.admits(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_as_they_are_written() {
        for text in ["state=running", "name!=load", "name=", "error!=a=b"] {
            assert_eq!(
                text.parse::<Filter>().map(|filter| filter.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!("state = running".parse(), Ok(Filter::is("state", "running")));
        for text in ["", "state", "=running", "!=running"] {
            assert!(matches!(text.parse::<Filter>(), Err(BadQuery::Filter { .. })), "{text}");
        }
    }

    #[test]
    fn a_query_that_makes_no_sense_says_what_would() {
        let of = |filters, limit| StateQuery { filters, limit, ..StateQuery::all(What::Objects) };
        let column =
            of(vec![Filter::is("colour", "red")], 1).check().map_err(|bad| bad.to_string());
        let said = "objects have no column `colour`; there are name, state, held_by, waiters, pid, \
                    holders, size, place, store, owner, references, pins, used_by, \
                    call_site, made_by";
        assert_eq!(column, Err(said.to_owned()));
        for limit in [0, limits::STATE_ROWS_MAX + 1] {
            assert!(matches!(of(Vec::new(), limit).check(), Err(BadQuery::Limit { .. })));
        }
        assert_eq!(of(vec![Filter::is_not("state", "ready")], 1).check(), Ok(()));
    }
}
