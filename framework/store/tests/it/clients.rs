//! Clients of one process; over memory of the heap and shared memory alike.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use raytree_store::{
    Client, ClientId, Lease, Location, Refused, Region, Standing, Store, Terms, Unreadable,
};
use raytree_types::limits;

const ROOM: u64 = 1 << 20;

/// So often something is done: where an interpreter does it, which takes a thousand times as long, less often.
const fn rounds(often: usize) -> usize {
    if cfg!(miri) { often.div_ceil(100) } else { often }
}

/// Each test, on both kinds of memory.
fn on_each(test: impl Fn(Store)) {
    test(Store::new(Region::Heap, ROOM).unwrap());
    // What interprets a test for its memory knows that of the heap alone.
    if !cfg!(miri) {
        test(Store::new(Region::Shared, ROOM).unwrap());
    }
}

/// A client and its name.
struct Joined {
    id: ClientId,
    client: Client,
}

impl Joined {
    fn new(store: &mut Store) -> Self {
        let (id, memory) = store.join().unwrap();
        Self { id, client: Client::new(memory) }
    }

    /// Writes an object in a room of its own, and says so.
    fn put(&self, store: &mut Store, bytes: &[u8]) -> Location {
        let lease = store.lease(self.id, Terms::one(bytes.len() as u64)).unwrap();
        let mut space = self.client.lend_one(lease, bytes.len() as u64).unwrap();
        space.fill(bytes);
        let at = space.seal();
        self.tells(store);
        at
    }

    fn tells(&self, store: &mut Store) {
        store.written(self.id, &self.client.written()).unwrap();
    }

    fn sees(&self, at: Location) -> Vec<u8> {
        self.client.view(at).unwrap().to_vec()
    }
}

#[test]
fn cl_2_an_object_is_read_by_all_where_it_lies_until_it_is_freed() {
    on_each(|mut store| {
        let (writer, reader) = (Joined::new(&mut store), Joined::new(&mut store));
        let at = writer.put(&mut store, b"one");
        let (one, two) = (writer.client.view(at).unwrap(), reader.client.view(at).unwrap());
        assert_eq!((&*one, &*two, one.as_ptr()), (&b"one"[..], &b"one"[..], two.as_ptr()));
        store.free(&[at]);
        assert_eq!(reader.client.view(at).unwrap_err(), Unreadable::Gone);
        drop(one);
        assert_eq!((store.sweep(), &*two), (0, &b"one"[..]));
        drop(two);
        assert_eq!((store.sweep(), store.used().objects), (64, 0));
    });
}

#[test]
fn an_empty_object_is_one_too() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let at = joined.put(&mut store, b"");
        assert_eq!(joined.sees(at), b"");
    });
}

#[test]
fn what_is_not_in_the_arena_is_not_read() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let at = joined.put(&mut store, b"here");
        let places = [
            Location { slot: u32::MAX, ..at },
            Location { offset: u64::MAX, ..at },
            Location { len: ROOM + 1, ..at },
        ];
        for outside in places {
            assert_eq!(joined.client.view(outside).unwrap_err(), Unreadable::Outside);
        }
        let other = Location { generation: at.generation + 1, ..at };
        assert_eq!(joined.client.view(other).unwrap_err(), Unreadable::Gone);
    });
}

#[test]
fn a_full_store_says_so_and_keeps_what_it_has() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let half = vec![7; ROOM as usize / 2];
        let all = [joined.put(&mut store, &half), joined.put(&mut store, &half)];
        let full = store.lease(joined.id, Terms::one(1)).unwrap_err();
        assert_eq!(
            full.to_string(),
            "no 1 bytes in one piece are free: 1048576 of 1048576 are taken, and the longest free piece has 0"
        );
        let never = store.lease(joined.id, Terms::one(ROOM + 1)).unwrap_err();
        assert_eq!(never, Refused::TooLarge { bytes: ROOM + 1, capacity: ROOM });
        assert!(all.iter().all(|at| joined.sees(*at) == half));
        store.free(&all[..1]);
        // Whoever asks next has it swept.
        joined.put(&mut store, &half);
    });
}

#[test]
fn whoever_asks_for_a_slot_has_the_store_swept() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let mut objects = Vec::new();
        let refused = loop {
            match store.lease(joined.id, Terms::one(1)) {
                Ok(lease) => objects.push(joined.client.lend_one(lease, 1).unwrap().seal()),
                Err(refused) => break refused,
            }
        };
        let limit = limits::STORE_OBJECTS_MIN as usize;
        assert_eq!((&refused, objects.len()), (&Refused::NoSlot { limit }, limit));
        joined.tells(&mut store);
        store.free(&objects[..1]);
        joined.put(&mut store, b"one more");
    });
}

