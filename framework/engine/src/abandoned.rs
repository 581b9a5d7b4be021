//! Which bodies that nobody waits for any more count as abandoned threads, and when a process has too many.
//!
//! Synchronous code cannot be ended from outside: who cancels it, kills its actor or lets its time run out gives up a body
//! that still runs. Most end soon: async code at its next await, other code when it asks. One that has not ended within
//! the grace is an *abandoned thread*: what it holds is held until it returns, if it ever does.
//!
//! Invariants:
//! - **AB-1 (counted-once):** a body counts from when it was given up until it has ended, whichever of the two is told first.
//! - **AB-2 (patient):** one that ends within its grace is never an abandoned thread.
//! - **AB-3 (looked-after):** while a body may still become one, a look is due no later than it does.

use std::collections::BTreeMap;
use std::time::Duration;

use raytree_types::{AbandonedThreads, limits};

/// Who was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The run of a task, by its number.
    Task(u64),
    /// The last life of an actor, by its number.
    Actor(u64),
}

/// What is known of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// What it is called in messages.
    pub name: String,
    /// Thousandths of a CPU that it holds until it ends.
    pub cpu: u64,
}

/// The bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// As long a body may go on after it was given up.
    pub grace: Duration,
    /// More abandoned threads are too many.
    pub threads_max: usize,
    /// Thousandths of a CPU that the process has; 0 where it hands out none. Where abandoned threads hold all of it, they are
    /// too many, however few.
    pub cpu: u64,
}

/// The book of one process.
#[derive(Debug)]
pub struct Abandoned {
    settings: Settings,
    bodies: BTreeMap<Who, Entry>,
    /// When the next look is due.
    look_due: Option<Duration>,
}

#[derive(Debug)]
enum Entry {
    Runs {
        body: Body,
        /// When its grace is over.
        patience: Duration,
        /// It was seen after that.
        is_thread: bool,
    },
    /// Its end was told before its being given up.
    Ended,
}

/// What is to be done after something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// Have a look, now: it says when the next one is due.
    Look,
}

/// What there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The abandoned threads.
    pub threads: AbandonedThreads,
    /// They are more than this process can carry.
    pub is_too_many: bool,
    /// When the next look is due, if one is.
    pub again: Option<Duration>,
}

