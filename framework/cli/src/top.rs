//! `raytree top`: the live view of whoever is found.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use raytree_top::{Demo, Moment, Nodes, Options, Order, Source, Store, Summary, Theme, Usage};
use raytree_types::inspect::{
    ActorDetail, Answer, EndHow, EndNote, EventQuery, LogQuery, NodeStatus, Reply, Request, Role,
    Selection, Story, TreeRow, Waits,
};
use raytree_types::{LogLine, Resources, limits};

use crate::Code;
use crate::reach::{Where, Whom, reach};
use crate::run::nothing;
use crate::status::ask_head;

/// What is looked at, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(after_help = "\
Exit codes:
  0  it was quit
  2  nothing runs, the head cannot be reached, or there is no terminal

Keys are shown with `?`. NO_COLOR leaves colours out; whatever they say is said by a sign or a word, too.")]
pub struct TopArgs {
    /// Where to look
    #[command(flatten)]
    pub place: Where,
    /// The time between two looks, 100ms or more, e.g. 500ms or 2s
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: String,
    /// Begin with this order; the key `o` leads to the others
    #[arg(long, value_name = "ORDER")]
    pub sort: Option<SortBy>,
    /// Show a cluster that is made up; nothing needs to run
    #[arg(long, conflicts_with_all = ["address", "context", "pid"])]
    pub demo: bool,
}

/// What the rows of the live view are sorted by, the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// Messages that wait.
    #[value(help = None)]
    Queue,
    /// The share of the time in which messages are handled.
    #[value(help = None)]
    Busy,
    /// The memory of processes.
    #[value(help = None)]
    Mem,
    /// Restarts.
    #[value(help = None)]
    Restarts,
}

/// Shows the live view until it is quit.
///
/// # Errors
/// The terminal, or `err`, cannot be written.
pub fn top(args: &TopArgs, folder: &Path, colour: bool, err: &mut impl Write) -> io::Result<Code> {
    let interval = match crate::time::span(&args.interval) {
        Ok(interval) => interval,
        Err(why) => {
            writeln!(err, "raytree: {why}")?;
            return Ok(Code::Nothing);
        }
    };
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        writeln!(err, "raytree: the live view needs a terminal; `raytree tree` prints it once")?;
        return Ok(Code::Nothing);
    }
    let source = match source(args, folder, err)? {
        Ok(source) => source,
        Err(code) => return Ok(code),
    };
    let theme = if colour { Theme::colours() } else { Theme::plain() };
    raytree_top::open(source, &options(args).interval(interval).theme(theme))?;
    Ok(Code::Good)
}

/// How the live view begins.
fn options(args: &TopArgs) -> Options {
    let order = match args.sort {
        None => Order::Tree,
        Some(SortBy::Queue) => Order::Queue,
        Some(SortBy::Busy) => Order::Busy,
        Some(SortBy::Mem) => Order::Memory,
        Some(SortBy::Restarts) => Order::Restarts,
    };
    Options::new(crate::time::steady).order(order)
}

/// What the live view looks at; else how the command ends, after it was said why.
///
/// # Errors
/// `err` cannot be written.
pub fn source(
    args: &TopArgs,
    folder: &Path,
    err: &mut impl Write,
) -> io::Result<Result<Box<dyn Source + Send>, Code>> {
    if args.demo {
        return Ok(Ok(Box::new(Demo::new(1))));
    }
    let Some(found) = reach(&args.place, folder, err)? else { return Ok(Err(Code::Nothing)) };
    if found.whom.is_empty() {
        return nothing(args.place.pid, &found.place, err).map(Err);
    }
    Ok(Ok(Box::new(Live::new(args.place.clone(), folder.to_owned(), found.whom))))
}

/// Everybody who was found, followed.
struct Live {
    place: Where,
    folder: PathBuf,
    whom: Vec<Whom>,
}

impl Live {
    fn new(place: Where, folder: PathBuf, whom: Vec<Whom>) -> Self {
        Self { place, folder, whom }
    }

