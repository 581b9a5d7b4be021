//! Commands on a terminal of their own.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::support::{Place, until};

/// A terminal, and what opens its other end.
fn terminal() -> (File, impl Fn() -> Stdio) {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("one");
    grantpt(&own).expect("it is ours");
    unlockpt(&own).expect("it is ours");
    let name = ptsname(&own, Vec::new()).expect("it has one");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end =
        move || Stdio::from(rustix::fs::open(&name, flags, Mode::empty()).expect("its other end"));
    (File::from(own), end)
}

#[test]
fn top_ends_when_its_terminal_has_gone() {
    let (mut terminal, end) = terminal();
    let mut command = Command::new(env!("CARGO_BIN_EXE_raytree"));
    command.args(["top", "--demo"]).env("TERM", "xterm");
    let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
    // Its ends of the terminal are its own.
    drop(command);
    let child = Mutex::new(child);
    let mut shown = [0; 64];
    terminal.read_exact(&mut shown).expect("a screen");
    drop(terminal);
    until(|| child.lock().expect("whole").try_wait().expect("it is ours").is_some());
}

/// The command that prints the tree of what runs there, where `NO_COLOR` is this.
fn tree(place: &Place, no_colour: Option<&str>) -> Command {
    let mut command = place.command(&["tree"]);
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    command.envs(no_colour.map(|value| ("NO_COLOR", value)));
    command
}

/// What a terminal gets from it.
fn shown(mut command: Command) -> String {
    let (mut terminal, end) = terminal();
    let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
    let mut child = child.expect("it starts");
    drop(command);
    let mut shown = Vec::new();
    // It ends with an error: nobody has the other end open any more.
    _ = terminal.read_to_end(&mut shown);
    let shown = String::from_utf8(shown).expect("text");
    assert!(child.wait().expect("it is ours").success(), "{shown}");
    assert!(shown.contains("actor_host") && shown.contains("● running"), "{shown}");
    shown
}

#[test]
fn there_are_colours_on_a_terminal_alone_and_none_where_they_are_not_wanted() {
    let place = Place::new();
    let runtime = place.start();
    assert!(shown(tree(&place, None)).contains("\x1b["));
    assert!(shown(tree(&place, Some(""))).contains("\x1b["), "it is not set");
    let plain = shown(tree(&place, Some("1")));
    assert!(!plain.contains('\x1b'), "{plain}");
    let output = tree(&place, None).output().expect("it runs");
    let piped = String::from_utf8(output.stdout).expect("text");
    assert!(piped.contains("● running") && !piped.contains('\x1b'), "{piped}");
    runtime.shutdown();
}
