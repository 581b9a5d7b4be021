//! Bytes in both directions, over every kind of link.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::sync::mpsc::sync_channel;
use std::thread;

use raytree_wire::{ReadHalf, Stream, WriteHalf, read_frame, write_frame};

use crate::support::{GENEROUS, House, ways};

const MIB: usize = 1 << 20;

/// What stands at a place of the bytes that go one way.
fn block(way: u8) -> Vec<u8> {
    (0..MIB).map(|at| way.wrapping_add(u8::try_from(at % 251).unwrap())).collect()
}

fn sends(mut writes: WriteHalf, way: u8, mebibytes: usize) {
    let block = block(way);
    for _ in 0..mebibytes {
        writes.write_all(&block).unwrap();
    }
    writes.finish().unwrap();
}

fn receives(mut reads: ReadHalf, way: u8, mebibytes: usize) {
    let (expected, mut block) = (block(way), vec![0; MIB]);
    for _ in 0..mebibytes {
        reads.read_exact(&mut block).unwrap();
        assert!(block == expected);
    }
    assert_eq!(reads.read(&mut block).unwrap(), 0);
}

/// Fails where it would else hang.
fn in_time(run: impl FnOnce() + Send + 'static) {
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        run();
        _ = tell.send(());
    });
    told.recv_timeout(GENEROUS).expect("no panic, and an end in time");
}

#[test]
fn ws_1_64_mebibytes_go_both_ways_at_once() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((reads, writes), (hears, says)) = (one.split(), other.split());
        in_time(move || {
            thread::scope(|scope| {
                scope.spawn(move || sends(writes, 1, 64));
                scope.spawn(move || sends(says, 2, 64));
                scope.spawn(move || receives(reads, 2, 64));
                scope.spawn(move || receives(hears, 1, 64));
            });
        });
    }
}

#[test]
fn ws_1_who_writes_and_is_not_read_can_still_read() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((mut reads, mut writes), (mut hears, says)) = (one.split(), other.split());
        in_time(move || {
            thread::scope(|scope| {
                // More than any socket holds: it is blocked until somebody reads.
                scope.spawn(move || {
                    writes.write_all(&vec![7; 32 * MIB]).unwrap();
                    writes.finish().unwrap();
                });
                scope.spawn(move || sends(says, 1, 8));
                hears.read_exact(&mut [0]).unwrap();
                let (expected, mut got) = (block(1), vec![0; MIB]);
                for _ in 0..8 {
                    reads.read_exact(&mut got).unwrap();
                    assert!(got == expected);
                }
                assert_eq!(std::io::copy(&mut hears, &mut std::io::sink()).unwrap(), 33_554_431);
            });
        });
    }
}

/// Writes as much as is taken without a wait; says how much that was.
fn fills(writes: &mut WriteHalf, mut from: &[u8]) -> usize {
    let all = from.len();
    loop {
        assert!(!from.is_empty(), "a socket that takes everything");
        let (few, more) = from.split_at(from.len().min(9));
        match writes.write_now(&[IoSlice::new(few), IoSlice::new(more)]) {
            Ok(written) => from = &from[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return all - from.len(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
        }
    }
}

#[test]
fn who_writes_now_does_not_wait_and_loses_nothing() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((_reads, mut writes), (mut hears, _says)) = (one.split(), other.split());
        in_time(move || {
            let all: Vec<u8> = (0..64 * MIB).map(|at| (at % 251) as u8).collect();
            // Nobody reads.
            let mut done = fills(&mut writes, &all);
            assert_eq!(fills(&mut writes, &all[done..]), 0);
            let mut read = vec![0; MIB];
            for round in 0.. {
                hears.read_exact(&mut read).unwrap();
                assert!(read == all[round * MIB..][..MIB]);
                if done + 8 * MIB > all.len() {
                    break;
                }
                done += fills(&mut writes, &all[done..]);
            }
            // One who waits goes on where another one did not.
            thread::scope(|scope| {
                let rest = &all[done..];
                scope.spawn(move || {
                    writes.write_all(rest).unwrap();
                    writes.finish().unwrap();
                });
                let mut end = Vec::new();
                hears.read_to_end(&mut end).unwrap();
                assert!(end.len() % MIB == 0 && all.ends_with(&end));
            });
        });
    }
}

