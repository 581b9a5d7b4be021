//! The live view on a terminal of its own.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::support::until;

#[test]
fn top_ends_when_its_terminal_has_gone() {
    let terminal =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("one");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("it has one");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = || Stdio::from(rustix::fs::open(&name, flags, Mode::empty()).expect("its other end"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_raytree"));
    command.args(["top", "--demo"]).env("TERM", "xterm");
    let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
    // Its ends of the terminal are its own.
    drop(command);
    let child = Mutex::new(child);
    let mut terminal = File::from(terminal);
    let mut shown = [0; 64];
    terminal.read_exact(&mut shown).expect("a screen");
    drop(terminal);
    until(|| child.lock().expect("whole").try_wait().expect("it is ours").is_some());
}
