//! What can be written on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use raytree_types::inspect::Selection;

use crate::context::ContextArgs;
use crate::doctor::DoctorArgs;
use crate::logs::LogsArgs;
use crate::reach::Where;
use crate::state::{ObjectsArgs, StateArgs, TimelineArgs};
use crate::table::View;
use crate::top::TopArgs;
use crate::why::WhyArgs;

/// Start clusters, and look at everything that runs in them as one supervision tree.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    name = "raytree",
    version,
    after_help = "\
Exit codes of every command:
  0  it was done, and all is well
  1  it was done in part, or not done, or what was asked about is not well
  2  nothing could be done: nothing runs, nobody can be reached, or the command line is wrong

Which cluster is meant, the first of these: --address, --context, RAYTREE_ADDRESS, RAYTREE_CONTEXT, the context in use, the
settings; else what runs on this machine.

Results go to standard output, everything else to standard error. On a pipe there are no colours and no box drawing.
`raytree COMMAND --help` says more of each command."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Command {
    /// Print the supervision tree: who supervises whom, and how each one is.
    Tree(TreeArgs),
    /// Watch the supervision tree live: rates, queues, failures, events, who waits for whom.
    Top(TopArgs),
    /// Print all that is known of one actor: mailbox, policy, last ends, flight recorder.
    Actor(OneArgs),
    /// Explain why an actor or a task is as it is: the root cause first, then what followed from it.
    Why(WhyArgs),
    /// Print the supervision log: what failed, and what each supervisor decided.
    Events(EventsArgs),
    /// Examine every system actor and what else may be wrong, and say what to do about it.
    Doctor(DoctorArgs),
    /// End an actor for good, and the actors that it owns.
    Kill(EndArgs),
    /// End the present life of an actor, so that its supervisor starts the next one.
    Restart(EndArgs),
    /// Print what the process has written in which an actor lives, or that is a node or a worker.
    Logs(LogsArgs),
    /// Explain an error code, or list all of them.
    Explain(ExplainArgs),
    /// Print the settings that count here, and where each of them comes from.
    Config(ConfigArgs),
    /// List clusters under their names, and choose the one that commands mean.
    Context(ContextArgs),
    /// Start the head of a cluster on this machine, or a node that joins one.
    Start(StartArgs),
    /// Stop the heads and nodes that run on this machine.
    Stop(StopArgs),
    /// Print how a cluster is: its nodes, jobs and detached actors, and what is wrong.
    Status(StatusArgs),
    /// List the nodes of a cluster.
    Nodes(ListArgs),
    /// List the jobs of a cluster, which are the programs that use it.
    Jobs(ListArgs),
    /// List tasks, and calls of actors that have no answer yet: under way, and what has been.
    Tasks(StateArgs),
    /// List the actors of programs.
    Actors(StateArgs),
    /// List objects: still to come, in a store, or held by several processes; and what nobody seems to use.
    Objects(ObjectsArgs),
    /// Write what has run when into a file that Perfetto opens.
    Timeline(TimelineArgs),
    /// Say that there are no placement groups yet.
    #[command(hide = true)]
    Groups(ListArgs),
    /// Print what a shell needs to complete this command line.
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command into a folder.
    Man(ManArgs),
    /// Print a link that opens the dashboard of a cluster in a browser, once.
    Dashboard(DashboardArgs),
}

/// What is started, and how.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["head", "join"])), after_help = "\
Exit codes:
  0  it runs in the background, or with --block has ended in order
  1  with --block: it has ended by a failure, or as a node because it lost its head or its place
  2  nothing could be started

