//! How one object is fetched into its room: on a thread that waits for the other node, and for its bytes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use raytree_store::{Lease, Location};
use raytree_supervise::panics;
use raytree_types::limits;

use super::connections::Connection;
use super::exchange::Exchange;
use super::help::Helpers;
use super::origin::Place;
use super::pieces::{Piece, Pieces};
use super::words::{Gives, Wants};
use crate::depot::Pulled;
use crate::protocol::Found;

/// Why an object did not come this time.
pub(super) enum Failed {
    /// It is not there, and will not be.
    Gone(String),
    /// The stream broke, or did not come about.
    Broken(io::Error),
    /// That of a copy did, which is not asked again.
    OfCopy(io::Error),
    /// Nobody wants it any more.
    Unwanted,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Copies that are none, or do not give it.
pub(super) type But = Arc<Mutex<Vec<Place>>>;

/// Where an object comes from.
struct Way<'a> {
    place: &'a Place,
    but: But,
    /// Who gave it.
    from: Vec<Place>,
}

/// What a node says of an object.
pub(super) enum Opened {
    /// It gives it, and knows of these copies.
    Here(Connection, Vec<Place>),
    /// There is a copy.
    At(Place),
}

impl Exchange {
    /// Fetches an object into this room, and tells all who want it. Says which node gave it, or
    /// the last part of it; none when it did not come.
    pub(crate) fn fetches(self: &Arc<Self>, place: &Place, room: Lease) -> Option<SocketAddr> {
        let mut way = Way { place, but: But::default(), from: Vec::new() };
        // Whatever happens, those who wait are told (PU-2).
        let pulled = panics::catch(|| self.fetch(&mut way, room));
        let lost = |why: String| Pulled::Failed(Found::Lost(why));
        let pulled = pulled.unwrap_or_else(|cause| lost(cause.to_string()));
        let depot = self.depot.upgrade()?;
        let copy = match &pulled {
            Pulled::Copied(copy) => Some(*copy),
            Pulled::Failed(why) => {
                tracing::warn!(from = %place.origin.at, object = ?place.object, ?why, "an object was not fetched");
                None
            }
            Pulled::LetBe => None,
        };
        depot.is_pulled(place, pulled);
        let given = copy.map(|_| way.from.last().unwrap_or(place).origin.at);
        if let Some(copy) = copy {
            self.tells_of(copy, place, way.from);
        }
        let but = std::mem::take(&mut *way.but.lock());
        self.tells_of_none(place, but);
        given
    }

    fn fetch(self: &Arc<Self>, way: &mut Way<'_>, room: Lease) -> Pulled {
        let Some(depot) = self.depot.upgrade() else { return Pulled::LetBe };
        let keeper = depot.keeper();
        drop(depot);
        let Some(mut space) = keeper.lend_one(room, way.place.object.len) else {
            return Pulled::Failed(Found::Away("its room is not there".to_owned()));
        };
        let filled = {
            let pieces = Pieces::of(&mut space, limits::PULL_PIECE as usize);
            self.fills(way, &pieces)
        };
        match filled {
            Ok(()) => Pulled::Copied(space.seal()),
            Err(Failed::Unwanted) => Pulled::LetBe,
            Err(Failed::Gone(why)) => Pulled::Failed(Found::Lost(why)),
            Err(Failed::Broken(error) | Failed::OfCopy(error)) => {
                let at = way.place.origin.at;
                Pulled::Failed(Found::Lost(format!("{at} does not give it: {error}")))
            }
        }
    }

    fn fills(self: &Arc<Self>, way: &mut Way<'_>, pieces: &Pieces<'_>) -> Result<(), Failed> {
        let place = way.place;
        // One that was not there a moment ago is asked once more, and not as often as one that is merely busy.
        let most =
            if self.connections.is_down(place.origin.at) { 0 } else { limits::PULL_TRIES_MAX };
        let mut tried = 0;
        while !pieces.are_done() {
            if !self.is_wanted(place) {
                return Err(Failed::Unwanted);
            }
            // What came before a stream broke need not come again.
            let before = pieces.come();
            let error = match self.tries(way, pieces) {
                Ok(()) => continue,
                Err(Failed::OfCopy(error)) => {
                    tracing::debug!(%error, "a copy of an object is none");
                    continue;
                }
                Err(Failed::Broken(error)) => error,
                Err(failed @ (Failed::Gone(_) | Failed::Unwanted)) => return Err(failed),
            };
            if pieces.come() > before {
                tried = 0;
            } else if tried >= most {
                self.connections.was_down(place.origin.at);
                return Err(Failed::Broken(error));
            } else {
                thread::park_timeout(limits::PULL_AGAIN_AFTER * (1 << tried));
                tried += 1;
            }
        }
        Ok(())
    }

    /// Whether somebody wants it still.
    fn is_wanted(&self, place: &Place) -> bool {
        self.depot.upgrade().is_some_and(|depot| depot.is_wanted(place))
    }

    /// There is a copy: those know of it who gave it, and the one who is asked by others. It is no loss if they do not hear it.
    fn tells_of(&self, object: Location, place: &Place, mut from: Vec<Place>) {
        if !from.contains(place) {
            from.push(place.clone());
        }
        for Place { origin, object: theirs } in from {
            let Ok(mut source) = self.connections.to(origin.at) else { continue };
            let copy = Place { origin: self.origin.clone(), object };
            if source.say(&Wants::Has { door: origin.door, object: theirs, copy }).is_ok() {
                self.connections.keep(source);
            }
        }
    }

