//! Reading an object: who gets the value itself, who a clone, who a look.

use raytree::prelude::*;
use raytree::{Error, Result};

use crate::tasks::gate::*;

#[remote]
fn make(gate: Gate) -> Counted {
    Counted::new(gate)
}

#[remote]
fn look(value: &Counted) -> usize {
    value.0.book().clones
}

#[remote]
fn keep(value: Counted) -> usize {
    value.0.book().clones
}

#[remote]
fn several() -> (u64, String, Vec<u64>) {
    (1, "two".to_owned(), vec![3])
}

#[remote]
fn many(count: u64, gate: Gate) -> Vec<Counted> {
    (0..count).map(|_| Counted::new(gate)).collect()
}

#[remote]
fn fails() -> Result<(u64, Vec<u64>), String> {
    Err("both".to_owned())
}

#[remote]
fn fails_list() -> Result<Vec<u64>, String> {
    Err("all".to_owned())
}

#[remote]
async fn pass(gate: Gate) -> u64 {
    gate.pass().await;
    1
}

/// Every instance that was made is freed in the end.
async fn all_freed(gate: Gate) {
    gate.until(|book| book.made == book.freed).await;
}

#[raytree::test]
async fn ob_3_the_last_reference_gives_the_value_and_others_clones() -> Result<()> {
    within(async {
        let gate = Gate::new();
        drop(make::remote(gate).await?);
        let reference = make::remote(gate);
        assert_eq!((&reference).await?.0, gate);
        assert_eq!(gate.book().clones, 1, "a borrowed one gives a clone");
        let other = reference.clone();
        drop(reference.await?);
        assert_eq!(gate.book().clones, 2, "somebody else holds it");
        drop(other.await?);
        assert_eq!(gate.book().clones, 2, "the last one is moved");
        let shared = make::remote(gate).shared().await?;
        assert_eq!((shared.0, gate.book().clones), (gate, 2));
        let reference = make::remote(gate);
        let view = reference.shared().await?;
        drop(reference.await?);
        assert_eq!(gate.book().clones, 3, "somebody looks at it");
        drop((view, shared));
        all_freed(gate).await;
        Ok(())
    })
    .await
}

#[raytree::test]
async fn arguments_are_cloned_only_if_others_hold_them() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let reference = raytree::put(Counted::new(gate)).await?;
        assert_eq!(look::remote(&reference).await?, 0);
        assert_eq!(keep::remote(&reference).await?, 1);
        assert_eq!(keep::remote(reference).await?, 1);
        assert_eq!(keep::remote(Counted::new(gate)).await?, 1);
        all_freed(gate).await;
        Ok(())
    })
    .await
}

#[raytree::test]
fn in_synchronous_code_the_same() -> Result<()> {
    in_time(|| {
        let gate = Gate::new();
        let reference = make::remote(gate);
        assert_eq!(reference.get_shared()?.0, gate);
        drop(reference.clone().get()?);
        assert_eq!(gate.book().clones, 1);
        drop(reference.get()?);
        assert_eq!(gate.book().clones, 1);
        let refs: Vec<_> = (0..3).map(|_| make::remote(gate)).collect();
        assert_eq!(raytree::get_all(&refs).get()?.len(), 3);
        assert_eq!(gate.book().clones, 4, "borrowed");
        assert_eq!(raytree::get_all(refs).get()?.len(), 3);
        assert_eq!(gate.book().clones, 4, "owned");
        assert_eq!(raytree::wait([make::remote(gate)]).get()?.ready.len(), 1);
        let book = gate.book();
        assert!(book.freed <= book.made);
        Ok(())
    })
}

#[raytree::test]
async fn get_all_keeps_the_order_and_fails_as_soon_as_one_has() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let empty = raytree::get_all(Vec::<ObjectRef<u64>>::new()).await?;
        assert_eq!(empty, Vec::<u64>::new());
        let pending = pass::remote(gate);
        let failed = fails_number::remote(2);
        let refs = [&pending, &failed, &fails_number::remote(3)];
        let error = raytree::get_all(refs).await.unwrap_err();
        assert!(
            error.to_string().ends_with("failed: 2") || error.to_string().ends_with("failed: 3")
        );
        assert!(!pending.is_ready(), "nobody waited for it");
        until_ready(&failed).await;
        let error = raytree::get_all([&pending, &failed]).await.unwrap_err();
        assert_eq!(error.to_string(), "fails_number failed: 2");
        gate.open();
        assert_eq!(pending.await?, 1);
        Ok(())
    })
    .await
}

