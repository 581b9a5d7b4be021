//! How long is too long.

use std::time::Duration;

use raytree_types::{Error, Result, limits};

use super::Place;

/// Periods and deadlines of liveness. A judge and its children must have the same, or MB-2 does not hold: a parent hands
/// its own to a child before the child asks to join. The defaults are right for one data centre, and for one laptop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A child sends a beat this often, and the judge looks this often. 10 ms to 10 s; default 100 ms.
    pub beat_every: Duration,
    /// A child silent for this long gets no new work; one that beats and does not move, likewise. At least three
    /// beats, and less than both deadlines; default 800 ms.
    pub suspect_after: Duration,
    /// A child on the same host is dead after this much silence. At most an hour; default 1.5 s.
    pub dead_after_local: Duration,
    /// Any other child is dead after this much silence. At most an hour; default 3 s.
    pub dead_after_remote: Duration,
    /// A child on the same host isolates itself this long after it sent the last beat that was answered. At least two
    /// beats; stretched by the drift of both clocks it is less than `dead_after_local`. Default 1.2 s.
    pub lease_local: Duration,
    /// The same for any other child, against `dead_after_remote`. Default 2.5 s.
    pub lease_remote: Duration,
    /// A child that beats and does not move is dead after this long. More than `suspect_after`, at most an hour;
    /// default 5 s.
    pub stuck_after: Duration,
    /// A child that has never beaten is dead after this long. At least `dead_after_remote`, at most an hour; default
    /// 10 s.
    pub start_within: Duration,
    /// An isolated child exits after this long, and a restarted judge convicts nobody for as long. At least
    /// `dead_after_remote`, at most a day; default 60 s.
    pub isolation_grace: Duration,
    /// A child without a link asks to join this often. 10 ms to 1 minute; default 500 ms.
    pub rejoin_every: Duration,
    /// A local process that was killed and has not ended counts as gone after this long, if its lease is over too: it
    /// hangs in the kernel, and runs no code of ours any more. 100 ms to an hour; default 5 s.
    pub kill_grace: Duration,
    /// By how much a clock may be too fast or too slow, in millionths. 0 to 100,000; default 10,000, which is 1 %, a
    /// hundred times what a healthy clock does.
    pub drift_max_ppm: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            beat_every: Duration::from_millis(100),
            suspect_after: Duration::from_millis(800),
            dead_after_local: Duration::from_millis(1500),
            dead_after_remote: Duration::from_secs(3),
            lease_local: Duration::from_millis(1200),
            lease_remote: Duration::from_millis(2500),
            stuck_after: Duration::from_secs(5),
            start_within: Duration::from_secs(10),
            isolation_grace: Duration::from_secs(60),
            rejoin_every: Duration::from_millis(500),
            kill_grace: limits::KILL_GRACE,
            drift_max_ppm: 10_000,
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SHORTEST: Duration = Duration::from_millis(10);

impl Settings {
    /// Silence after which a child is dead.
    #[must_use]
    pub fn dead_after(&self, place: Place) -> Duration {
        match place {
            Place::Local => self.dead_after_local,
            Place::Remote => self.dead_after_remote,
        }
    }

    /// How long a child may work after it sent a beat that was answered, by its own clock.
    #[must_use]
    pub fn lease(&self, place: Place) -> Duration {
        match place {
            Place::Local => self.lease_local,
            Place::Remote => self.lease_remote,
        }
    }

    /// How long the judge waits, by its own clock, after the last answer until a lease is over by any clock: the lease
    /// times (1 + drift) / (1 - drift), rounded up by a millisecond.
    #[must_use]
    pub fn lease_surely_over(&self, place: Place) -> Duration {
        let drift = u128::from(self.drift_max_ppm.min(100_000));
        let micros = self.lease(place).as_micros() * (1_000_000 + drift) / (1_000_000 - drift);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)) + Duration::from_millis(1)
    }

    /// These settings, if they keep the promises of the [module](super).
    ///
    /// # Errors
    /// [`Error::BadOption`] names the first value out of its range, and the range.
    pub fn checked(self) -> Result<Self> {
        let between = |option: &str, value: Duration, low: Duration, high: Duration| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            bad(option, format!("{value:?}"), format!("{low:?} to {high:?}"))
        };
        let more = SHORTEST;
        between("beat_every", self.beat_every, SHORTEST, Duration::from_secs(10))?;
        between("dead_after_local", self.dead_after_local, SHORTEST, HOUR)?;
        between("dead_after_remote", self.dead_after_remote, SHORTEST, HOUR)?;
        let soonest = self.dead_after_local.min(self.dead_after_remote).saturating_sub(more);
        between("suspect_after", self.suspect_after, 3 * self.beat_every, soonest)?;
        between("stuck_after", self.stuck_after, self.suspect_after + more, HOUR)?;
        between("start_within", self.start_within, self.dead_after_remote, HOUR)?;
        let longest = self.dead_after_remote.max(self.dead_after_local);
        between("isolation_grace", self.isolation_grace, longest, DAY)?;
        between("rejoin_every", self.rejoin_every, SHORTEST, Duration::from_secs(60))?;
        between("kill_grace", self.kill_grace, Duration::from_millis(100), HOUR)?;
        if self.drift_max_ppm > 100_000 {
            bad("drift_max_ppm", self.drift_max_ppm.to_string(), "0 to 100,000".to_owned())?;
        }
        for (option, place) in [("lease_local", Place::Local), ("lease_remote", Place::Remote)] {
            self.check_lease(option, place)?;
        }
        Ok(self)
    }

    /// A lease ends before the deadline, holds for two beats, and is short enough for every beat to be remembered.
    fn check_lease(&self, option: &str, place: Place) -> Result<()> {
        let (lease, dead_after) = (self.lease(place), self.dead_after(place));
        let beats = limits::BEATS_IN_FLIGHT_MAX as u32 / 2;
        let fits = lease >= 2 * self.beat_every && lease <= beats * self.beat_every;
        if fits && lease < dead_after && self.lease_surely_over(place) < dead_after {
            return Ok(());
        }
        let rule = format!(
            "2 to {beats} beats, and with the drift of two clocks less than {dead_after:?}"
        );
        bad(option, format!("{lease:?}"), rule)
    }
}

fn bad(option: &str, value: String, range: String) -> Result<()> {
    let reason = format!("it may be {range}");
    Err(Error::BadOption { option: format!("membership.{option}"), value, reason })
}
