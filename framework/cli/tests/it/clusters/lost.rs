//! What goes with a node that is killed while it is needed, and is made again.

use raytree::prelude::*;
use raytree::{Bytes, get_all};
use rustix::process::Signal;

use super::moved::{is_all, made_left, two};
use super::stores::until_empty;
use super::support::{freeze, of, send};

const SIDES: usize = 12;
/// Of a part: so many that it lies in the store.
const LONG: usize = 256 << 10;

/// Remembers what it was told, in that order.
struct Witness(Vec<u8>);

#[remote(resources(right = 1))]
impl Witness {
    fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn hears(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn reads(&mut self, bytes: &Bytes) -> bool {
        self.0.push(bytes[0]);
        is_all(bytes, bytes[0])
    }

    pub(crate) fn told(&self) -> Vec<u8> {
        self.0.clone()
    }
}

#[test]
fn or_1_a_call_whose_argument_went_with_a_node_waits_until_it_is_made_again() {
    let plan = of(or_1_a_call_whose_argument_went_with_a_node_waits_until_it_is_made_again);
    let mut cluster = two(plan);
    let driver = cluster.driver();
    let (witness, object) = driver.run(async {
        let (witness, object) = (Witness::remote(), made_left::remote(7));
        raytree::wait([&object]).await?;
        witness.hears(1).await?;
        Ok((witness, object))
    });
    // Nothing comes from there any more, and nobody knows that.
    freeze(cluster.node("left").pid());
    let (read, heard) = driver.run(async { Ok((witness.reads(&object), witness.hears(2))) });
    cluster.node("left").kill();
    cluster.until_up(1);
    cluster.join("left", &["--set", "node.resources=left=4"]);
    cluster.until_up(2);
    driver.run(async {
        assert!(read.await?);
        heard.await?;
        assert_eq!(witness.told().await?, [1, 7, 2]);
        // It is there again for whoever asks next.
        assert!(witness.reads(&object).await?);
        assert_eq!(object.await?[0], 7);
        Ok(())
    });
    drop(witness);
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}

/// For each who reads a part, which says from whom it is and for whom.
#[remote]
fn parts(from: u8) -> Vec<Bytes> {
    let part = |to| [vec![from; LONG / 2], vec![to; LONG / 2]].concat().into();
    (0..SIDES as u8).map(part).collect()
}

/// From whom the parts are that are for this one, in their order.
#[remote]
fn gathered(to: u8, parts: Vec<Bytes>) -> Vec<u8> {
    let is_own = |part: &&Bytes| {
        let (from, own) = part.split_at(LONG / 2);
        from.iter().all(|byte| *byte == from[0]) && own.iter().all(|byte| *byte == to)
    };
    parts.iter().filter(is_own).map(|part| part[0]).collect()
}

#[test]
fn a_shuffle_ends_well_when_a_node_is_killed_in_the_middle_of_it() {
    let plan = of(a_shuffle_ends_well_when_a_node_is_killed_in_the_middle_of_it);
    let mut cluster = plan.no_own_node().start();
    for name in ["left", "middle", "right"] {
        cluster.join(name, &[]);
    }
    cluster.until_up(3);
    let killed = cluster.node("middle").pid();
    let driver = cluster.driver();
    driver.run(async {
        let mut readers: Vec<_> = (0..SIDES).map(|_| Vec::new()).collect();
        let mut made = Vec::new();
        for from in 0..SIDES as u8 {
            let all = parts::remote(from).elements(SIDES);
            made.extend(all.iter().cloned());
            readers.iter_mut().zip(all).for_each(|(reader, part)| reader.push(part));
        }
        // A third of all there is lies on each node.
        raytree::wait(&made).count(made.len()).await?;
        drop(made);
        let read = (0..).zip(readers).map(|(to, parts)| gathered::remote(to, parts));
        let read: Vec<_> = read.collect();
        raytree::wait(&read).count(2).await?;
        send(killed, Signal::KILL);
        let expected: Vec<u8> = (0..SIDES as u8).collect();
        assert_eq!(get_all(read).await?, vec![expected; SIDES]);
        Ok(())
    });
    drop(driver);
    cluster.until_free();
}
