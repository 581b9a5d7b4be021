//! The supervision log of a tree: what failed in it, and what supervisors decided. Nothing is allocated before the first entry.

use std::collections::VecDeque;

use parking_lot::Mutex;
use raytree_types::inspect::{Event, EventKind, EventQuery, Events};
use raytree_types::{Cause, limits};

use crate::clock;

/// The last [`EVENTS_KEPT`](limits::EVENTS_KEPT) entries, or fewer if their texts are longer than
/// [`EVENTS_BYTES_MAX`](limits::EVENTS_BYTES_MAX), and how many there were before them. It belongs to a tree and not to an
/// actor: it survives them all.
#[derive(Debug, Default)]
pub struct EventLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The newest last.
    events: VecDeque<Event>,
    /// How many there have ever been.
    count: u64,
    /// Bytes of the texts of those that are kept.
    bytes: usize,
}

impl Kept {
    /// Also the newest has to go where it alone is too long.
    fn make_room(&mut self) {
        while self.events.len() > limits::EVENTS_KEPT || self.bytes > limits::EVENTS_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= bytes_of(&oldest);
        }
    }
}

impl EventLog {
    /// One more entry. A cause is kept without the error's own value, and no longer than a screen can show.
    pub fn note(
        &self,
        path: String,
        kind: EventKind,
        what: impl Into<String>,
        cause: Option<&Cause>,
    ) {
        let what = short(what.into(), limits::EVENT_CHARS_MAX);
        let cause = cause.map(Cause::short);
        let mut kept = self.kept.lock();
        // In the order of their numbers, also when the clock is set back.
        let at = clock::unix_time().max(kept.events.back().map(|last| last.at).unwrap_or_default());
        kept.count += 1;
        let number = kept.count;
        let pid = std::process::id();
        let event = Event { at, pid, number, path, kind, what, cause };
        kept.bytes += bytes_of(&event);
        kept.events.push_back(event);
        kept.make_room();
    }

    /// The entries that are asked for.
    #[must_use]
    pub fn read(&self, query: &EventQuery) -> Events {
        let limit = query.limit.unwrap_or(usize::MAX).min(limits::INSPECT_EVENTS_MAX);
        let kept = self.kept.lock();
        let dropped = kept.count - kept.events.len() as u64;
        let fitting = kept.events.iter().rev().filter(|event| query.fits(event));
        let mut events = Events { dropped, ..Events::default() };
        for event in fitting {
            if events.events.len() < limit {
                events.events.push(event.clone());
            } else {
                events.more += 1;
            }
        }
        events.events.reverse();
        events
    }
}

fn short(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
    }
    text
}

/// Bytes of its texts.
fn bytes_of(event: &Event) -> usize {
    let of_cause = event.cause.as_ref().map_or(0, |cause| {
        let own = [
            Some(&cause.message),
            Some(&cause.type_name),
            cause.place.as_ref(),
            cause.during.as_ref(),
        ];
        let way = cause.way.iter().flat_map(|step| [&step.who, &step.what]);
        own.into_iter().flatten().chain(&cause.chain).chain(way).map(String::len).sum()
    });
    event.path.len() + event.what.len() + of_cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: usize) -> EventLog {
        let log = EventLog::default();
        for number in 0..entries {
            let kind = if number % 2 == 0 { EventKind::Failed } else { EventKind::Restart };
            log.note(format!("raytree/a{}", number % 3), kind, number.to_string(), None);
        }
        log
    }

    fn told(log: &EventLog, query: &EventQuery) -> Vec<String> {
        log.read(query).events.into_iter().map(|event| event.what).collect()
    }

    #[test]
    fn the_newest_are_kept_and_the_others_counted() {
        let events = log(limits::EVENTS_KEPT + 7).read(&EventQuery::default());
        assert_eq!((events.events.len(), events.dropped), (limits::EVENTS_KEPT, 7));
        assert_eq!(events.events[0].number, 8);
    }

    #[test]
    fn those_with_long_texts_make_room_sooner_and_are_counted() {
        let log = EventLog::default();
        let long = Cause::message("x".repeat(1 << 12));
        for _ in 0..limits::EVENTS_KEPT {
            log.note("r".to_owned(), EventKind::Failed, "y".repeat(1 << 12), Some(&long));
        }
        let each = 1 + limits::EVENT_CHARS_MAX + limits::INSPECT_CAUSE_CHARS_MAX;
        let fit = limits::EVENTS_BYTES_MAX / each;
        let events = log.read(&EventQuery::default());
        assert!(fit < limits::EVENTS_KEPT);
        assert_eq!(
            (events.events.len(), events.dropped),
            (fit, (limits::EVENTS_KEPT - fit) as u64)
        );
        // One that is too long alone is counted, and nothing else is kept for it.
        let path = "p".repeat(limits::EVENTS_BYTES_MAX + 1);
        log.note(path, EventKind::Failed, "", None);
        let events = log.read(&EventQuery::default());
        assert_eq!((events.events.len(), events.dropped), (0, limits::EVENTS_KEPT as u64 + 1));
        log.note("r".to_owned(), EventKind::Failed, "short", None);
        assert_eq!(log.read(&EventQuery::default()).events.len(), 1);
    }

    #[test]
    fn a_query_says_what_it_leaves_out() {
        let log = log(12);
        let limited = EventQuery { limit: Some(2), ..EventQuery::default() };
        assert_eq!(told(&log, &limited), ["10", "11"]);
        assert_eq!(log.read(&limited).more, 10);
        let kind = EventQuery { kind: Some(EventKind::Restart), ..EventQuery::default() };
        assert_eq!(told(&log, &kind), ["1", "3", "5", "7", "9", "11"]);
        let path = EventQuery { path: Some("raytree/a1".to_owned()), ..EventQuery::default() };
        assert_eq!(told(&log, &path), ["1", "4", "7", "10"]);
        let above = EventQuery { path: Some("raytree/a".to_owned()), ..EventQuery::default() };
        assert!(told(&log, &above).is_empty(), "a name is whole");
    }

    #[test]
    fn a_long_cause_is_kept_short_and_without_its_value() {
        let log = EventLog::default();
        let mut cause = Cause::message("x".repeat(1 << 20));
        cause.chain = vec!["below".to_owned(); 100];
        cause.value = Some(vec![0; 1 << 20].into());
        log.note("raytree".to_owned(), EventKind::Failed, "y".repeat(1 << 20), Some(&cause));
        let event = log.read(&EventQuery::default()).events.remove(0);
        let kept = event.cause.expect("a cause");
        assert_eq!(kept.message.len(), limits::INSPECT_CAUSE_CHARS_MAX);
        assert_eq!((kept.chain.len(), kept.value), (limits::EVENT_CHAIN_MAX, None));
        assert_eq!(event.what.len(), limits::EVENT_CHARS_MAX);
    }
}
