use proptest::prelude::*;

use super::*;

const ROOM: u64 = 64 * 64;

fn written(books: &mut Books, client: ClientId, len: u64) -> Location {
    let lease = books.lease(client, Terms::one(len)).unwrap();
    let location = at(books, lease.slots[0], lease.part.start, len);
    books.seal(client, &Sealed { lease: lease.id, location }).unwrap();
    books.hand_back(client, lease.id).unwrap();
    location
}

fn at(books: &Books, slot: u32, offset: u64, len: u64) -> Location {
    Location { slot, generation: books.generation(slot), offset, len }
}

#[test]
fn bk_2_what_is_freed_is_given_away_when_nobody_has_a_pin_on_it() {
    let mut books = Books::new(ROOM, 4);
    let client = books.join().unwrap();
    let object = written(&mut books, client, ROOM);
    let full = books.lease(client, Terms::one(1));
    assert!(
        matches!(full, Err(Refused::Full { bytes: 1, taken: ROOM, longest: 0, .. })),
        "{full:?}"
    );
    assert!(books.free(&object));
    assert!(!books.free(&object), "only once");
    assert_eq!(books.sweep(&HashSet::from([object.slot])), 0);
    assert!(books.lease(client, Terms::one(1)).is_err());
    assert_eq!(books.sweep(&HashSet::new()), ROOM);
    let again = written(&mut books, client, 1);
    assert_eq!((again.slot, again.generation), (object.slot, object.generation + 1));
    assert!(!books.free(&object), "the slot is another object's");
    assert_eq!(books.used().sealed, 64);
}

#[test]
fn bk_4_what_is_sealed_has_to_be_where_its_writer_may_write() {
    let mut books = Books::new(ROOM, 8);
    let (client, other) = (books.join().unwrap(), books.join().unwrap());
    let lease = books.lease(client, Terms { bytes: 256, objects: 4 }).unwrap();
    let foreign = books.lease(other, Terms { bytes: 256, objects: 4 }).unwrap();
    let [first, second] = [lease.slots[0], lease.slots[1]];
    let mut says = |who, lease, location| books.seal(who, &Sealed { lease, location });
    let place = |slot, offset, len| Location { slot, generation: 0, offset, len };
    assert_eq!(says(client, lease.id, place(first, 64, 64)), Ok(()));
    let not_lent = |client, lease| Err(Refused::NotLent { client, lease });
    assert_eq!(says(other, lease.id, place(second, 0, 1)), not_lent(other, lease.id));
    assert_eq!(says(client, 99, place(second, 0, 1)), not_lent(client, 99));
    let wrong = [
        (place(99, 0, 1), Fault::NoSuchSlot),
        (place(first, 128, 1), Fault::OtherSlot),
        (place(foreign.slots[0], 128, 1), Fault::OtherSlot),
        (Location { generation: 1, ..place(second, 0, 1) }, Fault::OtherGeneration),
        (place(second, 192, 65), Fault::Outside),
        (place(second, u64::MAX, 1), Fault::Outside),
        (place(second, 0, 65), Fault::Taken),
        (place(second, 64, 1), Fault::Taken),
        (place(second, 100, 1), Fault::Taken),
        (place(second, 130, 1), Fault::Unaligned),
    ];
    for (location, why) in wrong {
        assert_eq!(says(client, lease.id, location), Err(Refused::Misplaced { location, why }));
    }
    assert_eq!(says(client, lease.id, place(second, 128, 0)), Ok(()));
    assert_eq!((books.used().sealed, books.used().objects), (128, 2));
}

#[test]
fn what_its_writer_has_not_said_to_be_sealed_is_not_freed() {
    let mut books = Books::new(ROOM, 4);
    let client = books.join().unwrap();
    let lease = books.lease(client, Terms::one(64)).unwrap();
    let location = at(&books, lease.slots[0], lease.part.start, 64);
    assert_eq!((books.standing(&location), books.free(&location)), (Standing::Lent, false));
    assert_eq!(books.seal(client, &Sealed { lease: lease.id, location }), Ok(()));
    assert_eq!((books.standing(&location), books.free(&location)), (Standing::Sealed, true));
    assert_eq!(books.standing(&location), Standing::Gone);
}

