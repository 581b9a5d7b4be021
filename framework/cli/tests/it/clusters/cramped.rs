//! Objects that come to a node whose store has no room for them yet.

use raytree::prelude::*;
use raytree::{Bytes, Result};

use super::moved::{LONG, is_all, made_left};
use super::stores::until_empty;
use super::support::{Cluster, of, until};

/// Looks at what it is given, so that it stays where it is.
struct Looks(Vec<Bytes>);

#[remote(resources(right = 1))]
impl Looks {
    fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn at(&mut self, bytes: Bytes) -> usize {
        self.0.push(bytes);
        self.0.len()
    }

    pub(crate) fn away(&mut self) {
        self.0.clear();
    }
}

#[remote(resources(right = 1))]
fn read_right(bytes: &Bytes, byte: u8) -> bool {
    is_all(bytes, byte)
}

/// How many wait for room in a store, of all nodes.
fn waiting(cluster: &Cluster) -> u64 {
    let (out, _, _) = cluster.raytree(&["tree", "--json"]);
    let tree: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
    sum(&tree)
}

fn sum(value: &serde_json::Value) -> u64 {
    match value {
        serde_json::Value::Object(fields) => {
            let own = fields.get("store").and_then(|store| store["waiting"].as_u64());
            own.unwrap_or_default() + fields.values().map(sum).sum::<u64>()
        }
        serde_json::Value::Array(items) => items.iter().map(sum).sum(),
        _ => 0,
    }
}

#[test]
fn a_task_whose_argument_has_no_room_yet_waits_for_it() {
    let plan = of(a_task_whose_argument_has_no_room_yet_waits_for_it);
    let mut cluster = plan.no_own_node().start();
    cluster.join("left", &["--set", "node.resources=left=4"]);
    // Two of the objects have room there, and not three.
    let bytes = format!("node.object_store_bytes={}", LONG * 8 / 3);
    let sets =
        ["--set", "node.resources=right=4", "--set", bytes.as_str(), "--set", "node.spill=false"];
    cluster.join("right", &sets);
    cluster.until_up(2);
    let driver = cluster.driver();
    driver.run(async {
        let looks = Looks::remote();
        for byte in 0..2 {
            assert_eq!(looks.at(made_left::remote(byte)).await?, usize::from(byte) + 1);
        }
        let large = made_left::remote(7);
        let reads: Vec<_> = (0..4).map(|_| read_right::remote(&large, 7)).collect();
        until("a fetch that waits for room", || waiting(&cluster) > 0);
        looks.away().await?;
        let read: Result<Vec<bool>> = raytree::get_all(reads).await;
        assert_eq!(read?, [true; 4]);
        Ok(())
    });
    until_empty(&cluster, 2);
    drop(driver);
    cluster.until_free();
}
