//! Much at once, beside which nobody who lives is declared dead. Its long form is `raytree-bench -- soak`.

use raytree::get_all;
use raytree::prelude::*;

use super::support::{children, of};
use super::{Counter, square};

#[test]
fn a_storm_of_actors_beside_busy_cpus_declares_nobody_dead() {
    const ACTORS: usize = 4000;
    let plan = of(a_storm_of_actors_beside_busy_cpus_declares_nobody_dead);
    let cluster = plan.nodes(1).start();
    let driver = cluster.driver();
    let nodes = [cluster.own_node(), cluster.nodes[0].pid()];
    let workers = nodes.map(children);
    driver.run(async {
        let free = ActorOptions::new().cpus(0.0);
        let tasks: Vec<_> = (0..200).map(busy::remote).collect();
        let all: Vec<_> = (0..ACTORS).map(|_| Counter::with(free.clone()).remote(1)).collect();
        let sum: u64 = get_all(all.iter().map(|one| one.add(1))).await?.into_iter().sum();
        assert_eq!(sum, 2 * ACTORS as u64);
        get_all(tasks).await?;
        get_all((0..100).map(square::remote)).await
    });
    assert_eq!(nodes.map(children), workers, "nobody was replaced");
    let status = cluster.status();
    assert!(status.is_healthy() && status.nodes.iter().all(|node| node.life == 1));
    for daemon in [&cluster.head, &cluster.nodes[0]] {
        assert!(!daemon.log().contains(" died: "), "{}", daemon.log());
    }
}

/// Holds its thread for some milliseconds.
#[remote]
fn busy(seed: u64) -> u64 {
    (0..2_000_000).fold(seed, |hash: u64, x| (hash ^ x).wrapping_mul(0x0100_0000_01b3))
}
