//! What can be written on the command line.

use clap::{Args, Parser, Subcommand};
use raytree_types::inspect::Selection;

use crate::reach::Where;
use crate::table::View;

/// Starts clusters, and looks at the supervision trees that run on this machine.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "raytree", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Print the supervision tree of every program, head and node of this user.
    Tree(TreeArgs),
    /// Show the live tree: rates, queues, failures, why, events, waits.
    Top(TopArgs),
    /// Print all there is to say of one actor: mailbox, policy, last ends, flight recorder.
    Actor(OneArgs),
    /// Say why an actor is as it is: the root cause first, then what became of it.
    Why(OneArgs),
    /// Print what failed and what supervisors decided.
    Events(EventsArgs),
    /// End an actor of users for good, and what it owns.
    Kill(EndArgs),
    /// End the present life of an actor: its supervisor starts the next one.
    Restart(EndArgs),
    /// Explain an error code, or list them all.
    Explain(ExplainArgs),
    /// Print the settings of a cluster, and where each comes from.
    Config(ConfigArgs),
    /// Start the head of a cluster here, or a node that joins one.
    Start(StartArgs),
    /// Stop the heads and nodes of this machine.
    Stop(StopArgs),
    /// Say how a cluster is.
    Status(StatusArgs),
    /// List the nodes of a cluster.
    Nodes(ListArgs),
    /// List the jobs of a cluster: the programs that use it.
    Jobs(ListArgs),
    /// Say that there are no placement groups yet.
    #[command(hide = true)]
    Groups(ListArgs),
}

