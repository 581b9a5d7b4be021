//! A child process and the judge over it: what a mirror in the tree hears of its process goes in, what it has to do comes
//! out. The decisions are the engine's; here they meet the process handle.
//!
//! A ward is one life of one process on this host. It *fences first*: [`Word::Down`] is said only when the process has
//! ended, or was killed so long ago that it runs no code any more.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raytree_engine::membership::{
    DeathCause, Effect, ExitStatus, Input, Judge, Member, Name, Origin, Phase, Place,
};
use raytree_supervise::clock;
use raytree_types::{Cause, limits};

use crate::{DRAINED, Event, FromChild, Offer, Process, ProcessEnd, SpawnError};

/// A child process of this host, and the judge over it: what is heard of it goes in, what is to be done comes out. It is one
/// life; [`Word::Down`] is said only when that has surely ended.
#[derive(Debug)]
pub struct Ward {
    judge: Arc<Mutex<Judge>>,
    member: Member,
    process: Option<Process>,
    /// Why it is being ended, when the reason is not its own.
    verdict: Option<Cause>,
    is_up: bool,
    /// There is more to be read of it than its line: its end waits for [`Ward::is_read`], or for the next look.
    is_unread: bool,
    looked: Duration,
    /// When it beat last.
    beat: Duration,
    /// It has said that it drains: it is gone by then, or is condemned.
    drained_by: Option<Duration>,
    /// How sentences call it.
    called: String,
    /// The judge would not have it: why, until that was said.
    refused: Option<Cause>,
    /// How it ended, while the last of what it said may still be on its way.
    ended: Option<ExitStatus>,
    /// The status with which it has ended.
    code: Option<i32>,
    /// What its tree has failed of, as it has said.
    failed: Option<Cause>,
}

/// What whoever keeps a [`Ward`] is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has come up, and there is a process: it can be given work. Said once.
    Ready,
    /// It said this number with its coming up.
    Listens(u16),
    /// It gets nothing new.
    Pauses,
    /// It gets work again.
    GoesOn,
    /// Of its own processes it would end this one first.
    Offers(Offer),
    /// It has surely ended, and why. The last word.
    Down(Cause),
}

impl Ward {
    /// The next life of this name. The judge stays when the life is over: it knows the next one's number.
    #[must_use]
    pub fn new(name: &Name, judge: Arc<Mutex<Judge>>) -> Self {
        let now = clock::now();
        let mut judging = judge.lock();
        let member = Member::new(Arc::clone(name), judging.next_incarnation(name));
        let origin = Origin { process: member.incarnation.0, address: Arc::clone(name) };
        let register = Input::Register { member: member.clone(), place: Place::Local, origin };
        // Not because of another one of this name: whoever keeps a ward waits for the end of the one before.
        let refused = judging.step(register, now).into_iter().find_map(|effect| match effect {
            Effect::Refused { why, .. } => Some(Cause::message(format!("it is not kept: {why:?}"))),
            _ => None,
        });
        drop(judging);
        Self {
            judge,
            called: member.name.to_string(),
            member,
            process: None,
            verdict: refused.clone(),
            refused,
            is_up: false,
            is_unread: false,
            looked: now,
            beat: now,
            drained_by: None,
            ended: None,
            code: None,
            failed: None,
        }
    }

