//! `raytree objects --leaks`: objects that nobody seems to use, by the line that made them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use raytree_types::limits;
use raytree_types::state::{Filter, ObjectRecord, ObjectState, Rows, Sort, StateQuery, What};
use serde::Serialize;

use super::{Gathered, LeakArgs, ObjectsArgs, far, gather, left, text};
use crate::Code;
use crate::run::tell_missing;
use crate::table::{Cell, Column, Row, View, list};
use crate::text::grouped;
use crate::tree::Style;

/// Objects of one line of the source that nobody seems to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Leak {
    /// The line that made them, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    call_site: Option<String>,
    /// What made them.
    name: String,
    /// How many there are.
    count: u64,
    /// What they take in stores and on disk together, in bytes; nothing where none is in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// How long the oldest one has been there.
    age: Duration,
    /// The processes that have them.
    owners: Vec<String>,
    /// Other processes that hold one of them.
    held_by: Vec<String>,
}

impl Row for Leak {
    const COLUMNS: &'static [Column] = &[
        Column::number("size"),
        Column::number("count"),
        Column::number("age"),
        Column::text("name"),
        Column::text("call_site"),
        Column::text("owner"),
        Column::text("held_by"),
    ];

    fn cells(&self) -> Vec<Cell> {
        vec![
            self.size.map_or(Cell::None, Cell::Bytes),
            Cell::Number(self.count),
            Cell::Span(self.age),
            text(Some(&self.name)),
            text(self.call_site.as_ref()),
            text(Some(self.owners.join(", "))),
            text(Some(self.held_by.join(", "))),
        ]
    }
}

/// Nobody seems to use it: it has its value, nobody waits for it, no task, and no call that is still to begin, has it as an argument, nobody looks at
/// its bytes, and it has been so for some time, as far as its age says.
fn is_suspect(object: &ObjectRecord, now: Duration, older_than: Duration) -> bool {
    object.state == ObjectState::Ready
        && (object.waiters, object.used_by, object.pins) == (0, 0, 0)
        && object.age(now).is_some_and(|age| age >= older_than)
}

/// Those that nobody seems to use, by the line and the name of what made them: first what takes most, then what are most, then the
/// oldest.
pub(super) fn group(objects: &[ObjectRecord], now: Duration, older_than: Duration) -> Vec<Leak> {
    let mut groups: BTreeMap<(&Option<String>, &str), Leak> = BTreeMap::new();
    for object in objects.iter().filter(|object| is_suspect(object, now, older_than)) {
        let leak = groups.entry((&object.call_site, &object.name)).or_insert_with(|| Leak {
            call_site: object.call_site.clone(),
            name: object.name.clone(),
            count: 0,
            size: None,
            age: Duration::ZERO,
            owners: Vec::new(),
            held_by: Vec::new(),
        });
        leak.count += 1;
        if let Some(size) = object.size {
            leak.size = Some(leak.size.unwrap_or(0).saturating_add(size));
        }
        leak.age = leak.age.max(object.age(now).unwrap_or_default());
        add(&mut leak.owners, &object.owner);
        object.held_by.iter().for_each(|holder| add(&mut leak.held_by, holder));
    }
    let mut leaks: Vec<_> = groups.into_values().collect();
    // Stable: what is equal stays in the order of lines and names.
    leaks.sort_by_key(|leak| std::cmp::Reverse((leak.size, leak.count, leak.age)));
    leaks
}

fn add(names: &mut Vec<String>, name: &str) {
    if !name.is_empty() && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// Prints those that are asked for.
pub(super) fn rows_of(
    leaks: &[Leak],
    view: &View,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    list(leaks, 0, view, ("no object seems to be forgotten", style), out, err)
}

/// Columns that mean another thing of an object than of many.
const OF_MANY: &[&str] = &["size", "count", "age", "held_by"];

/// What each process is asked for: what may be suspected, the oldest first, so that what is left out is young.
pub(super) fn query(args: &ObjectsArgs) -> StateQuery {
    let idle = ["waiters", "used_by", "pins"].map(|column| Filter::is(column, "0"));
    let mut filters = vec![Filter::is("state", ObjectState::Ready.to_string())];
    filters.extend(idle);
    let of_one = far(&args.state.view, What::Objects).into_iter();
    filters.extend(of_one.filter(|filter| !OF_MANY.contains(&&*filter.column)));
    let sort = Some(Sort { column: "age".to_owned(), is_down: true, now: crate::time::now() });
    let limit = limits::STATE_ROWS_MAX;
    StateQuery { filters, sort, limit, ..StateQuery::all(What::Objects) }
}

/// Prints the objects that nobody seems to use, over all processes of whoever is asked.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn leaks(
    args: &ObjectsArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let LeakArgs { older_than, .. } = &args.leaks;
    let older_than = match crate::time::span(older_than) {
        Ok(older_than) => older_than,
        Err(why) => {
            writeln!(err, "raytree: --older-than: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    let query = query(args);
    let (rows, now, is_whole) = match gather(&query, &args.state.place, folder, err)? {
        Ok(Gathered { rows, now, is_whole }) => (rows, now, is_whole),
        Err(code) => return Ok(code),
    };
    let Rows::Objects(listing) = rows else { return Ok(Code::Partly) };
    tell_missing(&listing.missing, err)?;
    let more = listing.more();
    if more > 0 {
        let rows = grouped(listing.rows.len() as u64);
        writeln!(
            err,
            "raytree: the {rows} oldest were looked at, and {} more were not",
            grouped(more)
        )?;
    }
    let leaks = group(&listing.rows, now, older_than);
    let view = left::<Leak>(&args.state.view, &query.filters);
    let code = rows_of(&leaks, &view, style, out, err)?;
    let is_whole = is_whole && listing.missing.is_empty();
    Ok(if code == Code::Good && !is_whole { Code::Partly } else { code })
}
