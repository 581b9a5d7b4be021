use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, sync_channel};

use super::super::channel::tests::ways;
use super::*;

const MIB: usize = 1 << 20;
const MOST: usize = limits::LINK_WAITING_BYTES_MAX;

fn unwatched(writes: Writes) -> Outgoing {
    Outgoing::new(writes, Box::new(|| {}))
}

/// With how much waits whenever it is told that there is room again.
fn watched(writes: Writes) -> (Outgoing, Receiver<usize>) {
    let (tell, told) = sync_channel(64);
    let own: Arc<OnceLock<Outgoing>> = Arc::default();
    let known = Arc::clone(&own);
    let on_room = move || _ = tell.send(known.get().map_or(usize::MAX, Outgoing::waiting));
    let out = Outgoing::new(writes, Box::new(on_room));
    _ = own.set(out.clone());
    (out, told)
}

/// Nobody reads meanwhile.
fn crowds(out: &Outgoing) -> usize {
    let mut given = 0;
    while out.has_room() {
        // What waits of all that is given is what no socket took.
        assert!(given < 2 * MOST && out.waiting() <= MOST);
        out.give(message(0, MIB));
        given += MIB + 8;
    }
    given
}

fn reads(from: &mut dyn std::io::Read, mut bytes: usize) {
    let mut chunk = vec![0; MIB];
    while bytes > 0 {
        let most = bytes.min(MIB);
        bytes -= from.read(&mut chunk[..most]).expect("more");
    }
}

fn message(number: u64, apart: usize) -> Message {
    let buffers = if apart == 0 { Vec::new() } else { vec![vec![number as u8; apart].into()] };
    Message { front: number.to_le_bytes().to_vec(), buffers }
}

