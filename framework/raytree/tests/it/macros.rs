//! The attribute macros: how arguments are passed, what becomes of results, where programs and tests begin.

mod actors;

use std::io;
use std::process::{ExitCode, exit};

use futures_util::{Stream, StreamExt as _};
use raytree::Result;
use raytree::prelude::*;
use serde::{Deserialize, Serialize};

/// A documented function, with an example that is run once.
///
/// ```
/// assert_eq!(1 + 1, 2);
/// ```
#[remote]
fn square(x: u64) -> u64 {
    x * x
}

#[remote(cpus = 0.5, name = "total", retries = 0, timeout = "30s", queue_timeout = "1m")]
fn total(values: &[u64], bias: &u64) -> u64 {
    values.iter().sum::<u64>() + bias
}

#[remote]
async fn shout(text: &str, times: usize) -> String {
    tokio::task::yield_now().await;
    text.to_uppercase().repeat(times)
}

#[remote]
fn length(values: Shared<Vec<u64>>) -> usize {
    values.len()
}

#[remote]
fn nested(reference: ObjectRef<u64>, more: Vec<ObjectRef<u64>>) -> Result<u64> {
    let mut sum = reference.get()?;
    for one in more {
        sum += one.get()?;
    }
    Ok(sum)
}

#[remote]
fn patterns(mut x: u64, (a, b): (u8, u8), _: String) -> u64 {
    x += u64::from(a);
    x + u64::from(b)
}

#[remote(name = "who am I")]
async fn context(before: u64, ctx: &TaskContext, after: u64) -> (u64, Option<String>) {
    tokio::task::yield_now().await;
    (before + after, ctx.name())
}

#[remote]
fn nothing() {}

/// An error that is a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("cannot average {0} values")]
struct Empty(usize);

