//! Who waits for what is made again: several tasks for one object, calls in a mailbox, an actor that begins once more.

use std::fs;
use std::path::Path;

use futures_util::poll;
use raytree::prelude::*;
use raytree::state::{self, TaskState};
use raytree::{Bytes, ObjectRef, Result, get_all};

use super::super::spilled::{MIB, noise, sum};
use super::{Keeper, World, counted, joins, notes_a_run, turned, turns};

#[test]
fn what_two_need_is_made_again_once() {
    for are_held in [true, false] {
        World::new(&[]).run(async |world| {
            let top = counted::remote(world.notes("top"), 5);
            let sides = [
                turns::remote(world.notes("left"), &top),
                turns::remote(world.notes("right"), &top),
            ];
            let foot = joins::remote(world.notes("foot"), &sides[..]);
            let first = noise(5, MIB);
            let second = turned(&first);
            let last = [&second[..], &second[..]].concat();
            assert_eq!(sum(&(&foot).await?), sum(&last));
            // What holds them now are the lineages of those that are held.
            let held = are_held.then_some((top, sides));
            let lost: &[&[u8]] = if held.is_some() { &[&first, &second, &last] } else { &[&last] };
            world.loses(lost).await?;
            assert_eq!(sum(&(&foot).await?), sum(&last));
            for name in ["top", "left", "right", "foot"] {
                assert_eq!(world.runs(name), 2, "{name}");
            }
            Ok(())
        });
    }
}

/// Says that it runs, and then holds its CPU until there is a file.
#[remote]
fn holds(notes: String, gate: String) {
    notes_a_run(&notes);
    while !Path::new(&gate).exists() {
        std::thread::yield_now();
    }
}

/// What holds them until there is the gate.
async fn all_cpus_are_held(world: &World) -> Vec<ObjectRef<()>> {
    let hold = |_| holds::remote(world.notes("holds"), world.notes("gate"));
    let gates = (0..2).map(hold).collect();
    while world.runs("holds") < 2 {
        tokio::task::yield_now().await;
    }
    gates
}

/// Remembers what it was told, in the order in which it was.
struct Witness(Vec<u64>);

#[remote]
impl Witness {
    fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn sees(&mut self, bytes: &Bytes) -> u64 {
        self.0.push(sum(bytes));
        sum(bytes)
    }

    pub(crate) fn hears(&mut self, number: u64) -> u64 {
        self.0.push(number);
        number
    }

    pub(crate) fn all(&self) -> Vec<u64> {
        self.0.clone()
    }
}

#[test]
fn or_1_a_call_in_the_mailbox_waits_again_when_its_argument_is_lost_and_those_behind_it_too() {
    World::new(&[]).run(async |world| {
        let bytes = noise(81, MIB);
        let keeper = Keeper::remote();
        let object = counted::remote(world.notes("runs"), 81);
        assert_eq!(keeper.sum_of(vec![object.clone()]).await?, sum(&bytes));
        let gates = all_cpus_are_held(world).await;
        // It begins when there is a CPU: until then calls lie in its mailbox.
        let witness = Witness::with(ActorOptions::new().cpus(1.0)).remote();
        let other = witness.clone();
        let told = [
            witness.hears(1),
            witness.sees(&object),
            witness.hears(2),
            witness.sees(&object),
            witness.hears(3),
        ];
        let of_another = other.hears(100);
        world.loses_by(&[&bytes], |seed| keeper.noise(seed)).await?;
        assert_eq!(world.runs("runs"), 1);
        fs::write(world.notes("gate"), "").expect("a file");
        let expected = [1, sum(&bytes), 2, sum(&bytes), 3];
        assert_eq!(get_all(told).await?, expected);
        assert_eq!(of_another.await?, 100);
        let mut all = witness.all().await?;
        all.retain(|number| *number != 100);
        assert_eq!(all, expected, "in the order in which they were made");
        get_all(gates).await?;
        assert_eq!(world.runs("runs"), 2);
        Ok(())
    });
}

/// Is made of bytes.
struct Summed(u64);