#[remote]
fn fails_number(x: u64) -> Result<u64, String> {
    Err(x.to_string())
}

async fn until_ready<T>(reference: &ObjectRef<T>) {
    crate::support::until(|| reference.is_ready()).await;
}

#[raytree::test]
async fn a_value_that_was_moved_out_is_gone() -> Result<()> {
    within(async {
        let mut reference = std::pin::pin!(raytree::put(1_u64).await?);
        assert_eq!(reference.as_mut().await?, 1);
        let again = reference.as_mut().await;
        assert_eq!(again, Err(Error::ObjectTaken { object: "put".to_owned() }));
        assert!(again.unwrap_err().to_string().contains("moved out already"));
        assert!(reference.is_ready());
        assert!(matches!(reference.shared().await, Err(Error::ObjectTaken { .. })));
        let clone = reference.clone();
        assert!(matches!(clone.await, Err(Error::ObjectTaken { .. })));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn parts_of_a_result_have_references_of_their_own() -> Result<()> {
    within(async {
        let (one, two, three) = several::remote().split();
        assert_eq!((one.await?, two.await?, three.await?), (1, "two".to_owned(), vec![3]));
        let gate = Gate::new();
        let elements = many::remote(5, gate).elements(5);
        assert_eq!(raytree::get_all(elements).await?.len(), 5);
        assert_eq!(gate.book().clones, 0, "moved");
        let whole = many::remote(5, gate);
        let elements = whole.clone().elements(5);
        assert_eq!(raytree::get_all(elements).await?.len(), 5);
        assert_eq!((whole.await?.len(), gate.book().clones), (5, 5));
        all_freed(gate).await;
        for wrong in many::remote(2, gate).elements(3) {
            let error = wrong.await.unwrap_err().to_string();
            assert!(error.contains("has 2 elements, and 3 were asked for"), "{error}");
        }
        let (number, list) = fails::remote().split();
        assert_eq!(number.await.unwrap_err().to_string(), "fails failed: both");
        assert_eq!(list.await.unwrap_err().to_string(), "fails failed: both");
        for element in fails_list::remote().elements(2) {
            assert_eq!(element.await.unwrap_err().to_string(), "fails_list failed: all");
        }
        // Of one that is there already, too.
        let [a, b] = <[_; 2]>::try_from(raytree::put(vec![1, 2]).await?.elements(2)).expect("two");
        assert_eq!((b.await?, a.await?), (2, 1));
        Ok(())
    })
    .await
}

#[raytree::test]
async fn parts_wait_for_the_whole() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let slow = pair_after::remote(gate);
        let (a, b) = slow.split();
        assert!(!a.is_ready());
        drop(b);
        gate.open();
        assert_eq!(a.await?, 1);
        Ok(())
    })
    .await
}

#[remote]
async fn pair_after(gate: Gate) -> (u64, u64) {
    gate.pass().await;
    (1, 2)
}

#[raytree::test]
async fn references_are_equal_when_they_mean_the_same_object() -> Result<()> {
    within(async {
        let (a, b) = (raytree::put(1).await?, raytree::put(1).await?);
        assert!(a == a.clone() && a != b);
        assert_eq!(format!("{a:?}"), "ObjectRef(put (Ready))");
        Ok(())
    })
    .await
}

#[raytree::test]
async fn ob_1_a_hundred_readers_are_each_told_once() -> Result<()> {
    within(async {
        let runtime = raytree::current()?;
        for _ in 0..50 {
            let gate = Gate::new();
            let slow = pass::remote(gate);
            let readers: Vec<_> = (0..20)
                .map(|_| {
                    (runtime.tokio().spawn(slow.clone()), {
                        let slow = slow.clone();
                        let runtime = runtime.clone();
                        std::thread::spawn(move || {
                            let _here = runtime.enter();
                            slow.get()
                        })
                    })
                })
                .collect();
            gate.open();
            for (reader, thread) in readers {
                assert_eq!(reader.await.expect("no panic"), Ok(1));
                assert_eq!(thread.join().expect("no panic"), Ok(1));
            }
            assert_eq!(slow.await?, 1);
        }
        Ok(())
    })
    .await
}