    /// Sentences call it so, and not by its name.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.called = name.into();
        self
    }

    /// A life that nobody declared down, because whoever kept it died: it is over now.
    pub fn bury(judge: &Mutex<Judge>) {
        let mut judge = judge.lock();
        let undead: Vec<_> = judge.members().map(|(member, _)| member).collect();
        for member in undead {
            _ = judge.step(Input::Exited { member, status: ExitStatus::Unknown }, clock::now());
        }
    }

    /// Which life it is.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Its process, while there is one.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// There is a stream besides the line: what comes over it is read before anybody is told of the end.
    pub fn has_stream(&mut self) {
        self.is_unread = true;
    }

    /// The status with which it has ended, if it has, and by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// It is to end, whatever it says: nothing new is given to it.
    #[must_use]
    pub fn is_condemned(&self) -> bool {
        self.verdict.is_some()
    }

    /// The operating system has the process, or would not have it.
    pub fn begun(&mut self, begun: Result<Process, SpawnError>) -> Vec<Word> {
        match begun {
            Ok(process) => {
                self.process = Some(process);
                if self.is_condemned() {
                    self.kill();
                }
                if self.is_up && !self.is_condemned() { vec![Word::Ready] } else { Vec::new() }
            }
            Err(error) => {
                let what = format!("no process for {}: {error}", self.called);
                let words = self.exited(ExitStatus::Unknown);
                // That is why, not what the judge makes of it.
                let said = |word| match word {
                    Word::Down(_) => Word::Down(Cause::message(what.clone())),
                    other => other,
                };
                words.into_iter().map(said).collect()
            }
        }
    }

    /// The process was heard.
    pub fn heard(&mut self, event: Event) -> Vec<Word> {
        match event {
            Event::Said(FromChild::Beat { number, progress }) => {
                self.beat = clock::now();
                self.judge(|member| Input::Beat { member, seq: number, progress })
            }
            Event::Said(FromChild::Up { port }) => {
                let first = !std::mem::replace(&mut self.is_up, true);
                let mut words = Vec::new();
                if first && port != 0 {
                    words.push(Word::Listens(port));
                }
                if first && self.process.is_some() && !self.is_condemned() {
                    words.push(Word::Ready);
                }
                words
            }
            Event::Said(FromChild::Leaving) => vec![Word::Pauses],
            Event::Said(FromChild::Drains) => {
                let within = limits::NODE_DRAIN_WITHIN + limits::NODE_END_WITHIN;
                self.drained_by.get_or_insert(clock::now() + within);
                vec![Word::Pauses]
            }
            Event::Said(FromChild::Offers(offer)) => vec![Word::Offers(offer)],
            Event::Said(FromChild::Fails(cause)) => {
                self.failed = Some(*cause);
                // It has said so as its last word.
                self.drained_by.get_or_insert(clock::now() + limits::NODE_END_WITHIN);
                vec![Word::Pauses]
            }
            Event::Garbage(what) => {
                self.condemn(Cause::message(format!("it does not speak as a child does: {what}")))
            }
            Event::HungUp => self.condemn(Cause::message("it closed its line")),
            Event::Exited(end) => {
                self.process = None;
                let status = match end {
                    ProcessEnd::Exited(code) => {
                        self.code = Some(code);
                        ExitStatus::Code(code)
                    }
                    ProcessEnd::Killed(signal) => ExitStatus::Signal(signal),
                    ProcessEnd::Unknown => ExitStatus::Unknown,
                };
                let mut words = vec![Word::Pauses];
                if self.is_unread {
                    // Its last answers may not have been read; the end of its stream follows, or the next look.
                    self.ended = Some(status);
                } else {
                    words.extend(self.exited(status));
                }
                words
            }
        }
    }

    /// Its stream has ended, as `cause` says, and all of it was read.
    pub fn is_read(&mut self, cause: Cause) -> Vec<Word> {
        self.is_unread = false;
        match self.ended {
            Some(status) => self.exited(status),
            None => self.condemn(cause),
        }
    }

    /// Some time has passed: said every [`limits::BEAT_EVERY`] or so.
    pub fn look(&mut self) -> Vec<Word> {
        let now = clock::now();
        let since = now.saturating_sub(std::mem::replace(&mut self.looked, now));
        if let Some(status) = self.ended {
            return self.exited(status);
        }
        let is_late = now.saturating_sub(self.beat) > 3 * limits::BEAT_EVERY;
        let mut words = Vec::new();
        if self.drained_by.is_some_and(|by| now > by) {
            self.drained_by = None;
            words = self.condemn(Cause::message("it was to leave, and did not in time"));
        }
        if is_late && self.process.as_ref().is_some_and(Process::is_starved) {
            // It would beat if the machine let it.
            words.extend(self.judge(|member| Input::Starved { member, by: since }));
        }
        words.extend(self.judge(|_| Input::Tick));
        words
    }

    /// It has to end now, for this reason.
    pub fn condemn(&mut self, verdict: Cause) -> Vec<Word> {
        self.verdict.get_or_insert(verdict);
        self.kill();
        vec![Word::Pauses]
    }

    /// It is about to be ended in order: nobody expects another one.
    pub fn stops(&mut self) -> Option<Process> {
        _ = self.judge(|member| Input::Stop { member });
        self.process.take()
    }

    /// Its process is gone, as whoever ended it has seen.
    pub fn is_over(&mut self) {
        _ = self.exited(ExitStatus::Unknown);
    }

    fn exited(&mut self, status: ExitStatus) -> Vec<Word> {
        self.ended = None;
        if let Some(why) = self.refused.take() {
            // The judge does not know of it.
            return vec![Word::Down(why)];
        }
        self.judge(|member| Input::Exited { member, status })
    }

    fn judge(&mut self, input: impl FnOnce(Member) -> Input) -> Vec<Word> {
        let effects = {
            let mut judge = self.judge.lock();
            // Read after it has come, never before.
            judge.step(input(self.member.clone()), clock::now())
        };
        let mut words = Vec::new();
        for effect in effects {
            match effect {
                Effect::Mark { phase: Phase::Up, .. }
                    if !self.is_condemned() && self.drained_by.is_none() =>
                {
                    words.push(Word::GoesOn);
                }
                Effect::Mark { .. } => words.push(Word::Pauses),
                Effect::Convict { cause, .. } => {
                    words.extend(self.condemn(Cause::message(cause.to_string())));
                }
                Effect::Down { cause, .. } => words.push(Word::Down(self.why(cause))),
                // Beats are answered by the thread that hears them, a child of this host joins nothing, and its name is
                // its keeper's alone.
                Effect::Answer { .. }
                | Effect::TellExit { .. }
                | Effect::AnswerJoin { .. }
                | Effect::AskToStop { .. }
                | Effect::Refused { .. } => {}
            }
        }
        words
    }

    /// Ends its process at once; nothing when it has ended.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    fn why(&mut self, cause: DeathCause) -> Cause {
        if let Some(failed) = self.failed.take() {
            return self.has_failed(failed, &cause);
        }
        let why = match (self.verdict.take(), cause) {
            // A line that was cut is what its end looks like from elsewhere.
            (Some(verdict), DeathCause::Exited { status: ExitStatus::Signal(9) }) => {
                let message = format!("{} died: {}", self.called, verdict.message);
                return Cause { message, ..verdict };
            }
            (_, DeathCause::Exited { status: ExitStatus::Code(DRAINED) })
                if self.drained_by.is_some() =>
            {
                return Cause::message(format!("{} was drained", self.called));
            }
            (_, cause) => cause.to_string(),
        };
        Cause::message(format!("{} died: {why}", self.called))
    }

    /// What its tree has failed of is what it died of; the end of the process is the last of it.
    fn has_failed(&self, mut failed: Cause, end: &DeathCause) -> Cause {
        failed.leaves(&self.called);
        failed.goes_on(&self.called, &end.to_string());
        let message = format!("{} died: {}", self.called, failed.message);
        Cause { message, ..failed }
    }
}

