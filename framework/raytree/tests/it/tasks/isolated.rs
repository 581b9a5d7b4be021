//! Tasks in a process of their own: what goes in and comes out, and every way in which such a process may end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use raytree::prelude::*;
use raytree::{Error, Result, Runtime};
use serde::{Deserialize, Serialize};

use super::gate::*;
use crate::support::until;

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{0} is too much")]
struct TooMuch(u64);

#[remote(retries = 0)]
fn doubled(values: Vec<u64>, text: &str) -> Result<(u32, Vec<u64>, String), TooMuch> {
    match values.iter().copied().find(|value| *value > 1_000_000) {
        Some(value) => Err(TooMuch(value)),
        None => {
            Ok((std::process::id(), values.iter().map(|x| x * 2).collect(), text.to_uppercase()))
        }
    }
}

#[remote(isolated, retries = 0)]
fn always_elsewhere() -> u32 {
    std::process::id()
}

#[remote(retries = 0)]
async fn doubled_async(x: u64) -> (u32, u64) {
    tokio::task::yield_now().await;
    (std::process::id(), x * 2)
}

/// Says in a file that it ran, and ends as it is told.
#[remote(retries = 0)]
fn ends(how: String, file: PathBuf) -> usize {
    let ran =
        std::fs::read_to_string(&file).unwrap_or_default() + &format!("{}\n", std::process::id());
    std::fs::write(&file, &ran).expect("a file");
    match how.as_str() {
        "abort" => std::process::abort(),
        #[expect(clippy::exit, reason = "that is what is tried")]
        "exit" => std::process::exit(3),
        "panic" => panic!("of a process"),
        "hang" => loop {
            std::thread::park();
        },
        "eat" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(vec![1u8; 1 << 20]);
            }
        }
        "twice" if ran.lines().count() < 3 => std::process::abort(),
        _ => ran.lines().count(),
    }
}

#[remote(retries = 0)]
fn surroundings(name: String) -> (Option<String>, PathBuf) {
    (std::env::var(name).ok(), std::env::current_dir().expect("a folder"))
}

#[remote(retries = 0)]
fn takes_a_reference(reference: ObjectRef<u64>) -> Result<u64> {
    reference.get()
}