#[test]
fn og_1_messages_of_many_threads_go_out_whole_and_each_threads_in_order() {
    for (name, ours, mut theirs, _others) in ways() {
        let out = unwatched(ours);
        let givers: Vec<_> = (0..4u64)
            .map(|giver| {
                let out = out.clone();
                thread::spawn(move || {
                    for round in 0..500u64 {
                        // Small and large ones, more than a socket takes.
                        let apart = if round % 7 == 0 { 40_000 } else { 0 };
                        out.give(message(giver << 32 | round, apart));
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        for _ in 0..4 * 500 {
            let mut number = [0; 8];
            theirs.read_exact(&mut number).expect("a message");
            let number = u64::from_le_bytes(number);
            let (giver, round) = ((number >> 32) as usize, number & 0xFFFF_FFFF);
            assert_eq!(round, next[giver]);
            next[giver] += 1;
            if round % 7 == 0 {
                let mut apart = vec![0; 40_000];
                theirs.read_exact(&mut apart).expect("its buffer");
                assert!(apart.iter().all(|byte| *byte == number as u8), "{name}");
            }
        }
        givers.into_iter().for_each(|giver| giver.join().expect("no panic"));
    }
}

#[test]
fn og_2_who_gives_does_not_wait_for_one_who_does_not_read() {
    for (name, ours, mut theirs, _others) in ways() {
        let out = unwatched(ours);
        let rounds = 64;
        (0..rounds).for_each(|number| out.give(message(number, 1 << 20)));
        let mut read = 0u64;
        let mut chunk = vec![0; 1 << 20];
        while read < rounds * ((1 << 20) + 8) {
            let count = theirs.read(&mut chunk).expect("more");
            assert!(count > 0, "{name}");
            read += count as u64;
        }
        out.close();
        assert!(matches!(theirs.read(&mut chunk), Ok(0) | Err(_)), "{name}");
        // Nobody is there any more.
        out.give(message(1, 0));
    }
}

#[test]
fn og_3_room_is_told_once_for_each_time_that_there_was_none() {
    for (name, ours, mut theirs, _others) in ways() {
        let (out, told) = watched(ours);
        for _ in 0..2 {
            let given = crowds(&out);
            assert!(told.try_recv().is_err(), "{name}");
            // What is not new work goes in all the same.
            (0..100).for_each(|_| out.give(message(0, 0)));
            reads(&mut *theirs, given + 100 * 8);
            let waits = told.recv().expect("room");
            assert!(waits <= MOST / 2 && out.has_room(), "{name}: {waits}");
            while out.waiting() > 0 {
                thread::yield_now();
            }
            assert!(told.try_recv().is_err(), "{name}");
        }
        crowds(&out);
        out.close();
        assert_eq!((told.try_recv(), out.has_room()), (Ok(0), true), "{name}");
        out.close();
        assert!(told.try_recv().is_err(), "{name}");
    }
}

#[test]
fn og_3_one_message_may_be_larger_than_all_that_may_wait() {
    for (name, ours, mut theirs, _others) in ways() {
        let (out, told) = watched(ours);
        out.give(message(7, MOST + MIB));
        assert!(!out.has_room(), "{name}");
        reads(&mut *theirs, 8 + MOST + MIB);
        assert!(told.recv().is_ok_and(|waits| waits <= MOST / 2), "{name}");
    }
}

#[test]
fn og_4_what_is_left_goes_at_the_end_of_the_turn() {
    let turns = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let turns = turns.expect("a runtime");
    for (name, ours, mut theirs, _others) in ways() {
        let out = unwatched(ours);
        // Nobody looks after it.
        burst::in_turn(|| out.give(message(1, 0)));
        assert_eq!(out.waiting(), 0, "{name}");
        out.is_looked_after(turns.handle());
        burst::in_turn(|| out.give(message(2, 0)));
        assert_eq!((out.waiting(), out.is_empty()), (8, false), "{name}");
        burst::end_turn();
        assert!(out.is_empty(), "{name}");
        burst::in_turn(|| out.give(message(3, 0)));
        // One that is not left takes all that is.
        out.give(message(4, 0));
        assert!(out.is_empty(), "{name}");
        burst::in_turn(|| out.give(message(5, 0)));
        assert!(!out.is_empty(), "{name}");
        // Its giver does something else.
        turns.block_on(async {
            while !out.is_empty() {
                tokio::task::yield_now().await;
            }
        });
        burst::in_turn(|| out.give(message(6, TOGETHER)));
        assert!(out.is_empty(), "{name}: so much is not left");
        burst::in_turn(|| out.give(message(7, 0)));
        out.close();
        let mut all = vec![0; 7 * 8 + TOGETHER];
        theirs.read_exact(&mut all).expect("all of it");
        assert_eq!(all[all.len() - 8], 7, "{name}");
    }
}

#[test]
fn og_4_what_is_left_in_a_burst_goes_at_its_end() {
    for (name, ours, mut theirs, _others) in ways() {
        let out = unwatched(ours);
        let mut burst = burst::Burst::begin();
        out.give(message(1, 0));
        assert_eq!(out.waiting(), 8, "{name}");
        burst.flush();
        assert!(out.is_empty(), "{name}");
        out.give(message(2, 0));
        drop(burst);
        assert!(out.is_empty(), "{name}");
        reads(&mut *theirs, 16);
    }
}

#[test]
fn og_3_what_is_lent_waits_as_well_until_it_is_taken_over_or_the_end_comes() {
    for (name, ours, _theirs, _others) in ways() {
        let (out, told) = watched(ours);
        out.lends(MOST);
        assert!(out.has_room(), "{name}: it is the most there may be");
        out.lends(1);
        assert!(!out.has_room(), "{name}");
        out.is_given_back(MOST / 2);
        assert!(!out.has_room() && told.try_recv().is_err(), "{name}: it is more than half of it");
        out.is_given_back(1);
        assert!(out.has_room() && told.try_recv().is_ok(), "{name}");
        out.lends(MOST);
        out.close();
        assert!(out.has_room(), "{name}: whoever waits hears of the end");
        out.lends(2 * MOST);
        assert!(out.has_room(), "{name}: nothing is lent after it");
    }
}
