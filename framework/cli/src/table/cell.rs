//! What stands in one column of one row.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use raytree_config::ByteCount;
use raytree_types::state::natural;

use crate::text::grouped;
use crate::time::{ago, span};

/// What stands in one column of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing.
    None,
    /// Words.
    Text(String),
    /// A number.
    Number(u64),
    /// An amount of a resource, in thousandths.
    Amount(u64),
    /// A time.
    Span(Duration),
    /// A number of bytes.
    Bytes(u64),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => f.write_str(&grouped(*number)),
            Self::Amount(thousandths) => f.write_str(&amount(*thousandths)),
            Self::Span(time) => f.write_str(&ago(*time)),
            Self::Bytes(bytes) => f.write_str(&ByteCount::new(*bytes).to_string()),
        }
    }
}

/// `1.5`
pub(crate) fn amount(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Cell {
    /// There is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// What the value of a condition has to be to be compared with this kind of cell; none if it can be.
    pub(super) fn mistakes(&self, value: &str) -> Option<&'static str> {
        let is_empty = value.is_empty() || value == "-";
        match self {
            _ if is_empty => None,
            Self::None | Self::Text(_) => None,
            Self::Number(_) => number(value).is_none().then_some("a whole number"),
            Self::Amount(_) => thousandths(value).is_none().then_some("a number"),
            Self::Span(_) => span(value).is_err().then_some("a time such as 30s or 5m"),
            Self::Bytes(_) => value.parse::<ByteCount>().is_err().then_some("bytes such as 64KiB"),
        }
    }

    /// It is what a condition says. Words are compared as they are, everything else by what it means.
    pub(super) fn is(&self, value: &str) -> bool {
        match self {
            _ if value.is_empty() || value == "-" => self.is_empty(),
            Self::None => false,
            Self::Text(text) => text == value,
            Self::Number(own) => number(value) == Some(*own),
            Self::Amount(own) => thousandths(value) == Some(*own),
            // Nobody knows a time to the nanosecond.
            Self::Span(own) => span(value).is_ok_and(|value| ago(value) == ago(*own)),
            Self::Bytes(own) => value.parse::<ByteCount>().is_ok_and(|value| value.bytes() == *own),
        }
    }

    /// In which order they stand. Cells of one column are of one kind.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(next)) => natural(one, next),
            (Self::Number(one), Self::Number(next))
            | (Self::Amount(one), Self::Amount(next))
            | (Self::Bytes(one), Self::Bytes(next)) => one.cmp(next),
            (Self::Span(one), Self::Span(next)) => one.cmp(next),
            _ => Ordering::Equal,
        }
    }
}

/// `1,000` is 1000.
pub(crate) fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// `1.5` is 1500.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 3 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(part)
}