#[remote(retries = 0)]
fn counts(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

fn isolated() -> TaskOptions {
    TaskOptions::new().isolated()
}

struct Record(tempfile::NamedTempFile);

impl Record {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().expect("a file"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// The processes that ran so far.
    fn processes(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.0.path()).expect("a file");
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }

    async fn runs(&self) -> u32 {
        until(|| !self.processes().is_empty()).await;
        self.processes()[0]
    }
}

async fn is_gone(process: u32) {
    let folder = format!("/proc/{process}");
    until(|| !Path::new(&folder).exists()).await;
}

fn mirrors(runtime: &Runtime) -> Vec<String> {
    let processes = runtime.tree().root.find("node/processes").cloned().expect("a supervisor");
    processes.children.into_iter().map(|mirror| mirror.name).collect()
}

fn died<T: std::fmt::Debug>(ended: Result<T>) -> String {
    match ended {
        Err(Error::WorkerDied { cause, .. }) => cause.message,
        other => panic!("no death: {other:?}"),
    }
}

#[raytree::test]
async fn arguments_go_there_and_the_result_comes_back() -> Result<()> {
    within(async {
        let here = std::process::id();
        let (there, twos, text) = doubled::with(isolated()).remote(vec![1, 2], "a").await?;
        assert_ne!(here, there);
        assert_eq!((twos, text.as_str()), (vec![2, 4], "A"));
        assert_eq!(doubled::remote(vec![1], "a").await?.0, here, "as usual");
        assert_ne!(always_elsewhere::remote().await?, here);
        // References are arguments like any other.
        let many = raytree::put((0..200_000).collect::<Vec<u64>>()).await?;
        let (_, twos, _) = doubled::with(isolated()).remote(&many, "a").await?;
        assert_eq!(twos.len(), 200_000);
        assert_eq!(twos[199_999], 399_998);
        let (there, four) = doubled_async::with(isolated()).remote(2).await?;
        assert_eq!(four, 4);
        is_gone(there).await;
        until(|| raytree::current().is_ok_and(|own| mirrors(&own).is_empty())).await;
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn errors_and_panics_are_what_they_would_be_here() -> Result<()> {
    within(async {
        let record = Record::new();
        let error = doubled::with(isolated()).remote(vec![1, 2_000_000], "").await.unwrap_err();
        assert_eq!(error.downcast::<TooMuch>(), Some(TooMuch(2_000_000)));
        assert_eq!(error.to_string(), "doubled failed: 2000000 is too much");
        let error =
            ends::with(isolated()).remote("panic".to_owned(), record.path()).await.unwrap_err();
        let Error::TaskFailed { cause, .. } = &error else { panic!("{error}") };
        assert_eq!((cause.message.as_str(), cause.type_name.as_str()), ("of a process", "panic"));
        assert!(cause.place.as_ref().is_some_and(|place| place.contains("isolated.rs")), "{error}");
        let again = isolated().retry_on::<TooMuch>().retry_errors(2);
        assert!(doubled::with(again).remote(vec![1_000_001], "").await.is_err());
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_2_a_process_that_dies_is_a_typed_error_with_its_cause() -> Result<()> {
    within(async {
        let record = Record::new();
        let ends = |how: &str| ends::with(isolated()).remote(how.to_owned(), record.path());
        assert_eq!(died(ends("abort").await), "it was ended by signal 6");
        assert_eq!(died(ends("exit").await), "it exited with code 3");
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_lost_process_costs_a_retry() -> Result<()> {
    within(async {
        for (retries, good) in [(1, false), (2, true)] {
            let record = Record::new();
            let task =
                ends::with(isolated().retries(retries)).remote("twice".to_owned(), record.path());
            let ended = task.await;
            assert_eq!(ended.is_ok(), good, "{ended:?}");
            assert_eq!(record.processes().len(), retries as usize + 1);
        }
        Ok(())
    })
    .await
}

/// Its own code fails on the way back.
#[derive(Clone, Debug)]
struct Bad;

impl Serialize for Bad {
    fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        panic!("a bad serialize")
    }
}

impl<'de> Deserialize<'de> for Bad {
    fn deserialize<D: serde::Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[remote(retries = 0)]
fn makes_bad() -> Bad {
    Bad
}

/// A runtime in the process of the task.
#[remote(isolated, retries = 0)]
fn has_a_runtime_of_its_own(x: u64) -> Result<u64> {
    let runtime = raytree::init().cpus(1.0).threads(1).start()?;
    let squared = runtime.block_on(async move { doubled_async::remote(x).await });
    runtime.shutdown();
    Ok(squared?.1)
}

/// Starts a program, and waits for it.
#[remote(isolated, retries = 0)]
fn runs_a_program(file: PathBuf) -> bool {
    let script = format!("echo $$ > {}; exec sleep 1000", file.display());
    std::process::Command::new("sh")
        .args(["-c", &script])
        .status()
        .is_ok_and(|status| status.success())
}

#[raytree::test(strict = false)]
async fn code_that_fails_on_the_way_back_is_told() -> Result<()> {
    within(async {
        let told = makes_bad::with(isolated()).remote().await.unwrap_err();
        assert!(told.to_string().contains("a bad serialize"), "{told}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_process_may_have_a_runtime_of_its_own() -> Result<()> {
    within(async {
        assert_eq!(has_a_runtime_of_its_own::remote(4).await?, 8);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn what_a_task_started_ends_with_it() -> Result<()> {
    within(async {
        let record = Record::new();
        let task = runs_a_program::remote(record.path());
        let program = record.runs().await;
        task.cancel();
        assert!(matches!(task.await, Err(Error::Cancelled { .. })));
        is_gone(program).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_1_whoever_gives_the_task_up_ends_its_process() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for way in ["timeout", "cancel"] {
            let record = Record::new();
            let options = if way == "timeout" {
                isolated().timeout(Duration::from_secs(2))
            } else {
                isolated()
            };
            let task = ends::with(options).remote("hang".to_owned(), record.path());
            let process = record.runs().await;
            assert_eq!(mirrors(&runtime).len(), 1, "{way}");
            if way == "cancel" {
                task.cancel();
            }
            let told = task.await.unwrap_err();
            assert!(matches!(told, Error::Timeout { .. } | Error::Cancelled { .. }), "{told}");
            is_gone(process).await;
            // No thread is left behind, as it would be in this process.
            assert_eq!(runtime.abandoned_tasks(), 0);
            at_rest(&runtime).await;
        }
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_1_a_process_dies_with_its_mirror_and_the_task_is_told() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for whole in [false, true] {
            let record = Record::new();
            let task = ends::with(isolated()).remote("hang".to_owned(), record.path());
            let process = record.runs().await;
            let mirror = &mirrors(&runtime)[0];
            let path = if whole { "node".to_owned() } else { format!("node/processes/{mirror}") };
            runtime.probe(&path).expect("a probe").panic_now();
            let cause = died(task.await);
            assert!(cause.contains("has ended"), "{cause}");
            is_gone(process).await;
        }
        // And the next one has a process again.
        let record = Record::new();
        assert_eq!(ends::with(isolated()).remote(String::new(), record.path()).await?, 1);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn mr_2_a_process_that_was_stopped_from_outside_is_given_up() -> Result<()> {
    within(async {
        let record = Record::new();
        let task = ends::with(isolated()).remote("hang".to_owned(), record.path());
        let process = record.runs().await;
        let stopped =
            std::process::Command::new("kill").args(["-STOP", &process.to_string()]).status();
        assert!(stopped.expect("a program").success());
        let cause = died(task.await);
        assert!(cause.starts_with("it was stopped from outside, and silent for "), "{cause}");
        is_gone(process).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_process_that_uses_too_much_memory_is_ended() -> Result<()> {
    within(async {
        let record = Record::new();
        let options = isolated().memory_max(300 << 20);
        let cause = died(ends::with(options).remote("eat".to_owned(), record.path()).await);
        assert!(cause.ends_with("bytes of memory, where it may use 314572800"), "{cause}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_process_has_its_own_surroundings() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let options =
            TaskOptions::new().env("RAYTREE_TEST_COLOUR", "red").working_dir(folder.path());
        let name = "RAYTREE_TEST_COLOUR".to_owned();
        let (colour, place) = surroundings::with(options).remote(name.clone()).await?;
        assert_eq!(colour.as_deref(), Some("red"));
        assert_eq!(place, folder.path().canonicalize().expect("a folder"));
        assert_eq!(surroundings::with(isolated()).remote(name).await?.0, None);
        let nowhere = TaskOptions::new().working_dir("/no/such/folder");
        let told = surroundings::with(nowhere).remote(String::new()).await.unwrap_err();
        let Error::BadOption { option, value, .. } = &told else { panic!("{told}") };
        assert_eq!((option.as_str(), value.as_str()), ("working_dir", "/no/such/folder"));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn what_cannot_go_there_is_said() -> Result<()> {
    within(async {
        let mut items = counts::with(isolated()).remote(3);
        let told = futures_util::StreamExt::next(&mut items).await.expect("an end").unwrap_err();
        assert!(matches!(told, Error::BadOption { .. }), "{told}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn references_go_there_and_their_values_follow_when_they_are_wanted() -> Result<()> {
    within(async {
        let reference = raytree::put(7).await?;
        assert_eq!(takes_a_reference::with(isolated()).remote(&reference).await?, 7);
        assert_eq!(reference.await?, 7);
        Ok(())
    })
    .await
}

#[raytree::test]
async fn processes_wait_for_their_cpus_like_others() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        let tasks: Vec<_> = (0..6).map(|x| doubled_async::with(isolated()).remote(x)).collect();
        let mut most = 0;
        for task in tasks {
            most = most.max(mirrors(&runtime).len());
            task.await?;
        }
        assert!(most <= 4, "{most}");
        at_rest(&runtime).await;
        Ok(())
    })
    .await
}

#[test]
fn mr_1_processes_end_with_their_runtime() {
    let runtime =
        raytree::__macro::test_init("it::tasks::isolated::mr_1_processes_end_with_their_runtime");
    let runtime = runtime.start().expect("a runtime");
    let record = Record::new();
    let task = {
        let _here = runtime.enter();
        ends::with(isolated()).remote("hang".to_owned(), record.path())
    };
    let process = runtime.block_on(record.runs());
    runtime.shutdown();
    let other = raytree::init().cpus(1.0).threads(1).start().expect("a runtime");
    other.block_on(is_gone(process));
    assert!(matches!(task.get(), Err(Error::RuntimeGone { .. })));
    other.shutdown();
}
