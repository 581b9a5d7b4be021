//! Starting a head or a node, and stopping those of this machine.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use raytree_config::{Config, HostPort, LoadFrom, LogFormat, split_argument};
use raytree_daemon::{Ending, HeadPlaces, resolve, run_head, run_node};
use raytree_types::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Signal, pidfd_send_signal};

use crate::Code;
use crate::args::{StartArgs, StopArgs};
use crate::local::{Daemon, Found, Kind, Known, daemons, make};

/// How long one may take to end that was killed.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// Starts what is asked for: in the background, or in this process until it ends.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn start(
    args: &StartArgs,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let config = match config(args) {
        Ok(config) => config,
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(Code::Nothing);
        }
    };
    if args.detached {
        detached(args, &config, folder, err)
    } else if args.block {
        here(args, &config, folder, out, err)
    } else {
        apart(folder, out, err)
    }
}

/// The settings, with what stands on the command line over them.
fn config(args: &StartArgs) -> Result<Config> {
    let mut from = LoadFrom::process();
    from.file = args.file.clone().map(Into::into).or(from.file);
    let mut said: Vec<(&str, String)> = Vec::new();
    let bind = args.host.clone().map(|host| ("cluster.bind", host));
    let port = args.port.map(|port| ("cluster.port", port.to_string()));
    let name = args.name.clone().map(|name| ("cluster.name", name));
    let cpus = args.cpus.map(|cpus| ("node.cpus", cpus.to_string()));
    let gpus = args.gpus.map(|gpus| ("node.gpus", gpus.to_string()));
    let head = args.join.clone().map(|head| ("cluster.address", head));
    said.extend([bind, port, name, cpus, gpus, head].into_iter().flatten());
    said.extend(args.dashboard_port.clone().map(|port| match &*port {
        "off" => ("dashboard.enabled", "false".to_owned()),
        _ => ("dashboard.port", port),
    }));
    for (key, value) in said {
        from = from.argument(key, value);
    }
    for argument in &args.set {
        from.arguments.push(split_argument(argument)?);
    }
    Config::load(from)
}

/// How it is to write what it has to say.
#[must_use]
pub fn log_format(args: &StartArgs) -> LogFormat {
    // What is wrong with the settings is said when it is started.
    config(args).map(|config| config.logs().format).unwrap_or_default()
}

/// In a process of its own, which this one waits for until it is ready.
fn apart(folder: &Path, out: &mut impl Write, err: &mut impl Write) -> io::Result<Code> {
    let log = folder.join("daemons.log");
    let opened = make(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(&log));
    let log_file = match opened {
        Ok(file) => file,
        Err(error) => {
            writeln!(err, "raytree: {} cannot be written: {error}", log.display())?;
            return Ok(Code::Nothing);
        }
    };
    // What is shown of it, and not the name of that link.
    let name = std::env::args_os().next().unwrap_or_else(|| "raytree".into());
    let mut child = Command::new("/proc/self/exe")
        .arg0(name)
        .args(std::env::args_os().skip(1))
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log_file)
        .spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let said = line?;
            if said.is_empty() {
                // What it has to say before it is on its own.
                return Ok(Code::Good);
            }
            writeln!(out, "{said}")?;
        }
    }
    child.wait()?;
    writeln!(err, "raytree: it did not start: see {}", log.display())?;
    Ok(Code::Nothing)
}

