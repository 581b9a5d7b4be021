//! `raytree doctor`: what is wrong, or soon will be, and what to do about it. Each system actor of every process is sent a message;
//! what else is known is looked at with it. [`findings`] decides, and is pure.

mod findings;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use raytree_config::HostPort;
use raytree_types::inspect::{Answer, Checkup, ClusterStatus, Reply, Request, Role};
use serde::Serialize;

use crate::Code;
use crate::context::config_of;
use crate::reach::{Found, Where, reach};
use crate::run::{Asked, ask_all, nothing};
use crate::status::ask_at;
use crate::text::{cut, grouped, plain};
use crate::time::{ago, now};
use crate::tree::Style;
use findings::{Facts, Finding, Grade, Place, findings};

/// Who is examined, and how it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  all passed
  1  something is slow, or has failed
  2  nothing runs, or the head cannot be reached

Every system actor is sent a message, which its mailbox answers when its turn comes: the time is how far the mailbox is behind.
More than 100 ms is slow, more than 2 s has failed. Clocks, versions, nodes, abandoned threads and folders are looked at, too.")]
pub struct DoctorArgs {
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// List every actor with its time, and not the findings alone
    #[arg(long, short)]
    pub verbose: bool,
    /// Print all of it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the doctor says, as JSON.
#[derive(Debug, Serialize)]
struct Said<'a> {
    /// The version of these fields.
    version: u32,
    /// The worst of the findings.
    grade: Grade,
    /// What was found, the worst first.
    findings: &'a [Finding],
    /// What it was found in.
    checkups: &'a [Checkup],
}

/// What this version of raytree writes.
const VERSION: u32 = 1;