/// What is started, and how.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["head", "join"])), after_help = "\
Exit code: 0; 1 when one has ended by a failure, or a node because it lost its head or its place; 2 when nothing could be started.
Without --block it is started in the background, and this command returns when it is ready. Every machine of a cluster needs
the same token: copy the file that `raytree config cluster.token_file` names. What goes between machines is encrypted.")]
pub struct StartArgs {
    /// The head of a new cluster, and a node on this machine
    #[arg(long)]
    pub head: bool,
    /// A node that joins the head which listens there
    #[arg(long, value_name = "HOST:PORT")]
    pub join: Option<String>,
    /// The address of this machine, by which others reach it; only this machine does by default
    #[arg(long, value_name = "IP")]
    pub host: Option<String>,
    /// The port of the head; a free one by default
    #[arg(long)]
    pub port: Option<u16>,
    /// What the node is called
    #[arg(long)]
    pub name: Option<String>,
    /// CPUs of the node that may be handed out
    #[arg(long)]
    pub cpus: Option<f64>,
    /// GPUs of the node that may be handed out
    #[arg(long)]
    pub gpus: Option<f64>,
    /// The head alone, without a node
    #[arg(long, requires = "head")]
    pub no_node: bool,
    /// Stay in the foreground until it ends
    #[arg(long)]
    pub block: bool,
    /// This file of settings instead
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// A setting that has the last word, e.g. liveness.isolation_grace=10s
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How it is started in the background
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// How they are stopped.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "Exit code: 0; 1 when one had to be killed; 2 when there was none.")]
pub struct StopArgs {
    /// Kill them at once
    #[arg(long)]
    pub force: bool,
    /// Seconds that each may take to end in order
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub within: u64,
}

/// Which cluster, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0 healthy; 1 degraded: a node is not up, or there is none; 2 the head cannot be reached.
The cluster is that of --address, else of RAYTREE_ADDRESS or the settings, else the one of this machine.")]
pub struct StatusArgs {
    /// Where the head listens
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// The answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Of which cluster, and which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0; 2 when the head cannot be reached, or there is no such column.
On a pipe nothing is cut: columns are two spaces or more apart, and an empty one is `-`.")]
pub struct ListArgs {
    /// Where the head listens
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Which rows
    #[command(flatten)]
    pub view: View,
}

/// Which settings, and what is laid over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0; 2 when there is no such setting, or one is not as it has to be.
A setting is a default, or stands in ./raytree.toml (else $XDG_CONFIG_HOME/raytree/config.toml), in the environment, or here:
each has more to say than the one before. docs/configuration.md explains them all.")]
pub struct ConfigArgs {
    /// A setting or a section, e.g. cluster.port or liveness; without it all are listed
    pub key: Option<String>,
    /// This file instead
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// A setting that has the last word, e.g. cluster.port=6380
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// All there is to say of each, as one JSON array
    #[arg(long)]
    pub json: bool,
}

/// Which actor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0; 1 when there is no such actor, or several; 2 when nothing runs.
Without --address it is looked for in everything of this user that runs on this machine, and in the processes below.")]
pub struct OneArgs {
    /// Its path in the tree, its name, or its id, e.g. node/worker/actor_host/scores, scores or actor-1-2a
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// The answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is looked at, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0 when it was quit; 2 when nothing runs, or there is no terminal.
Keys are shown with `?`. NO_COLOR leaves colours out; whatever they say is said by a sign or a word, too.")]
pub struct TopArgs {
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// The time between two looks, 100ms or more
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: String,
    /// A cluster that is made up, and needs none
    #[arg(long, conflicts_with_all = ["address", "pid"])]
    pub demo: bool,
}

/// Which actor is to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0 when it was done; 1 when it was not; 2 when nothing runs.
Without --yes nothing is done: it is said what would be lost.")]
pub struct EndArgs {
    /// Its path in the tree, its name, or its id, e.g. node/worker/actor_host/scores, scores or actor-1-2a
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Do it
    #[arg(long)]
    pub yes: bool,
}

/// Which entries of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0; 1 when somebody did not answer; 2 when nothing runs.
Times are UTC. Each process keeps its last 4,096 entries.")]
pub struct EventsArgs {
    /// Only what happened here and below, e.g. node/worker
    pub path: Option<String>,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Go on printing what happens, until it is interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Only what happened so long ago or later: 500ms, 30s, 5m, 2h, 1d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only of this kind: failed, restart, up, ended, gave-up or warning
    #[arg(long)]
    pub kind: Option<String>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
    /// As JSON; with --follow one line each
    #[arg(long)]
    pub json: bool,
}

/// Which error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "Exit code: 0; 2 when there is no such code.")]
pub struct ExplainArgs {
    /// A code or its name, e.g. RT0012 or Timeout; without it all are listed
    pub code: Option<String>,
}

/// Which trees, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit code: 0; 1 when one did not answer, or nobody has anything at PATH; 2 when nothing runs.
They are found in $RAYTREE_INSPECT_DIR, else $XDG_RUNTIME_DIR/raytree, else raytree-<uid> among the temporary files.")]
pub struct TreeArgs {
    /// Only what is here and below, e.g. node/worker/actor_host
    pub path: Option<String>,
    /// Who spawned whom, instead of who supervises whom; programs alone know that
    #[arg(long)]
    pub owners: bool,
    /// The answers as one JSON array
    #[arg(long)]
    pub json: bool,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Levels below the first to show; what is deeper is counted
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// Only what has failed, restarts or was restarted, and what stands above it
    #[arg(long)]
    pub failed: bool,
}

impl TreeArgs {
    /// What the runtimes are asked for.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            owners: self.owners,
            whole: true,
            path: self.path.clone(),
            depth: self.depth,
            failed: self.failed,
            since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_line_becomes_a_selection() -> Result<(), clap::Error> {
        let line = [
            "raytree",
            "tree",
            "node/worker",
            "--owners",
            "--depth",
            "2",
            "--failed",
            "--pid",
            "7",
        ];
        let Command::Tree(tree) = Cli::try_parse_from(line)?.command else { panic!("a tree") };
        assert_eq!((tree.place.pid, tree.json), (Some(7), false));
        let selection = Selection {
            owners: true,
            whole: true,
            path: Some("node/worker".to_owned()),
            depth: Some(2),
            failed: true,
            since: None,
        };
        assert_eq!(tree.selection(), selection);
        let tree = Cli::try_parse_from(["raytree", "tree"])?.command;
        assert_eq!(tree, Command::Tree(TreeArgs::default()));
        let explain = Cli::try_parse_from(["raytree", "explain", "RT0012"])?.command;
        assert_eq!(explain, Command::Explain(ExplainArgs { code: Some("RT0012".to_owned()) }));
        Ok(())
    }
}