impl Abandoned {
    /// An empty book.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, bodies: BTreeMap::new(), look_due: None }
    }

    /// Nobody has waited for this body since then, and it runs.
    pub fn given_up(&mut self, who: Who, body: Body, since: Duration) -> Told {
        if let Some(Entry::Ended) = self.bodies.get(&who) {
            self.bodies.remove(&who);
            return Told::Nothing;
        }
        let patience = since.saturating_add(self.settings.grace);
        self.bodies.insert(who, Entry::Runs { body, patience, is_thread: false });
        if self.look_due.is_some_and(|due| due <= patience) {
            return Told::Nothing;
        }
        self.look_due = Some(patience);
        Told::Look
    }

    /// The body of one that was given up, or is about to be, has ended.
    pub fn ended(&mut self, who: Who) -> Told {
        match self.bodies.remove(&who) {
            // There is one thread less than was last seen.
            Some(Entry::Runs { is_thread: true, .. }) => Told::Look,
            Some(Entry::Runs { is_thread: false, .. }) => Told::Nothing,
            Some(Entry::Ended) | None => {
                self.bodies.insert(who, Entry::Ended);
                Told::Nothing
            }
        }
    }

    /// Bodies that were given up and still run, whether their grace is over or not.
    #[must_use]
    pub fn running(&self) -> usize {
        self.bodies.values().filter(|entry| matches!(entry, Entry::Runs { .. })).count()
    }

    /// The abandoned threads.
    #[must_use]
    pub fn threads(&self, now: Duration) -> AbandonedThreads {
        let (mut count, mut names) = (0, BTreeMap::<&str, usize>::new());
        for entry in self.bodies.values() {
            if let Entry::Runs { body, patience, .. } = entry
                && *patience <= now
            {
                count += 1;
                *names.entry(body.name.as_str()).or_default() += 1;
            }
        }
        let mut bodies: Vec<_> =
            names.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        // The names of equally many stay in order.
        bodies.sort_by_key(|(_, of)| std::cmp::Reverse(*of));
        bodies.truncate(limits::ABANDONED_NAMES_MAX);
        AbandonedThreads { count, bodies }
    }

    /// What there is now.
    pub fn look(&mut self, now: Duration) -> Look {
        let (mut cpu, mut again) = (0u64, None::<Duration>);
        for entry in self.bodies.values_mut() {
            let Entry::Runs { body, patience, is_thread } = entry else { continue };
            if *patience > now {
                again = Some(again.map_or(*patience, |other| other.min(*patience)));
                continue;
            }
            *is_thread = true;
            cpu = cpu.saturating_add(body.cpu);
        }
        self.look_due = again;
        let threads = self.threads(now);
        let Settings { threads_max, cpu: all, .. } = self.settings;
        let is_too_many = threads.count > threads_max || (all > 0 && cpu >= all);
        Look { threads, is_too_many, again }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn book(threads_max: usize, cpu: u64) -> Abandoned {
        Abandoned::new(Settings { grace: GRACE, threads_max, cpu })
    }

    fn body(name: &str, cpu: u64) -> Body {
        Body { name: name.to_owned(), cpu }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ab_2_a_body_that_ends_in_time_is_no_thread() {
        let mut book = book(0, 0);
        assert_eq!(book.given_up(Who::Task(1), body("quick", 0), at(1)), Told::Look);
        assert_eq!(book.look(at(1)).again, Some(at(6)));
        assert_eq!(book.running(), 1);
        assert_eq!(book.ended(Who::Task(1)), Told::Nothing);
        let look = book.look(at(6));
        assert_eq!((look.threads.count, look.is_too_many, look.again), (0, false, None));
    }

    #[test]
    fn one_more_than_the_bound_is_too_many() {
        let mut book = book(2, 0);
        for (number, name) in [(1, "spin"), (2, "park")] {
            book.given_up(Who::Task(number), body(name, 0), at(number));
        }
        assert!(!book.look(at(9)).is_too_many);
        book.given_up(Who::Actor(1), body("spin", 0), at(9));
        assert!(!book.look(at(13)).is_too_many);
        let look = book.look(at(14));
        assert!(look.is_too_many);
        assert_eq!(look.threads.to_string(), "3 abandoned threads: spin (2), park");
        assert_eq!(book.ended(Who::Task(1)), Told::Look, "there is one less");
        assert!(!book.look(at(15)).is_too_many);
    }

    #[test]
    fn those_that_hold_every_cpu_are_too_many() {
        let mut book = book(8, 2000);
        book.given_up(Who::Task(1), body("spin", 1000), at(0));
        book.given_up(Who::Task(2), body("free", 0), at(0));
        assert!(!book.look(at(5)).is_too_many);
        book.given_up(Who::Task(3), body("spin", 1000), at(5));
        assert!(book.look(at(10)).is_too_many);
    }

    #[test]
    fn ab_3_one_that_had_its_grace_already_is_seen_before_the_others() {
        let mut book = book(8, 0);
        book.given_up(Who::Task(1), body("young", 0), at(10));
        assert_eq!(book.look(at(10)).again, Some(at(15)));
        assert_eq!(book.given_up(Who::Actor(1), body("old", 0), at(5)), Told::Look);
        let look = book.look(at(10));
        assert_eq!(
            (look.threads.to_string(), look.again),
            ("1 abandoned thread: old".to_owned(), Some(at(15)))
        );
    }

    #[test]
    fn names_are_few_and_those_with_the_most_come_first() {
        let mut book = book(1000, 0);
        for number in 0..100 {
            let name = format!("body-{}", if number < 50 { 0 } else { number });
            book.given_up(Who::Task(number), body(&name, 0), at(0));
        }
        let threads = book.look(at(5)).threads;
        assert_eq!((threads.count, threads.bodies.len()), (100, limits::ABANDONED_NAMES_MAX));
        assert_eq!(threads.bodies[0], ("body-0".to_owned(), 50));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        GiveUp(u64),
        End(u64),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..6u64).prop_map(Step::GiveUp),
            (0..6u64).prop_map(Step::End),
            (1..4u64).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 0..60)
    }

    proptest! {
        /// Each body is given up once and ends once, in either order; looks come when they are due and not else.
        #[test]
        fn ab_1_ab_3_the_book_is_right_after_every_look(steps in steps()) {
            let mut book = book(2, 0);
            // When each was given up, and whether it has ended.
            let mut truth = [(None::<u64>, false); 6];
            let (mut now, mut due) = (0u64, None::<u64>);
            for step in steps {
                let told = match step {
                    Step::GiveUp(who) if truth[who as usize].0.is_none() => {
                        truth[who as usize].0 = Some(now);
                        book.given_up(Who::Task(who), body("a body", 0), at(now))
                    }
                    Step::End(who) if !truth[who as usize].1 => {
                        truth[who as usize].1 = true;
                        book.ended(Who::Task(who))
                    }
                    Step::Pass(time) => {
                        now += time;
                        if due.is_some_and(|due| due <= now) { Told::Look } else { Told::Nothing }
                    }
                    _ => Told::Nothing,
                };
                let runs = truth.iter().filter(|(given, ended)| given.is_some() && !ended);
                prop_assert_eq!(book.running(), runs.clone().count());
                let is_thread = |given: u64| now >= given + GRACE.as_secs();
                let threads = runs.clone().filter(|(given, _)| given.is_some_and(is_thread)).count();
                if told == Told::Look {
                    let look = book.look(at(now));
                    prop_assert_eq!(look.threads.count, threads);
                    prop_assert_eq!(look.is_too_many, threads > 2);
                    due = look.again.map(|again| again.as_secs());
                }
                let next = runs.filter_map(|(given, _)| *given).filter(|given| !is_thread(*given));
                let next = next.min().map(|given| given + GRACE.as_secs());
                // One that has ended may leave a look behind that finds nothing, and comes no later.
                prop_assert!(next.is_none() || due.is_some_and(|due| Some(due) <= next), "{due:?} {next:?}");
            }
        }
    }
}
