//! A process of one's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a process is to be like that one task has for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// Environment variables, over those of this process.
    pub environment: BTreeMap<String, String>,
    /// Its working directory; none for this process's.
    pub directory: Option<PathBuf>,
    /// Bytes of memory that it may use for itself; none for no bound.
    pub memory_max: Option<u64>,
}

impl Isolation {
    /// What `this` leaves unsaid is taken from `base`; variables are put together.
    pub(super) fn over(this: Option<Box<Self>>, base: Option<&Self>) -> Option<Box<Self>> {
        let (Some(this), Some(base)) = (&this, base) else {
            return this.or_else(|| base.cloned().map(Box::new));
        };
        let mut environment = base.environment.clone();
        environment.extend(this.environment.clone());
        Some(Box::new(Self {
            environment,
            directory: this.directory.clone().or_else(|| base.directory.clone()),
            memory_max: this.memory_max.or(base.memory_max),
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::TaskOptions;

    #[test]
    fn a_process_is_put_together_from_both() {
        let base = TaskOptions::new().env("A", "1").env("B", "1").memory_max(1 << 30);
        let over = TaskOptions::new().env("B", "2").working_dir("/tmp").over(&base);
        let isolation = over.isolation().expect("a process");
        let variables: Vec<_> =
            isolation.environment.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(variables, ["A=1", "B=2"]);
        assert_eq!(isolation.memory_max, Some(1 << 30));
        assert_eq!(isolation.directory.as_deref(), Some("/tmp".as_ref()));
        assert_eq!(TaskOptions::new().over(&base).isolation(), base.isolation());
        assert_eq!(
            TaskOptions::new()
                .isolated()
                .over(&TaskOptions::new())
                .isolation()
                .map(|one| one.environment.len()),
            Some(0)
        );
        assert!(TaskOptions::new().isolation().is_none());
        assert!(TaskOptions::new().memory_max(5).check().is_err());
    }
}
