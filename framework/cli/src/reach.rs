//! Whom a command asks: the head of a cluster, or whatever of this user runs on this machine.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use raytree_daemon::{inspect, resolve};
use raytree_inspector::client::{AskError, Client, SocketLine, find};
use raytree_types::inspect::{Reply, Request, Role};
use raytree_types::{Cause, limits};

use crate::args::whole;
use crate::context::{ConfigError, config_of};

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Where {
    /// The cluster whose head listens there [default: the one in use, else what runs on this machine]
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["context", "pid"])]
    pub address: Option<String>,
    /// The cluster of this context: see raytree context
    #[arg(long, value_name = "NAME", conflicts_with = "pid")]
    pub context: Option<String>,
    /// Only this process of this machine, and those below it
    #[arg(long, value_parser = whole::<u32>)]
    pub pid: Option<u32>,
}

/// Somebody who can be asked, and what is below him with him.
#[derive(Debug)]
pub struct Whom {
    /// What he says of himself.
    pub hello: Reply,
    client: Client,
}

impl Whom {
    /// Asks him.
    ///
    /// # Errors
    /// [`AskError`].
    pub fn ask(&mut self, request: Request) -> Result<Reply, AskError> {
        self.client.ask(request, limits::INSPECT_ANSWER_WITHIN)
    }

    /// Follows his tree.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Those who were found.
#[derive(Debug)]
pub struct Found {
    /// Each with all that is below him: nobody is among them twice.
    pub whom: Vec<Whom>,
    /// Somebody is there and gave no answer; it was said.
    pub is_partial: bool,
    /// Where they were looked for.
    pub place: String,
}

/// Finds those to be asked. What stands in the way is said to `err`, one sentence each.
///
/// # Errors
/// `err` cannot be written.
pub fn reach(place: &Where, folder: &Path, err: &mut impl Write) -> io::Result<Option<Found>> {
    let (address, context) = (place.address.as_deref(), place.context.as_deref());
    let config = match config_of(address, context) {
        Ok(config) => Some(config),
        // One process of this machine is meant, whatever stands in files.
        Err(_) if place.pid.is_some() => None,
        Err(error) if address.or(context).is_some() || is_elsewhere(&error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(None);
        }
        // Looking at what runs here needs no settings.
        Err(_) => None,
    };
    let head = config.as_ref().and_then(|config| config.cluster().address.clone());
    match (config.as_ref().zip(head), place.pid) {
        (Some((config, head)), None) => {
            let asked = resolve(&head).and_then(|address| inspect(config, address));
            let asked = asked.map_err(|error| Cause::of_error(&error, "AskError").to_string());
            let asked = asked.and_then(|line| {
                let mut client = Client::new(Box::new(line));
                let hello = client.ask(Request::Hello, limits::INSPECT_ANSWER_WITHIN);
                let hello = hello.map_err(|error| error.to_string())?;
                Ok(Whom { hello, client })
            });
            match asked {
                Ok(whom) => {
                    let place = head.to_string();
                    Ok(Some(Found { whom: vec![whom], is_partial: false, place }))
                }
                Err(why) => {
                    writeln!(err, "raytree: the head at {head}: {why}")?;
                    Ok(None)
                }
            }
        }
        (_, pid) => here(pid, folder, err),
    }
}

/// The environment or a context names a cluster: what runs here is not what is meant, even if the name is wrong.
fn is_elsewhere(error: &ConfigError) -> bool {
    if matches!(error, ConfigError::Context(_)) {
        return true;
    }
    let address = std::env::var("RAYTREE_ADDRESS").unwrap_or_default();
    !(address.is_empty() || address == "local" || address.starts_with("nodes:"))
}

/// Those of this user on this machine.
fn here(pid: Option<u32>, folder: &Path, err: &mut impl Write) -> io::Result<Option<Found>> {
    let mut found = match find(folder) {
        Ok(found) => found,
        Err(error) => {
            writeln!(err, "raytree: {error}")?;
            return Ok(None);
        }
    };
    found.retain(|(name, _)| pid.is_none_or(|pid| pid == name.pid));
    let (mut whom, mut is_partial) = (Vec::new(), false);
    for (name, path) in found {
        let asked = SocketLine::open(&path).and_then(|line| {
            let mut client = Client::new(Box::new(line));
            // One that is stopped does not make all the others wait for long.
            let hello = client.ask(Request::Hello, HELLO_WITHIN)?;
            Ok(Whom { hello, client })
        });
        match asked {
            Ok(one) => whom.push(one),
            Err(AskError::Gone) => {}
            Err(error) => {
                is_partial = true;
                writeln!(err, "raytree: runtime-{} of pid {}: {error}", name.runtime, name.pid)?;
            }
        }
    }
    if pid.is_none() {
        let heads = whom.iter().filter(|one| one.hello.role == Role::Head);
        let heads: Vec<_> = heads.filter_map(|one| one.hello.cluster.clone()).collect();
        whom.retain(|one| !is_below(&one.hello, &heads));
    }
    whom.sort_by_key(|one| (one.hello.role != Role::Head, one.hello.pid, one.hello.runtime));
    Ok(Some(Found { whom, is_partial, place: folder.display().to_string() }))
}

/// How long somebody on this machine may take to say who he is.
const HELLO_WITHIN: Duration = Duration::from_secs(2);

/// It is shown by somebody else of this machine.
fn is_below(hello: &Reply, heads: &[String]) -> bool {
    match hello.role {
        Role::Head => false,
        // Whoever has started it lives as long, and has its sockets in the same folder.
        Role::Part { .. } => true,
        Role::Program | Role::Node { .. } => {
            hello.cluster.as_ref().is_some_and(|cluster| heads.contains(cluster))
        }
    }
}
