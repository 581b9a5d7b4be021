//! The way of a failure through supervisors and processes: what keeps its origin in front, however far it has come.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit::{Cause, ExitKind};
use crate::limits;

/// One who failed, on the way of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayStep {
    /// Who: a path; one in another process begins with what that process is called.
    pub who: String,
    /// How it failed, or what it decided.
    pub what: String,
    /// How many between the one before and this one are left out.
    #[serde(default)]
    pub left_out: u32,
}

impl fmt::Display for WayStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.left_out > 0 {
            write!(f, "{} more, then ", self.left_out)?;
        }
        write!(f, "{}: {}", self.who, self.what)
    }
}

impl Cause {
    /// The first of its way: `who` has ended so. Its message is that of the root cause, and stays it.
    #[must_use]
    pub fn begins(who: &str, end: &ExitKind) -> Self {
        let cause = end.cause().map(Self::short);
        let mut cause = cause.unwrap_or_else(|| Self::message(shortened(&end.to_string())));
        if cause.way.is_empty() {
            cause.goes_on(who, &end.to_string());
        }
        cause
    }

    /// It has come to `who`, who did this. Of more than [`limits::CAUSE_WAY_MAX`] the first and the last are kept.
    pub fn goes_on(&mut self, who: &str, what: &str) {
        let (who, what) = (shortened(who).to_owned(), shortened(what).to_owned());
        self.way.push(WayStep { who, what, left_out: 0 });
        while self.way.len() > limits::CAUSE_WAY_MAX {
            self.leaves_one_out();
        }
    }

    /// The second of its way is counted, and no more.
    fn leaves_one_out(&mut self) {
        let gone = self.way.remove(1);
        if let Some(next) = self.way.get_mut(1) {
            next.left_out += gone.left_out + 1;
        }
    }

    /// It leaves a process, whose root it has come to last and which is called so outside.
    pub fn leaves(&mut self, process: &str) {
        let Some(root) = self.way.last().map(|last| last.who.clone()) else { return };
        for step in &mut self.way {
            let rest = step.who.strip_prefix(&root).map(str::to_owned);
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                step.who = shortened(&format!("{process}{rest}")).to_owned();
            }
        }
    }

    /// As much of it as `fits` is true for: what is outside of its root cause goes first. None when there is nothing left.
    #[must_use]
    pub fn cut_to(&self, fits: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut cause = self.short();
        while !fits(&cause) {
            if cause.way.len() > 2 {
                cause.leaves_one_out();
            } else if cause.chain.pop().is_none() {
                return None;
            }
        }
        Some(cause)
    }
}

/// As much of a text as a screen can show.
#[must_use]
pub fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(limits::INSPECT_CAUSE_CHARS_MAX);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked() -> ExitKind {
        let cause = Cause { place: Some("a.rs:1:2".to_owned()), ..Cause::message("zero") };
        ExitKind::Panicked(cause)
    }

    #[test]
    fn a_cause_says_its_origin_first_and_then_what_everybody_decided() {
        let mut cause = Cause::begins("r/w/a", &panicked());
        cause.goes_on("r/w", "gave up");
        cause.goes_on("r", "gave up as well");
        cause.leaves("job-1 on node-2");
        cause.goes_on("job-1 on node-2", "exit status 70");
        let said = "zero at a.rs:1:2, by job-1 on node-2/w/a; then job-1 on node-2/w: gave up; \
                    then job-1 on node-2: gave up as well; then job-1 on node-2: exit status 70";
        assert_eq!(cause.to_string(), said);
        let first = ("job-1 on node-2/w/a", "panicked: zero at a.rs:1:2");
        assert_eq!((&*cause.way[0].who, &*cause.way[0].what), first);
        // Of those of another process its root says nothing.
        cause.goes_on("root", "gave up");
        cause.leaves("head");
        assert_eq!(cause.way[4].who, "head");
        assert_eq!(cause.way[0].who, first.0);
        // It begins once.
        assert_eq!(Cause::begins("elsewhere", &ExitKind::Failed(cause.clone())), cause);
    }

    #[test]
    fn of_a_long_way_the_first_and_the_last_are_kept_and_the_others_counted() {
        let mut cause = Cause::begins("r/a", &panicked());
        for number in 0..limits::CAUSE_WAY_MAX + 4 {
            cause.goes_on(&number.to_string(), &"x".repeat(1 << 16));
        }
        assert_eq!(cause.way.len(), limits::CAUSE_WAY_MAX);
        assert_eq!((&*cause.way[0].who, cause.way[1].left_out), ("r/a", 5));
        assert!(cause.to_string().contains("; then 5 more, then "), "{cause}");
        assert_eq!(cause.way[1].what.len(), limits::INSPECT_CAUSE_CHARS_MAX);
        let last = cause.way.last().expect("a last one");
        assert_eq!(last.who, (limits::CAUSE_WAY_MAX + 3).to_string());
        let small = cause.cut_to(|cause| cause.to_string().len() < 1024).expect("so much fits");
        assert_eq!((small.way.len(), small.way[1].left_out), (2, 19));
        assert!(cause.cut_to(|_| false).is_none());
    }
}
