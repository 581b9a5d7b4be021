//! How one object is fetched: on a thread that waits for room, for the other node, and for its bytes.

use std::io;
use std::sync::Arc;
use std::thread;

use raytree_supervise::panics;
use raytree_types::limits;

use super::connections::Connection;
use super::exchange::Exchange;
use super::origin::Place;
use super::pieces::{Piece, Pieces};
use super::words::{Gives, Wants};
use crate::error::NotStored;
use crate::protocol::Found;
use crate::stored::Stored;

/// Why an object did not come this time.
enum Failed {
    /// It is not there, and will not be.
    Gone(String),
    /// The stream broke, or did not come about.
    Broken(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Where an object comes from.
struct Way<'a> {
    place: &'a Place,
    /// Copies that are none, or do not give it.
    but: Vec<Place>,
    /// Who gave it.
    from: Vec<Place>,
}

/// What a node says of an object.
enum Opened {
    /// It gives it, and knows of these copies.
    Here(Connection, Vec<Place>),
    /// There is a copy.
    At(Place),
}

impl Exchange {
    /// Fetches an object, and tells all who want it.
    pub(crate) fn fetches(&self, place: &Place) {
        let mut from = Vec::new();
        // Whatever happens, those who wait are told (PU-2).
        let fetched = panics::catch(|| self.fetch(place, &mut from));
        let fetched = fetched.unwrap_or_else(|cause| Err(Found::Lost(cause.to_string())));
        let Some(depot) = self.depot.upgrade() else { return };
        let gone = || Found::Lost("its copy is gone".to_owned());
        let told = match &fetched {
            Ok(stored) => stored.location().ok_or_else(gone),
            Err(why) => Err(why.clone()),
        };
        if let Err(why) = &told {
            tracing::warn!(from = %place.origin.at, object = ?place.object, ?why, "an object was not fetched");
        }
        depot.is_pulled(place, told);
        // From here on those hold it who have asked for it.
        match fetched {
            Ok(stored) => self.tells_of(&stored, place, from),
            // Its room goes back.
            Err(_) => self.session.says_what_is_spent(),
        }
    }

    /// # Errors
    /// What those are told who want it.
    fn fetch(&self, place: &Place, from: &mut Vec<Place>) -> Result<Arc<Stored>, Found> {
        let room = self.session.room(place.object.len);
        let mut space = room.map_err(|why| match why {
            NotStored::Refused(why) => Found::NoRoom(why),
            NotStored::Gone => Found::Lost(why.to_string()),
        })?;
        let mut way = Way { place, but: Vec::new(), from: Vec::new() };
        let pieces = Pieces::of(&mut space, limits::PULL_PIECE as usize);
        // One that was not there a moment ago is asked once more, and not as often as one that is merely busy.
        let most =
            if self.connections.is_down(place.origin.at) { 0 } else { limits::PULL_TRIES_MAX };
        let (mut tried, mut why) = (0, String::new());
        while !pieces.are_done() {
            // What came before a stream broke need not come again.
            let before = pieces.come();
            match self.tries(&mut way, &pieces) {
                Ok(()) => {}
                Err(Failed::Gone(why)) => return Err(Found::Lost(why)),
                Err(Failed::Broken(error)) => {
                    why = format!("{} does not give it: {error}", place.origin.at);
                }
            }
            if pieces.come() > before {
                tried = 0;
            } else if tried >= most {
                self.connections.was_down(place.origin.at);
                return Err(Found::Lost(why));
            } else {
                thread::park_timeout(limits::PULL_AGAIN_AFTER * (1 << tried));
                tried += 1;
            }
        }
        drop(pieces);
        *from = way.from;
        Ok(self.session.adopt(space))
    }

