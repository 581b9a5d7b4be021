//! What each error code means and what to do about it. `docs/errors.md` is this table as a page, checked by a test.

/// One kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Never changes, never means something else.
    pub code: &'static str,
    /// The variant of [`Error`](crate::Error).
    pub name: &'static str,
    /// When it happens.
    pub when: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

/// Every kind of error, by code.
pub const CODES: &[Code] = &[
    code(
        "RT0001",
        "NoRuntime",
        "Something asked for the current runtime where there is none: no runtime runs this thread, none was entered, and the process has no default.",
        "Call `raytree::init().start()` first, or write `#[raytree::main]` over `main`. Remote calls start the default runtime by themselves; `raytree::current()` and `get_actor` do not.",
    ),
    code(
        "RT0002",
        "StartFailed",
        "The runtime could not be started: the operating system gave no threads, or a part of the supervision tree did not come up.",
        "Read the reason. Limits on processes and threads (`ulimit -u`) are the usual cause.",
    ),
    code(
        "RT0003",
        "RuntimeGone",
        "The runtime a reference or handle belongs to was shut down, was dropped, or gave up after too many failures of its own parts.",
        "Keep the `Runtime` as long as its references are used, and await results before `shutdown`. If it gave up, its last cause is in the reason and in the log.",
    ),
    code(
        "RT0004",
        "BadOption",
        "An option has a value it cannot have: a negative or NaN amount, an amount finer than 0.001, a name with a slash, a bound out of its range.",
        "The message names the option, the value, what it may be, and the line that gave it.",
    ),
    code(
        "RT0005",
        "DuplicateName",
        "Two functions or actor types marked `#[remote]` have the same path, so a worker could not tell which is meant.",
        "Rename one of the two; the message names both places. The same file compiled into a program twice is the usual cause.",
    ),
    code(
        "RT0006",
        "HeadLost",
        "The head of the cluster ended, was stopped, or could not be reached for `liveness.isolation_grace`: nobody knows any more which workers live, so everything this program waited for there is given up.",
        "Start the program again when the cluster has a head. `raytree status` says whether it has; the nodes of a head that is gone end by themselves after the same time.",
    ),
    code(
        "RT0007",
        "CannotLook",
        "A list of what there is (`raytree::state`), or the timeline, could not be made: the head of the cluster gave no answer in time, or not one that this program can read.",
        "Read the reason. `raytree status` asks the head from outside; a program and its head have to be of the same version.",
    ),
    code(
        "RT0008",
        "UnknownName",
        "`raytree::state::why` was asked about a task or an actor of which no process knows: it never was, or it is forgotten, or the name is written otherwise.",
        "The message names what is called nearly so. `raytree::state::tasks` and `actors` list the ids; the last 100,000 attempts of tasks that are over are remembered in each process.",
    ),
    code(
        "RT0010",
        "TaskFailed",
        "The user's function returned an `Err` or panicked, and no retries were left.",
        "The cause has the type of the error, its message, the chain below it, and the place of a panic. `error.downcast::<E>()` gives a serialisable error back. `retry_errors(n)` and `retry_on::<E>()` run the task again.",
    ),
    code(
        "RT0011",
        "Cancelled",
        "The task or call was cancelled before it had a result, by `cancel()` on its reference, on that of the task which started it, or by dropping its stream.",
        "Nothing, if that was meant. Use `cancel_only()` to leave what a task started alone.",
    ),
    code(
        "RT0012",
        "Timeout",
        "It did not finish in time: a run took longer than the task's `timeout`, or the wait for it was limited.",
        "Synchronous code goes on after its timeout until it returns (`Runtime::abandoned_tasks` counts such bodies): call `ctx.check_cancelled()?` in long loops, or make the function async.",
    ),
    code(
        "RT0013",
        "QueueTimeout",
        "The task did not begin within its `queue_timeout`: its arguments or its resources were not there.",
        "Give it longer, ask for less, or find out what holds the resources (`Runtime::available_resources`, `raytree tree`).",
    ),
    code(
        "RT0014",
        "Infeasible",
        "It asks for more of a resource than there is in all, so no amount of waiting would help.",
        "Ask for less, or start the runtime with more: `init().cpus(8.0).resource(\"special_hardware\", 4.0)`.",
    ),
    code(
        "RT0015",
        "Overloaded",
        "Too many calls wait already: a million tasks in the runtime, or the actor's `mailbox` bound. The call was not made.",
        "`submit(..).await` waits for room instead. A caller this far ahead should wait for results as it goes (`raytree::wait`).",
    ),
    code(
        "RT0016",
        "WorkerDied",
        "The process that ran the task died, and no `retries` were left.",
        "Read the cause: out of memory and native code that aborts are the usual ones.",
    ),
    code(
        "RT0017",
        "OutOfMemory",
        "A node was short of memory and has ended the process that ran this, before the operating system would have ended one by chance.",
        "The message says how much was in use. Let fewer tasks run at once on the node, let them demand `memory`, or give the node more; `node.memory_refuse_at` is the bound.",
    ),
    code(
        "RT0020",
        "ActorDied",
        "The actor ended before it answered: a panic, a failed constructor, `kill`, `stop`, or the end of its parent. With `will_restart` a later call reaches its next life.",
        "`restarts(n)` gives an actor more lives, and `retries(n)` makes lost calls again on the next one. The kind says how it ended, with the root cause.",
    ),
    code(
        "RT0021",
        "CallDropped",
        "The handler ended without an answer, with its actor's overlapping work.",
        "Call again; if it happens often, look at the actor's last cause with `raytree tree`.",
    ),
    code(
        "RT0022",
        "TooManyActors",
        "There are a million actors in this runtime already.",
        "Handles that are kept somewhere keep their actors alive: drop them, or `stop` the actors.",
    ),
    code(
        "RT0023",
        "NameTaken",
        "A living actor has this name in this namespace already.",
        "The message names both lines. `get_if_exists()` shares the one that is there; another `namespace` keeps them apart; `label` shows a name without claiming it.",
    ),
    code(
        "RT0024",
        "ActorNotFound",
        "No living actor has this name in this namespace.",
        "Names are freed when their actor has ended. Look at `Runtime::named_actors()`, and at the namespace: the default one is that of the runtime.",
    ),
    code(
        "RT0025",
        "WrongActorType",
        "There is an actor of this name, of another type.",
        "Ask for the type that the message names.",
    ),
    code(
        "RT0030",
        "ObjectTaken",
        "The value was moved out by an earlier await of the same reference, through `&mut reference` or after `select!`.",
        "Await `&reference` to get a clone and keep the value, or clone the reference first.",
    ),
    code(
        "RT0031",
        "CannotTravel",
        "A value cannot be sent to another process: its serde attributes need a format that names its fields, or it does not come back as it was. Found in debug builds and in strict mode, before it happens on a cluster.",
        "The message names the type and the attribute. Change the attribute, or mark the function `#[remote(codec = \"self_describing\")]`.",
    ),
    code(
        "RT0032",
        "OwnerDied",
        "The process that had the object died, and the object with it.",
        "Make the object anew. What a task has returned is with whoever submitted the task; what `put` or an actor made is with the process it was made in.",
    ),
    code(
        "RT0033",
        "TooLarge",
        "The arguments of one call, its result, or one item of a stream are more than goes to another process at once: 4 GiB, or 65,536 large arrays and texts.",
        "Store the value with `put` where it is used, and send its reference; or send it in several parts, a stream for example.",
    ),
    code(
        "RT0034",
        "ProgramsDiffer",
        "A function, an actor type or a method has another signature in the process that was asked than in the one that asked, or is missing there: they do not run the same version of the program.",
        "The message names both processes and what each has. Start both from the same build; whatever is called elsewhere must be linked into the program there.",
    ),
    code(
        "RT0035",
        "ObjectStoreFull",
        "A value is larger than the whole object store of its node. What was stored before is not touched.",
        "Raise `node.object_store_bytes` on the machine that the message is about, or send the value in several parts.",
    ),
    code(
        "RT0036",
        "OutOfDisk",
        "The object store of a node is full, and what is in it cannot be spilled: a disk, or its quota, is full, or an object store that it spills to does not do what it is asked for. What was stored before can be read as ever.",
        "The message names the folder and what is free there, or the URL and what was said. Free some of it, name further folders or URLs in `node.spill_folders`, raise `node.spill_bytes`, or hold fewer objects at once.",
    ),
    code(
        "RT0037",
        "ObjectLost",
        "An object is there no more: what was written of it to disk is damaged or cannot be read, or the store of its node has ended. Results of tasks are made again by running their tasks, where that can be; of this one the message says why not.",
        "The message says what was found: look after the disk it names. Then do what its reason asks for: give the task `retries`, raise `calls.lineage_bytes`, or make the object anew.",
    ),
    code(
        "RT0040",
        "BlockingInAsync",
        "A blocking call was made in async code, where it would hold up everybody else's async code on that thread.",
        "Write what the message says, usually `.await`; or make the function synchronous.",
    ),
    code(
        "RT0041",
        "TooManyThreads",
        "So many synchronous tasks block in `get()` that no further thread may be started for those they wait for.",
        "Make the tasks that wait async: a wait there takes no thread.",
    ),
    code(
        "RT0042",
        "Deadlock",
        "Methods of actors wait for each other's answers in a circle, and none of these actors takes up anything else meanwhile: no answer would ever have come. One of the waits is given up with this error: one for something that has not begun, if there is one; else what runs for it is broken off.",
        "Break the circle that the message names: ask for things in one order everywhere, return a reference and let the caller await it, or let one of the actors overlap its calls (`max_concurrency` with `&self` methods).",
    ),
];

