//! Without a runtime the first remote call starts the default one. In a process of its own, since that is for good.

use std::thread;

use raytree::prelude::*;
use raytree::{Error, Result};

#[remote]
fn square(x: u64) -> u64 {
    x * x
}

#[remote]
fn fails() -> Result<u64, String> {
    Err("as it should".to_owned())
}

/// One test: what is shown happens once in a process.
#[test]
fn the_first_call_starts_a_runtime_that_all_share_and_that_comes_again() {
    assert_eq!(raytree::current().map(|runtime| runtime.id()), Err(Error::NoRuntime));
    // From many threads at once: one runtime.
    let threads: Vec<_> = (0..8)
        .map(|x| {
            thread::spawn(move || {
                assert_eq!(square::remote(x).get(), Ok(x * x));
                raytree::current().unwrap().id()
            })
        })
        .collect();
    let mut ids: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    ids.dedup();
    let first = raytree::current().unwrap();
    assert_eq!(ids, [first.id()]);
    assert!(first.cluster_resources().covers(&Resources::cpus(1.0)));
    assert!(fails::remote().get().is_err());
    let before = square::remote(3);
    assert_eq!(before.clone().get(), Ok(9));
    let put = raytree::put(vec![1, 2]).get().unwrap();
    // After its end the next call starts another one; what the first one made is gone.
    first.shutdown();
    assert_eq!(square::remote(raytree::put(4).get().unwrap()).get(), Ok(16));
    let second = raytree::current().unwrap();
    assert_ne!(ids, [second.id()]);
    assert!(matches!(before.get(), Err(Error::RuntimeGone { .. })));
    assert!(matches!(square::remote(3).get(), Ok(9)));
    assert!(matches!(put.get(), Err(Error::RuntimeGone { .. })));
    // In async code of another library, too.
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(other.block_on(async { square::remote(5).await }), Ok(25));
    second.shutdown();
}
