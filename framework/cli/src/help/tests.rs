//! The help of every command and what is said of wrong command lines, as golden files; completions and manual pages.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::Parser as _;
use expect_test::expect_file;

use super::*;

/// What the parser says to this line, and with which exit code.
fn said(line: &[&str]) -> (String, i32) {
    let line = [&["raytree"], line].concat();
    match Cli::try_parse_from(&line) {
        Ok(cli) => panic!("{line:?} is right: {cli:?}"),
        Err(error) => (error.render().to_string(), error.exit_code()),
    }
}

fn built() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

#[test]
fn the_help_of_every_command() {
    let command = built();
    let mut all = String::new();
    for command in commands(&command) {
        let path = command.get_bin_name().unwrap_or("raytree");
        let words: Vec<_> = path.split(' ').skip(1).chain(["--help"]).collect();
        let (help, code) = said(&words);
        assert_eq!(code, 0, "{path}");
        all += &format!("$ {path} --help\n{help}\n");
    }
    expect_file!["help.txt"].assert_eq(&all);
}

#[test]
fn what_is_wrong_with_a_command_line_is_said_with_code_2() {
    let mut all = String::new();
    for line in [
        &[][..],
        &["tre"],
        &["frobnicate"],
        &["tree", "--dept", "2"],
        &["tree", "--depth"],
        &["tree", "--depth", "two"],
        &["tree", "one", "two"],
        &["tree", "--pid", "-1"],
        &["tree", "--pid", "1", "--address", "a:1"],
        &["actor"],
        &["why"],
        &["kill", "--yes"],
        &["restart", "scores", "--now"],
        &["events", "--limit", "all"],
        &["doctor", "--pid", "own"],
        &["logs"],
        &["logs", "scores", "--out", "--err"],
        &["logs", "scores", "--tail", "few"],
        &["explain", "RT0012", "RT0013"],
        &["config", "cluster.port", "--json=yes"],
        &["top", "--demo", "--pid", "7"],
        &["top", "--sort", "x"],
        &["start"],
        &["start", "--head", "--join", "a:1"],
        &["start", "--join", "a:1", "--no-node"],
        &["start", "--join", "a:1", "--port", "1"],
        &["start", "--head", "--port", "70000"],
        &["start", "--head", "--cpus", "many"],
        &["stop", "--within", "soon"],
        &["nodes", "--wher", "state=up"],
        &["nodes", "--limit", "-1"],
        &["jobs", "--where"],
        &["groups", "--sort"],
        &["tasks", "--state", "failed"],
        &["actors", "scores"],
        &["objects", "--leaks", "--summary"],
        &["objects", "--older-than", "5m"],
        &["timeline", "--out"],
        &["timeline", "--limit", "all"],
        &["status", "--address", "a:1", "--context", "b"],
        &["context"],
        &["context", "use"],
        &["context", "sue", "a"],
        &["completions"],
        &["completions", "tcsh"],
        &["man", "pages", "more"],
        &["dashboard", "--token", "--json"],
    ] {
        let (why, code) = said(line);
        assert_eq!(code, 2, "{line:?}");
        all += &format!("$ raytree {}\n{why}\n", line.join(" "));
    }
    expect_file!["mistakes.txt"].assert_eq(&all);
}

/// Exit codes are what scripts rely on: no command leaves them out.
#[test]
fn every_command_says_its_exit_codes() {
    let command = built();
    for command in commands(&command) {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Exit codes"), "{name} does not say its exit codes");
        assert!(help.contains("\n  0  ") && help.contains("\n  2  "), "{name}: {help}");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.starts_with(char::is_uppercase) && !about.ends_with('.'), "{name}: {about}");
    }
}

fn script(shell: ShellName) -> String {
    let mut out = Vec::new();
    assert_eq!(completions(CompletionsArgs { shell }, &mut out).expect("memory"), Code::Good);
    String::from_utf8(out).expect("text")
}

#[test]
fn each_shell_is_told_every_command() {
    let command = built();
    for shell in [ShellName::Bash, ShellName::Zsh, ShellName::Fish] {
        let script = script(shell);
        for command in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            assert!(script.contains(command.get_name()), "{shell:?}: {}", command.get_name());
        }
    }
}

/// Where there is a bash it completes as a person would have it.
#[test]
fn a_real_bash_completes_commands_and_flags() {
    let bash = |input: &str| {
        let mut shell = Command::new("bash");
        shell.args(["--norc", "--noprofile"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = match shell.stderr(Stdio::piped()).spawn() {
            Ok(shell) => shell,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => panic!("bash does not start: {error}"),
        };
        shell.stdin.take()?.write_all(input.as_bytes()).expect("it reads");
        let said = shell.wait_with_output().expect("it ends");
        assert!(said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
        Some(String::from_utf8(said.stdout).expect("text"))
    };
    let script = script(ShellName::Bash);
    let complete = |words: &str| {
        let last = words.split(' ').count() - 1;
        bash(&format!(
            "{script}\nCOMP_WORDS=({words})\nCOMP_CWORD={last}\n\
             _raytree raytree \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{}]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"\n",
            last - 1
        ))
    };
    let Some(commands) = complete("raytree st") else { return };
    assert_eq!(commands.trim(), "start stop status");
    assert_eq!(complete("raytree tree --fa").as_deref().map(str::trim), Some("--failed"));
    assert_eq!(complete("raytree completions z").as_deref().map(str::trim), Some("zsh"));
}

#[test]
fn the_manual_names_every_command_and_each_has_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let whole = man(&ManArgs::default(), &mut out, &mut err).expect("memory");
    assert_eq!((whole, &*err), (Code::Good, &b""[..]));
    let page = String::from_utf8(out).expect("text").replace("\\-", "-");
    assert!(page.contains(".TH raytree 1") || page.contains(".TH \"raytree\" \"1\""), "{page}");
    assert!(page.contains("Exit codes of every command"), "{page}");
    let args = ManArgs { dir: Some(folder.path().to_owned()) };
    assert_eq!(man(&args, &mut Vec::new(), &mut err).expect("memory"), Code::Good);
    let command = built();
    for command in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        let name = command.get_name();
        assert!(page.contains(&format!("raytree-{name}(1)")), "{name} is not in {page}");
        let own = fs::read_to_string(folder.path().join(format!("raytree-{name}.1")));
        let own = own.expect("a page").replace("\\-", "-");
        assert!(own.contains("Exit codes:\n  0  "), "{own}");
    }
    assert!(!page.contains("groups"), "what is hidden stays hidden");

    let args = ManArgs { dir: Some(folder.path().join("not-there")) };
    assert_eq!(man(&args, &mut Vec::new(), &mut err).expect("memory"), Code::Nothing);
    assert!(String::from_utf8_lossy(&err).contains("raytree.1 cannot be written: "));
}

#[test]
fn a_line_of_a_page_is_no_request() {
    assert_eq!(literal(".so a\\b --x"), "\\&.so a\\eb \\-\\-x");
    assert_eq!(literal("'tis"), "\\&'tis");
}
