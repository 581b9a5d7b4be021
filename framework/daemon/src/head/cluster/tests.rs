//! Who is let in, and who is not any more. Nobody hears what is said: mirrors and drivers are not started.

use super::*;

fn cluster() -> Arc<Cluster> {
    let folder = std::env::temp_dir();
    Cluster::new(Settings::default(), Programs::new(&folder, 1))
}

fn offer() -> Offer {
    let (address, total) = ("here".to_owned(), Resources::default());
    Offer {
        address,
        total,
        workers: Vec::new(),
        ended: Vec::new(),
        version: String::new(),
        whereabouts: None,
        metrics: None,
    }
}

fn mirror() -> Addr<MirrorMsg> {
    Addr::system::<crate::head::mirror::NodeMirror>("n")
}

#[test]
fn a_life_is_that_of_one_process_until_it_has_ended() {
    let cluster = cluster();
    cluster.connected(7, "n".into(), mirror());
    let member = cluster.joins(7, None, (1, 1), offer(), None).expect("let in");
    assert!(member.incarnation > cluster.first_life, "{member}");
    assert!(cluster.is_life_of(7, &member));
    assert!(!cluster.is_life_of(8, &member), "another process");
    let before = Member::new("n".into(), ProcessIncarnation(member.incarnation.0 - 1));
    assert!(!cluster.is_life_of(7, &before), "an earlier life");
    cluster.process_ended(8, ExitStatus::Code(0));
    assert_eq!(cluster.nodes().len(), 1);
    cluster.process_ended(7, ExitStatus::Signal(9));
    assert!(cluster.nodes().is_empty(), "nobody waits for its silence");
    assert!(!cluster.is_life_of(7, &member));
}

#[test]
fn lives_of_another_head_are_nobody_here() {
    let cluster = cluster();
    cluster.connected(7, "n".into(), mirror());
    assert_eq!(cluster.joins(7, Some(ProcessIncarnation(1)), (1, 1), offer(), None), None);
    assert!(cluster.nodes().is_empty());
}

#[test]
fn while_the_cluster_ends_nobody_is_let_in() {
    let cluster = cluster();
    cluster.connected(7, "n".into(), mirror());
    cluster.ends();
    assert_eq!(cluster.joins(7, None, (1, 1), offer(), None), None);
    assert!(cluster.nodes().is_empty());
}
