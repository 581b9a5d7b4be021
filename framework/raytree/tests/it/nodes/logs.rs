//! What nodes and isolated processes write: printed by the program, and kept in files.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is written is what is tested")]

use std::path::Path;
use std::process::{Command, Stdio};

use raytree::Result;
use raytree::prelude::*;

/// Names the folder of the files for the program that the tests start; its nodes have it, too.
const FOLDER: &str = "RAYTREE_LOGS__FOLDER";
/// Says that it is the program that is to run, and what it is to print.
const PROGRAM: &str = "RAYTREE_TEST_PRINTS";

/// Writes a line so many times.
#[remote]
fn writes(line: String, times: usize) -> u32 {
    for _ in 0..times {
        println!("{line}");
    }
    std::process::id()
}

/// The same in a process of its own.
#[remote(isolated)]
fn writes_alone(line: String, times: usize) -> u32 {
    for _ in 0..times {
        println!("{line}");
    }
    eprintln!("and that was it");
    std::process::id()
}

/// A program with nodes, or without, whose tasks write; nothing when it is run as a test.
#[test]
fn has_tasks_that_write() {
    let says = std::env::var(PROGRAM);
    if std::env::var_os("RAYTREE_ROLE").is_none() && says.is_err() {
        return;
    }
    let init = raytree::init().cpus(2.0).threads(2).inspector(false);
    let runtime = match says.as_deref() {
        Ok("nothing") => init.nodes(1).log_to_driver(false).start(),
        _ => init.nodes(1).start(),
    };
    let runtime = runtime.expect("a runtime");
    let ran: Result<()> = runtime.block_on(async {
        let node = writes::remote("from a node".to_owned(), 2).await?;
        let first = writes_alone::remote("the shard is missing".to_owned(), 1).await?;
        let second = writes_alone::remote("the shard is missing".to_owned(), 999).await?;
        println!("pids: {node} {first} {second}");
        Ok(())
    });
    ran.expect("tasks");
    runtime.shutdown();
    println!("it has ended");
}

/// What the program prints on both its outputs, line by line.
fn runs(says: &str, folder: &Path) -> (Vec<String>, Vec<String>) {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "nodes::logs::has_tasks_that_write", "--nocapture"]);
    command.env(FOLDER, folder).env(PROGRAM, says).env_remove("RAYTREE_ADDRESS");
    command.stdin(Stdio::null());
    let output = command.output().expect("it runs");
    let lines = |bytes: Vec<u8>| -> Vec<String> {
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    };
    let (out, err) = (lines(output.stdout), lines(output.stderr));
    assert!(output.status.success(), "{out:?} {err:?}");
    (out, err)
}

/// The processes that it says it had.
fn pids(out: &[String]) -> Vec<u32> {
    let said = out.iter().find_map(|line| line.strip_prefix("pids: ")).expect("it says so");
    said.split(' ').map(|pid| pid.parse().expect("a process")).collect()
}

/// The files of a session below `folder`, by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let only = |folder: &Path| {
        let mut entries = std::fs::read_dir(folder).expect("a folder").flatten();
        let found = entries.next().expect("one").path();
        assert!(entries.next().is_none(), "more than one in {}", folder.display());
        found
    };
    let session = only(&only(folder));
    let entries = std::fs::read_dir(session.join("logs")).expect("a folder").flatten();
    let read = entries.map(|entry| {
        let text = std::fs::read_to_string(entry.path()).expect("a file");
        (entry.file_name().to_string_lossy().into_owned(), text)
    });
    let mut files: Vec<_> = read.collect();
    files.sort();
    files
}

#[test]
fn what_others_write_is_printed_with_their_names_and_equal_lines_of_several_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = runs("all", folder.path());
    let pids = pids(&out);
    let count = |line: &str| out.iter().filter(|own| *own == line).count();
    assert_eq!(count(&format!("(node-1 pid={}) from a node", pids[0])), 2, "{out:#?}");
    let missing = |pid| format!("(writes_alone pid={pid}, node=node-1) the shard is missing");
    let named = |line: &&String| line.contains("the shard is missing");
    let shards: Vec<_> = out.iter().filter(named).cloned().collect();
    let again = format!("{} [repeated 999x across cluster]", missing(pids[2]));
    assert_eq!(shards, [missing(pids[1]), again], "{out:#?}");
    let over = out.iter().position(|line| line == "it has ended").expect("it has ended");
    assert!(out[over..].iter().all(|line| !line.starts_with('(')), "all is printed by then");
    let last = |pid| format!("(writes_alone pid={pid}, node=node-1) and that was it");
    assert_eq!(err.iter().filter(|line| line.ends_with("and that was it")).count(), 2, "{err:?}");
    assert!(err.contains(&last(pids[1])), "{err:?}");

    // The files have every line, whatever was printed.
    let files = files(folder.path());
    let of = |name: String| {
        let found = files.iter().find(|(own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no {name} in {files:?}")).1.lines().count()
    };
    assert!(of(format!("node-1-{}.out", pids[0])) >= 2);
    let own = |pid| files.iter().find(|(name, _)| name.contains(&format!("-{pid}.out")));
    let (_, text) = own(pids[2]).expect("its file");
    assert_eq!(text.lines().filter(|line| *line == "the shard is missing").count(), 999);
}

#[test]
fn a_program_that_wants_no_lines_prints_none_and_the_files_have_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = runs("nothing", folder.path());
    let pids = pids(&out);
    let is_theirs = |line: &&String| line.starts_with('(') || line.contains("and that was it");
    assert_eq!(out.iter().chain(&err).find(is_theirs), None);
    let files = files(folder.path());
    assert!(files.iter().any(|(name, _)| name.contains(&pids[1].to_string())), "{files:?}");
}