    /// There is a copy: those know of it who gave it, and the one who is asked by others. It is no loss if they do not hear it.
    fn tells_of(&self, stored: &Arc<Stored>, place: &Place, mut from: Vec<Place>) {
        let Some(object) = stored.location() else { return };
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

    /// Fetches what is missing, as far as it comes.
    fn tries(&self, way: &mut Way<'_>, pieces: &Pieces<'_>) -> Result<(), Failed> {
        let (from, mut connection, copies) = self.finds(way)?;
        let fetched = thread::scope(|all| {
            for copy in copies.iter().take(limits::PULL_SOURCES_MAX - 1) {
                // One part is left for who is at it already.
                if *copy != from && copy.origin != self.origin && pieces.todo() > 1 {
                    let name = "raytree-pulls".to_owned();
                    let helps = || self.helps(copy, pieces);
                    // Without it the others do its part.
                    _ = thread::Builder::new().name(name).spawn_scoped(all, helps);
                }
            }
            takes(&mut connection, pieces)
        });
        match fetched {
            Ok(()) => {
                connection.say(&Wants::Close)?;
                self.connections.keep(connection);
                way.from.push(from);
                Ok(())
            }
            Err(error) if from == *way.place => Err(error.into()),
            // A copy that went in the middle is not asked again.
            Err(_) => {
                way.but.push(from);
                Ok(())
            }
        }
    }

    /// Who gives it: the one who has it, or a copy.
    fn finds(&self, way: &mut Way<'_>) -> Result<(Place, Connection, Vec<Place>), Failed> {
        let Way { place, but, .. } = way;
        let place = *place;
        let mut at = place.clone();
        // Each who sends it on names a copy that is not among these.
        for _ in 0..=limits::PUSH_COPIES_MAX {
            match self.opens(&at, (but, false), || true) {
                Ok(Opened::Here(connection, copies)) => return Ok((at, connection, copies)),
                Ok(Opened::At(copy)) if copy.origin != self.origin && !but.contains(&copy) => {
                    at = copy;
                }
                Ok(Opened::At(copy)) => but.push(copy),
                Err(error) if at == *place => return Err(error),
                Err(_) => {
                    but.push(at);
                    at = place.clone();
                }
            }
        }
        // Nobody is asked for ever.
        match self.opens(place, (but, true), || true)? {
            Opened::Here(connection, copies) => Ok((place.clone(), connection, copies)),
            Opened::At(_) => Err(Failed::Gone("it is sent on for ever".to_owned())),
        }
    }

    /// `is_wanted` is asked from time to time while the other side says that it waits.
    fn opens(
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
                Ok(Gives::Opened { copies }) => return Ok(Opened::Here(connection, copies)),
                Ok(Gives::Elsewhere { copy }) => {
                    self.connections.keep(connection);
                    return Ok(Opened::At(copy));
                }
                Ok(Gives::Gone { why }) => {
                    self.connections.keep(connection);
                    return Err(Failed::Gone(why));
                }
                Ok(other @ (Gives::Wait | Gives::Piece { .. })) => {
                    let why = format!("it says {other:?}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
                }
            }
        }
    }

    /// Fetches parts from a copy, for as long as there are any and it gives them.
    fn helps(&self, copy: &Place, pieces: &Pieces<'_>) {
        let opened = self.opens(copy, (&[], true), || pieces.todo() > 0);
        let Ok(Opened::Here(mut connection, _)) = opened else { return };
        let closed = takes(&mut connection, pieces).and_then(|()| connection.say(&Wants::Close));
        if closed.is_ok() {
            self.connections.keep(connection);
        }
    }
}

/// Asks for an object; `Wait` is waited for, as long as it is wanted.
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
            Gives::Wait => return Err(io::Error::other("it is not wanted any more")),
            given => return Ok(given),
        }
    }
}

/// Takes parts over one connection: the next one is asked for before the last one has come.
fn takes(connection: &mut Connection, pieces: &Pieces<'_>) -> io::Result<()> {
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
        match said.and_then(|()| connection.take(piece.bytes)) {
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