    /// Looks for them again: those who have begun since, and those who hung up.
    fn again(&mut self) -> Result<(), String> {
        let mut said = Vec::new();
        let found =
            reach(&self.place, &self.folder, &mut said).map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&said).trim_start_matches("raytree: ").trim().to_owned();
        self.whom = found.ok_or(said)?.whom;
        if self.whom.is_empty() { Err("nothing runs any more".to_owned()) } else { Ok(()) }
    }

    /// Which of them a path means, and what it is called there.
    fn whose<'a>(&mut self, path: &'a str) -> Result<(&mut Whom, &'a str), String> {
        if self.whom.len() > 1 {
            let (first, rest) = path.split_once('/').unwrap_or((path, ""));
            let whom = self.whom.iter_mut().find(|one| called(&one.hello) == first);
            return whom.map(|one| (one, rest)).ok_or(format!("{first} is not there any more"));
        }
        let whom = self.whom.first_mut().ok_or("nothing runs any more")?;
        Ok((whom, path))
    }

    fn ask(&mut self, path: &str, about: impl Fn(String) -> Request) -> Result<Answer, String> {
        let (whom, path) = self.whose(path)?;
        let which = if path.is_empty() { "raytree" } else { path };
        whom.ask(about(which.to_owned())).map(|reply| reply.answer).map_err(|why| why.to_string())
    }
}

/// What the top row of one of several is called.
fn called(hello: &Reply) -> String {
    format!("{}-{}", hello.program, hello.pid)
}

impl Source for Live {
    fn look(&mut self) -> Result<Moment, String> {
        let several = self.whom.len() > 1;
        let mut moment = Moment::default();
        let selection = Selection { whole: true, ..Selection::default() };
        let query =
            EventQuery { whole: true, limit: Some(limits::TOP_EVENTS), ..EventQuery::default() };
        let mut refused = None;
        for one in &mut self.whom {
            let name = called(&one.hello);
            let (reply, rows) = match one.client().follow(&selection, limits::TOP_ANSWER_WITHIN) {
                Ok(seen) => seen,
                Err(why) => {
                    refused = Some(why.to_string());
                    continue;
                }
            };
            moment.captured_at = reply.captured_at;
            moment.uptime = moment.uptime.max(reply.uptime);
            moment.more += rows.more;
            let first = moment.rows.len();
            moment.rows.extend_from_slice(&rows.rows);
            if let Some(top) = moment.rows.get_mut(first).filter(|_| several) {
                top.name.clone_from(&name);
            }
            if let Ok(Reply { answer: Answer::Events(events), .. }) =
                one.client().ask(Request::Events(query.clone()), limits::TOP_ANSWER_WITHIN)
            {
                let graft = |path: &str| match path.split_once('/') {
                    Some((_, rest)) if several => format!("{name}/{rest}"),
                    Some((_, rest)) => rest.to_owned(),
                    None => path.to_owned(),
                };
                moment.events.extend(events.events.into_iter().map(|mut event| {
                    event.path = graft(&event.path);
                    event
                }));
            }
        }
        if let Some(why) = refused {
            self.again().map_err(|gone| format!("{gone} ({why})"))?;
        }
        let mut summary = summary(&self.whom, &moment.rows);
        let has_head = self.whom.iter().any(|one| one.hello.role == Role::Head);
        let Where { address, context, .. } = &self.place;
        if has_head
            && let Ok(status) = ask_head(address.as_deref(), context.as_deref(), &self.folder)
        {
            summary.resources = usage(&status.nodes);
        }
        moment.summary = Some(summary);
        Ok(moment)
    }

    fn detail(&mut self, path: &str) -> Result<ActorDetail, String> {
        match self.ask(path, |which| Request::Actor { which })? {
            Answer::Actor(detail) => Ok(*detail),
            _ => Err(NONSENSE.to_owned()),
        }
    }

    fn why(&mut self, path: &str) -> Result<Story, String> {
        match self.ask(path, |which| Request::Why { which })? {
            Answer::Why(story) => Ok(story),
            _ => Err(NONSENSE.to_owned()),
        }
    }

    fn waits(&mut self) -> Result<Waits, String> {
        let mut all = Waits::default();
        for one in &mut self.whom {
            let reply = one.ask(Request::Waits).map_err(|why| why.to_string())?;
            let Answer::Waits(told) = reply.answer else { return Err(NONSENSE.to_owned()) };
            all.stories.extend(told.stories);
            all.missing.extend(told.missing);
        }
        Ok(all)
    }

