//! From a request to its answer, for whoever asks over whatever line. Blocks, on a thread that may.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use raytree_supervise::{Probe, clock};
use raytree_types::inspect::{
    Answer, Asked, Edges, Events, INSPECT_VERSION, Missing, ProcessRow, Refused, Reply, Request,
    Role, Selection, TreeRows, Versioned, Waits,
};
use raytree_types::limits;

use crate::owners::{Forest, Jobs, hosted};
use crate::whole::{Scene, Seam, Spot, ask_all, passed_on, seams};
use crate::{
    Inspected, Owners, checkup, ending, events, lists, logs, process, search, waits, walk, why,
};

/// What a reply holds besides its rows, generously.
const HEAD_BYTES: usize = 8 << 10;

/// Below it in the tree of a head stand the mirrors of its nodes.
const NODES_AT: &str = "node_pool";

/// One conversation: what the client was told last, so that it can be told what has changed.
#[derive(Debug, Default)]
pub struct Talk {
    told: Option<(Selection, TreeRows)>,
    count: u64,
    is_local: bool,
}

/// A line for the client, and what is to be done once it was sent.
pub struct Said {
    /// The answer, with its line break.
    pub line: Vec<u8>,
    then: Option<Act>,
}

/// What is done once the client has its answer: it may end the one who answers.
pub(crate) type Act = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Said").field("bytes", &self.line.len()).finish_non_exhaustive()
    }
}

impl Said {
    /// An answer that leaves nothing to be done.
    pub(crate) fn plain(line: Vec<u8>) -> Self {
        Self { line, then: None }
    }

    /// The client has the line.
    pub fn was_sent(self) {
        if let Some(act) = self.then {
            act();
        }
    }
}

impl Talk {
    /// With a process of the same user on the same machine.
    pub(crate) fn local() -> Self {
        Self { is_local: true, ..Self::default() }
    }

    /// Answers a line; nothing when what is inspected is gone.
    ///
    /// # Errors
    /// None that is known: an answer that cannot be written.
    pub fn answer(
        &mut self,
        inspected: &Weak<dyn Inspected>,
        line: &[u8],
    ) -> io::Result<Option<Said>> {
        let mut then = None;
        let answer = match parse(line) {
            Ok(Asked { request, patience, .. }) => {
                let patience = patience.unwrap_or(limits::INSPECT_ANSWER_WITHIN);
                let patience = patience.min(limits::INSPECT_ANSWER_WITHIN);
                let answered = self.reply(inspected, request, patience, &mut then);
                answered.unwrap_or_else(Answer::Refused)
            }
            Err(refused) => Answer::Refused(refused),
        };
        let Some(reply) = reply(inspected, answer) else { return Ok(None) };
        let line = encode(&reply)?;
        // Those that were sent whole are what changes are told from.
        if let (Answer::Tree(rows), Some((_, told))) = (reply.answer, &mut self.told) {
            *told = rows;
        }
        Ok(Some(Said { line, then }))
    }

    fn reply(
        &mut self,
        inspected: &Weak<dyn Inspected>,
        request: Request,
        patience: Duration,
        then: &mut Option<Act>,
    ) -> Result<Answer, Refused> {
        let gone = |path: &str| Refused::NoSuchPath { path: path.to_owned(), near: Vec::new() };
        // What is inspected is held for a moment only: whoever drops it must not wait for a reader.
        let root =
            |path: &str| inspected.upgrade().map(|held| held.root()).ok_or_else(|| gone(path));
        match request {
            Request::Hello => Ok(Answer::Hello),
            Request::Tree(selection) => {
                let rows = rows(inspected, &selection, passed_on(patience))?;
                Ok(self.tell(selection, rows))
            }
            Request::Actor { ref which } => {
                search::find(&root(which)?, &request, passed_on(patience), |probe| {
                    Ok(Answer::Actor(Box::new(probe.detail())))
                })
            }
            Request::Why { which } => {
                why::of(inspected, &root(&which)?, which, passed_on(patience)).map(Answer::Why)
            }
            Request::Edges => Ok(Answer::Edges(waits::edges(inspected, passed_on(patience)))),
            Request::Checkup => Ok(Answer::Checkup(checkup::of(inspected, passed_on(patience)))),
            Request::Waits => {
                let Edges { waits, missing } = waits::at_once(inspected, passed_on(patience));
                Ok(Answer::Waits(Waits { stories: waits::stories(&waits), missing }))
            }
            Request::Logs(query) => {
                let within = passed_on(patience);
                let text = logs::of(inspected, &root(&query.which)?, &query, within)?;
                Ok(Answer::Logs(Box::new(text)))
            }
            Request::State(query) => {
                lists::rows(inspected, &query, passed_on(patience)).map(Answer::State)
            }
            Request::Timeline(query) => {
                Ok(Answer::Timeline(lists::timeline(inspected, &query, passed_on(patience))))
            }
            Request::GiveUp(circle) => {
                Ok(Answer::GaveUp(lists::give_up(inspected, circle, passed_on(patience))))
            }
            Request::End { ref which, how, confirmed } => {
                let act = Mutex::new(None);
                let found = search::find(&root(which)?, &request, passed_on(patience), |probe| {
                    let held = inspected.upgrade().ok_or_else(|| gone(which))?;
                    let (note, done) = ending::end(&*held, probe, how, confirmed)?;
                    *act.lock() = done;
                    Ok(Answer::End(note))
                });
                *then = act.into_inner();
                found
            }
            Request::Events(query) => match inspected.upgrade().map(|held| held.root()) {
                Some(root) => events::of(&root, &query, passed_on(patience)).map(Answer::Events),
                None => Ok(Answer::Events(Events::default())),
            },
            Request::Panic { path } => {
                let root = root(&path)?;
                let path = walk::from_root(&path, root.name());
                if !self.is_local {
                    let reason = "it is for the user of that machine alone".to_owned();
                    return Err(Refused::BadRequest { reason });
                }
                let probe = walk::find(vec![root], &path)?;
                *then = Some(Box::new(move || probe.panic_now()));
                Ok(Answer::Panics)
            }
        }
    }