/// In this process, which is on its own: it answers whoever waits for it, and nobody it starts has that pipe.
fn detached(
    args: &StartArgs,
    config: &Config,
    folder: &Path,
    err: &mut impl Write,
) -> io::Result<Code> {
    let mut answer = File::from(fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    // Before anything is started: what is written there later goes to the log.
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    // A session of its own: no terminal's end is its end. Refused when it leads one already.
    _ = rustix::process::setsid();
    here(args, config, folder, &mut answer, err)
}

fn here(
    args: &StartArgs,
    config: &Config,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let known = |kind, head| announce(config, folder, kind, head);
    let (mut kept, mut was_ready) = (None, false);
    if args.head {
        let ended = run_head(config, !args.no_node, |places| {
            was_ready = true;
            kept = known(Kind::Head, places.address);
            // Whoever started it may have left.
            _ = ready(args.detached, out, &head_is_ready(&places));
        });
        drop(kept);
        return match ended {
            Ok(()) => Ok(Code::Good),
            Err(error) if was_ready => {
                writeln!(err, "raytree: the head ended: {error}")?;
                Ok(Code::Partly)
            }
            Err(error) => refused(args.detached, &error.to_string(), out, err),
        };
    }
    let head = match head(config) {
        Ok(head) => head,
        Err(why) => return refused(args.detached, &why, out, err),
    };
    let ended = run_node(config, head, || {
        was_ready = true;
        kept = known(Kind::Node, head);
        let name = &config.cluster().name;
        _ = ready(args.detached, out, &format!("{name} has joined the cluster of {head}"));
    });
    drop(kept);
    match ended {
        Ok(Ending::InOrder) => Ok(Code::Good),
        Ok(ending) if was_ready => {
            writeln!(err, "raytree: the node ended: {ending}")?;
            Ok(Code::Partly)
        }
        Ok(ending) => refused(args.detached, &ending.to_string(), out, err),
        Err(error) => refused(args.detached, &error.to_string(), out, err),
    }
}

/// `raytree stop` and `raytree status` find it.
fn announce(config: &Config, folder: &Path, kind: Kind, head: SocketAddr) -> Option<Known> {
    let name = config.cluster().name.clone();
    let daemon = Daemon { pid: std::process::id(), kind, name, head };
    let known = daemon.announce(folder);
    known
        .inspect_err(|error| {
            let folder = folder.display();
            tracing::warn!(%error, %folder, "`raytree stop` will not find this: its file cannot be");
        })
        .ok()
}

fn head(config: &Config) -> std::result::Result<SocketAddr, String> {
    let address = config.cluster().address.as_ref();
    let address: &HostPort = address.ok_or("say --head, or --join and where the head listens")?;
    resolve(address).map_err(|error| error.to_string())
}

fn head_is_ready(places: &HeadPlaces) -> String {
    let address = places.address;
    let link = places.dashboard.as_deref();
    let link = link.map_or_else(String::new, |link| format!("\nseen in a browser, once:  {link}"));
    format!(
        "the head listens on {address}\n\
         other machines join it:   raytree start --join {address}\n\
         programs use it:          RAYTREE_ADDRESS={address}{link}\n\
         both need the same token: raytree config cluster.token_file"
    )
}

/// Says it to whoever waits; with an empty line one that is on its own says that it is.
fn ready(is_detached: bool, out: &mut impl Write, what: &str) -> io::Result<()> {
    writeln!(out, "{what}")?;
    if is_detached {
        writeln!(out)?;
    }
    out.flush()
}

/// One that is on its own says it to whoever waits for it.
fn refused(
    is_detached: bool,
    why: &str,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    if is_detached {
        writeln!(out, "raytree: {why}")?;
    }
    writeln!(err, "raytree: {why}")?;
    Ok(Code::Nothing)
}

/// Ends the heads and nodes of this machine, in order: nodes first; what does not end in time is killed.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn stop(
    args: &StopArgs,
    folder: &Path,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let found = match daemons(folder) {
        Ok(found) => found,
        Err(error) => {
            writeln!(err, "raytree: {} is not looked at: {error}", folder.display())?;
            return Ok(Code::Nothing);
        }
    };
    if found.is_empty() {
        writeln!(err, "raytree: nothing to stop (looked in {})", folder.display())?;
        return Ok(Code::Nothing);
    }
    let mut code = Code::Good;
    for kind in [Kind::Node, Kind::Head] {
        let these: Vec<_> = found.iter().filter(|found| found.daemon.kind == kind).collect();
        for found in &these {
            signal(found, if args.force { Signal::KILL } else { Signal::TERM });
        }
        for found in these {
            let daemon = &found.daemon;
            let what = match daemon.kind {
                Kind::Head => format!("the head on {}", daemon.head),
                Kind::Node => format!("the node {}", daemon.name),
            };
            if ends(found, Duration::from_secs(args.within)) {
                writeln!(out, "stopped {what} (pid {})", daemon.pid)?;
                continue;
            }
            signal(found, Signal::KILL);
            ends(found, KILLED_WITHIN);
            writeln!(err, "raytree: killed {what} (pid {}), which did not end", daemon.pid)?;
            code = Code::Partly;
        }
    }
    Ok(code)
}

fn signal(found: &Found, signal: Signal) {
    // Refused when it has ended meanwhile.
    _ = pidfd_send_signal(&found.process, signal);
}

fn ends(found: &Found, within: Duration) -> bool {
    let until = Timespec::try_from(within).ok();
    let mut ended = [PollFd::new(&found.process, PollFlags::IN)];
    poll(&mut ended, until.as_ref()).is_ok_and(|count| count > 0)
}

/// The cluster that is meant: the one that was said, else the newest of this machine.
pub(crate) fn address_of(config: &Config, folder: &Path) -> Option<HostPort> {
    let said = config.cluster().address.clone();
    said.or_else(|| {
        let known = daemons(folder).ok()?.into_iter().last()?;
        known.daemon.head.to_string().parse().ok()
    })
}
