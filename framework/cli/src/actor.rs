//! `raytree actor`: all there is to say of one actor.

use std::io::{self, Write};
use std::path::Path;

use raytree_types::inspect::{ActorDetail, Answer, FlightEvent, PolicyDetail, Request};

use crate::Code;
use crate::args::OneArgs;
use crate::json;
use crate::one::ask_one;
use crate::text::{cut, grouped, plain};
use crate::time::{ago, moment};
use crate::tree::Style;

/// Prints what is known of an actor without asking it.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn actor(
    args: &OneArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let request = Request::Actor { which: args.which.clone() };
    let detail = match ask_one(&args.place, folder, &request, err)? {
        Ok(Answer::Actor(detail)) => detail,
        Ok(_) => return Ok(Code::Partly),
        Err(code) => return Ok(code),
    };
    if args.json {
        json::write("actor", &detail, out)?;
    } else {
        print(&detail, style, out)?;
    }
    out.flush()?;
    Ok(Code::Good)
}

fn print(detail: &ActorDetail, style: Style, out: &mut impl Write) -> io::Result<()> {
    let ActorDetail { path, pid, row, policy, intensity, next_life_in, children, .. } = detail;
    let mut lines = vec![plain(path)];
    let mut say = |name: &str, what: String| lines.push(format!("  {name:<9} {}", plain(&what)));
    say("type", row.type_name.clone());
    if let Some(id) = row.id {
        say("id", id.to_string());
    }
    let due = next_life_in.map_or_else(String::new, |due| format!(", in {}", ago(due)));
    say("state", format!("{}{due}", row.state));
    say(
        "process",
        row.host
            .as_ref()
            .map_or_else(|| pid.to_string(), |host| format!("{pid}, stands for one on {host}")),
    );
    if let Some(strategy) = &row.strategy {
        let limit = intensity.map_or_else(String::new, |limit| {
            format!(", gives up after {} restarts in {:?}", limit.max, limit.within)
        });
        say("children", format!("{children}, {strategy}{limit}"));
    }
    if let Some(policy) = policy {
        say("policy", policy_text(policy));
    }
    let refused = match row.refused {
        0 => String::new(),
        refused => format!(", {} refused", grouped(refused)),
    };
    say("mailbox", format!("{} of {}{refused}", grouped(row.queued), grouped(row.queue_limit)));
    say("handled", format!("{}, in {}", grouped(row.handled), ago(row.busy)));
    if let (Some(current), Some(since)) = (&row.current, row.busy_for) {
        say("handles", format!("{current}, for {}", ago(since)));
    }
    say("restarts", row.restarts.to_string());
    if let Some(remark) = &row.remark {
        say("remark", remark.clone());
    }
    for (number, end) in detail.ends.iter().rev().enumerate() {
        say(if number == 0 { "last end" } else { "before" }, end.to_string());
    }
    if detail.ends_dropped > 0 {
        lines.push(format!("  {} earlier ends dropped", grouped(detail.ends_dropped)));
    }
    if !detail.recorder.is_empty() {
        lines.push("  flight recorder".to_owned());
    }
    if detail.recorder_dropped > 0 {
        lines.push(format!("    {} earlier ones dropped", grouped(detail.recorder_dropped)));
    }
    for FlightEvent { at, what } in &detail.recorder {
        lines.push(format!("    {}  {}", moment(*at), plain(what)));
    }
    lines.iter().try_for_each(|line| writeln!(out, "{}", cut(line, style.columns)))
}

fn policy_text(policy: &PolicyDetail) -> String {
    let PolicyDetail { restart, shutdown, backoff, own_restarts } = policy;
    let counted = match own_restarts {
        Some(total) => format!("{total} restarts of its own"),
        None => "its restarts count against its supervisor".to_owned(),
    };
    let ends = match shutdown {
        raytree_types::Shutdown::Stop(within) => format!("has {within:?} to stop"),
        raytree_types::Shutdown::Drain(within) => {
            format!("has {within:?} to finish what is queued")
        }
        raytree_types::Shutdown::Wait => "is waited for when it is to stop".to_owned(),
        raytree_types::Shutdown::Kill => "is killed when it is to stop".to_owned(),
    };
    let waits = format!("waits {:?} to {:?} between restarts", backoff.base, backoff.max);
    format!("{restart}, {counted}, {waits}, {ends}")
}
