//! Which rows of a list are shown, and in which order. Pure.

use std::cmp::Ordering;

use super::{Cell, Column, View};
use crate::near::nearest;

/// What is wrong with what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mistake {
    /// There is no such column.
    #[error("there is no column `{column}`{}: there are {known}", did_you_mean(near.as_deref()))]
    NoSuchColumn {
        /// What was said.
        column: String,
        /// What may be meant.
        near: Option<String>,
        /// All of them.
        known: String,
    },
    /// It is no condition.
    #[error("`{text}` is no condition: write COLUMN=VALUE or COLUMN!=VALUE")]
    NoCondition {
        /// What was said.
        text: String,
    },
    /// The column has other values.
    #[error("`{value}` is no value of the column `{column}`: it is {expected}")]
    BadValue {
        /// The column.
        column: &'static str,
        /// What was said.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// The rows that are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selected {
    /// Which, in their order.
    pub(super) rows: Vec<usize>,
    /// Others that fit, beyond the limit.
    pub(super) more: u64,
}

struct Condition<'a> {
    at: usize,
    is: bool,
    value: &'a str,
}

/// Reads what is asked, and finds the rows. Every row has a cell for each column.
pub(super) fn select(
    columns: &[Column],
    rows: &[Vec<Cell>],
    view: &View,
) -> Result<Selected, Mistake> {
    let mut conditions = Vec::new();
    for text in &view.conditions {
        conditions.push(condition(columns, rows, text)?);
    }
    let sort = view.sort.as_deref().map(|text| {
        let (name, is_down) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        Ok((find(columns, name)?, is_down))
    });
    let sort = sort.transpose()?;
    let fits = |row: &Vec<Cell>| {
        conditions.iter().all(|Condition { at, is, value }| row[*at].is(value) == *is)
    };
    let mut kept: Vec<usize> = (0..rows.len()).filter(|at| fits(&rows[*at])).collect();
    if let Some((column, is_down)) = sort {
        kept.sort_by(|one, next| order(&rows[*one][column], &rows[*next][column], is_down));
    }
    let more = kept.len().saturating_sub(view.limit) as u64;
    kept.truncate(view.limit);
    Ok(Selected { rows: kept, more })
}

/// What is empty comes last, whichever way it is sorted.
fn order(one: &Cell, next: &Cell, is_down: bool) -> Ordering {
    let by_value = if is_down { next.order(one) } else { one.order(next) };
    one.is_empty().cmp(&next.is_empty()).then(by_value)
}

fn condition<'a>(
    columns: &[Column],
    rows: &[Vec<Cell>],
    text: &'a str,
) -> Result<Condition<'a>, Mistake> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| Mistake::NoCondition { text: text.to_owned() })?;
    let (name, is) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
    let at = find(columns, name.trim())?;
    let value = value.trim();
    match rows.iter().find_map(|row| row[at].mistakes(value)) {
        None => Ok(Condition { at, is, value }),
        Some(expected) => {
            let column = columns[at].name;
            Err(Mistake::BadValue { column, value: value.to_owned(), expected })
        }
    }
}

fn find(columns: &[Column], name: &str) -> Result<usize, Mistake> {
    let found = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names = || columns.iter().map(|column| column.name);
        Mistake::NoSuchColumn {
            column: name.to_owned(),
            near: nearest(name, names()).map(str::to_owned),
            known: names().collect::<Vec<_>>().join(", "),
        }
    })
}
