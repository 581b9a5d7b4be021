//! What the stores of a cluster's nodes hold, as its tree shows it.

use raytree_types::inspect::StoreRow;
use serde::Deserialize as _;
use serde_json::Value;

use super::support::{Cluster, until};

/// Those of all nodes that answer.
pub(super) fn stores(cluster: &Cluster) -> Vec<StoreRow> {
    let (out, _, _) = cluster.raytree(&["tree", "--json"]);
    let tree: Value = serde_json::from_str(&out).unwrap_or_default();
    let mut found = Vec::new();
    collect(&tree, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<StoreRow>) {
    match value {
        Value::Object(fields) => {
            let store = fields.get("store").map(StoreRow::deserialize);
            found.extend(store.and_then(Result::ok));
            fields.values().for_each(|field| collect(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// What somebody holds or looks at, in memory or on disk.
pub(super) fn is_empty(store: &StoreRow) -> bool {
    store.objects + store.sealed + store.dying + store.spilled_objects == 0
}

/// Nothing is left of any object, in the stores of so many nodes.
pub(super) fn until_empty(cluster: &Cluster, nodes: usize) {
    until("the end of all objects", || {
        let all = stores(cluster);
        all.len() == nodes && all.iter().all(is_empty)
    });
}