#[test]
fn bk_3_what_an_ended_process_was_writing_is_free_and_what_it_wrote_is_not() {
    let mut books = Books::new(ROOM, 8);
    let client = books.join().unwrap();
    let lease = books.lease(client, Terms { bytes: ROOM, objects: 3 }).unwrap();
    let location = at(&books, lease.slots[0], lease.part.start + 64, 64);
    books.seal(client, &Sealed { lease: lease.id, location }).unwrap();
    // Somebody was told of another one, which nobody will say is sealed.
    let told = at(&books, lease.slots[1], lease.part.start, 64);
    let mut changed = books.leave(client);
    changed.sort_unstable();
    let mut expected = lease.slots[1..].to_vec();
    expected.sort_unstable();
    assert_eq!(changed, expected);
    assert_eq!(books.sweep(&HashSet::from([told.slot])), 0, "it is read");
    assert_eq!(books.sweep(&HashSet::new()), ROOM - 64);
    assert_eq!(books.lease(client, Terms::one(1)), Err(Refused::Stranger(client)));
    assert!(books.free(&location));
    books.sweep(&HashSet::new());
    assert_eq!(books.used(), Used { capacity: ROOM, touched: ROOM, ..Used::default() });
}

#[test]
fn what_can_never_be_is_said_at_once() {
    let mut books = Books::new(ROOM, 1);
    let client = books.join().unwrap();
    let refused = books.lease(client, Terms::one(ROOM + 1)).unwrap_err();
    assert_eq!(refused.to_string(), "4097 bytes are more than the whole store, which has 4096");
    written(&mut books, client, 1);
    assert_eq!(books.lease(client, Terms::one(1)), Err(Refused::NoSlot { limit: 1 }));
    while books.join().is_ok() {}
    assert_eq!(books.join(), Err(Refused::NoClient { limit: limits::STORE_CLIENTS_MAX }));
}

#[test]
fn bk_5_an_object_is_the_same_wherever_it_is() {
    let mut books = Books::new(ROOM, 8);
    let client = books.join().unwrap();
    let object = written(&mut books, client, ROOM / 2);
    let other = written(&mut books, client, ROOM / 2);
    assert_eq!(
        books.oldest(1, &HashSet::from([object.slot]), |_| true),
        [other],
        "it is looked at"
    );
    assert_eq!(books.oldest(1, &HashSet::new(), |_| true), [object]);
    assert_eq!(books.oldest(1, &HashSet::new(), |_| true), [], "both were named");
    books.put_out(object.slot);
    assert_eq!((books.place(&object), books.standing(&object)), (Place::OnDisk, Standing::Sealed));
    assert_eq!((books.used().sealed, books.used().objects, books.used().on_disk), (ROOM / 2, 1, 1));
    let lease = books.bring(client, object.slot).unwrap().unwrap();
    assert_eq!((&lease.slots, books.place(&object)), (&vec![object.slot], Place::OnDisk));
    assert_eq!(books.bring(client, object.slot), None, "it is on its way");
    // Whoever was to read it has given up.
    assert_eq!(books.hand_back(client, lease.id), Ok(vec![object.slot]));
    assert_eq!(books.place(&object), Place::OnDisk);
    books.sweep(&HashSet::new());
    let lease = books.bring(client, object.slot).unwrap().unwrap();
    let back = at(&books, object.slot, lease.part.start, object.len);
    books.seal(client, &Sealed { lease: lease.id, location: back }).unwrap();
    assert_eq!(books.place(&object), Place::Here(back));
    assert!(back.generation > object.generation);
    assert!(books.free(&object), "by whatever place it is known");
    assert_eq!(
        (books.place(&back), books.used().objects, books.used().on_disk),
        (Place::Gone, 1, 0)
    );
}

