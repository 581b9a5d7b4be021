//! How a cluster is, on one screen.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use raytree_config::{Config, HostPort};
use raytree_daemon::{resolve, status as ask};
use raytree_types::inspect::{ClusterStatus, NodePhase};
use raytree_types::{Cause, Resources};

use crate::Code;
use crate::args::StatusArgs;
use crate::context::config_of;
use crate::start::address_of;
use crate::table::{amount, table};
use crate::tree::Style;

/// Asks the head, and prints what it says.
///
/// # Errors
/// `out` or `err` cannot be written.
pub fn status(
    args: &StatusArgs,
    folder: &Path,
    style: Style,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Code> {
    let status = match ask_head(args.address.as_deref(), args.context.as_deref(), folder) {
        Ok(status) => status,
        Err(why) => {
            writeln!(err, "raytree: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &status)?;
        writeln!(out)?;
    } else {
        print(&status, style, out)?;
    }
    Ok(if status.is_healthy() { Code::Good } else { Code::Partly })
}

/// What the head of the cluster that is meant says of it.
///
/// # Errors
/// A sentence: no cluster is meant, or its head gives no answer.
pub(crate) fn ask_head(
    address: Option<&str>,
    context: Option<&str>,
    folder: &Path,
) -> Result<ClusterStatus, String> {
    let config = config_of(address, context).map_err(|error| error.to_string())?;
    let address = address_of(&config, folder).ok_or_else(|| {
        "no cluster is known here: say --address or --context, or set RAYTREE_ADDRESS".to_owned()
    })?;
    ask_at(&config, &address)
}

/// What the head that listens there says of its cluster.
///
/// # Errors
/// A sentence.
pub(crate) fn ask_at(config: &Config, head: &HostPort) -> Result<ClusterStatus, String> {
    let head = resolve(head).map_err(|error| error.to_string())?;
    ask(config, head).map_err(|error| Cause::of_error(&error, "AskError").to_string())
}

/// The cluster as text.
///
/// # Errors
/// `out` cannot be written.
fn print(status: &ClusterStatus, style: Style, out: &mut impl Write) -> io::Result<()> {
    let up = status.nodes.iter().filter(|node| node.phase == NodePhase::Up).count();
    let (address, pid) = (&status.address, status.pid);
    writeln!(out, "head {address} (pid {pid}), up for {}", age(status.uptime))?;
    writeln!(out, "{up} of {} nodes up, {} jobs", status.nodes.len(), status.jobs.len())?;
    if let Some(dashboard) = &status.dashboard {
        writeln!(out, "dashboard {} (raytree dashboard lets you in)", dashboard.url)?;
    }
    writeln!(out)?;
    let nodes = status.nodes.iter().map(|node| {
        [
            node.name.clone(),
            node.phase.to_string(),
            share(&node.free, &node.total),
            node.address.clone(),
        ]
    });
    table(["NODE", "STATE", "FREE", "WHERE"], nodes.collect(), style, out)?;
    if !status.jobs.is_empty() {
        writeln!(out)?;
        let jobs = status.jobs.iter().map(|job| {
            [job.job.to_string(), job.program.clone(), job.workers.to_string(), age(job.age)]
        });
        table(["JOB", "PROGRAM", "WORKERS", "AGE"], jobs.collect(), style, out)?;
    }
    if !status.detached.is_empty() {
        writeln!(out)?;
        let detached = status.detached.iter().map(|own| {
            let name = own
                .name
                .as_deref()
                .map_or_else(|| own.id.to_string(), |name| format!("{}/{name}", own.namespace));
            let waits = || match own.wants.is_none() {
                true => "waits".to_owned(),
                false => format!("waits for {}", own.wants),
            };
            let node = own.node.clone().unwrap_or_else(waits);
            [name, own.label.clone(), node, own.restarts.to_string()]
        });
        table(["DETACHED", "ACTOR", "NODE", "RESTARTS"], detached.collect(), style, out)?;
        let more = status.detached_count.saturating_sub(status.detached.len());
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
    }
    for node in status.nodes.iter().filter(|node| node.phase != NodePhase::Up) {
        writeln!(out, "\nwarning: {} is {} and gets no new work", node.name, node.phase)?;
    }
    Ok(())
}

/// `3 of 4 CPU, 0 of 1 GPU`
pub(crate) fn share(free: &Resources, total: &Resources) -> String {
    let parts = total.iter().filter(|(_, all)| *all > 0);
    let parts: Vec<_> = parts
        .map(|(name, all)| format!("{} of {} {name}", amount(free.thousandths(name)), amount(all)))
        .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use raytree_types::inspect::{DetachedStatus, JobStatus, NodeStatus};
    use raytree_types::{ActorIds, JobId, RuntimeId};

    use super::*;

    fn node(name: &str, phase: NodePhase, free: f64) -> NodeStatus {
        let total = Resources::none().custom("CPU", 4.0);
        NodeStatus {
            name: name.to_owned(),
            life: 1,
            phase,
            address: "10.0.0.7 pid 4711".to_owned(),
            total,
            free: Resources::none().custom("CPU", free),
            version: "0.1.0".to_owned(),
            metrics: None,
        }
    }

    fn detached(number: u64, name: Option<&str>, node: Option<&str>) -> DetachedStatus {
        DetachedStatus {
            id: ActorIds::new(RuntimeId::given(number)).next(),
            namespace: "default".to_owned(),
            name: name.map(str::to_owned),
            label: name.unwrap_or("Counter").to_owned(),
            node: node.map(str::to_owned),
            restarts: 2,
            wants: Resources::cpus(1.0),
        }
    }

    #[test]
    fn a_cluster_is_one_screen() {
        let status = ClusterStatus {
            version: 1,
            pid: 99,
            address: "10.0.0.7:6380".to_owned(),
            uptime: Duration::from_secs(3 * 3600 + 61),
            nodes: vec![node("a", NodePhase::Up, 0.0), node("b-2", NodePhase::Suspect, 1.5)],
            jobs: vec![JobStatus {
                job: JobId(3),
                program: "train".to_owned(),
                age: Duration::from_secs(75),
                workers: 2,
            }],
            detached: vec![detached(1, Some("scores"), Some("a")), detached(2, None, None)],
            detached_count: 3,
            dashboard: None,
            metrics: None,
        };
        assert!(!status.is_healthy());
        let mut out = Vec::new();
        let style = Style { columns: 80, lines: false, colour: false };
        print(&status, style, &mut out).expect("memory");
        expect![[r#"
            head 10.0.0.7:6380 (pid 99), up for 3 h 1 min
            1 of 2 nodes up, 1 jobs

            NODE  STATE    FREE          WHERE
            a     up       0 of 4 CPU    10.0.0.7 pid 4711
            b-2   suspect  1.5 of 4 CPU  10.0.0.7 pid 4711

            JOB    PROGRAM  WORKERS  AGE
            job-3  train    2        1 min 15 s

            DETACHED        ACTOR    NODE             RESTARTS
            default/scores  scores   a                2
            actor-2-1       Counter  waits for 1 CPU  2
            and 1 more

            warning: b-2 is suspect and gets no new work
        "#]]
        .assert_eq(&String::from_utf8(out).expect("text"));
    }
}