    /// The rows, or what has changed since they were told last.
    fn tell(&mut self, selection: Selection, mut rows: TreeRows) -> Answer {
        self.count += 1;
        rows.seq = self.count;
        let since = selection.since;
        let asked = Selection { since: None, ..selection };
        match (since, &mut self.told) {
            // Nobody will ask what has changed.
            (None, _) => {
                self.told = None;
                Answer::Tree(rows)
            }
            (Some(since), Some((before, told))) if *before == asked && told.seq == since => {
                let changes = told.changes_to(&rows);
                let is_short = changes.rows() <= rows.rows.len() / 2;
                if is_short {
                    *told = rows;
                    Answer::Changes(changes)
                } else {
                    Answer::Tree(rows)
                }
            }
            (Some(_), _) => {
                self.told = Some((asked, TreeRows::default()));
                Answer::Tree(rows)
            }
        }
    }
}

/// What is answered to a request from within the process itself. Blocks, on a thread that may.
///
/// # Errors
/// [`Refused`].
pub fn ask_here(
    inspected: &Weak<dyn Inspected>,
    request: Request,
    within: Duration,
) -> Result<Answer, Refused> {
    let mut then = None;
    let answer = Talk::local().reply(inspected, request, within, &mut then);
    // The one who asks has his answer as soon as this returns.
    if let Some(act) = then {
        act();
    }
    answer
}

/// A line that was not even read.
///
/// # Errors
/// As for [`Talk::answer`].
pub(crate) fn refusal(
    inspected: &Weak<dyn Inspected>,
    refused: Refused,
) -> io::Result<Option<Vec<u8>>> {
    let reply = reply(inspected, Answer::Refused(refused));
    reply.map(|reply| encode(&reply)).transpose()
}

fn parse(line: &[u8]) -> Result<Asked, Refused> {
    let bad = |error: serde_json::Error| Refused::BadRequest { reason: error.to_string() };
    let Versioned { version } = serde_json::from_slice(line).map_err(bad)?;
    if version != INSPECT_VERSION {
        return Err(Refused::Version { runtime: INSPECT_VERSION, client: version });
    }
    serde_json::from_slice(line).map_err(bad)
}

fn rows(
    inspected: &Weak<dyn Inspected>,
    selection: &Selection,
    within: Duration,
) -> Result<TreeRows, Refused> {
    let bytes_max = limits::INSPECT_REPLY_BYTES_MAX - HEAD_BYTES;
    let Some(held) = inspected.upgrade() else { return Ok(TreeRows::default()) };
    let (root, own) = (held.root(), own_row(&*held));
    if selection.owners {
        let owners = held.owners();
        drop(held);
        return owned(&root, owners, own.role, selection, (bytes_max, within));
    }
    drop(held);
    let path = selection.path.as_deref().map(|path| walk::from_root(path, root.name()));
    let seams = if selection.whole { seams(&root, path.as_deref()) } else { Vec::new() };
    let scene = Scene::look(&root, own, &seams, within);
    let top = Spot::Here(root, Arc::clone(&scene));
    let selection = Selection { path, ..selection.clone() };
    let mut rows = walk::walk(vec![top], &selection, bytes_max)?;
    rows.more += scene.more();
    Ok(rows)
}