#[test]
#[cfg_attr(miri, ignore = "as many views take an interpreter an hour")]
fn there_is_a_limit_to_views_and_no_harm_beyond_it() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let at = joined.put(&mut store, b"seen");
        let view = || joined.client.view(at);
        let mut views: Vec<_> = (0..limits::STORE_PINS_MAX).map(|_| view().unwrap()).collect();
        let more = view().unwrap_err();
        assert_eq!(more, Unreadable::TooManyViews { limit: limits::STORE_PINS_MAX as u32 });
        views.pop();
        assert_eq!(joined.sees(at), b"seen");
    });
}

#[test]
fn one_that_leaves_takes_what_it_was_writing_and_not_what_is_seen_or_was_written() {
    on_each(|mut store| {
        let Joined { id, client } = Joined::new(&mut store);
        let other = Joined::new(&mut store);
        let [stays, goes] = [&b"stays"[..], b"goes"].map(|bytes| {
            let lease = store.lease(id, Terms::one(5)).unwrap();
            let mut space = client.lend_one(lease, bytes.len() as u64).unwrap();
            space.fill(bytes);
            let at = space.seal();
            store.written(id, &client.written()).unwrap();
            at
        });
        let lease = store.lease(id, Terms::one(100)).unwrap();
        let mut space = client.lend_one(lease, 100).unwrap();
        let view = client.view(goes).unwrap();
        assert_eq!(store.hold(other.id, &stays), Standing::Sealed);
        store.leave(id);
        store.free(&[goes]);
        store.sweep();
        // It is still written to and read: nobody else has it.
        space.fill(&[1; 100]);
        assert_eq!((store.used().lent, store.used().dying, &*view), (128, 64, &b"goes"[..]));
        store.leave(id);
        drop((space, view, client));
        store.sweep();
        assert_eq!((store.used().lent, store.used().dying), (0, 0));
        assert_eq!((other.sees(stays), store.holders(&stays)), (b"stays".to_vec(), 1));
        assert_eq!(store.lease(id, Terms::one(1)), Err(Refused::Stranger(id)));
    });
}

#[test]
fn bk_2_what_is_never_said_to_be_sealed_goes_with_its_room_and_not_from_under_who_sees_it() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let lease = store.lease(joined.id, Terms { bytes: 640, objects: 8 }).unwrap();
        let room = lease.id;
        joined.client.lend(lease);
        let at = joined.client.space(64).unwrap().seal();
        let written = joined.client.written();
        let view = joined.client.view(at).unwrap();
        // Said in the wrong order.
        store.hand_back(joined.id, room).unwrap();
        let refused = store.written(joined.id, &written).unwrap_err();
        assert_eq!(refused, Refused::NotLent { client: joined.id, lease: room });
        assert_eq!((store.sweep(), store.used().dying), (0, 640));
        assert_eq!(joined.client.view(at).unwrap_err(), Unreadable::Gone);
        drop(view);
        assert_eq!((store.sweep(), store.used().dying), (640, 0));
    });
}

#[test]
fn bk_3_rooms_come_back_however_they_are_used() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        for round in 0..rounds(1000) {
            let lease = store.lease(joined.id, Terms { bytes: 4096, objects: 2 }).unwrap();
            joined.client.lend(lease);
            // Full, without a slot, given up, or too small for what comes next.
            let sizes: &[u64] = [&[4096][..], &[64, 64], &[4096], &[3000, 3000]][round % 4];
            for size in sizes {
                let Some(space) = joined.client.space(*size) else { continue };
                if round % 4 != 2 {
                    let at = space.seal();
                    joined.tells(&mut store);
                    store.free(&[at]);
                }
            }
            joined.tells(&mut store);
            store.sweep();
            assert_eq!((store.used().lent, store.used().dying), (0, 0), "{round}");
        }
        assert!(joined.client.written().is_empty());
    });
}

#[test]
fn cl_1_threads_that_write_at_once_have_rooms_of_their_own() {
    const THREADS: u8 = 4;
    const EACH: usize = rounds(200);
    on_each(|mut store| {
        let Joined { id, client } = Joined::new(&mut store);
        client.lend(store.lease(id, Terms::small()).unwrap());
        let (objects, gate) = (Mutex::new(Vec::new()), Barrier::new(THREADS.into()));
        thread::scope(|scope| {
            for byte in 0..THREADS {
                let (gate, client, objects) = (&gate, &client, &objects);
                scope.spawn(move || {
                    gate.wait();
                    for size in 1..=EACH {
                        let mut space = client.space(size as u64).unwrap();
                        space.fill(&vec![byte; size]);
                        objects.lock().unwrap().push((byte, space.seal()));
                    }
                });
            }
        });
        client.retire();
        store.written(id, &client.written()).unwrap();
        for (byte, at) in objects.into_inner().unwrap() {
            let view = client.view(at).unwrap();
            assert!(view.iter().all(|own| *own == byte), "{view:?}");
        }
        store.sweep();
        assert_eq!((store.used().lent, store.used().objects), (0, EACH * usize::from(THREADS)));
    });
}

