//! Everything goes from everybody to everybody: a thousand tasks make a thousand objects each, and a thousand others read one of each.

use raytree::prelude::*;
use raytree::{Init, get_all};

use super::within;

const SIDES: u64 = 1000;

/// For each who reads: who has made it, and for whom.
#[remote]
fn parts(from: u64) -> Vec<(u64, u64)> {
    (0..SIDES).map(|to| (from, to)).collect()
}

/// How many are from whom they should be, in their order.
#[remote]
fn gathered(to: u64, parts: Vec<(u64, u64)>) -> u64 {
    (0..).zip(parts).filter(|(from, part)| *part == (*from, to)).count() as u64
}

fn shuffles(init: Init) {
    let runtime = init.cpus(4.0).threads(2).log_to_driver(false).start().expect("a runtime");
    runtime
        .block_on(within(async {
            let mut readers: Vec<_> = (0..SIDES).map(|_| Vec::new()).collect();
            for from in 0..SIDES {
                let made = parts::remote(from).elements(SIDES as usize);
                readers.iter_mut().zip(made).for_each(|(reader, part)| reader.push(part));
            }
            let read = (0..).zip(readers).map(|(to, parts)| gathered::remote(to, parts));
            assert_eq!(get_all(read).await?, [SIDES; SIDES as usize]);
            // Nobody holds any of them.
            while raytree::state::objects().await?.total > 0 {
                tokio::task::yield_now().await;
            }
            Ok(())
        }))
        .expect("all is well");
    runtime.shutdown();
}

#[test]
fn a_million_objects_are_shuffled_in_this_process() {
    shuffles(raytree::init());
}

#[test]
fn a_million_objects_are_shuffled_between_nodes() {
    shuffles(raytree::init().nodes(2));
}