/// Who spawned whom, in this process and in those below it.
fn owned(
    root: &Arc<Probe>,
    owners: Option<Owners>,
    role: Role,
    selection: &Selection,
    (bytes_max, within): (usize, Duration),
) -> Result<TreeRows, Refused> {
    // A head has none, and asks its drivers and its nodes; a node has none, and asks its workers.
    let owners = match owners {
        Some(owners) if !selection.whole => return owners(selection, bytes_max),
        None if !selection.whole => {
            return Err(Refused::NoOwners { who: format!("the {role}") });
        }
        owners => owners,
    };
    let everything = Selection { owners: true, ..Selection::default() };
    let (mut own, mut jobs) = (Forest::default(), Jobs::default());
    let (mut more, mut missing) = (0, Vec::new());
    if let Some(owners) = owners {
        let rows = owners(&everything, bytes_max)?;
        own.add(&rows.rows);
        more += rows.more;
    }
    let mut all = seams(root, None);
    let is_node = |seam: &Seam| seam.mirror.path().split('/').nth(1) == Some(NODES_AT);
    // What programs know comes first: it is theirs to say who there is.
    all.sort_by_key(is_node);
    for (seam, seen) in all.iter().zip(ask_all(&all, |passage| passage.sees(true, within))) {
        let path = seam.mirror.path();
        let sight = match seen {
            Ok(sight) => sight,
            Err(why) if why.is_shut => continue,
            // Of one that does not answer nothing is known.
            Err(why) => {
                missing.push(Missing { path, why: why.to_string() });
                continue;
            }
        };
        more += sight.more;
        missing.extend(sight.missing.into_iter().map(|one| one.seen_from(&path)));
        let host = seam.mirror.name();
        match &role {
            Role::Head if is_node(seam) => jobs.add(&hosted(&sight.rows, host)),
            // A driver is where it is; a node says of none of its workers that they are elsewhere.
            Role::Head | Role::Node { .. } => jobs.add(&sight.rows),
            Role::Program | Role::Part { .. } => own.add(&hosted(&sight.rows, host)),
        }
    }
    let all = [own.rows(), jobs.rows()].concat();
    let mut rows = match walk::walk(Spot::tops(all), selection, bytes_max) {
        // It may be known to one that does not answer.
        Err(Refused::NoSuchPath { path, .. }) if !missing.is_empty() => {
            return Err(may_be_there(&path, &missing));
        }
        rows => rows?,
    };
    rows.more += more;
    rows.missing = missing;
    Ok(rows)
}

/// It was not found, and not everybody was asked.
pub(crate) fn may_be_there(which: &str, missing: &[Missing]) -> Refused {
    let silent: Vec<String> =
        missing.iter().map(|one| format!("{}: {}", one.path, one.why)).collect();
    let reason = format!("`{which}` may be where nobody answers: {}", silent.join(", "));
    Refused::Unreadable { reason }
}

fn own_row(held: &dyn Inspected) -> ProcessRow {
    let uptime = clock::now().saturating_sub(held.door().began);
    let row = process::of_this(held.door().role(), process::program(), uptime);
    ProcessRow { store: held.store(), ..row }
}

/// The answer with its head; none when what is inspected is gone.
fn reply(inspected: &Weak<dyn Inspected>, answer: Answer) -> Option<Reply> {
    let held = inspected.upgrade()?;
    Some(Reply {
        version: INSPECT_VERSION,
        pid: std::process::id(),
        runtime: held.id(),
        program: process::program(),
        role: held.door().role(),
        uptime: clock::now().saturating_sub(held.door().began),
        captured_at: clock::unix_time(),
        cluster: held.cluster(),
        answer,
    })
}

fn encode(reply: &Reply) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes;

    #[test]
    fn who_gives_no_answer_is_missing_from_those_who_own() {
        let root = fakes::root(|_| Err(fakes::silent()));
        let owned = |path: Option<&str>| {
            let path = path.map(str::to_owned);
            let selection = Selection { owners: true, whole: true, path, ..Selection::default() };
            owned(&root, None, Role::Head, &selection, (usize::MAX, Duration::from_secs(1)))
        };
        let rows = owned(None).expect("nobody owns anybody");
        let missing: Vec<_> = rows.missing.iter().map(|one| &*one.path).collect();
        assert_eq!((rows.rows.len(), missing), (0, vec!["raytree"]));
        let refused = owned(Some("scores")).expect_err("it may be there");
        let Refused::Unreadable { reason } = refused else { panic!("{refused}") };
        assert_eq!(reason, "`scores` may be where nobody answers: raytree: it did not answer");
    }

    #[test]
    fn what_is_not_a_request_is_said_to_be_none() {
        let skew = Refused::Version { runtime: INSPECT_VERSION, client: 99 };
        let parse = |line: &[u8]| parse(line).map(|asked| asked.request);
        assert_eq!(parse(br#"{"version":99,"request":{"of":"the future"}}"#), Err(skew));
        for bad in ["", "hello", "{}", r#"{"version":2}"#, r#"{"version":2,"request":"kill"}"#] {
            assert!(matches!(parse(bad.as_bytes()), Err(Refused::BadRequest { .. })), "{bad}");
        }
        assert_eq!(parse(br#"{"version":2,"request":"hello"}"#), Ok(Request::Hello));
    }
}
