//! A process of this host that is nobody's child here and wants to be found, so that it can be fenced.
//!
//! The number of a process says little: it is used again, and one that came over a connection may be that of another
//! machine. So whoever wants to be found holds a [`Mark`], a file without a folder whose name is a number that nobody else
//! has drawn. [`Neighbour::find`] takes a handle of the process, looks whether it holds the file, and then whether the handle's
//! process still lives.
//!
//! Invariants:
//! - **NB-1 (right-process):** a neighbour is the process that made the mark, of the same user, and not this one: whatever
//!   becomes of its number, nobody else is ever signalled.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::process::is_starved;

/// What a process holds that wants to be found. Its children do not have it.
#[derive(Debug)]
pub struct Mark(OwnedFd);

/// Where a mark is, for those to whom it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The process, as it sees itself.
    pub pid: u32,
    /// Which of its files.
    pub file: i32,
}

impl Mark {
    /// A mark of this process. Nobody else has drawn `number`.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn new(number: u64) -> io::Result<Self> {
        Ok(Self(memfd_create(name(number), MemfdFlags::CLOEXEC)?))
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Marked {
        Marked { pid: std::process::id(), file: self.0.as_raw_fd() }
    }
}

/// Another process of this host and of this user, which lives or has ended; no other one comes in its place.
#[derive(Debug)]
pub struct Neighbour {
    pid: u32,
    handle: OwnedFd,
}

impl Neighbour {
    /// The process that has made a mark with this number and told where it is. None when it is not seen from here: it is on
    /// another machine, in another namespace of processes, of another user, this very process, or has ended.
    #[must_use]
    pub fn find(marked: Marked, number: u64) -> Option<Self> {
        let Marked { pid, file } = marked;
        if pid == std::process::id() {
            return None;
        }
        let handle = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty());
        let found = Self { pid, handle: handle.ok()? };
        let user = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let held = fs::read_link(format!("/proc/{pid}/fd/{file}")).ok()?;
        let is_it = held.to_str() == Some(&format!("/memfd:{} (deleted)", name(number)));
        // Last (NB-1): while the handle's process lived, the number was its own.
        (is_it && user == geteuid().as_raw() && !found.has_ended()).then_some(found)
    }

    /// It has ended, whether somebody has waited for it or not.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut lines = [PollFd::new(&self.handle, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut lines, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// `SIGKILL`. Nothing when it has ended.
    ///
    /// # Errors
    /// What the operating system said: it may not be killed from here.
    pub fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(self.handle.as_fd(), Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Process::is_starved`](crate::Process::is_starved).
    #[must_use]
    pub fn is_starved(&self) -> bool {
        // Its number is its own while it lives.
        is_starved(self.pid) && !self.has_ended()
    }
}

/// Sees neighbours end, on a thread of its own, which ends with this.
#[derive(Debug)]
pub struct Watch {
    watched: Arc<OwnedFd>,
    bell: Arc<OwnedFd>,
}

/// What the bell is called among those who are watched.
const BELL: u64 = u64::MAX;

impl Watch {
    /// `ended` hears of each once, by the number it was added with; it is called on the thread, and has to hand on and
    /// return.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn start(mut ended: impl FnMut(u64) + Send + 'static) -> io::Result<Self> {
        let watched = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&watched, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        // The bell is held until it has been heard.
        let (own, rung) = (Arc::clone(&watched), Arc::clone(&bell));
        thread::Builder::new().name("raytree-watch".to_owned()).spawn(move || {
            let _rung = rung;
            let mut events = Vec::with_capacity(64);
            loop {
                events.clear();
                match epoll::wait(&own, rustix::buffer::spare_capacity(&mut events), None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => {
                        tracing::error!(%error, "neighbours are not seen any more when they end");
                        return;
                    }
                }
                for event in &events {
                    match event.data.u64() {
                        BELL => return,
                        number => ended(number),
                    }
                }
            }
        })?;
        Ok(Self { watched, bell })
    }

    /// One more, under this number, until it has ended or is dropped. Added again, it is watched as before.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn add(&self, neighbour: &Neighbour, number: u64) -> io::Result<()> {
        let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        let data = epoll::EventData::new_u64(number);
        match epoll::add(&self.watched, &neighbour.handle, data, once) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It has never rung before.
        _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

fn name(number: u64) -> String {
    format!("raytree-{number:016x}")
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A process that holds the file of a mark of this one as its standard input.
    fn holder(mark: &Mark) -> Child {
        let file = mark.0.try_clone().expect("room");
        Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().expect("it starts")
    }

    #[test]
    fn nb_1_it_is_found_by_its_mark_and_killed_by_its_handle() {
        let mark = Mark::new(7).expect("a mark");
        let mut child = holder(&mark);
        let at = Marked { pid: child.id(), file: 0 };
        let found = Neighbour::find(at, 7).expect("it is there");
        assert!(!found.has_ended());
        let (tell, told) = sync_channel(1);
        let watch = Watch::start(move |number| _ = tell.send(number)).expect("a thread");
        watch.add(&found, 5).expect("room");
        watch.add(&found, 5).expect("the same one");
        found.kill().expect("it is ours");
        assert_eq!(told.recv_timeout(PATIENCE), Ok(5));
        // Nobody has waited for it yet, and it is not found any more.
        assert!(found.has_ended());
        assert!(Neighbour::find(at, 7).is_none());
        child.wait().expect("it is ours");
        found.kill().expect("nothing is left to be done");
        assert!(!found.is_starved());
        // One that is added too late is told of, too.
        let (tell, late) = sync_channel(1);
        let another = Watch::start(move |number| _ = tell.send(number)).expect("a thread");
        another.add(&found, 6).expect("room");
        assert_eq!(late.recv_timeout(PATIENCE), Ok(6));
        drop((watch, another));
        assert_eq!(told.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "once");
    }

    #[test]
    fn nb_1_another_process_is_not_taken_for_it() {
        let mark = Mark::new(7).expect("a mark");
        let mut child = holder(&mark);
        let pid = child.id();
        let find = |pid, file, number| Neighbour::find(Marked { pid, file }, number).is_some();
        assert!(find(pid, 0, 7));
        assert!(!find(pid, 0, 8), "another number");
        assert!(!find(pid, 1, 7), "another file");
        assert!(!find(pid, -1, 7), "no file");
        assert!(!find(0, 0, 7), "no process");
        assert!(!find(u32::MAX, 0, 7), "no process");
        assert!(!find(1, 0, 7), "another process");
        let Marked { pid: own, file } = mark.place();
        assert!(!find(own, file, 7), "this process");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(!find(pid, 0, 7), "it has ended");
    }
}