#[test]
fn bk_5_what_is_freed_while_it_comes_back_goes_with_its_room() {
    let mut books = Books::new(ROOM, 1);
    let client = books.join().unwrap();
    let object = written(&mut books, client, ROOM);
    books.oldest(1, &HashSet::new(), |_| true);
    books.put_out(object.slot);
    let lease = books.bring(client, object.slot).unwrap().unwrap();
    let back = at(&books, object.slot, lease.part.start, object.len);
    assert!(books.free(&object));
    assert_eq!(books.place(&object), Place::Gone);
    let sealed = books.seal(client, &Sealed { lease: lease.id, location: back });
    assert!(matches!(sealed, Err(Refused::Misplaced { why: Fault::OtherSlot, .. })));
    // Nor does one that has looked at the generation only now.
    let late = at(&books, object.slot, lease.part.start, object.len);
    let sealed = books.seal(client, &Sealed { lease: lease.id, location: late });
    assert!(matches!(sealed, Err(Refused::Misplaced { why: Fault::OtherSlot, .. })));
    books.hand_back(client, lease.id).unwrap();
    books.sweep(&HashSet::new());
    assert_eq!(books.used(), Used { capacity: ROOM, touched: ROOM, ..Used::default() });
    written(&mut books, client, 1);
}

/// A reader as `pins.rs` has it: it keeps what it has found with its generation.
struct Reader {
    slot: u32,
    part: Range<u64>,
}

#[derive(Default)]
struct World {
    clients: Vec<ClientId>,
    /// Rooms, and from where on nothing was written.
    leases: Vec<(ClientId, Lease, u64)>,
    /// Objects of which somebody may have a reference; some were never said to be sealed.
    objects: Vec<Location>,
    readers: Vec<Reader>,
}

impl World {
    fn is_lent(&mut self, books: &mut Books, which: usize, size: u64) -> Result<(), TestCaseError> {
        let pick = |len: usize| which.checked_rem(len);
        let Some(client) = pick(self.clients.len()).map(|at| self.clients[at]) else {
            return Ok(());
        };
        let terms = Terms { bytes: size * 64, objects: 1 + which as u32 % 3 };
        if let Ok(lease) = books.lease(client, terms) {
            let overlaps = |part: &Range<u64>| {
                !part.is_empty() && part.start < lease.part.end && lease.part.start < part.end
            };
            // BK-2: nobody who reads has these bytes.
            prop_assert!(!self.readers.iter().any(|reader| overlaps(&reader.part)));
            prop_assert!(
                !self.leases.iter().any(|(_, other, at)| overlaps(&(*at..other.part.end)))
            );
            let from = lease.part.start;
            self.leases.push((client, lease, from));
        }
        Ok(())
    }

    fn writes(&mut self, books: &mut Books, which: usize, size: u64) -> Result<(), TestCaseError> {
        let pick = |len: usize| which.checked_rem(len);
        let Some(at) = pick(self.leases.len()) else { return Ok(()) };
        let (client, lease, from) = &mut self.leases[at];
        let len = (size * 16).min(lease.part.end.saturating_sub(*from));
        let Some(slot) = lease.slots.pop().filter(|_| len > 0) else { return Ok(()) };
        let generation = books.generation(slot);
        let location = Location { slot, generation, offset: *from, len };
        *from += Allocator::rounded(len);
        self.objects.push(location);
        // Sometimes a reader and a free come before the word of it.
        if size.is_multiple_of(3) {
            self.readers.push(Reader { slot, part: location.offset..location.offset + len });
        }
        let sealed = Sealed { lease: lease.id, location };
        // And sometimes there never is one.
        if !size.is_multiple_of(7) {
            prop_assert_eq!(books.seal(*client, &sealed).err(), None);
        }
        Ok(())
    }

    fn puts_out(&mut self, books: &mut Books, size: u64) -> Result<(), TestCaseError> {
        let pinned = self.readers.iter().map(|reader| reader.slot).collect();
        for object in books.oldest(size * 64, &pinned, |_| true) {
            prop_assert!(!pinned.contains(&object.slot));
            if size.is_multiple_of(5) {
                books.spare(&object);
            } else {
                books.put_out(object.slot);
            }
        }
        Ok(())
    }

