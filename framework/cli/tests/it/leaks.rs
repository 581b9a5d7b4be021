//! Objects that a program has forgotten, as an operator finds them.

use raytree::prelude::*;
use raytree::{Bytes, Result};

use crate::support::*;

const MIB: usize = 1 << 20;

#[remote]
fn makes(byte: u8) -> Bytes {
    vec![byte; MIB].into()
}

/// What a list says as JSON.
fn rows(place: &Place, arguments: &[&str]) -> Vec<serde_json::Value> {
    let (out, err, code) = place.raytree(&[arguments, &["--json"]].concat());
    assert_eq!((&*err, code), ("", 0), "{out}");
    let listed: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    listed["rows"].as_array().expect("rows").clone()
}

#[test]
fn a_leak_is_found_with_the_line_that_made_it() {
    let place = Place::new();
    let init = raytree::init().cpus(2.0).threads(2).nodes(1).log_to_driver(false);
    let init = init.setting("node.object_store_bytes", "32MiB").inspect_dir(place.path());
    let runtime = init.start().expect("a runtime");
    until(|| place.raytree(&["objects"]).2 == 0);
    let leaks = |arguments: &[&str]| {
        let age: &[_] =
            if arguments.contains(&"--older-than") { &[] } else { &["--older-than", "0s"] };
        rows(&place, &[&["objects", "--leaks"], age, arguments].concat())
    };
    let done: Result<()> = runtime.block_on(async {
        // Both sides know of the store then.
        makes::remote(0).await?;
        let leaked: Vec<_> = (1..6).map(|byte| makes::remote(byte)).collect();
        let line = line!() - 1;
        let used = makes::remote(7);
        raytree::wait(leaked.clone()).count(5).await?;
        let in_use = (&used).await?;

        let found = leaks(&[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["call_site"], format!("{}:{line}", file!()));
        assert_eq!((&found[0]["count"], &found[0]["size"]), (&5.into(), &(5 * MIB).into()));
        let objects = rows(&place, &["objects", "--where", "pins=0", "--sort", "-size"]);
        assert_eq!(objects.len(), 5, "{objects:?}");
        assert!(objects.iter().all(|row| row["place"] == "store" && row["size"] == MIB));
        assert_eq!(found[0]["owners"][0], objects[0]["owner"]);
        assert!(leaks(&["--where", "owner=nobody"]).is_empty());
        assert_eq!(leaks(&["--where", "size=5MiB"]).len(), 1);
        assert!(leaks(&["--older-than", "1h"]).is_empty(), "they are not so old");

        // What was looked at is forgotten, too, from then on.
        drop(in_use);
        assert_eq!(leaks(&[]).len(), 2);
        let (out, ..) = place.raytree(&["objects", "--leaks", "--older-than", "0s"]);
        let heads: Vec<_> = out.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(heads, ["SIZE", "COUNT", "AGE", "NAME", "CALL_SITE", "OWNER", "HELD_BY"]);
        drop((leaked, used));
        assert!(leaks(&[]).is_empty());
        Ok(())
    });
    done.expect("all is well");
    let (_, err, code) = place.raytree(&["objects", "--leaks", "--older-than", "long"]);
    assert_eq!((code, err.starts_with("raytree: --older-than: ")), (2, true), "{err}");
    runtime.shutdown();
}
