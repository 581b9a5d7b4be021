//! What waits for something that no node has any more: whoever looks after the cluster is told, and it gets on when one comes.

use raytree::prelude::*;

use super::Counter;
use super::support::{of, until};

#[remote]
fn licensed() -> u32 {
    7
}

#[test]
fn fe_1_what_waits_for_a_node_that_has_left_is_told_with_what_is_nearest() {
    let plan = of(fe_1_what_waits_for_a_node_that_has_left_is_told_with_what_is_nearest);
    let mut cluster = plan.nodes(1).start();
    let rare = ["--set", "node.resources=licence=1"];
    cluster.join("rare", &rare);
    let init = cluster.init().inspector(true).inspect_dir(cluster.sockets());
    let driver = cluster.driver_with(init);
    until("the licence", || {
        let _here = driver.0.enter();
        driver.0.cluster_resources().to_string().contains("licence")
    });
    let options = ActorOptions::new().label("holder").resource("licence", 1.0).restarts(0);
    let (holder, waits) = driver.run(async {
        let holder = Counter::with(options).remote(1);
        assert_eq!(holder.add(1).await?, 2);
        Ok((holder, licensed::with(TaskOptions::new().resource("licence", 1.0)).remote()))
    });
    cluster.node("rare").kill();
    let mut said = String::new();
    until("a warning", || {
        said = cluster.raytree(&["events", "--kind", "warning"]).0;
        said.contains("licensed waits")
    });
    let expected =
        "licensed waits for 1 CPU, 1 licence, which no node has: the nearest are 1 CPU of head";
    assert!(said.contains(expected), "{said}");
    let why = driver.run(async { raytree::state::why_object(&waits).await });
    let steps: Vec<&str> = why.steps.iter().map(|step| &*step.what).collect();
    assert!(
        steps.contains(&"no node has 1 CPU, 1 licence: the nearest are 1 CPU of head"),
        "{why:?}"
    );
    cluster.join("spare", &rare);
    assert_eq!(driver.run(waits), 7);
    driver.run(async {
        holder.add(1).await.expect_err("it died with its node");
        Ok(())
    });
}