    fn logs(&mut self, path: &str, lines: usize) -> Result<Vec<String>, String> {
        let about = |which| Request::Logs(LogQuery { tail: lines, ..LogQuery::of(which) });
        match self.ask(path, about)? {
            Answer::Logs(text) => {
                let line = |line: LogLine| format!("{}  {}", line.output, line.text);
                Ok(text.lines.into_iter().map(line).collect())
            }
            _ => Err(NONSENSE.to_owned()),
        }
    }

    fn losses(&mut self, path: &str) -> Result<Vec<String>, String> {
        let about = |which| Request::End { which, how: EndHow::Kill, confirmed: false };
        match self.ask(path, about)? {
            Answer::End(note) => Ok(note.lost),
            _ => Err(NONSENSE.to_owned()),
        }
    }

    fn kill(&mut self, path: &str) -> Result<String, String> {
        let about = |which| Request::End { which, how: EndHow::Kill, confirmed: true };
        match self.ask(path, about)? {
            Answer::End(EndNote { path, .. }) => Ok(format!("{path} was killed")),
            _ => Err(NONSENSE.to_owned()),
        }
    }
}

const NONSENSE: &str = "the answer makes no sense";

/// What is known of a cluster from its tree.
fn summary(whom: &[Whom], rows: &[TreeRow]) -> Summary {
    let of_nodes = rows.iter().filter_map(|row| row.process.as_deref());
    let of_nodes = of_nodes.filter(|own| matches!(own.role, Role::Node { .. }));
    let nodes = of_nodes.fold(Nodes::default(), |nodes, own| Nodes {
        up: nodes.up + usize::from(own.stale.is_none()),
        total: nodes.total + 1,
    });
    let head = whom.iter().find(|one| one.hello.role == Role::Head);
    let address = head.and_then(|one| Some(format!("head {}", one.hello.cluster.as_ref()?)));
    let alone = || match whom {
        [one] => format!("{} pid {}", one.hello.program, one.hello.pid),
        many => format!("{} programs", many.len()),
    };
    let stores = rows.iter().filter_map(|row| row.process.as_ref()?.store);
    let store = stores.fold(Store::default(), |all, own| Store {
        used: all.used + own.capacity.saturating_sub(own.free()),
        total: all.total + own.capacity,
    });
    Summary {
        address: Some(address.unwrap_or_else(alone)),
        nodes: (nodes.total > 0).then_some(nodes),
        store: (store.total > 0).then_some(store),
        ..Summary::default()
    }
}

/// What is taken of what the nodes of a cluster have.
fn usage(nodes: &[NodeStatus]) -> Vec<Usage> {
    let (mut free, mut total) = (Resources::none(), Resources::none());
    for node in nodes {
        free.add(&node.free);
        total.add(&node.total);
    }
    let of = |(name, all): (&str, u64)| Usage {
        name: name.to_owned(),
        used: all.saturating_sub(free.thousandths(name)) as f64 / 1000.0,
        total: all as f64 / 1000.0,
    };
    total.iter().filter(|(_, all)| *all > 0).map(of).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use raytree_types::inspect::NodePhase;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn what_is_sorted_by_on_the_command_line_is_the_first_order() {
        for (line, order) in [
            (&["raytree", "top"][..], "Tree"),
            (&["raytree", "top", "--sort", "queue"], "Queue"),
            (&["raytree", "top", "--sort", "busy"], "Busy"),
            (&["raytree", "top", "--sort", "mem"], "Memory"),
            (&["raytree", "top", "--sort", "restarts"], "Restarts"),
        ] {
            let Ok(Cli { command: Command::Top(args) }) = Cli::try_parse_from(line) else {
                panic!("{line:?}")
            };
            let begins = format!("{:?}", options(&args));
            assert!(begins.contains(&format!("order: {order},")), "{line:?}: {begins}");
        }
    }

    #[test]
    fn what_nodes_have_is_added_up() {
        let node = |free, total| NodeStatus {
            name: "a".to_owned(),
            life: 1,
            phase: NodePhase::Up,
            address: String::new(),
            total: Resources::cpus(total),
            free: Resources::cpus(free),
            version: String::new(),
            metrics: None,
        };
        let cpus = Usage { name: "CPU".to_owned(), used: 3.5, total: 6.0 };
        assert_eq!(usage(&[node(0.5, 4.0), node(2.0, 2.0)]), [cpus]);
        assert_eq!(usage(&[]), []);
    }
}
