//! Errors: what a caller learns, and what nobody learned.

use std::error::Error as StdError;

use raytree::prelude::*;
use raytree::{Error, Result};
use serde::{Deserialize, Serialize};

use super::gate::*;
use crate::support::until;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("the shard {0} is gone")]
struct Gone(u32);

#[derive(Debug, thiserror::Error)]
#[error("cannot open the map")]
struct Outer(#[source] Middle);

#[derive(Debug, thiserror::Error)]
#[error("cannot read the disk")]
struct Middle(#[source] std::io::Error);

#[remote]
fn gone(shard: u32) -> Result<u64, Gone> {
    Err(Gone(shard))
}

#[remote]
fn nested() -> Result<u64, Outer> {
    Err(Outer(Middle(std::io::Error::other("no such disk"))))
}

#[remote]
fn first(x: ObjectRef<u64>) -> Result<u64> {
    Ok(x.get()? + 1)
}

#[remote]
async fn second(x: ObjectRef<u64>) -> Result<u64> {
    Ok(x.await? + 1)
}

#[remote]
fn third(x: ObjectRef<u64>) -> Result<u64, BoxError> {
    Ok(x.get()? + 1)
}

#[remote]
fn plain(x: u64) -> u64 {
    x
}

#[remote]
fn panics(how: u8) -> u64 {
    match how {
        0 => panic!("a sentence"),
        1 => panic!("shape {how} is wrong"),
        _ => std::panic::panic_any(7_u8),
    }
}

#[remote]
async fn panics_later() -> u64 {
    tokio::task::yield_now().await;
    panic!("after an await")
}

#[raytree::test]
async fn an_err_keeps_its_type_its_message_and_its_chain() -> Result<()> {
    within(async {
        let error = nested::remote().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "nested failed: cannot open the map: cannot read the disk: no such disk"
        );
        let cause = error.cause().expect("a cause");
        assert_eq!(cause.type_name, std::any::type_name::<Outer>());
        assert_eq!(cause.chain, ["cannot read the disk", "no such disk"]);
        assert_eq!(error.code(), "RT0010");
        let error = gone::remote(3).await.unwrap_err();
        assert_eq!(error.downcast::<Gone>(), Some(Gone(3)));
        assert_eq!(error.downcast::<String>(), None, "of another type");
        assert!(error.source().is_none() || error.source().is_some(), "it is an error");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_failed_argument_fails_the_task_with_the_same_error() -> Result<()> {
    within(async {
        let error = plain::remote(gone::remote(3)).await.unwrap_err();
        assert_eq!(error.to_string(), "gone failed: the shard 3 is gone");
        assert_eq!(error.downcast::<Gone>(), Some(Gone(3)));
        Ok(())
    })
    .await
}

#[remote]
fn says(what: String) -> Result<(), String> {
    Err(what)
}

#[raytree::test]
async fn an_error_that_is_a_string_comes_back_as_one() -> Result<()> {
    within(async {
        let short = says::remote("no".to_owned()).await.unwrap_err();
        assert_eq!(short.downcast::<String>().as_deref(), Some("no"));
        // It takes more than an error may: the text is there, not the value.
        let long = "no ".repeat(raytree::limits::ERROR_BYTES_MAX);
        let told = says::remote(&raytree::put(long.clone()).await?).await.unwrap_err();
        assert_eq!(told.downcast::<String>(), None);
        assert!(told.to_string().contains("no no no"), "{} bytes", told.to_string().len());
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_error_that_is_handed_on_through_tasks_keeps_its_root() -> Result<()> {
    within(async {
        let wrapped = |x| ObjectRef::clone(x);
        let root = gone::remote(9);
        let one = first::remote(wrapped(&root));
        let two = second::remote(wrapped(&one));
        let three = third::remote(wrapped(&two));
        let sentences = [
            "first failed: gone failed: the shard 9 is gone",
            "second failed: first failed: gone failed: the shard 9 is gone",
        ];
        for (error, sentence) in [one, two].into_iter().zip(sentences) {
            let error = error.await.unwrap_err();
            assert_eq!(error.to_string(), sentence);
            assert_eq!(error.downcast::<Gone>(), Some(Gone(9)), "{error}");
            let cause = error.cause().expect("a cause");
            assert_eq!(cause.type_name, std::any::type_name::<Gone>());
        }
        let error = three.await.unwrap_err();
        assert_eq!(error.downcast::<Gone>(), Some(Gone(9)), "boxed: {error}");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_root_without_a_value_stays_text_on_its_way() -> Result<()> {
    within(async {
        let one = first::remote(raytree::ObjectRef::clone(&panics::remote(0)));
        let error = second::remote(one).await.unwrap_err();
        let cause = error.cause().expect("a cause");
        assert_eq!(cause.type_name, "panic");
        assert!(cause.place.as_deref().is_some_and(|place| place.contains("errors.rs")));
        assert_eq!(error.downcast::<Error>(), None, "the root was no error of the system");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn a_panic_says_what_and_where() -> Result<()> {
    within(async {
        for (how, sentence) in
            [(0, "a sentence"), (1, "shape 1 is wrong"), (2, "a panic whose payload is not text")]
        {
            let error = panics::remote(how).await.unwrap_err();
            let cause = error.cause().expect("a cause");
            assert_eq!((cause.message.as_str(), cause.type_name.as_str()), (sentence, "panic"));
            let place = cause.place.as_deref().unwrap_or_default();
            assert!(place.contains("errors.rs:"), "{place}");
        }
        let error = panics_later::remote().await.unwrap_err();
        assert!(error.to_string().contains("after an await"), "{error}");
        // The threads go on.
        assert_eq!(plain::remote(1).await?, 1);
        at_rest(&raytree::current()?).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn an_error_that_nobody_read_is_counted_once_and_a_read_one_never() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        // Dropped before and after the task has run, with and without clones.
        _ = gone::remote(1);
        until(|| runtime.lost_errors() == 1).await;
        let reference = gone::remote(2);
        let clone = reference.clone();
        until(|| reference.is_ready()).await;
        drop(reference);
        assert_eq!(runtime.lost_errors(), 1, "somebody still may read it");
        drop(clone);
        assert_eq!(runtime.lost_errors(), 2);
        // Read ones, in every way.
        let read = gone::remote(3);
        assert!((&read).await.is_err());
        drop(read);
        assert!(gone::remote(3).await.is_err());
        assert!(gone::remote(3).shared().await.is_err());
        assert!(raytree::get_all([gone::remote(3)]).await.is_err());
        assert!(plain::remote(gone::remote(3)).await.is_err());
        at_rest(&runtime).await;
        assert_eq!(runtime.lost_errors(), 2);
        // A cancelled one is what somebody wanted.
        let gate = Gate::new();
        let cancelled = waits::remote(gate);
        cancelled.cancel();
        drop(cancelled);
        at_rest(&runtime).await;
        assert_eq!(runtime.lost_errors(), 2);
        Ok(())
    })
    .await
}

#[remote]
async fn waits(gate: Gate) {
    gate.pass().await;
}

#[raytree::test]
fn in_async_code_get_is_an_error_that_names_await() -> Result<()> {
    let runtime = raytree::current()?;
    let error = runtime.block_on(async { plain::remote(1).get().unwrap_err() });
    assert_eq!(error.code(), "RT0040");
    assert!(error.to_string().contains(".await"), "{error}");
    // Also of one that is there already.
    let error = runtime.block_on(async {
        let ready = raytree::put(1).await?;
        raytree::get_all([&ready]).await?;
        ready.get()
    });
    assert!(matches!(error, Err(Error::BlockingInAsync { .. })), "{error:?}");
    let many = runtime.block_on(async { raytree::get_all([waits::remote(Gate::new())]).get() });
    assert!(matches!(many, Err(Error::BlockingInAsync { .. })), "{many:?}");
    Ok(())
}