const fn code(
    code: &'static str,
    name: &'static str,
    when: &'static str,
    advice: &'static str,
) -> Code {
    Code { code, name, when, advice }
}

/// The meaning of a code such as `RT0012`, whatever its case.
#[must_use]
pub fn explain(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    #[test]
    fn the_page_of_errors_is_this_table() {
        let mut page = String::from(
            "# Error codes\n\nEvery error of raytree has a code that never changes: `Error::code()` gives it, `raytree explain RT0012` explains\nit in a terminal.\n",
        );
        for Code { code, name, when, advice } in CODES {
            page += &format!("\n## {code} `Error::{name}`\n\n{when}\n\n**What to do.** {advice}\n");
        }
        expect_file!["../../../docs/errors.md"].assert_eq(&page);
    }

    #[test]
    fn codes_rise_and_are_found_in_any_case() {
        assert!(CODES.is_sorted_by(|one, next| one.code < next.code));
        assert_eq!(explain("rt0012").map(|code| code.name), Some("Timeout"));
        assert_eq!(explain("RT9999"), None);
    }

    #[test]
    fn every_variant_has_its_code() {
        let source = include_str!("error.rs");
        for Code { code, name, .. } in CODES {
            let arm = source.lines().any(|line| {
                line.contains(&format!("Self::{name}")) && line.contains(&format!("\"{code}\""))
            });
            assert!(arm, "{name} has another code than {code}");
        }
        let arms = source.lines().filter(|line| line.contains("=> \"RT")).count();
        assert_eq!(arms, CODES.len(), "a variant is not explained");
    }
}
