//! `raytree events`: the supervision log, one line a decision.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::Path;
use std::thread::park_timeout;
use std::time::Duration;

use raytree_types::inspect::{Answer, Event, EventKind, EventQuery, Events, Request};
use raytree_types::limits;

use crate::args::EventsArgs;
use crate::json;
use crate::reach::reach;
use crate::run::{Asked, Code, ask_all, nothing, tell_missing};
use crate::text::{cut, plain};
use crate::time::moment;
use crate::tree::Style;

/// So far the clocks of two machines may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(10);

/// Prints what failed and what supervisors decided, the newest last.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn events(
    args: &EventsArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let mut query = match query(args, crate::time::now()) {
        Ok(query) => query,
        Err(why) => {
            writeln!(err, "raytree: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    let mut seen = Seen { printed: HashSet::new(), is_first: true };
    loop {
        let Some(found) = reach(&args.place, folder, err)? else { return Ok(Code::Nothing) };
        let asked = ask_all(found, &Request::Events(query.clone()), err)?;
        let Asked { replies, refused, is_partial, place } = asked;
        // Who follows it hears of one that is forgotten as of one with which nothing is wrong.
        let is_refused = replies.is_empty() && seen.is_first;
        if let Some(refused) = refused.as_ref().filter(|_| is_refused) {
            writeln!(err, "raytree: {refused}")?;
            return Ok(Code::Partly);
        }
        if replies.is_empty() && refused.is_none() && !is_partial {
            return nothing(args.place.pid, &place, err);
        }
        seen.is_first = false;
        let mut all = Events::default();
        for reply in replies {
            let Answer::Events(events) = reply.answer else { continue };
            all.events.extend(events.events);
            all.more += events.more;
            all.dropped += events.dropped;
            all.missing.extend(events.missing);
        }
        all.keep(query.limit);
        let missing = std::mem::take(&mut all.missing);
        tell_missing(&missing, err)?;
        if !args.follow {
            print(&all, args.json, style, out)?;
            let is_whole = !is_partial && missing.is_empty();
            return Ok(if is_whole { Code::Good } else { Code::Partly });
        }
        all.events.retain(|event| seen.is_new(event));
        // Clocks of other machines may be behind.
        let newest = all.events.last().map(|event| event.at.saturating_sub(CLOCKS_APART));
        query.since = newest.or(query.since);
        seen.forget(query.since.unwrap_or_default());
        for event in &all.events {
            one(event, args.json, style, out)?;
        }
        out.flush()?;
        park_timeout(limits::EVENTS_FOLLOW_EVERY);
    }
}

/// What was printed already: entries of the last moments are asked for again.
struct Seen {
    printed: HashSet<(u32, u64, Duration)>,
    is_first: bool,
}

impl Seen {
    fn is_new(&mut self, event: &Event) -> bool {
        self.printed.insert((event.pid, event.number, event.at))
    }

    /// Those before are not asked for any more.
    fn forget(&mut self, before: Duration) {
        self.printed.retain(|(_, _, at)| *at >= before);
    }
}

fn query(args: &EventsArgs, now: Duration) -> Result<EventQuery, String> {
    let kind = match &args.kind {
        None => None,
        Some(name) => Some(EventKind::named(name).ok_or_else(|| {
            let known = EventKind::ALL.map(EventKind::name).join(", ");
            format!("there is no kind of event called `{name}`: it is one of {known}")
        })?),
    };
    let since = args.since.as_deref().map(crate::time::span).transpose()?;
    Ok(EventQuery {
        whole: true,
        since: since.map(|ago| now.saturating_sub(ago)),
        kind,
        path: args.path.clone(),
        limit: Some(args.limit),
    })
}

fn print(events: &Events, json: bool, style: Style, out: &mut impl Write) -> io::Result<()> {
    if json {
        json::write("log", events, out)?;
        return out.flush();
    }
    if events.events.is_empty() {
        writeln!(out, "nothing has failed")?;
    }
    for event in &events.events {
        one(event, false, style, out)?;
    }
    if events.more > 0 {
        writeln!(out, "… and {} older ones: --limit shows more", events.more)?;
    }
    if events.dropped > 0 {
        writeln!(out, "… and {} that were too old to be kept", events.dropped)?;
    }
    out.flush()
}

/// One line: when, what kind, whom, what.
fn one(event: &Event, json: bool, style: Style, out: &mut impl Write) -> io::Result<()> {
    if json {
        return json::line(event, out);
    }
    let Event { at, kind, path, what, .. } = event;
    let line = format!("{}  {kind:<7}  {}  {}", moment(*at), plain(path), plain(what));
    writeln!(out, "{}", cut(&line, style.columns))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use raytree_types::Cause;

    use super::*;

    const PIPE: Style = Style { columns: 1 << 20, lines: false, colour: false };

    fn event(number: u64, kind: EventKind, what: &str) -> Event {
        Event {
            at: Duration::from_millis(1_700_000_000_000 + number * 1500),
            pid: 7,
            number,
            path: "raytree/node/worker/actor_host/scores#1".to_owned(),
            kind,
            what: what.to_owned(),
            cause: (kind == EventKind::Failed).then(|| Cause::message(what)),
        }
    }

    fn log() -> Events {
        let events = [
            event(1, EventKind::Failed, "panicked: index out of bounds"),
            event(2, EventKind::Restart, "restart 1, at once"),
            event(3, EventKind::Up, "life 1 is up"),
        ];
        Events { events: events.into(), more: 2, dropped: 4000, ..Events::default() }
    }

    fn told(events: &Events, style: Style) -> String {
        let mut out = Vec::new();
        print(events, false, style, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_log_says_how_many_entries_it_has_not() {
        expect![[r#"
            2023-11-14T22:13:21.500Z  failed   raytree/node/worker/actor_host/scores#1  panicked: index out of bounds
            2023-11-14T22:13:23.000Z  restart  raytree/node/worker/actor_host/scores#1  restart 1, at once
            2023-11-14T22:13:24.500Z  up       raytree/node/worker/actor_host/scores#1  life 1 is up
            … and 2 older ones: --limit shows more
            … and 4000 that were too old to be kept
        "#]]
        .assert_eq(&told(&log(), PIPE));
        let narrow = Style { columns: 60, lines: true, colour: false };
        expect![[r#"
            2023-11-14T22:13:21.500Z  failed   raytree/node/worker/acto…
            2023-11-14T22:13:23.000Z  restart  raytree/node/worker/acto…
            2023-11-14T22:13:24.500Z  up       raytree/node/worker/acto…
            … and 2 older ones: --limit shows more
            … and 4000 that were too old to be kept
        "#]]
        .assert_eq(&told(&log(), narrow));
        expect![[r#"
            nothing has failed
            … and 4000 that were too old to be kept
        "#]]
        .assert_eq(&told(&Events { dropped: 4000, ..Events::default() }, PIPE));
    }

    #[test]
    fn each_line_of_a_log_that_is_followed_has_a_version() {
        let mut out = Vec::new();
        one(&log().events[1], true, PIPE, &mut out).expect("memory");
        expect![[r#"
            {"version":1,"at":{"secs":1700000003,"nanos":0},"pid":7,"number":2,"path":"raytree/node/worker/actor_host/scores#1","kind":"restart","what":"restart 1, at once"}
        "#]]
        .assert_eq(&String::from_utf8(out).expect("text"));
    }
}
