//! By what a head judges, as it travels.

use std::time::Duration;

use raytree_engine::membership::Settings;
use serde::{Deserialize, Serialize};

/// By what a head judges, in milliseconds: a [`Settings`] that travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    beat_every: u64,
    suspect_after: u64,
    dead_after_local: u64,
    dead_after_remote: u64,
    lease_local: u64,
    lease_remote: u64,
    stuck_after: u64,
    start_within: u64,
    isolation_grace: u64,
    rejoin_every: u64,
    kill_grace: u64,
    drift_max_ppm: u32,
}

impl From<&Settings> for Times {
    fn from(settings: &Settings) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            beat_every: milliseconds(settings.beat_every),
            suspect_after: milliseconds(settings.suspect_after),
            dead_after_local: milliseconds(settings.dead_after_local),
            dead_after_remote: milliseconds(settings.dead_after_remote),
            lease_local: milliseconds(settings.lease_local),
            lease_remote: milliseconds(settings.lease_remote),
            stuck_after: milliseconds(settings.stuck_after),
            start_within: milliseconds(settings.start_within),
            isolation_grace: milliseconds(settings.isolation_grace),
            rejoin_every: milliseconds(settings.rejoin_every),
            kill_grace: milliseconds(settings.kill_grace),
            drift_max_ppm: settings.drift_max_ppm,
        }
    }
}

impl Times {
    /// The settings.
    ///
    /// # Errors
    /// [`raytree_types::Error::BadOption`] when they do not go together.
    pub fn settings(&self) -> raytree_types::Result<Settings> {
        let time = Duration::from_millis;
        Settings {
            beat_every: time(self.beat_every),
            suspect_after: time(self.suspect_after),
            dead_after_local: time(self.dead_after_local),
            dead_after_remote: time(self.dead_after_remote),
            lease_local: time(self.lease_local),
            lease_remote: time(self.lease_remote),
            stuck_after: time(self.stuck_after),
            start_within: time(self.start_within),
            isolation_grace: time(self.isolation_grace),
            rejoin_every: time(self.rejoin_every),
            kill_grace: time(self.kill_grace),
            drift_max_ppm: self.drift_max_ppm,
        }
        .checked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_travel_whole() {
        let settings = Settings::default();
        assert_eq!(Times::from(&settings).settings().expect("settings"), settings);
        let broken = Times { lease_remote: 60_000, ..Times::from(&settings) };
        assert!(broken.settings().is_err());
    }
}
