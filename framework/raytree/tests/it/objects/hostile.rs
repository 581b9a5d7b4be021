//! Values whose own code fails: whoever touches one is told, and everybody else goes on.

use std::sync::atomic::{AtomicBool, Ordering};

use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::support::until;
use crate::tasks::gate::*;

/// Panics where its number says.
#[derive(Debug, PartialEq)]
struct Bad(u8);

const IN_DROP: u8 = 1;
const IN_CLONE: u8 = 2;
const IN_SERIALIZE: u8 = 3;
const IN_DESERIALIZE: u8 = 4;

impl Clone for Bad {
    fn clone(&self) -> Self {
        assert!(self.0 != IN_CLONE, "a bad clone");
        Self(self.0)
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        // A second panic on one stack would end the process.
        assert!(self.0 != IN_DROP || std::thread::panicking(), "a bad drop");
    }
}

impl Serialize for Bad {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(self.0 != IN_SERIALIZE, "a bad serialize");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bad {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad = u8::deserialize(deserializer)?;
        assert!(bad != IN_DESERIALIZE, "a bad deserialize");
        Ok(Self(bad))
    }
}

#[remote]
fn make(what: u8) -> Bad {
    Bad(what)
}

#[remote]
async fn make_async(what: u8) -> Bad {
    tokio::task::yield_now().await;
    Bad(what)
}

#[remote]
fn look(bad: &Bad) -> u8 {
    bad.0
}

#[remote]
fn keep(bad: Bad) -> u8 {
    let what = bad.0;
    std::mem::forget(bad);
    what
}

#[remote]
fn list(what: u8) -> Vec<Bad> {
    vec![Bad(0), Bad(what)]
}

#[remote(window = 4)]
fn stream(what: u8) -> impl Iterator<Item = Bad> {
    (0..3).map(move |_| Bad(what))
}

#[remote]
fn good(x: u64) -> u64 {
    x
}

/// The runtime is as it was: every CPU is there, and tasks run on all of them.
async fn all_is_well() -> Result<()> {
    let runtime = raytree::current()?;
    at_rest(&runtime).await;
    let gate = Gate::new();
    let both: Vec<_> = (0..2).map(|_| together::remote(gate)).collect();
    gate.begun(2).await;
    gate.open();
    raytree::get_all(both).await?;
    assert_eq!(good::with(TaskOptions::new().cpus(2.0)).remote(1).await?, 1);
    at_rest(&runtime).await;
    Ok(())
}

#[remote]
fn together(gate: Gate) {
    gate.pass_blocking();
}

/// Debug builds look at the first value of each type, and drop the copy they made for that.
fn was_looked_at(error: &Error) -> bool {
    matches!(error, Error::CannotTravel { reason, .. } if reason.contains("bad drop"))
}

#[raytree::test(strict = false)]
async fn ob_2_a_panic_in_a_drop_reaches_nobody_who_lets_go() -> Result<()> {
    within(async {
        for _ in 0..4 {
            let unread = make::remote(IN_DROP);
            until(|| unread.is_ready()).await;
            drop(unread);
            drop(make_async::remote(IN_DROP));
            let told = match raytree::put(Bad(IN_DROP)).await {
                Ok(kept) => look::remote(&kept).await,
                Err(error) => Err(error),
            };
            assert!(told.as_ref().map_or_else(was_looked_at, |what| *what == IN_DROP), "{told:?}");
            all_is_well().await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn a_panic_in_the_drop_of_an_argument_is_a_failure_of_its_task() -> Result<()> {
    within(async {
        for options in [TaskOptions::new(), TaskOptions::new().cpus(0.5)] {
            let told = look::with(options).remote(Bad(IN_DROP)).await;
            assert!(told.as_ref().is_ok_and(|what| *what == IN_DROP) || told.is_err(), "{told:?}");
            all_is_well().await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn a_panic_in_the_drop_of_items_that_nobody_took() -> Result<()> {
    within(async {
        let mut items = stream::remote(IN_DROP);
        if let Some(Ok(item)) = items.next().await {
            std::mem::forget(item);
        }
        drop(items);
        all_is_well().await
    })
    .await
}

#[raytree::test]
async fn in_strict_mode_a_panic_in_a_drop_holds_nobody_up() -> Result<()> {
    within(async {
        for task in [make::task(), make_async::task()] {
            // Another instance is what travels: the original is dropped where nobody sees it.
            match task.remote(IN_DROP).await {
                Ok(bad) => std::mem::forget(bad),
                Err(error) => assert!(error.to_string().contains("a bad drop"), "{error}"),
            }
            all_is_well().await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test(strict = false)]
async fn a_panic_in_a_clone_is_the_failure_of_the_task_that_needs_it() -> Result<()> {
    within(async {
        let bad = raytree::put(Bad(IN_CLONE)).await?;
        let error = keep::remote(&bad).await.unwrap_err();
        assert!(error.to_string().contains("keep failed: a bad clone"), "{error}");
        assert_eq!(look::remote(&bad).await?, IN_CLONE);
        let error = lengths::remote(vec![bad.clone(), bad.clone()]).await.unwrap_err();
        assert!(error.to_string().contains("a bad clone"), "{error}");
        all_is_well().await
    })
    .await
}

#[remote]
fn lengths(all: Vec<Bad>) -> usize {
    all.len()
}

#[raytree::test(strict = false)]
async fn a_panic_in_a_clone_fails_the_parts_of_a_split() -> Result<()> {
    within(async {
        for options in [TaskOptions::new(), TaskOptions::new().cpus(2.0)] {
            let whole = list::with(options).remote(IN_CLONE);
            let parts = whole.clone().elements(2);
            for part in parts {
                let error = part.await.unwrap_err();
                assert!(error.to_string().contains("a bad clone"), "{error}");
            }
            assert_eq!(whole.shared().await?.len(), 2);
            all_is_well().await?;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_panic_while_travelling_is_the_failure_of_the_task() -> Result<()> {
    within(async {
        for what in [IN_SERIALIZE, IN_DESERIALIZE] {
            for task in [make::task(), make_async::task()] {
                for options in [TaskOptions::new(), TaskOptions::new().cpus(0.5)] {
                    let error = task.clone().with(options).remote(what).await.unwrap_err();
                    assert!(error.to_string().contains("panicked: a bad "), "{error}");
                }
            }
            // The caller is told the same way when its argument cannot travel.
            let error = look::remote(Bad(what)).await.unwrap_err();
            assert!(error.to_string().contains("panicked: a bad "), "{error}");
            let error = raytree::put(Bad(what)).await.unwrap_err();
            assert!(error.to_string().contains("panicked: a bad "), "{error}");
            let mut items = stream::remote(what);
            assert!(items.next().await.expect("its failure").is_err());
            all_is_well().await?;
        }
        Ok(())
    })
    .await
}

static DROPPED: AtomicBool = AtomicBool::new(false);

/// Cancels its own waiting task from its drop: user code in a destructor that calls back.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CallsBack;

impl Drop for CallsBack {
    fn drop(&mut self) {
        if !DROPPED.swap(true, Ordering::SeqCst) {
            drop(good::remote(1));
            drop(raytree::put(5));
        }
    }
}

#[raytree::test(strict = false)]
async fn a_destructor_may_call_back_into_the_system() -> Result<()> {
    within(async {
        let reference = raytree::put(CallsBack).await?;
        DROPPED.store(false, Ordering::SeqCst);
        drop(reference);
        assert!(DROPPED.load(Ordering::SeqCst));
        all_is_well().await
    })
    .await
}