#[cfg(test)]
mod tests {
    use raytree_engine::membership::Settings;
    use raytree_types::ExitKind;

    use super::*;

    #[test]
    fn one_that_is_not_kept_is_condemned_and_its_end_says_why() {
        let judge = Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now())));
        let mut ward = Ward::new(&"n".repeat(limits::NAME_BYTES_MAX + 1).into(), judge);
        assert!(ward.is_condemned());
        assert_eq!(ward.look(), []);
        let words = ward.begun(Err(SpawnError::Gone));
        assert!(matches!(&words[..], [Word::Down(_)]), "{words:?}");
        assert_eq!(ward.begun(Err(SpawnError::Gone)), []);
    }

    #[test]
    fn one_that_drains_gets_nothing_new_and_its_end_says_that_it_did() {
        let of = |ward: &mut Ward, code| ward.heard(Event::Exited(ProcessEnd::Exited(code)));
        let up = || {
            let judge = Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now())));
            let mut ward = Ward::new(&"node-1".into(), judge);
            ward.heard(Event::Said(FromChild::Up { port: 0 }));
            ward
        };
        let mut ward = up();
        assert_eq!(ward.heard(Event::Said(FromChild::Drains)), [Word::Pauses]);
        let beat = ward.heard(Event::Said(FromChild::Beat { number: 1, progress: 1 }));
        assert!(!beat.contains(&Word::GoesOn), "{beat:?}");
        let down = |text: &str| Word::Down(Cause::message(text));
        assert_eq!(of(&mut ward, DRAINED).last(), Some(&down("node-1 was drained")));
        // The status alone says nothing, and neither does the word.
        let mut ward = up();
        let last = of(&mut ward, DRAINED).pop();
        assert!(matches!(&last, Some(Word::Down(why)) if why.message.contains("died")), "{last:?}");
        // Whoever ends closes its line first.
        let mut ward = up();
        ward.heard(Event::Said(FromChild::Drains));
        ward.heard(Event::HungUp);
        assert_eq!(of(&mut ward, DRAINED).last(), Some(&down("node-1 was drained")));
        let mut ward = up();
        ward.heard(Event::Said(FromChild::Drains));
        let last = of(&mut ward, 1).pop();
        assert!(matches!(&last, Some(Word::Down(why)) if why.message.contains("died")), "{last:?}");
    }

    #[test]
    fn what_it_was_condemned_for_comes_out_whole() {
        let judge = Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now())));
        let mut ward = Ward::new(&"node-1".into(), judge);
        ward.heard(Event::Said(FromChild::Up { port: 0 }));
        let verdict = Cause { type_name: "of it".to_owned(), ..Cause::message("too large") };
        let verdict = Cause { value: Some(Box::new([1, 2])), ..verdict };
        assert_eq!(ward.condemn(verdict.clone()), [Word::Pauses]);
        let words = ward.heard(Event::Exited(ProcessEnd::Killed(9)));
        let message = "node-1 died: too large".to_owned();
        assert_eq!(words.last(), Some(&Word::Down(Cause { message, ..verdict })));
    }

    #[test]
    fn what_its_tree_has_failed_of_is_what_it_died_of() {
        let judge = Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now())));
        let mut ward = Ward::new(&"worker".into(), judge).called("job-1 on node-2");
        ward.heard(Event::Said(FromChild::Up { port: 0 }));
        let place = Some("a.rs:1:2".to_owned());
        let panicked = ExitKind::Panicked(Cause { place, ..Cause::message("zero") });
        let mut cause = Cause::begins("raytree/node/a", &panicked);
        cause.goes_on("raytree", "it gives up");
        let said = ward.heard(Event::Said(FromChild::Fails(Box::new(cause))));
        assert_eq!(said, [Word::Pauses], "it gets nothing new");
        // Whoever ends closes its line first.
        ward.heard(Event::HungUp);
        let words = ward.heard(Event::Exited(ProcessEnd::Exited(70)));
        let Some(Word::Down(why)) = words.last() else { panic!("{words:?}") };
        assert_eq!(why.place.as_deref(), Some("a.rs:1:2"));
        assert_eq!(why.message, "job-1 on node-2 died: zero");
        let way: Vec<_> = why.way.iter().map(ToString::to_string).collect();
        assert_eq!(
            way,
            [
                "job-1 on node-2/node/a: panicked: zero at a.rs:1:2",
                "job-1 on node-2: it gives up",
                "job-1 on node-2: its process ended with exit code 70",
            ]
        );
    }

    #[test]
    fn sentences_call_it_what_people_do() {
        let judge = Arc::new(Mutex::new(Judge::new(Settings::default(), clock::now())));
        let mut ward = Ward::new(&"worker".into(), judge).called("job-1 on node-2");
        let words = ward.begun(Err(SpawnError::Gone));
        let [Word::Down(cause)] = &words[..] else { panic!("{words:?}") };
        assert!(cause.to_string().contains("job-1 on node-2"), "{cause}");
    }
}
