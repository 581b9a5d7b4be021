//! Clients of one process; over memory of the heap and shared memory alike.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use raytree_store::{Client, ClientId, ClientMemory, Refused, Region, Store, Terms, Unreadable};
use raytree_types::limits;

const ROOM: u64 = 1 << 20;

/// Each test, on both kinds of memory.
fn on_each(test: impl Fn(Store)) {
    for region in [Region::Heap, Region::Shared] {
        test(Store::new(region, ROOM).unwrap());
    }
}

fn joined(store: &mut Store) -> (ClientId, Client) {
    let (id, memory) = store.join().unwrap();
    (id, Client::new(memory).unwrap())
}

/// Writes an object, and says so.
fn put(
    store: &mut Store,
    (id, client): &(ClientId, Client),
    bytes: &[u8],
) -> raytree_store::Location {
    let mut space = client.space(bytes.len() as u64).unwrap_or_else(|| {
        let spent = client.spent();
        spent.into_iter().for_each(|lease| store.hand_back(*id, lease).unwrap());
        client.lend(store.lease(*id, Terms::one(bytes.len() as u64)).unwrap());
        client.space(bytes.len() as u64).unwrap()
    });
    space.fill(bytes);
    let sealed = space.seal();
    store.seal(*id, &[sealed]).unwrap();
    sealed.location
}

#[test]
fn cl_2_an_object_is_read_by_all_where_it_lies_until_it_is_freed() {
    on_each(|mut store| {
        let (writer, reader) = (joined(&mut store), joined(&mut store));
        let at = put(&mut store, &writer, b"one");
        let (one, two) = (writer.1.view(at).unwrap(), reader.1.view(at).unwrap());
        assert_eq!((&*one, &*two, one.as_ptr()), (&b"one"[..], &b"one"[..], two.as_ptr()));
        store.free(&[at]);
        assert_eq!(reader.1.view(at).unwrap_err(), Unreadable::Gone);
        drop(one);
        assert_eq!((store.sweep(), &*two), (0, &b"one"[..]));
        drop(two);
        assert_eq!((store.sweep(), store.used().objects), (64, 0));
    });
}

#[test]
fn an_empty_object_is_one_too() {
    on_each(|mut store| {
        let client = joined(&mut store);
        let at = put(&mut store, &client, b"");
        assert_eq!(&*client.1.view(at).unwrap(), b"");
    });
}

#[test]
fn what_is_not_in_the_arena_is_not_read() {
    on_each(|mut store| {
        let client = joined(&mut store);
        let at = put(&mut store, &client, b"here");
        let places = [
            raytree_store::Location { slot: u32::MAX, ..at },
            raytree_store::Location { offset: u64::MAX, ..at },
            raytree_store::Location { len: ROOM + 1, ..at },
        ];
        for outside in places {
            assert_eq!(client.1.view(outside).unwrap_err(), Unreadable::Outside);
        }
        let other = raytree_store::Location { generation: at.generation + 1, ..at };
        assert_eq!(client.1.view(other).unwrap_err(), Unreadable::Gone);
    });
}

#[test]
fn a_full_store_says_so_and_keeps_what_it_has() {
    on_each(|mut store| {
        let client = joined(&mut store);
        let half = vec![7; ROOM as usize / 2];
        let all = [put(&mut store, &client, &half), put(&mut store, &client, &half)];
        let full = store.lease(client.0, Terms::one(1)).unwrap_err();
        assert_eq!(
            full.to_string(),
            "no 1 bytes in one piece are free: 1048576 of 1048576 are taken, and the longest free piece has 0"
        );
        let never = store.lease(client.0, Terms::one(ROOM + 1)).unwrap_err();
        assert_eq!(never, Refused::TooLarge { bytes: ROOM + 1, capacity: ROOM });
        assert!(all.iter().all(|at| *client.1.view(*at).unwrap() == *half));
        store.free(&all[..1]);
        // Whoever asks next has it swept.
        put(&mut store, &client, &half);
    });
}

#[test]
fn there_is_a_limit_to_views_and_no_harm_beyond_it() {
    on_each(|mut store| {
        let client = joined(&mut store);
        let at = put(&mut store, &client, b"seen");
        let view = || client.1.view(at);
        let mut views: Vec<_> = (0..limits::STORE_PINS_MAX).map(|_| view().unwrap()).collect();
        let more = view().unwrap_err();
        assert_eq!(more, Unreadable::TooManyViews { limit: limits::STORE_PINS_MAX as u32 });
        views.pop();
        assert_eq!(&*view().unwrap(), b"seen");
    });
}

#[test]
fn one_that_leaves_takes_what_it_was_writing_and_not_what_others_of_its_process_see() {
    on_each(|mut store| {
        let (id, client) = joined(&mut store);
        let at = put(&mut store, &(id, client.clone()), b"stays");
        client.lend(store.lease(id, Terms::one(100)).unwrap());
        let mut space = client.space(100).unwrap();
        store.leave(id);
        // It is still written to: nobody else has it.
        space.fill(&[1; 100]);
        assert_eq!(store.used().lent, 128);
        drop((space, client));
        store.sweep();
        assert_eq!((store.used().lent, store.used().dying), (0, 0));
        let other = joined(&mut store);
        assert_eq!(&*other.1.view(at).unwrap(), b"stays");
    });
}

#[test]
fn cl_1_threads_that_write_at_once_have_rooms_of_their_own() {
    const THREADS: u8 = 4;
    const EACH: usize = 200;
    on_each(|mut store| {
        let (id, client) = joined(&mut store);
        client.lend(store.lease(id, Terms::small()).unwrap());
        let (sealed, gate) = (Mutex::new(Vec::new()), Arc::new(Barrier::new(THREADS.into())));
        thread::scope(|scope| {
            for byte in 0..THREADS {
                let (gate, client, sealed) = (Arc::clone(&gate), &client, &sealed);
                scope.spawn(move || {
                    gate.wait();
                    for size in 1..=EACH {
                        let mut space = client.space(size as u64).unwrap();
                        space.fill(&vec![byte; size]);
                        sealed.lock().unwrap().push((byte, space.seal()));
                    }
                });
            }
        });
        let sealed = sealed.into_inner().unwrap();
        let all: Vec<_> = sealed.iter().map(|(_, sealed)| *sealed).collect();
        store.seal(id, &all).unwrap();
        for (byte, sealed) in sealed {
            let view = client.view(sealed.location).unwrap();
            assert!(view.iter().all(|own| *own == byte), "{view:?}");
        }
        let lease = client.retire();
        lease.into_iter().for_each(|lease| store.hand_back(id, lease).unwrap());
        assert_eq!((store.used().lent, store.used().objects), (0, EACH * usize::from(THREADS)));
    });
}

#[test]
fn memory_that_is_no_store_is_not_used() {
    let (_, memory) = Store::new(Region::Heap, ROOM).unwrap().join().unwrap();
    let own = memory.clone();
    let client = Client::new(ClientMemory { generations: own.pins, ..memory }).unwrap();
    let lease = raytree_store::Lease { id: 1, part: ROOM..ROOM + 64, slots: vec![0] };
    client.lend(lease);
    assert!(client.space(1).is_none(), "what is lent is not in the arena");
}