/// Examines everything that is found, and says what is wrong.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn doctor(
    args: &DoctorArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    // What keeps somebody from being looked at is a finding of its own.
    let mut said = Vec::new();
    let places = places(args, folder);
    let leftovers = leftovers(folder);
    let Some(found) = reach(&args.place, folder, &mut said)? else {
        err.write_all(&said)?;
        return Ok(Code::Nothing);
    };
    let clusters = heads(&found);
    let asked_at = now();
    let asked = ask_all(found, &Request::Checkup, &mut said)?;
    let had_at = now();
    let Asked { replies, refused, is_partial, place } = asked;
    let mut silent = lines(&said);
    silent.extend(refused.map(|why| why.to_string()));
    if replies.is_empty() && !is_partial && silent.is_empty() {
        return nothing(args.place.pid, &place, err);
    }
    let checkups = checkups(replies, asked_at, had_at);
    let facts = Facts {
        checkups: &checkups,
        clusters: &clusters.iter().map(|head| status_of(args, head)).collect::<Vec<_>>(),
        silent: &silent,
        leftovers,
        places: &places,
        user: rustix::process::geteuid().as_raw(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let findings = findings(&facts);
    let grade = findings.iter().map(|one| one.grade).max().unwrap_or_default();
    if args.json {
        let said = Said { version: VERSION, grade, findings: &findings, checkups: &checkups };
        serde_json::to_writer_pretty(&mut *out, &said)?;
        writeln!(out)?;
    } else {
        print(&checkups, &findings, args.verbose, style, out)?;
    }
    out.flush()?;
    Ok(if grade == Grade::Pass { Code::Good } else { Code::Partly })
}

/// Where the heads listen of those that were found.
fn heads(found: &Found) -> Vec<String> {
    let heads = found.whom.iter().filter(|one| one.hello.role == Role::Head);
    heads.filter_map(|one| one.hello.cluster.clone()).collect()
}

/// What a head says of its cluster, by the settings with which it was found.
fn status_of(args: &DoctorArgs, head: &str) -> Result<ClusterStatus, String> {
    let (address, context) = (args.place.address.as_deref(), args.place.context.as_deref());
    let config = config_of(address, context).map_err(|error| error.to_string())?;
    ask_at(&config, &head.parse::<HostPort>()?)
}

/// What was said, without who says it.
fn lines(said: &[u8]) -> Vec<String> {
    let said = String::from_utf8_lossy(said);
    let lines = said.lines().map(|line| line.trim_start_matches("raytree: "));
    lines.map(str::to_owned).collect()
}

/// The clock of whoever was asked is compared with that of this machine. Several are asked one after the other, all on this
/// machine.
fn checkups(replies: Vec<Reply>, asked_at: Duration, had_at: Duration) -> Vec<Checkup> {
    let is_one = replies.len() == 1;
    let answers = replies.into_iter().filter_map(|reply| match reply.answer {
        Answer::Checkup(mut checkup) => {
            if is_one {
                checkup.compare_clocks(asked_at, had_at);
            }
            Some(checkup)
        }
        _ => None,
    });
    answers.collect()
}

/// Files of processes that are gone, which are removed when they are met. Counted before they are.
fn leftovers(folder: &Path) -> u64 {
    let found = raytree_inspector::client::find(folder).unwrap_or_default();
    let is_gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
    found.iter().filter(|(name, _)| is_gone(name.pid)).count() as u64
}

/// Folders and files that are to be their user's alone.
fn places(args: &DoctorArgs, folder: &Path) -> Vec<Place> {
    let config = config_of(args.place.address.as_deref(), args.place.context.as_deref()).ok();
    let own = |what, path: PathBuf| {
        let is = fs::symlink_metadata(&path).ok()?;
        let (owner, mode) = (is.uid(), is.mode() & 0o7777);
        Some(Place { what, path: path.display().to_string(), owner, mode })
    };
    let token = config.as_ref().and_then(|config| config.cluster().token_file.clone());
    let cache = config.as_ref().and_then(|config| config.node().cache_dir.clone());
    let sockets = own("the folder of the sockets", folder.to_owned());
    let token = token.and_then(|path| own("the file of the token", path));
    let cache = cache.and_then(|path| own("the folder of the programs", path.join("programs")));
    [sockets, token, cache].into_iter().flatten().collect()
}

fn print(
    checkups: &[Checkup],
    findings: &[Finding],
    verbose: bool,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let processes = || checkups.iter().flat_map(|checkup| &checkup.processes);
    if verbose {
        let rows = processes().flat_map(|process| {
            process.actors.iter().map(move |actor| {
                let (grade, time) = findings::graded(&actor.lag);
                let time = time.map_or_else(|| "-".to_owned(), precise);
                [grade.to_string(), time, process.pid.to_string(), plain(&actor.path)]
            })
        });
        let heads = ["STATE", "TIME", "PID", "ACTOR"];
        crate::table::table(heads, rows.collect(), style, out)?;
        writeln!(out)?;
    }
    for finding in findings.iter().filter(|one| one.grade != Grade::Pass) {
        let Finding { grade, about, what, advice } = finding;
        let grade = grade.to_string();
        let line = format!("{grade:<4}  {}: {}", plain(about), plain(what));
        writeln!(out, "{}", cut(&line, style.columns))?;
        writeln!(out, "      {}", cut(advice, style.columns.saturating_sub(6)))?;
    }
    let actors = processes().flat_map(|process| &process.actors);
    let lags = || actors.clone().map(|actor| findings::graded(&actor.lag));
    let passed = lags().filter(|(grade, _)| *grade == Grade::Pass).count() as u64;
    let slowest = lags().filter_map(|(_, time)| time).max().unwrap_or_default();
    let few = format!("{} of {} system actors", grouped(passed), grouped(lags().count() as u64));
    let places = match processes().count() {
        1 => "1 process".to_owned(),
        many => format!("{} processes", grouped(many as u64)),
    };
    writeln!(out, "{few} in {places} passed, the slowest in {}", precise(slowest))
}

/// Microseconds, where [`ago`] has none.
fn precise(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..1000 => format!("{micros} us"),
        _ => ago(time),
    }
}