Without --block it is started in the background, and this command returns when it is ready. Every machine of a cluster needs
the same token: copy the file that `raytree config cluster.token_file` names. What goes between machines is encrypted.")]
pub struct StartArgs {
    /// Start the head of a new cluster, and a node beside it
    #[arg(long)]
    pub head: bool,
    /// Start a node that joins the cluster whose head listens there
    #[arg(long, value_name = "HOST:PORT")]
    pub join: Option<String>,
    /// The address of this machine by which others reach it [default: one that only this machine reaches]
    #[arg(long, value_name = "IP")]
    pub host: Option<String>,
    /// The port on which the head listens [default: any that is free]
    #[arg(long, conflicts_with = "join")]
    pub port: Option<u16>,
    /// The name of the node [default: the name of the host, with the process]
    #[arg(long)]
    pub name: Option<String>,
    /// The CPUs that the node may hand out [default: all that it has]
    #[arg(long, value_parser = amount)]
    pub cpus: Option<f64>,
    /// The GPUs that the node may hand out [default: none]
    #[arg(long, value_parser = amount)]
    pub gpus: Option<f64>,
    /// The port of the dashboard, or off [default: 8265, or one of the next that is free]
    #[arg(long, value_name = "PORT|off", conflicts_with = "join")]
    pub dashboard_port: Option<String>,
    /// Start the head without a node
    #[arg(long, conflicts_with = "join")]
    pub no_node: bool,
    /// Stay in the foreground until it ends
    #[arg(long)]
    pub block: bool,
    /// Read the settings from this file, and from no other
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// A setting that has the last word, e.g. liveness.isolation_grace=10s; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How it is started in the background
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// How they are stopped.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  all were stopped in order
  1  one had to be killed
  2  there was none, or they cannot be looked for")]
pub struct StopArgs {
    /// Kill them at once, instead of in order
    #[arg(long)]
    pub force: bool,
    /// How many seconds each may take to end in order, before it is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = whole::<u64>)]
    pub within: u64,
}

/// Which cluster, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  healthy: every node is up
  1  degraded: a node is not up, or there is none
  2  the head cannot be reached

The cluster is that of --address, --context, RAYTREE_ADDRESS, RAYTREE_CONTEXT, the context in use or the settings, the first of
these that there is; else the one of this machine.")]
pub struct StatusArgs {
    /// The cluster whose head listens there
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "context")]
    pub address: Option<String>,
    /// The cluster of this context: see raytree context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Of which cluster, and which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  the list was printed, however long it is
  2  the head cannot be reached, or there is no such column

On a pipe nothing is cut: columns are two spaces or more apart, and an empty one is `-`. Times and amounts are compared as
--where reads them: 5m, 64KiB, 1.5.")]
pub struct ListArgs {
    /// The cluster whose head listens there
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "context")]
    pub address: Option<String>,
    /// The cluster of this context: see raytree context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Which rows
    #[command(flatten)]
    pub view: View,
}

/// For which shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was printed
  2  there is no such shell

  bash  raytree completions bash > ~/.local/share/bash-completion/completions/raytree
  zsh   raytree completions zsh > DIR/_raytree, where DIR is one of $fpath
  fish  raytree completions fish > ~/.config/fish/completions/raytree.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: ShellName,
}

/// A shell that can complete command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// The Bourne Again shell.
    #[value(help = None)]
    Bash,
    /// The Z shell.
    #[value(help = None)]
    Zsh,
    /// The friendly interactive shell.
    #[value(help = None)]
    Fish,
}

/// Where the manual goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was printed, or written
  2  the folder cannot be written

To read it: raytree man | man -l -")]
pub struct ManArgs {
    /// The folder that gets raytree.1 and a page for each command; it has to exist
    pub dir: Option<PathBuf>,
}

/// Whose dashboard, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was printed
  2  the head cannot be reached, or has no dashboard

A link opens the dashboard once, within ten minutes. The dashboard of another machine is reached through a tunnel, such as
ssh -L 8265:127.0.0.1:8265 MACHINE. Scripts show the token: curl -H \"Authorization: Bearer $(raytree dashboard --token)\" URL.")]
pub struct DashboardArgs {
    /// The cluster whose head listens there
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "context")]
    pub address: Option<String>,
    /// The cluster of this context: see raytree context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Print the token for scripts instead
    #[arg(long, conflicts_with = "json")]
    pub token: bool,
    /// Print address, link and token as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which settings, and what is laid over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  the settings were printed
  2  there is no such setting, or one is not as it has to be