#[remote]
impl Summed {
    fn new(bytes: &Bytes) -> Self {
        Self(sum(bytes))
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0
    }
}

#[test]
fn an_actor_begins_when_its_argument_that_was_lost_is_made_again() {
    World::new(&[]).run(async |world| {
        let bytes = noise(82, MIB);
        let object = counted::remote(world.notes("runs"), 82);
        assert_eq!(sum(&(&object).await?), sum(&bytes));
        world.loses(&[&bytes]).await?;
        assert_eq!(world.runs("runs"), 1);
        assert_eq!(Summed::remote(&object).sum().await?, sum(&bytes));
        assert_eq!(world.runs("runs"), 2);
        Ok(())
    });
}

/// Says that it runs, waits until there is a file, and then for what it was given.
#[remote]
fn reads_inside(notes: String, gate: String, objects: Vec<ObjectRef<Bytes>>) -> Result<u64> {
    notes_a_run(&notes);
    while !Path::new(&gate).exists() {
        std::thread::yield_now();
    }
    Ok(get_all(objects).get()?.iter().map(|bytes| sum(bytes)).sum())
}

#[test]
fn what_all_who_have_a_place_wait_for_is_made_again_all_the_same() {
    World::new(&[]).run(async |world| {
        let bytes = noise(83, MIB);
        let keeper = Keeper::remote();
        let object = counted::remote(world.notes("runs"), 83);
        assert_eq!(keeper.sum_of(vec![object.clone()]).await?, sum(&bytes));
        // More than have a place: the others are in line.
        let (notes, gate) = (world.notes("reads"), world.notes("gate"));
        let read = |_| reads_inside::remote(notes.clone(), gate.clone(), vec![object.clone()]);
        let read: Vec<_> = (0..64).map(read).collect();
        while world.runs("reads") < 2 {
            tokio::task::yield_now().await;
        }
        world.loses_by(&[&bytes], |seed| keeper.noise(seed)).await?;
        assert_eq!(world.runs("runs"), 1);
        fs::write(&gate, "").expect("a file");
        assert_eq!(get_all(read).await?, [sum(&bytes); 64]);
        assert_eq!(world.runs("runs"), 2);
        Ok(())
    });
}

/// Waits until there is a file.
#[remote]
fn counted_behind(notes: String, gate: String, seed: u64) -> Bytes {
    notes_a_run(&notes);
    while !Path::new(&gate).exists() {
        std::thread::yield_now();
    }
    noise(seed, MIB).into()
}

#[test]
fn what_is_being_made_again_is_not_made_twice_when_its_reader_has_left() {
    World::new(&[]).run(async |world| {
        let (first, gate) = (noise(84, MIB), world.notes("gate"));
        let second = turned(&first);
        fs::write(&gate, "").expect("a file");
        let top = counted_behind::remote(world.notes("top"), gate.clone(), 84);
        let foot = turns::remote(world.notes("foot"), &top);
        assert_eq!((sum(&(&top).await?), sum(&(&foot).await?)), (sum(&first), sum(&second)));
        world.loses(&[&first, &second]).await?;
        fs::remove_file(&gate).expect("it is there");
        let mut reader = Box::pin(top.into_future());
        while world.runs("top") < 2 {
            assert!(poll!(&mut reader).is_pending());
            tokio::task::yield_now().await;
        }
        // He had the last reference.
        drop(reader);
        let mut again = Box::pin(foot.into_future());
        let tasks = async |is: TaskState| state::tasks().is("state", is).await.map(|all| all.total);
        // It waits for what is being made again already.
        while tasks(TaskState::PendingArguments).await? == 0 {
            assert!(poll!(&mut again).is_pending());
            tokio::task::yield_now().await;
        }
        fs::write(&gate, "").expect("a file");
        assert_eq!(sum(&again.await?), sum(&second));
        assert_eq!((world.runs("top"), world.runs("foot")), (2, 2));
        // All that ran is over, and so the table says.
        for is in
            [TaskState::PendingArguments, TaskState::Queued, TaskState::Sent, TaskState::Running]
        {
            assert_eq!(tasks(is).await?, 0, "{is}");
        }
        Ok(())
    });
}
