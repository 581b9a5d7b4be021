//! What tasks and actors on nodes submit and create themselves.

use std::collections::BTreeSet;
use std::path::Path;

use raytree::prelude::*;
use raytree::{Result, get_all};

use super::within;

/// Waits until so many of its kind run at once, and says in which process.
#[remote]
fn meets(folder: String, number: usize, all: usize) -> u32 {
    std::fs::write(Path::new(&folder).join(number.to_string()), "").expect("a file");
    while std::fs::read_dir(&folder).expect("a folder").count() < all {
        std::thread::yield_now();
    }
    std::process::id()
}

#[remote]
async fn calls_a_meeting(folder: String, all: usize) -> Result<Vec<u32>> {
    let all: Vec<_> = (0..all).map(|number| meets::remote(folder.clone(), number, all)).collect();
    get_all(all).await
}

struct Child;

#[remote]
impl Child {
    fn new() -> Self {
        Self
    }

    pub(crate) fn process(&self) -> u32 {
        std::process::id()
    }
}

struct Parent {
    children: Vec<ChildHandle>,
}

#[remote]
impl Parent {
    fn new(children: usize) -> Self {
        Self { children: (0..children).map(|_| Child::remote()).collect() }
    }

    pub(crate) async fn processes(&self) -> Result<Vec<u32>> {
        get_all(self.children.iter().map(|child| child.process()).collect::<Vec<_>>()).await
    }

    pub(crate) fn child(&self) -> ChildHandle {
        self.children[self.children.len() - 1].clone()
    }
}

#[raytree::test(nodes = 2, cpus = 1)]
async fn what_a_task_submits_goes_to_other_nodes_when_its_own_is_busy() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().display().to_string();
        let met: BTreeSet<u32> =
            calls_a_meeting::remote(folder, 2usize).await?.into_iter().collect();
        assert_eq!(met.len(), 2);
        Ok(())
    })
    .await
}

#[remote]
async fn fans_out(width: usize) -> Result<usize> {
    Ok(get_all((0..width).map(|_| one::remote()).collect::<Vec<_>>()).await?.len())
}

#[remote]
fn one() -> usize {
    1
}

#[raytree::test(nodes = 2, cpus = 1)]
async fn tasks_that_wait_for_what_they_submitted_keep_no_seat_from_it() -> Result<()> {
    within(async {
        let all: Vec<_> = (0..40).map(|_| fans_out::remote(5usize)).collect();
        assert_eq!(get_all(all).await?, vec![5; 40]);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn actors_of_an_actor_are_spread_and_end_with_it() -> Result<()> {
    within(async {
        let parent = Parent::remote(6usize);
        let processes: BTreeSet<u32> = parent.processes().await?.into_iter().collect();
        assert_eq!(processes.len(), 2, "{processes:?}");
        assert!(!processes.contains(&std::process::id()));
        let child = parent.child().await?;
        assert!(processes.contains(&child.process().await?));
        parent.stop().await?;
        assert!(child.process().await.is_err(), "it ended before its parent");
        Ok(())
    })
    .await
}