#[derive(Debug, thiserror::Error)]
#[error("only text remains of this")]
struct Opaque(#[source] io::Error);

#[remote]
async fn mean(values: Vec<u64>) -> Result<f64, Empty> {
    if values.is_empty() {
        return Err(Empty(0));
    }
    Ok(values.iter().sum::<u64>() as f64 / values.len() as f64)
}

#[remote]
fn opaque() -> std::result::Result<(), Opaque> {
    Err(Opaque(io::Error::other("the disk is gone")))
}

#[remote]
fn boxed() -> Result<u64, BoxError> {
    Err("a boxed sentence".into())
}

#[remote]
fn any() -> anyhow::Result<u64> {
    anyhow::bail!("an anyhow sentence")
}

#[remote]
fn said() -> Result<u64, String> {
    Err("a string".to_owned())
}

#[remote]
fn relayed() -> Result<f64> {
    mean::remote(Vec::<u64>::new()).get()
}

#[remote]
fn formatted() -> std::fmt::Result {
    Err(std::fmt::Error)
}

#[remote(window = 4)]
fn count(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[remote]
fn lines(text: &str) -> impl Iterator<Item = std::result::Result<u64, std::num::ParseIntError>> {
    text.lines().map(str::parse)
}

#[remote]
fn ticks(from: &[u64], ctx: &TaskContext) -> impl Stream<Item = String> {
    let name = ctx.name().unwrap_or_default();
    futures_util::stream::iter(from.to_vec()).map(move |tick| format!("{name} {tick}"))
}

#[remote]
fn failing() -> impl Stream<Item = Result<u64, Empty>> {
    futures_util::stream::iter([Ok(1), Err(Empty(7)), Ok(2)])
}

#[remote(retry_on(Empty, io::Error), retries = 0)]
fn third_time(ctx: &TaskContext) -> Result<u32, Empty> {
    if ctx.run() < 2 { Err(Empty(ctx.run() as usize)) } else { Ok(ctx.run()) }
}

#[remote(retry_on(io::Error))]
fn never(ctx: &TaskContext) -> Result<u32, Empty> {
    Err(Empty(ctx.run() as usize))
}

#[remote(resources(disk = 2, "a-b" = 0.5), gpus = 0, window = 1, codec = "self_describing")]
fn far_fetched(values: Tagged) -> impl Iterator<Item = Tagged> {
    [values.clone(), values].into_iter()
}

/// A type that the compact codec refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Point { x: u64 },
}

#[raytree::test]
async fn every_kind_of_argument() -> Result<()> {
    assert_eq!(square(3), 9);
    let nine = square::remote(3);
    assert_eq!(square::remote(&nine).await?, 81);
    assert_eq!(square::remote(nine).await?, 81);
    assert_eq!(square::submit(4).await?.await?, 16);

    let values = raytree::put(vec![1, 2, 3]).await?;
    assert_eq!(total::remote(&values, 10).await?, 16);
    let parts: Vec<_> = (1..4).map(square::remote).collect();
    assert_eq!(total::remote(parts, square::remote(1)).await?, 15);
    assert_eq!(total(&[1], &2), 3);

    assert_eq!(shout::remote("ab", 2).await?, "ABAB");
    assert_eq!(shout::remote(shout::remote("a", 1), 3).await?, "AAA");
    assert_eq!(length::remote(&values).await?, 3);
    assert_eq!(length::remote(values.shared().await?).await?, 3);
    assert_eq!(nested::remote(square::remote(2), vec![square::remote(3)]).await?, 13);
    assert_eq!(patterns::remote(1, (2, 3), String::new()).await?, 6);
    assert_eq!(context::remote(1, 2).await?, (3, Some("who am I".to_owned())));
    nothing::remote().await
}

#[raytree::test]
async fn tasks_are_values_with_options() -> Result<()> {
    let task = square::task();
    assert_eq!(task.name(), "it::macros::square");
    let named = context::with(TaskOptions::new().name("another")).remote(1, 1);
    assert_eq!(named.await?.1.as_deref(), Some("another"));
    assert!(raytree::registered()?.contains(&"it::macros::count"));
    Ok(())
}

#[raytree::test]
async fn an_err_is_the_failure_of_the_task() -> Result<()> {
    assert_eq!(mean::remote(vec![1, 2]).await?, 1.5);
    let failed = mean::remote(Vec::<u64>::new()).await.unwrap_err();
    assert_eq!(failed.downcast::<Empty>(), Some(Empty(0)));
    assert_eq!(failed.to_string(), "mean failed: cannot average 0 values");

    let text = opaque::remote().await.unwrap_err();
    assert_eq!(text.to_string(), "opaque failed: only text remains of this: the disk is gone");
    assert_eq!(text.cause().expect("a cause").type_name, std::any::type_name::<Opaque>());

    assert_eq!(boxed::remote().await.unwrap_err().to_string(), "boxed failed: a boxed sentence");
    assert_eq!(any::remote().await.unwrap_err().to_string(), "any failed: an anyhow sentence");
    assert_eq!(said::remote().await.unwrap_err().to_string(), "said failed: a string");
    assert!(formatted::remote().await.is_err());

    let relayed = relayed::remote().await.unwrap_err();
    assert_eq!(relayed.to_string(), "relayed failed: mean failed: cannot average 0 values");
    assert_eq!(relayed.downcast::<Empty>(), Some(Empty(0)));
    Ok(())
}

#[raytree::test]
async fn iterators_and_streams_come_item_by_item() -> Result<()> {
    let counted: Vec<_> = count::remote(20).collect().await;
    assert_eq!(counted.into_iter().collect::<Result<Vec<_>>>()?, (0..20).collect::<Vec<_>>());

    let mut numbers = lines::remote("1\n2\nthree\n4");
    assert_eq!((numbers.next().await, numbers.next().await), (Some(Ok(1)), Some(Ok(2))));
    let ended = numbers.next().await.expect("a third").unwrap_err();
    assert_eq!(ended.to_string(), "lines failed: invalid digit found in string");
    assert_eq!(numbers.next().await, None);

    let ticks: Vec<_> = ticks::remote(vec![1, 2]).collect().await;
    assert_eq!(ticks, [Ok("ticks 1".to_owned()), Ok("ticks 2".to_owned())]);

    let mut failing = failing::remote();
    assert_eq!(failing.next().await, Some(Ok(1)));
    let ended = failing.next().await.expect("a second").unwrap_err();
    assert_eq!(ended.downcast::<Empty>(), Some(Empty(7)));
    assert_eq!(failing.next().await, None);
    Ok(())
}

#[raytree::test]
fn a_test_that_is_not_async_has_its_runtime_too() -> Result<()> {
    assert_eq!(square::remote(square::remote(2)).get()?, 16);
    let mut counted = count::remote(2);
    assert_eq!(counted.next_blocking(), Some(Ok(0)));
    Ok(())
}

#[raytree::test]
async fn options_of_the_attribute_reach_the_task() -> Result<()> {
    assert_eq!(third_time::remote().await?, 2);
    let never = never::remote().await.unwrap_err();
    assert_eq!(never.downcast::<Empty>(), Some(Empty(0)));
    let infeasible = far_fetched::remote(Tagged::Point { x: 1 }).next().await.expect("one");
    assert!(matches!(infeasible, Err(raytree::Error::Infeasible { .. })), "{infeasible:?}");
    Ok(())
}

#[raytree::test(cpus = 3, threads = 1, resources(disk = 2, "a-b" = 1), strict)]
async fn options_of_a_test_reach_its_runtime() -> Result<()> {
    let all = raytree::current()?.cluster_resources();
    assert_eq!(all.to_string(), "3 CPU, 1 a-b, 2 disk");
    let mut tagged = far_fetched::remote(Tagged::Point { x: 1 });
    assert_eq!(tagged.next().await, Some(Ok(Tagged::Point { x: 1 })));
    Ok(())
}

#[raytree::test]
#[should_panic(expected = "of a task")]
async fn an_async_test_can_panic() {
    panic!("of a task");
}

#[raytree::test]
#[should_panic(expected = "of a thread")]
fn a_test_can_panic() {
    panic!("of a thread");
}

#[raytree::test]
#[ignore = "it shows that tests can be ignored"]
async fn an_ignored_test() {
    panic!("it ran");
}

#[raytree::main(cpus = 5, strict = true)]
async fn async_program() -> Result<String> {
    assert_eq!(square::remote(2).await?, 4);
    Ok(raytree::current()?.cluster_resources().to_string())
}

#[raytree::main(cpus = 6)]
fn program() -> Result<String> {
    assert_eq!(square::remote(2).get()?, 4);
    Ok(raytree::current()?.cluster_resources().to_string())
}

#[test]
fn a_program_runs_in_its_runtime() {
    assert_eq!(async_program().as_deref(), Ok("5 CPU"));
    assert_eq!(program().as_deref(), Ok("6 CPU"));
}

#[raytree::main(threads = 1_000_000)]
async fn hopeless() {}

mod unlucky {
    #[raytree::main(cpus = 1)]
    pub(super) async fn main() -> Result<(), raytree::BoxError> {
        Err(Box::new(raytree::Error::QueueTimeout {
            task: "square".to_owned(),
            after: std::time::Duration::from_secs(3),
        }))
    }
}

/// This test in a process of its own, where `program` runs in its place: its exit code, and what it said.
fn in_a_process(this: &str, program: impl FnOnce()) -> (Option<i32>, String) {
    if std::env::var_os("RAYTREE_TEST_PROGRAM").is_some() {
        program();
        unreachable!("the program ends the process");
    }
    let ended = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", this, "--nocapture"])
        .env("RAYTREE_TEST_PROGRAM", "1")
        .output()
        .expect("a process");
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

/// No address space has room for the stacks that the threads are to have.
#[test]
fn where_the_system_gives_no_threads_the_start_fails() {
    let this = "macros::where_the_system_gives_no_threads_the_start_fails";
    if std::env::var_os("RAYTREE_TEST_PROGRAM").is_some() {
        for threads in [1, 1000] {
            let failed = raytree::init().threads(threads).start().map(drop);
            assert!(matches!(failed, Err(raytree::Error::StartFailed { .. })), "{failed:?}");
        }
        return;
    }
    let ended = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", this, "--test-threads=1"])
        .env("RAYTREE_TEST_PROGRAM", "1")
        .env("RUST_MIN_STACK", (1u64 << 50).to_string())
        .output()
        .expect("a process");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert!(String::from_utf8_lossy(&ended.stdout).contains("1 passed"), "it ran");
}

#[test]
fn without_a_runtime_a_program_ends_with_a_sentence_and_code_2() {
    let this = "macros::without_a_runtime_a_program_ends_with_a_sentence_and_code_2";
    let (code, said) = in_a_process(this, hopeless);
    assert_eq!(code, Some(2));
    let sentence =
        "error: bad value 1000000 for threads: it is 1 to 1024\n  RT0004: `raytree explain RT0004`";
    assert!(said.contains(sentence), "{said}");
}

#[test]
#[expect(clippy::exit, reason = "in a process of its own the exit code is what is tried")]
fn the_error_of_a_main_is_told_in_sentences_and_ends_it_with_code_1() {
    let this = "macros::the_error_of_a_main_is_told_in_sentences_and_ends_it_with_code_1";
    let (code, said) = in_a_process(this, || {
        let failed = format!("{:?}", unlucky::main()) == format!("{:?}", ExitCode::FAILURE);
        exit(i32::from(failed));
    });
    assert_eq!(code, Some(1));
    assert!(said.contains("error: square "), "{said}");
    assert!(said.contains("\n  RT0013: `raytree explain RT0013` says what to do\n"), "{said}");
}

/// The sentences of the compiler, for what it refuses.
#[test]
fn mistakes_are_explained_at_compile_time() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// Compact cannot carry it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

#[remote]
fn is_text(either: Shared<Either>) -> bool {
    matches!(*either, Either::Text(_))
}

#[raytree::test]
async fn what_is_lent_travels_like_what_is_given() {
    let lent = Shared::new(Either::Text("a".to_owned()));
    let error = is_text::remote(lent).await.unwrap_err();
    assert!(matches!(error, raytree::Error::CannotTravel { .. }), "{error}");
    let lent = Shared::new(vec![1, 2]);
    assert_eq!(length::remote(raytree::put(vec![1]).await.expect("stored")).await, Ok(1));
    assert_eq!(length::remote(lent).await, Ok(2));
}