A setting is a default, or stands in ./raytree.toml (else $XDG_CONFIG_HOME/raytree/config.toml), in the environment, or here:
each has more to say than the one before. The context in use lies over the file, one that --context names over the
environment, too. docs/configuration.md explains them all.")]
pub struct ConfigArgs {
    /// A setting or a section, e.g. cluster.port or liveness; without it all are listed
    pub key: Option<String>,
    /// Read the settings from this file, and from no other
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// As for a command of this context: see raytree context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// A setting that has the last word, e.g. cluster.port=6380; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print all that is known of each as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which actor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was found
  1  there is no such actor, there are several, or somebody who may have it did not answer
  2  nothing runs, or the head cannot be reached

Without --address it is looked for in everything of this user that runs on this machine, and in the processes below.")]
pub struct OneArgs {
    /// The actor: its path in the tree, its name, or its id, e.g. node/worker/actor_host/scores, scores or actor-1-2a
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which actor is to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was done
  1  it was not done: --yes is missing, there is no such actor, there are several, or it may not be ended so
  2  nothing runs, or the head cannot be reached

Without --yes nothing is done: it is said what would be lost.")]
pub struct EndArgs {
    /// The actor: its path in the tree, its name, or its id, e.g. node/worker/actor_host/scores, scores or actor-1-2a
    pub which: String,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Do it, instead of saying what would be lost
    #[arg(long)]
    pub yes: bool,
    /// Print what is lost, and whether it was done, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which entries of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  everything was printed
  1  somebody did not answer, so that a part is missing
  2  nothing runs, or the head cannot be reached

Times are UTC. Each process keeps its last 4,096 entries.")]
pub struct EventsArgs {
    /// Only what happened at this path of the tree and below it, e.g. node/worker
    pub path: Option<String>,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// Go on printing what happens, until it is interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Only what happened within this time, e.g. 500ms, 30s, 5m, 2h or 1d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only of this kind: failed, restart, up, ended, gave-up or warning
    #[arg(long)]
    pub kind: Option<String>,
    /// At most so many entries, the newest
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = whole::<usize>)]
    pub limit: usize,
    /// Print the entries as JSON; with --follow one line each
    #[arg(long)]
    pub json: bool,
}

/// Which error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was explained
  2  there is no such code")]
pub struct ExplainArgs {
    /// A code or its name, e.g. RT0012 or Timeout; without it all are listed
    pub code: Option<String>,
}

/// Which trees, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  everything was printed
  1  somebody did not answer, or nobody has anything at PATH
  2  nothing runs, or the head cannot be reached

What runs on this machine is found in $RAYTREE_INSPECT_DIR, else $XDG_RUNTIME_DIR/raytree, else raytree-<uid> among the
temporary files.")]
pub struct TreeArgs {
    /// Only what is at this path of the tree and below it, e.g. node/worker/actor_host
    pub path: Option<String>,
    /// Show who owns whom, instead of who supervises whom: actors below the actor, or the running task, that has created them
    #[arg(long)]
    pub owners: bool,
    /// Print the answers as one JSON array
    #[arg(long)]
    pub json: bool,
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// At most so many levels below the first; what is deeper is counted
    #[arg(long, value_name = "N", value_parser = whole::<u32>)]
    pub depth: Option<u32>,
    /// Only what has failed, restarts or was restarted, and what stands above it
    #[arg(long)]
    pub failed: bool,
}

/// A whole number, or a sentence that helps whoever wrote something else.
pub(crate) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it is a whole number, e.g. 10".to_owned())
}

fn amount(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "it is a number, e.g. 4 or 0.5".to_owned())
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