#[test]
fn what_a_write_now_has_begun_is_sent_before_the_end() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((_reads, mut writes), (mut hears, _says)) = (one.split(), other.split());
        in_time(move || {
            let block = vec![7; 64 * MIB];
            let done = fills(&mut writes, &block);
            thread::scope(|scope| {
                scope.spawn(move || writes.finish().unwrap());
                let arrived = std::io::copy(&mut hears, &mut std::io::sink()).unwrap() as usize;
                // Over TLS some was encrypted that nobody was told of.
                assert!((done..done + 64 * 1024 + 1).contains(&arrived), "{done} {arrived}");
            });
        });
    }
}

#[test]
fn less_than_is_on_its_way_already_is_refused() {
    for to in ways() {
        let (one, _other) = House::of(to).meet();
        let (is_encrypted, (_reads, mut writes)) = (one.is_encrypted(), one.split());
        let block = vec![7; 64 * MIB];
        fills(&mut writes, &block);
        let told = writes.write_now(&[IoSlice::new(&block[..1])]).unwrap_err().kind();
        let expected = if is_encrypted { ErrorKind::InvalidInput } else { ErrorKind::WouldBlock };
        assert_eq!(told, expected);
        // And one whose connection is gone is told that, not that it might wait.
        writes.closer().shutdown();
        let told = writes.write_now(&[IoSlice::new(&block)]).unwrap_err().kind();
        assert_eq!(told, ErrorKind::BrokenPipe);
    }
}

#[test]
fn a_shutdown_from_any_thread_ends_both_halves() {
    for to in ways() {
        let house = House::of(to);
        let (one, other) = house.meet();
        let closer = one.closer();
        let ((mut reads, mut writes), (mut hears, mut says)) = (one.split(), other.split());
        thread::scope(|scope| {
            let reader = scope.spawn(move || reads.read(&mut [0; 9]));
            let writer = scope.spawn(move || {
                let block = vec![0; MIB];
                loop {
                    if let Err(error) = writes.write_all(&block) {
                        return error.kind();
                    }
                }
            });
            // Nobody reads the rest: the writer is on its way into a wait.
            hears.read_exact(&mut [0; 9]).unwrap();
            closer.shutdown();
            closer.shutdown();
            assert_eq!(reader.join().unwrap().unwrap(), 0);
            assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
        });
        let mut rest = Vec::new();
        let end = hears.read_to_end(&mut rest).map_err(|error| error.kind());
        assert!(end.is_ok() == house.tls.is_none(), "{end:?}");
        while says.write_all(&[0; 1024]).is_ok() {}
    }
}

#[test]
fn a_half_that_is_dropped_is_an_end_in_order() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((mut reads, writes), (mut hears, mut says)) = (one.split(), other.split());
        drop(writes);
        assert_eq!(hears.read(&mut [0; 9]).unwrap(), 0);
        assert_eq!(hears.read(&mut [0; 9]).unwrap(), 0);
        // The other direction is open.
        says.write_all(b"still").unwrap();
        drop(says);
        let mut said = String::new();
        reads.read_to_string(&mut said).unwrap();
        assert_eq!(said, "still");
    }
}

#[test]
fn frames_of_all_sizes_go_over_every_kind_of_link() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((_reads, mut writes), (mut hears, _says)) = (one.split(), other.split());
        let sizes = [0, 1, 3, 16 * 1024, 64 * 1024 - 4, 64 * 1024, 64 * 1024 + 1, 3 * MIB];
        thread::scope(|scope| {
            scope.spawn(move || {
                for size in sizes {
                    write_frame(&mut writes, &vec![3; size], 4 * MIB).unwrap();
                }
            });
            for size in sizes {
                let frame = read_frame(&mut hears, 4 * MIB).unwrap().unwrap();
                assert!(frame == vec![3; size]);
            }
            assert!(read_frame(&mut hears, 4 * MIB).unwrap().is_none());
        });
    }
}

#[test]
fn small_reads_lose_nothing() {
    for to in ways() {
        let (one, other) = House::of(to).meet();
        let ((_reads, writes), (mut hears, _says)) = (one.split(), other.split());
        thread::scope(|scope| {
            scope.spawn(move || sends(writes, 5, 1));
            let (mut all, mut few) = (Vec::<u8>::new(), [0; 7]);
            loop {
                match hears.read(&mut few).unwrap() {
                    0 => break,
                    read => all.extend(&few[..read]),
                }
            }
            assert!(all == block(5));
        });
    }
}

/// Both are handed to threads.
#[test]
fn streams_travel_between_threads() {
    fn travels<T: Send + 'static>() {}
    travels::<Stream>();
    travels::<ReadHalf>();
    travels::<WriteHalf>();
}
