//! Time, events, links and clocks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Name, Origin, Place, Settings};
use super::chaos::Fault;
use super::head::{Head, HeadMail};
use super::ledger::{Figures, Ledger};
use super::process::{Mail, Process};
use super::{CHAOS_ENDS, MILLI, SECOND, STORY_ENDS, Time};
use crate::sim::Rng;

/// A process, by when it was started.
pub(super) type Pid = usize;
/// A stable name, by its number.
pub(super) type Slot = usize;

/// A clock that is up to 1 % too fast or too slow, and shows an arbitrary time at the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    offset: Time,
    per_million: u64,
}

impl Clock {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let per_million = match rng.between(0, 3) {
            0 => 990_000,
            1 => 1_010_000,
            _ => rng.between(990_000, 1_010_000),
        };
        Self { offset: rng.between(0, 1000 * SECOND), per_million }
    }

    pub(super) fn read(self, now: Time) -> Duration {
        Duration::from_micros(self.offset + now * self.per_million / 1_000_000)
    }
}

/// How bad the links of this story are.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss: u64,
    repeat: u64,
    slow: u64,
    slowest: Time,
}

#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) place: Place,
    /// The head starts it. Otherwise it is started by somebody else, and joins.
    pub(super) is_child: bool,
    /// Nothing goes from the head to it, and from it to the head.
    pub(super) cut_down: bool,
    pub(super) cut_up: bool,
    /// Nothing goes between it and the other nodes.
    pub(super) cut_peers: bool,
}

#[derive(Debug)]
pub(super) enum Event {
    HeadTick {
        life: u32,
    },
    ToHead {
        life: u32,
        mail: HeadMail,
    },
    /// The head hears that a connection of a process is lost.
    Unlinked {
        life: u32,
        pid: Pid,
        session: u64,
        mail: HeadMail,
    },
    LoseLink(Pid),
    HeadThaws,
    HeadStarts,
    StartLocal {
        life: u32,
        slot: Slot,
    },
    ProcessTick(Pid),
    To(Pid, Mail),
    Thaws(Pid),
    MovesAgain(Pid),
    Dies(Pid),
    Spawn(Slot),
    Heal(Slot),
    Fault(Fault),
}

#[derive(Debug)]
struct Entry {
    at: Time,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) settings: Settings,
    pub(super) head: Head,
    pub(super) slots: Vec<Named>,
    pub(super) processes: Vec<Process>,
    pub(super) living: Vec<Pid>,
    pub(super) ledger: Ledger,
    weather: Weather,
    queue: BinaryHeap<Reverse<Entry>>,
    events: u64,
    tells: bool,
}

