//! Lists and the timeline over all processes: each says its own, and whoever is asked for the whole puts them together.

use std::sync::Weak;
use std::time::Duration;

use raytree_supervise::clock;
use raytree_types::inspect::{Answer, Circle, Missing, Refused, Request, Role};
use raytree_types::state::{ProcessTrace, Rows, Span, SpanKind, StateQuery, Trace, TraceQuery};

use crate::whole::{Seam, ask_all, seams};
use crate::{Inspected, process};

/// What is listed in this process, and in those below it.
pub(crate) fn rows(
    inspected: &Weak<dyn Inspected>,
    query: &StateQuery,
    within: Duration,
) -> Result<Rows, Refused> {
    query.check().map_err(Refused::BadQuery)?;
    let Some(held) = inspected.upgrade() else { return Ok(Rows::none(query.what)) };
    let (mut rows, root) = (held.lists(query), held.root());
    drop(held);
    if !query.whole {
        return Ok(rows);
    }
    let seams = seams(&root, None);
    let request = Request::State(query.clone());
    let below = ask_all(&seams, |passage| passage.asks(&request, within));
    for (Seam { mirror, .. }, answer) in seams.iter().zip(below) {
        let why = match answer {
            Ok(Answer::State(other)) => match rows.join(other, query) {
                true => continue,
                false => "it lists something else".to_owned(),
            },
            Ok(Answer::Refused(refused)) => refused.to_string(),
            Ok(_) => "it makes no sense".to_owned(),
            Err(why) if why.is_shut => continue,
            Err(why) => why.to_string(),
        };
        rows.misses(Missing { path: mirror.path(), why });
    }
    Ok(rows)
}

/// What has run when in this process, and in those below it, by the clock of this one.
pub(crate) fn timeline(
    inspected: &Weak<dyn Inspected>,
    query: &TraceQuery,
    within: Duration,
) -> Trace {
    let Some(held) = inspected.upgrade() else { return Trace::default() };
    let (mut own, root) = (own(&*held), held.root());
    drop(held);
    // A clock below may differ by any amount: what is too old is left out here.
    let all = TraceQuery { since: None, ..query.clone() };
    let request = Request::Timeline(all);
    let seams = seams(&root, None);
    let below = ask_all(&seams, |passage| {
        let asked = clock::unix_time();
        let answer = passage.asks(&request, within)?;
        Ok((asked, answer, clock::unix_time()))
    });
    for (Seam { mirror, .. }, answer) in seams.iter().zip(below) {
        let path = mirror.path();
        let why = match answer {
            Ok((asked, Answer::Timeline(below), answered)) => {
                own.join(below, &path, asked, answered);
                continue;
            }
            Ok(_) => "it makes no sense".to_owned(),
            Err(why) if why.is_shut => continue,
            Err(why) => why.to_string(),
        };
        own.missing.push(Missing { path, why });
    }
    own.keep(query);
    own.now = clock::unix_time();
    own
}

fn own(held: &dyn Inspected) -> Trace {
    let (mut spans, mut dropped) = held.ran();
    let began = clock::unix_time().saturating_sub(clock::now());
    if let Some(log) = held.root().spans() {
        let (handled, forgotten) = log.read();
        dropped += forgotten;
        spans.extend(handled.into_iter().map(|one| Span {
            kind: one.moved.as_ref().map_or(SpanKind::Call, |moved| moved.kind),
            name: one.label.to_owned(),
            line: one.name.to_string(),
            began: began + one.began,
            took: one.ended.saturating_sub(one.began),
            task: None,
            attempt: 0,
            actor: one.actor,
            outcome: None,
            bytes: one.moved.as_ref().and_then(|moved| moved.bytes),
            from: one.moved.as_ref().and_then(|moved| moved.from),
        }));
    }
    let name = match held.door().role() {
        Role::Program => process::program(),
        role => role.to_string(),
    };
    let (path, pid) = (String::new(), std::process::id());
    let process = ProcessTrace { path, name, pid, spans, dropped };
    Trace { now: clock::unix_time(), processes: vec![process], missing: Vec::new() }
}

/// A wait in a circle is given up, in whichever process its call was made.
pub(crate) fn give_up(inspected: &Weak<dyn Inspected>, circle: Circle, within: Duration) -> u64 {
    let Some(held) = inspected.upgrade() else { return 0 };
    let (own, root) = (held.gives_up(&circle), held.root());
    drop(held);
    if own > 0 {
        return own;
    }
    let request = Request::GiveUp(circle);
    let below = ask_all(&seams(&root, None), |passage| passage.asks(&request, within));
    let counts = below.into_iter().map(|answer| match answer {
        Ok(Answer::GaveUp(count)) => count,
        // It may be there; who waits still is looked for again.
        _ => 0,
    });
    counts.sum()
}
