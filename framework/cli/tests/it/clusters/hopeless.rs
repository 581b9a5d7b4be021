//! What waits for something that no node has any more: whoever looks after the cluster is told, and it gets on when one comes.

use raytree::prelude::*;

use super::support::{of, until};
use super::{Counter, CounterHandle};

fn licensed(label: &str) -> CounterHandle {
    Counter::with(ActorOptions::new().label(label).resource("licence", 1.0).restarts(0)).remote(1)
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
    let (holder, waiter) = driver.run(async {
        let holder = licensed("holder");
        assert_eq!(holder.add(1).await?, 2);
        Ok((holder, licensed("waiter")))
    });
    cluster.node("rare").kill();
    let mut said = String::new();
    until("a warning", || {
        said = cluster.raytree(&["events", "--kind", "warning"]).0;
        said.contains("waits for 1 licence")
    });
    let expected = "waiter waits for 1 licence, which no node has: none of them has any of it";
    assert!(said.contains(expected), "{said}");
    let (why, err, _) = cluster.raytree(&["why", "waiter"]);
    assert!(why.contains("no node has 1 licence: none of them has any of it"), "{why}{err}");
    cluster.join("spare", &rare);
    assert_eq!(driver.run(async { waiter.add(1).await }), 2);
    driver.run(async {
        holder.add(1).await.expect_err("it died with its node");
        Ok(())
    });
}
