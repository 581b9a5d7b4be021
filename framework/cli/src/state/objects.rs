//! Objects as rows.

use raytree_types::state::ObjectRecord;

use super::{Seen, text};
use crate::table::{Cell, Column, Row};

impl Row for Seen<ObjectRecord> {
    const COLUMNS: &'static [Column] = &[
        Column::text("name"),
        Column::text("state"),
        Column::text("held_by"),
        Column::number("waiters"),
        Column::number("pid"),
        Column::number("holders"),
        Column::number("size"),
        Column::text("place"),
        Column::text("store"),
        Column::text("owner"),
        Column::number("references"),
        Column::number("pins"),
        Column::number("used_by"),
        Column::number("age"),
        Column::text("call_site"),
        Column::text("made_by"),
    ];
    const NARROW: &'static [&'static str] =
        &["size", "place", "age", "name", "call_site", "state", "owner", "held_by", "references"];

    fn cells(&self) -> Vec<Cell> {
        let Self { record, now } = self;
        vec![
            text(Some(&record.name)),
            text(Some(record.state)),
            text(Some(record.held_by.join(", "))),
            Cell::Number(record.waiters),
            Cell::Number(record.pid.into()),
            Cell::Number(record.holders),
            record.size.map_or(Cell::None, Cell::Bytes),
            text(record.place),
            text(record.store.as_ref()),
            text(Some(&record.owner)),
            Cell::Number(record.references),
            Cell::Number(record.pins),
            Cell::Number(record.used_by),
            record.age(*now).map_or(Cell::None, Cell::Span),
            text(record.call_site.as_ref()),
            text(record.made_by.as_ref()),
        ]
    }
}
