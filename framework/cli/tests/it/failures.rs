//! What stands in the way is said in one sentence, and nobody panics.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::support::*;

#[test]
fn nothing_runs_is_a_sentence_and_code_2() {
    let place = Place::new();
    let folder = place.path();
    let nothing =
        |whose: &str| format!("raytree: nothing runs{whose} (looked in {})\n", folder.display());
    assert_eq!(place.raytree(&["tree"]), (String::new(), nothing(""), 2));
    assert_eq!(place.raytree(&["tree", "--json"]), (String::new(), nothing(""), 2));
    let runtime = place.start();
    let (out, err, code) = place.raytree(&["tree", "--pid", "1"]);
    assert_eq!((out, err, code), (String::new(), nothing(" in process 1"), 2));
    runtime.shutdown();
    assert_eq!(place.raytree(&["tree"]), (String::new(), nothing(""), 2));
    fs::remove_dir(&folder).expect("it is empty");
    assert_eq!(place.raytree(&["tree"]), (String::new(), nothing(""), 2));
    fs::create_dir(&folder).expect("for the guard");
}

#[test]
fn what_a_dead_runtime_left_is_cleared_away() {
    let place = Place::new();
    let stale = place.path().join("1234-1.sock");
    drop(UnixListener::bind(&stale).expect("a socket"));
    let (out, err, code) = place.raytree(&["tree"]);
    assert!(out.is_empty() && err.starts_with("raytree: nothing runs"), "{err}");
    assert_eq!(code, 2);
    assert!(!stale.exists());
}

#[test]
fn a_folder_that_others_may_enter_is_not_looked_at() {
    let place = Place::new();
    let runtime = place.start();
    fs::set_permissions(place.path(), Permissions::from_mode(0o711)).expect("ours");
    let (out, err, code) = place.raytree(&["tree"]);
    assert!(out.is_empty() && code == 2);
    assert!(err.contains("its mode is 0711, and others may enter: it has to be 0700"), "{err}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("ours");
    runtime.shutdown();
}

#[test]
fn a_path_that_is_nowhere_is_code_1() {
    let place = Place::new();
    let runtime = place.start();
    let (out, err, code) = place.raytree(&["tree", "node/nobody"]);
    assert_eq!((&*out, code), ("", 1));
    assert_eq!(err, "raytree: there is no `raytree/node/nobody` in the tree\n");
    runtime.shutdown();
}

#[test]
fn a_runtime_of_another_version_is_named_and_the_others_shown() {
    let place = Place::new();
    let runtime = place.start();
    // Only now: a runtime that starts looks whether the others are alive.
    let other = UnixListener::bind(place.path().join("1-1.sock")).expect("a socket");
    let answering = std::thread::spawn(move || {
        let (mut client, _) = other.accept().expect("a client");
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).expect("a request");
        client.write_all(b"{\"version\":99,\"tree\":\"of the future\"}\n").expect("an answer");
    });
    let (out, err, code) = place.raytree(&["tree", "gcs"]);
    answering.join().expect("it was asked");
    let skew = "it speaks version 99 of the inspector's protocol, this `raytree` version 2";
    assert_eq!(err, format!("raytree: runtime-1 of pid 1: {skew}\n"));
    assert!(code == 1 && out.contains("actor_directory"), "{out}");
    runtime.shutdown();
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let place = Place::new();
    let runtime = place.start();
    let mut command = place.command(&["tree"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().expect("it runs");
    drop(program.stdout.take());
    let mut err = String::new();
    let mut said = program.stderr.take().expect("a pipe");
    said.read_to_string(&mut err).expect("text");
    assert_eq!((&*err, program.wait().expect("it ends").code()), ("", Some(0)));
    runtime.shutdown();
}

#[test]
fn a_panic_of_the_inspector_is_survived_and_shown() {
    let place = Place::new();
    let runtime = place.start();
    let probe = runtime.probe("inspector").expect("an inspector");
    probe.panic_now();
    until(|| probe.restarts() == 1);
    let shown = place.shown(&["tree", "inspector"]);
    let row = shown.lines().last().unwrap_or_default();
    assert!(row.starts_with("inspector  -     -         ● running"), "{shown}");
    assert!(row.contains("  1    -  panicked: told to panic now"), "{shown}");
    runtime.shutdown();
}

#[test]
fn codes_are_explained_without_a_runtime() {
    let place = Place::new();
    let (out, err, code) = place.raytree(&["explain", "rt0012"]);
    assert!(out.starts_with("RT0012 Timeout\n\nIt did not finish in time"), "{out}");
    assert_eq!((&*err, code), ("", 0));
    let (out, _, code) = place.raytree(&["explain"]);
    assert!(out.lines().all(|line| line.starts_with("RT")) && code == 0, "{out}");
    let (out, err, code) = place.raytree(&["explain", "RT9999"]);
    let unknown = "raytree: there is no code `RT9999`: `raytree explain` lists those there are\n";
    assert_eq!((&*out, &*err, code), ("", unknown, 2));
}

#[test]
fn what_is_left_of_the_dead_is_told_by_the_doctor_and_a_folder_that_is_open_is_not_looked_at() {
    let place = Place::new();
    assert_eq!(place.raytree(&["doctor"]).2, 2, "nothing runs");
    let runtime = place.start();
    // No process has such a number.
    drop(UnixListener::bind(place.path().join("999999999-1.sock")).expect("a socket"));
    let (out, _, code) = place.raytree(&["doctor", "--json"]);
    assert!(code < 2, "{out}");
    assert!(out.contains("1 were left by processes that are gone"), "{out}");
    let (out, _, _) = place.raytree(&["doctor", "--json"]);
    assert!(!out.contains("were left by"), "they were removed: {out}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("ours");
    let (out, err, code) = place.raytree(&["doctor"]);
    assert_eq!((&*out, code), ("", 2));
    assert!(err.contains("is not looked at"), "{err}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).expect("ours");
    runtime.shutdown();
}

#[test]
fn a_wrong_command_line_is_code_2_and_help_is_code_0() {
    let place = Place::new();
    for line in [
        &["tre"][..],
        &["tree", "--dept"],
        &["tree", "--depth", "two"],
        &[],
        &["start"],
        &["kill", "--yes"],
    ] {
        let (out, err, code) = place.raytree(line);
        assert_eq!((&*out, code), ("", 2), "{line:?}");
        assert!(err.contains("--help"), "{err}");
    }
    for line in [&["--help"][..], &["help", "tree"], &["nodes", "--help"], &["--version"]] {
        let (out, err, code) = place.raytree(line);
        assert_eq!((&*err, code), ("", 0), "{line:?}");
        assert!(!out.is_empty());
    }
    let (script, err, code) = place.raytree(&["completions", "bash"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(script.contains("complete -F _raytree"), "{script}");
    let (page, err, code) = place.raytree(&["man"]);
    assert_eq!((&*err, code), ("", 0));
    assert!(page.contains(".SH SYNOPSIS"), "{page}");
}
