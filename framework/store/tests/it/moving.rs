//! Objects that are put out of memory and come back, over memory of the heap and shared memory alike.

use raytree_store::spill::{Key, Rules, Spill};
use raytree_store::{
    Client, ClientId, Location, Place, Region, Spilled, Standing, Store, Terms, Unreadable,
};

const ROOM: u64 = 1 << 20;

struct World {
    store: Store,
    spill: Spill,
    keeper: (ClientId, Client),
    user: (ClientId, Client),
    last: u128,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(region: Region) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::open(&[folder.path()], Rules::default()).unwrap().spill;
        let mut store = Store::new(region, ROOM).unwrap();
        let [keeper, user] = [0; 2].map(|_| {
            let (id, memory) = store.join().unwrap();
            (id, Client::new(memory))
        });
        Self { store, spill, keeper, user, last: 0, _folder: folder }
    }

    fn put(&mut self, bytes: &[u8]) -> Location {
        let (id, client) = &self.user;
        let len = bytes.len() as u64;
        let lease = self.store.lease(*id, Terms::one(len)).unwrap();
        let mut space = client.lend_one(lease, len).unwrap();
        space.fill(bytes);
        let at = space.seal();
        self.store.written(*id, &client.written()).unwrap();
        at
    }

    /// Writes what is to go to disk, as a store does, and says how much became free.
    fn spills(&mut self, bytes: u64) -> u64 {
        let objects = self.store.oldest(bytes, self.keeper.0, false);
        let written =
            objects.iter().map(|object| (*object, self.writes(object))).collect::<Vec<_>>();
        self.store.put_out(&written)
    }

    fn writes(&mut self, object: &Location) -> Spilled {
        if let Some(spilled) = self.store.on_disk(object) {
            return spilled;
        }
        self.last += 1;
        let key = Key(self.last);
        let view = self.keeper.1.view(*object).unwrap();
        (key, self.spill.write(&[(key, &view)]).unwrap()[0])
    }

    fn brings(&mut self, object: &Location) -> Location {
        let (id, client) = &self.keeper;
        let (lease, (key, extent)) = self.store.bring(*id, object).unwrap();
        let mut space = client.lend_one(lease.unwrap(), extent.len).unwrap();
        self.spill.read(key, &extent, &mut space).unwrap();
        let at = space.seal();
        self.store.written(*id, &client.written()).unwrap();
        assert_eq!(self.store.place(object), Place::Here(Location { len: object.len, ..at }));
        Location { len: object.len, ..at }
    }

    fn sees(&self, at: Location) -> Result<Vec<u8>, Unreadable> {
        self.user.1.view(at).map(|view| view.to_vec())
    }
}

fn on_each(test: impl Fn(World)) {
    [Region::Heap, Region::Shared].into_iter().map(World::new).for_each(test);
}

#[test]
fn bk_5_more_is_written_than_there_is_memory_and_all_is_read_as_it_was() {
    on_each(|mut world| {
        let bytes = |number: u8| vec![number; ROOM as usize / 4 - 100];
        let all: Vec<_> = (0..8)
            .map(|number| {
                if number >= 4 {
                    assert!(world.spills(1) > 0, "nobody looks at anything");
                }
                world.put(&bytes(number))
            })
            .collect();
        assert_eq!((world.store.used().objects, world.store.used().on_disk), (4, 4));
        for _ in 0..2 {
            for (number, object) in (0..).zip(&all) {
                let at = match world.store.place(object) {
                    Place::Here(at) => at,
                    Place::OnDisk => {
                        assert_eq!(world.sees(*object), Err(Unreadable::Gone), "it has moved");
                        world.spills(1);
                        world.brings(object)
                    }
                    Place::Gone => panic!("somebody holds it"),
                };
                assert_eq!(world.sees(at), Ok(bytes(number)), "object {number}");
            }
        }
        let once = 8 * (ROOM / 4);
        assert!(world.spill.used().bytes() < once + once / 8, "each was written once");
        world.store.release(world.user.0, &all);
        world.store.sweep();
        assert_eq!((world.store.used().taken(), world.store.used().on_disk), (0, 0));
        for (key, extent) in world.store.unneeded() {
            world.spill.remove(key, &extent).unwrap();
        }
        assert_eq!(world.spill.used().bytes(), 0);
    });
}

#[test]
fn bk_5_what_somebody_has_a_view_of_does_not_move() {
    on_each(|mut world| {
        let object = world.put(&[7; 1000]);
        let named = world.store.oldest(1, world.keeper.0, false);
        assert_eq!(named.len(), 1);
        let spilled = world.writes(&object);
        let view = world.user.1.view(object).unwrap();
        assert_eq!(world.store.put_out(&[(object, spilled)]), 0);
        assert_eq!((world.store.place(&object), &view[..]), (Place::Here(object), &[7; 1000][..]));
        assert_eq!(world.sees(object), Ok(vec![7; 1000]), "whoever comes now sees it, too");
        drop(view);
        assert!(world.spills(1) > 0);
        assert_eq!(world.spill.used().bytes() / 1000, 1, "it was on disk already");
        assert_eq!(world.store.standing(&object), Standing::Sealed);
    });
}

#[test]
fn bk_5_what_only_the_keeper_holds_is_not_put_out() {
    on_each(|mut world| {
        world.put(&[7; 1000]);
        let (user, client) = std::mem::replace(&mut world.user, world.keeper.clone());
        drop(client);
        let left = world.store.leave_to(user, world.keeper.0);
        assert_eq!((left.len(), world.store.oldest(1, world.keeper.0, false)), (1, Vec::new()));
    });
}

#[test]
fn bk_5_what_ends_while_it_is_on_its_way_leaves_nothing_on_disk() {
    on_each(|mut world| {
        let object = world.put(&[7; 1000]);
        let named = world.store.oldest(1, world.keeper.0, false);
        let spilled = world.writes(&named[0]);
        world.store.release(world.user.0, &[object]);
        assert_eq!(world.store.put_out(&[(named[0], spilled)]), 0);
        assert_eq!(world.store.unneeded(), [spilled]);
        let object = world.put(&[8; 1000]);
        assert!(world.spills(1) > 0);
        let (lease, spilled) = world.store.bring(world.keeper.0, &object).unwrap();
        assert!(world.store.bring(world.keeper.0, &object).is_none(), "it is on its way");
        world.store.release(world.user.0, &[object]);
        assert_eq!(
            (world.store.unneeded(), world.store.place(&object)),
            (vec![spilled], Place::Gone)
        );
        world.keeper.1.give_back(lease.unwrap());
        world.store.written(world.keeper.0, &world.keeper.1.written()).unwrap();
        world.store.sweep();
        assert_eq!(world.store.used().taken(), 0);
    });
}
