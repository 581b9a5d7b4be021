//! A process of one's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::note::Bad;
use crate::limits;

/// What a process is to be like that one task or one actor has for itself.
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
    /// One variable more.
    #[track_caller]
    pub(super) fn variable(
        this: &mut Option<Box<Self>>,
        (name, value): (String, String),
        bad: &mut Option<Box<Bad>>,
    ) {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let reason = "a variable has a name without `=`, and no zero bytes";
            Bad::note(bad, "env", format!("{name}={value}"), reason);
        } else {
            this.get_or_insert_default().environment.insert(name, value);
        }
    }

    /// A bound of its memory.
    #[track_caller]
    pub(super) fn memory(this: &mut Option<Box<Self>>, bytes: u64, bad: &mut Option<Box<Bad>>) {
        if bytes >= limits::ISOLATED_MEMORY_MIN {
            this.get_or_insert_default().memory_max = Some(bytes);
        } else {
            let reason = format!("it is at least {} bytes", limits::ISOLATED_MEMORY_MIN);
            Bad::note(bad, "memory_max", bytes.to_string(), &reason);
        }
    }

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
    use crate::{ActorOptions, TaskOptions};

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

    #[test]
    fn that_of_an_actor_is_put_together_alike_and_left_behind_inside_of_it() {
        let base = ActorOptions::new().env("A", "1").memory_max(1 << 30).cpus(2.0).gpus(1.0);
        let over = ActorOptions::new().env("A", "2").working_dir("/tmp").over(&base);
        let isolation = over.isolation().expect("a process");
        assert_eq!(isolation.environment.get("A").map(String::as_str), Some("2"));
        assert_eq!(isolation.memory_max, Some(1 << 30));
        let inside = over.clone().inside("ppo");
        assert!(inside.isolation().is_none());
        assert!(inside.demand().needed().is_none(), "{}", inside.demand().needed());
        // Elsewhere it still has one, and what it takes.
        assert!(over.clone().elsewhere("ppo").isolation().is_some());
        assert_eq!(over.elsewhere("ppo").demand().running.to_string(), "2 CPU, 1 GPU");
        assert!(ActorOptions::new().isolation().is_none());
        for bad in [ActorOptions::new().memory_max(5), ActorOptions::new().env("a=b", "")] {
            let told = bad.check().unwrap_err().to_string();
            assert!(told.contains("isolation.rs:"), "{told}");
        }
    }
}