    fn brings(&mut self, books: &mut Books, which: usize, size: u64) -> Result<(), TestCaseError> {
        let pick = |len: usize| which.checked_rem(len);
        let (Some(object), Some(client)) = (pick(self.objects.len()), pick(self.clients.len()))
        else {
            return Ok(());
        };
        let (object, client) = (self.objects[object], self.clients[client]);
        let Some(Ok(lease)) = books.bring(client, object.slot) else { return Ok(()) };
        let overlaps =
            |part: &Range<u64>| part.start < lease.part.end && lease.part.start < part.end;
        prop_assert!(!self.readers.iter().any(|reader| overlaps(&reader.part)));
        if size.is_multiple_of(5) {
            // Whoever was to bring it dies.
            self.leases.push((client, lease, u64::MAX));
            return Ok(());
        }
        let generation = books.generation(object.slot);
        let (offset, len) = (lease.part.start, lease.part.end - lease.part.start);
        let location = Location { slot: object.slot, generation, offset, len };
        prop_assert_eq!(books.seal(client, &Sealed { lease: lease.id, location }), Ok(()));
        prop_assert_eq!(books.hand_back(client, lease.id).err(), None);
        Ok(())
    }

    fn step(
        &mut self,
        books: &mut Books,
        what: u8,
        which: usize,
        size: u64,
    ) -> Result<(), TestCaseError> {
        let pick = |len: usize| which.checked_rem(len);
        match what {
            0 => self.clients.extend(books.join().ok()),
            1 | 2 => return self.is_lent(books, which, size),
            3 | 4 => return self.writes(books, which, size),
            5 => {
                let Some(at) = pick(self.objects.len()) else { return Ok(()) };
                if let Place::Here(location) = books.place(&self.objects[at]) {
                    let part = location.offset..location.offset + location.len;
                    self.readers.push(Reader { slot: location.slot, part });
                }
            }
            6 => _ = pick(self.readers.len()).map(|at| self.readers.swap_remove(at)),
            7 => {
                let Some(at) = pick(self.objects.len()) else { return Ok(()) };
                let location = self.objects[at];
                // One whose writer has not said so yet stays.
                if books.free(&location) {
                    self.objects.swap_remove(at);
                }
            }
            8 => {
                let Some(at) = pick(self.leases.len()) else { return Ok(()) };
                let (client, lease, _) = self.leases.swap_remove(at);
                prop_assert_eq!(books.hand_back(client, lease.id).err(), None);
            }
            9 => {
                let Some(at) = pick(self.clients.len()) else { return Ok(()) };
                let client = self.clients.swap_remove(at);
                books.leave(client);
                self.leases.retain(|(own, ..)| *own != client);
            }
            10 => return self.puts_out(books, size),
            11 => return self.brings(books, which, size),
            _ => _ = books.sweep(&self.readers.iter().map(|reader| reader.slot).collect()),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn bk_1_bk_2_bk_3_bk_5_hold_whoever_writes_reads_frees_puts_out_and_dies(
        steps in prop::collection::vec((0u8..14, any::<usize>(), 1u64..20), 1..300),
    ) {
        let mut books = Books::new(ROOM, 24);
        let mut world = World::default();
        for (what, which, size) in steps {
            world.step(&mut books, what, which, size)?;
            let used = books.used();
            prop_assert_eq!(used.taken(), books.allocator.taken());
            let on_disk = books.slots.iter().zip(0..);
            let on_disk = on_disk.filter(|(own, slot)| match own {
                Slot::OnDisk(_) => true,
                Slot::Lent { .. } => books.was_put_out(*slot),
                _ => false,
            });
            prop_assert_eq!(used.on_disk, on_disk.count());
        }
        for client in world.clients {
            books.leave(client);
        }
        for location in &world.objects {
            books.free(location);
        }
        books.sweep(&HashSet::new());
        let used = books.used();
        prop_assert_eq!(used, Used { capacity: ROOM, touched: used.touched, ..Used::default() });
        prop_assert_eq!((books.allocator.taken(), books.free_slots.len()), (0, books.slots.len()));
        prop_assert!(books.slots.len() <= 24);
        prop_assert!(books.slots.iter().all(|slot| *slot == Slot::Free));
    }
}