    /// These are no copies, or give nothing: the one who has named them names them to nobody else.
    pub(super) fn tells_of_none(&self, Place { origin, object }: &Place, none: Vec<Place>) {
        for copy in none {
            let Ok(mut source) = self.connections.to(origin.at) else { return };
            let (door, object) = (origin.door.clone(), *object);
            if source.say(&Wants::Lacks { door, object, copy }).is_ok() {
                self.connections.keep(source);
            }
        }
    }

    /// Fetches what is missing, as far as it comes.
    fn tries(self: &Arc<Self>, way: &mut Way<'_>, pieces: &Pieces<'_>) -> Result<(), Failed> {
        let (from, mut connection, copies) = self.finds(way)?;
        let others = copies.into_iter().filter(|copy| *copy != from && copy.origin != self.origin);
        let others = others.take(limits::PULL_SOURCES_MAX - 1).collect();
        let helpers = Helpers::new(self, way.place, &way.but);
        let fetched = helpers.help(others, pieces, || takes(&mut connection, pieces));
        match fetched {
            Ok(()) => {
                connection.say(&Wants::Close)?;
                self.connections.keep(connection);
                way.from.push(from);
                Ok(())
            }
            Err(error) if from == *way.place => Err(error.into()),
            Err(error) => {
                way.but.lock().push(from);
                Err(Failed::OfCopy(error))
            }
        }
    }

    /// Who gives it: the one who has it, or a copy.
    fn finds(&self, way: &mut Way<'_>) -> Result<(Place, Connection, Vec<Place>), Failed> {
        let (place, but) = (way.place, &way.but);
        let known = || but.lock().clone();
        let is_wanted = || self.is_wanted(place);
        let mut at = place.clone();
        // Each who sends it on names a copy that is not among these.
        for _ in 0..=limits::PUSH_COPIES_MAX {
            match self.opens(&at, (&known(), false), is_wanted) {
                Ok(Opened::Here(connection, copies)) => return Ok((at, connection, copies)),
                Ok(Opened::At(copy)) if copy.origin != self.origin && !known().contains(&copy) => {
                    at = copy;
                }
                Ok(Opened::At(copy)) => but.lock().push(copy),
                Err(error @ Failed::Unwanted) => return Err(error),
                Err(error) if at == *place => return Err(error),
                Err(_) => {
                    but.lock().push(at);
                    at = place.clone();
                }
            }
        }
        // Nobody is asked for ever.
        match self.opens(place, (&known(), true), is_wanted)? {
            Opened::Here(connection, copies) => Ok((place.clone(), connection, copies)),
            Opened::At(_) => Err(Failed::Gone("it is sent on for ever".to_owned())),
        }
    }

    /// `is_wanted` is asked from time to time while the other side says that it waits.
    ///
    /// # Errors
    /// [`Failed::Unwanted`] when it is not any more.
    pub(super) fn opens(
        &self,
        at: &Place,
        (but, is_last): (&[Place], bool),
        mut is_wanted: impl FnMut() -> bool,
    ) -> Result<Opened, Failed> {
        let mut connection = self.connections.to(at.origin.at)?;
        loop {
            let asked = ask(&mut connection, at, but, is_last, &mut is_wanted);
            match asked {
                // It was closed since it was used last.
                Err(_) if connection.is_used => {
                    self.connections.forget(at.origin.at);
                    connection = self.connections.to(at.origin.at)?;
                }
                Err(error) => return Err(error.into()),
                Ok(Gives::Wait) => return Err(Failed::Unwanted),
                Ok(Gives::Opened { copies }) => return Ok(Opened::Here(connection, copies)),
                Ok(Gives::Elsewhere { copy }) => {
                    self.connections.keep(connection);
                    return Ok(Opened::At(copy));
                }
                Ok(Gives::Gone { why }) => {
                    self.connections.keep(connection);
                    return Err(Failed::Gone(why));
                }
                Ok(other @ Gives::Piece { .. }) => {
                    let why = format!("it says {other:?}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
                }
            }
        }
    }
}

/// Asks for an object; `Wait` is waited for as long as it is wanted, and is the answer then.
fn ask(
    connection: &mut Connection,
    at: &Place,
    but: &[Place],
    is_last: bool,
    is_wanted: &mut impl FnMut() -> bool,
) -> io::Result<Gives> {
    let (door, object) = (at.origin.door.clone(), at.object);
    connection.say(&Wants::Open { door, object, but: but.to_vec(), is_last })?;
    loop {
        match connection.hear()? {
            Gives::Wait if is_wanted() => {}
            given => return Ok(given),
        }
    }
}

/// Takes parts over one connection: the next one is asked for before the last one has come.
pub(super) fn takes(connection: &mut Connection, pieces: &Pieces<'_>) -> io::Result<()> {
    let wants = |connection: &mut Connection, piece: &Piece<'_>| {
        let (from, len) = (piece.from, piece.bytes.len() as u64);
        connection.say(&Wants::Piece { from, len })
    };
    let mut asked: Option<Piece<'_>> = None;
    loop {
        let next = pieces.take();
        let said = next.as_ref().map_or(Ok(()), |next| wants(connection, next));
        let Some(piece) = asked.take() else {
            if let Err(error) = said {
                next.into_iter().for_each(|next| pieces.back(next));
                return Err(error);
            }
            let Some(next) = next else { return Ok(()) };
            asked = Some(next);
            continue;
        };
        match said.and_then(|()| connection.take(piece.bytes, || pieces.moves())) {
            Ok(()) => pieces.done(piece),
            Err(error) => {
                next.into_iter().for_each(|next| pieces.back(next));
                pieces.back(piece);
                return Err(error);
            }
        }
        asked = next;
        if asked.is_none() {
            return Ok(());
        }
    }
}
