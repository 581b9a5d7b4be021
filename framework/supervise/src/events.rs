//! The supervision log of a tree: what failed in it, and what supervisors decided. Nothing is allocated before the first entry.

use std::collections::VecDeque;

use parking_lot::Mutex;
use raytree_types::inspect::{Event, EventKind, EventQuery, Events};
use raytree_types::{Cause, limits};

use crate::clock;

/// The last [`EVENTS_KEPT`](limits::EVENTS_KEPT) entries, and how many there were before them. It belongs to a tree and not to
/// an actor: it survives them all.
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
        let cause = cause.map(short_cause);
        let mut kept = self.kept.lock();
        // In the order of their numbers, also when the clock is set back.
        let at = clock::unix_time().max(kept.events.back().map(|last| last.at).unwrap_or_default());
        if kept.events.len() == limits::EVENTS_KEPT {
            kept.events.pop_front();
        }
        kept.count += 1;
        let number = kept.count;
        let pid = std::process::id();
        kept.events.push_back(Event { at, pid, number, path, kind, what, cause });
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

fn short_cause(cause: &Cause) -> Cause {
    let short = |text: &String| short(text.clone(), limits::INSPECT_CAUSE_CHARS_MAX);
    let below = cause.chain.iter().take(limits::EVENT_CHAIN_MAX);
    Cause {
        message: short(&cause.message),
        type_name: cause.type_name.clone(),
        chain: below.map(short).collect(),
        place: cause.place.clone(),
        during: cause.during.clone(),
        value: None,
    }
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