/// Deadlines as by default; beats and graces are shorter, so that more happens in a story.
fn settings() -> Settings {
    let settings = Settings {
        beat_every: Duration::from_millis(200),
        isolation_grace: Duration::from_secs(4),
        start_within: Duration::from_millis(3500),
        kill_grace: Duration::from_secs(2),
        ..Settings::default()
    };
    settings.checked().expect("the settings keep the promises")
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let settings = settings();
        let slots: Vec<Named> = (0..rng.between(3, 5))
            .map(|number| {
                let place = if rng.percent(45) { Place::Local } else { Place::Remote };
                Named {
                    name: Arc::from(format!("node-{number}")),
                    place,
                    is_child: place == Place::Local && rng.percent(60),
                    cut_down: false,
                    cut_up: false,
                    cut_peers: false,
                }
            })
            .collect();
        let weather = Weather {
            loss: *[0, 2, 20].get(rng.index(3)).unwrap_or(&0),
            repeat: *[0, 5, 20].get(rng.index(3)).unwrap_or(&0),
            slow: *[0, 2, 15].get(rng.index(3)).unwrap_or(&0),
            slowest: *[20 * MILLI, 800 * MILLI, 3 * SECOND].get(rng.index(3)).unwrap_or(&0),
        };
        let head = Head::new(settings, Clock::new(&mut rng), slots.len());
        let ledger = Ledger::new(settings, slots.iter().map(|slot| slot.place).collect());
        let mut world = Self {
            rng,
            now: 0,
            settings,
            head,
            slots,
            processes: Vec::new(),
            living: Vec::new(),
            ledger,
            weather,
            queue: BinaryHeap::new(),
            events: 0,
            tells: std::env::var_os("STORY").is_some(),
        };
        world.head_ticks_after(0);
        for slot in 0..world.slots.len() {
            if world.slots[slot].is_child {
                world.after(0, Event::StartLocal { life: 1, slot });
            } else {
                world.after(0, Event::Spawn(slot));
            }
        }
        let fault = world.next_fault();
        world.after(SECOND, Event::Fault(fault));
        world
    }

    pub(super) fn run(mut self) -> Figures {
        while let Some(Reverse(Entry { at, event, .. })) = self.queue.pop() {
            if at > STORY_ENDS {
                break;
            }
            self.now = at;
            self.note_event(&event);
            self.happen(event);
            self.check_all();
        }
        self.check_the_end();
        self.ledger.figures
    }

    pub(super) fn after(&mut self, delay: Time, event: Event) {
        self.events += 1;
        self.queue.push(Reverse(Entry { at: self.now + delay, number: self.events, event }));
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9} {}", self.now, what());
        }
    }

    fn note_event(&self, event: &Event) {
        let routine = matches!(event, Event::HeadTick { .. } | Event::ProcessTick(_));
        if !routine {
            self.note(|| format!("{event:?}"));
        }
    }

    pub(super) fn calm(&self) -> bool {
        self.now >= CHAOS_ENDS
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::HeadTick { life } => self.head_tick(life),
            Event::ToHead { life, mail } => self.reaches_head(life, mail),
            Event::Unlinked { life, pid, session, mail } => {
                self.ledger.lost_over(pid, session);
                self.reaches_head(life, mail);
            }
            Event::LoseLink(pid) => self.lose_link(pid),
            Event::HeadThaws => self.head_thaws(),
            Event::HeadStarts => self.head_starts(),
            Event::StartLocal { life, slot } => self.start_local(life, slot),
            Event::ProcessTick(pid) => self.process_tick(pid),
            Event::To(pid, mail) => self.reaches(pid, mail),
            Event::Thaws(pid) => self.process_thaws(pid),
            Event::MovesAgain(pid) => self.moves_again(pid),
            Event::Dies(pid) => self.process_dies(pid),
            Event::Spawn(slot) => self.spawn_remote(slot),
            Event::Heal(slot) => self.heal(slot),
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn delay(&mut self) -> Time {
        if !self.calm() && self.rng.percent(self.weather.slow) {
            return self.rng.between(MILLI, self.weather.slowest);
        }
        self.rng.between(100, 2 * MILLI)
    }

    /// How often a message arrives: not at all, once, or repeated.
    fn copies(&mut self, cut: bool) -> u64 {
        if cut || (!self.calm() && self.rng.percent(self.weather.loss)) {
            return 0;
        }
        1 + u64::from(self.rng.percent(self.weather.repeat))
    }

    pub(super) fn send_up(&mut self, slot: Slot, mail: &HeadMail) {
        for _ in 0..self.copies(self.slots[slot].cut_up) {
            let (delay, life) = (self.delay(), self.head.life);
            self.after(delay, Event::ToHead { life, mail: mail.clone() });
        }
    }

    pub(super) fn send_down(&mut self, pid: Pid, mail: &Mail) {
        let slot = self.processes[pid].slot;
        for _ in 0..self.copies(self.slots[slot].cut_down) {
            let delay = self.delay();
            self.after(delay, Event::To(pid, mail.clone()));
        }
    }

    pub(super) fn send_across(&mut self, from: Pid, to: Pid, mail: &Mail) {
        let cut = |pid: Pid| self.slots[self.processes[pid].slot].cut_peers;
        for _ in 0..self.copies(cut(from) || cut(to)) {
            let delay = self.delay();
            self.after(delay, Event::To(to, mail.clone()));
        }
    }

    pub(super) fn origin(pid: Pid) -> Origin {
        Origin { process: pid as u64, address: Arc::from(format!("pid {pid}")) }
    }

    pub(super) fn slot_of(&self, name: &str) -> Slot {
        self.slots.iter().position(|slot| &*slot.name == name).expect("a known name")
    }
}