#[test]
fn cl_1_a_room_is_not_handed_back_while_somebody_writes_there() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let lease = store.lease(joined.id, Terms::one(64)).unwrap();
        let room = lease.id;
        let space = joined.client.lend_one(lease, 64).unwrap();
        joined.client.retire();
        assert!(joined.client.written().is_empty());
        let at = space.seal();
        let written = joined.client.written();
        assert_eq!((written.sealed[0].location, written.spent), (at, vec![room]));
    });
}

/// Threads of one client look at objects that are written, freed and written over all the time.
#[test]
fn cl_2_what_threads_see_never_changes_while_they_see_it() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let (newest, is_over) =
            (Mutex::new(joined.put(&mut store, &[0; 256])), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let at = *newest.lock().unwrap();
                        if let Ok(view) = joined.client.view(at) {
                            let first = view[0];
                            thread::yield_now();
                            assert!(view.iter().all(|byte| *byte == first), "{view:?}");
                        }
                    }
                });
            }
            for round in 0..rounds(3000) {
                let at = joined.put(&mut store, &[round as u8; 256]);
                let old = std::mem::replace(&mut *newest.lock().unwrap(), at);
                store.free(&[old]);
                store.sweep();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        store.sweep();
        assert_eq!((store.used().objects, store.used().dying), (1, 0));
    });
}

#[test]
fn cl_1_what_is_lent_twice_or_not_in_the_arena_is_not_taken() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let lease = store.lease(joined.id, Terms { bytes: 128, objects: 2 }).unwrap();
        let copy = |part| Lease { id: lease.id, part, slots: lease.slots.clone() };
        let [again, outside, unaligned] =
            [lease.part.clone(), ROOM - 64..ROOM + 64, 1..65].map(copy);
        joined.client.lend(Lease { id: 97, ..outside });
        joined.client.lend(Lease { id: 98, ..unaligned });
        assert!(joined.client.space(1).is_none());
        joined.client.lend(lease);
        let first = joined.client.space(1).unwrap();
        assert!(joined.client.lend_one(again, 1).is_none());
        assert_ne!(first.seal().offset, joined.client.space(1).unwrap().seal().offset);
    });
}

#[test]
fn nobody_takes_more_slots_than_there_can_be_objects_in_what_is_lent() {
    on_each(|mut store| {
        let joined = Joined::new(&mut store);
        let lease = |store: &mut Store, bytes| {
            store.lease(joined.id, Terms { bytes, objects: u32::MAX }).unwrap().slots.len()
        };
        let most = limits::STORE_SLAB_OBJECTS as usize;
        assert_eq!((lease(&mut store, 128), lease(&mut store, ROOM / 2)), (2, most));
    });
}

#[test]
fn ho_1_an_object_is_there_for_as_long_as_a_process_holds_it() {
    on_each(|mut store| {
        let (one, other) = (Joined::new(&mut store), Joined::new(&mut store));
        let at = one.put(&mut store, b"held");
        assert_eq!([0; 2].map(|_| store.hold(other.id, &at)), [Standing::Sealed; 2]);
        store.release(one.id, &[at, at]);
        store.release(other.id, &[at]);
        assert_eq!((other.sees(at), store.holders(&at)), (b"held".to_vec(), 1));
        store.release(other.id, &[at]);
        assert_eq!((store.holders(&at), store.used().dying), (0, 64));
        assert_eq!(other.client.view(at).unwrap_err(), Unreadable::Gone);
        assert_eq!(store.hold(other.id, &at), Standing::Gone);
        assert_eq!(store.sweep(), 64);
    });
}

#[test]
fn ho_2_what_only_the_dead_held_is_free() {
    let region = if cfg!(miri) { Region::Heap } else { Region::Shared };
    let mut store = Store::new(region, ROOM).unwrap();
    let (id, memory) = store.join().unwrap();
    let other = Joined::new(&mut store);
    let one = Joined { id, client: Client::new(memory) };
    let [lost, kept] = [b"lost", b"kept"].map(|bytes| one.put(&mut store, bytes));
    // Told of, and not said to be written so far.
    let lease = store.lease(id, Terms::one(5)).unwrap();
    let space = one.client.lend_one(lease, 5).unwrap();
    let early = space.seal();
    let held = [&kept, &early].map(|at| store.hold(other.id, at));
    assert_eq!(held, [Standing::Sealed, Standing::Lent]);
    one.tells(&mut store);
    drop(one);
    store.leave(id);
    store.sweep();
    assert_eq!((store.used().objects, other.sees(kept)), (2, b"kept".to_vec()));
    assert_eq!((store.holders(&lost), store.holders(&early)), (0, 1));
    assert_eq!(store.hold(id, &kept), Standing::Gone);
    store.leave(other.id);
    drop(other);
    store.sweep();
    assert_eq!(store.used().objects + usize::try_from(store.used().sealed).unwrap(), 0);
}
