//! Parts of an object that come from its copies, while one who has it gives the rest.
//!
//! A copy that is not reached, or gives nothing, holds nobody up: what it was to give is fetched from the others, and whoever has named it hears
//! that it is none.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use parking_lot::Mutex;
use raytree_types::limits;
use raytree_wire::Closer;

use super::connections::Connection;
use super::exchange::Exchange;
use super::fetch::{But, Failed, Opened, takes};
use super::origin::Place;
use super::pieces::Pieces;
use super::words::Wants;

/// Those who fetch parts of one object from copies. See the [module documentation](self).
pub(super) struct Helpers<'a> {
    exchange: &'a Arc<Exchange>,
    place: &'a Place,
    but: &'a But,
    /// What ends those that are at work.
    at_work: Mutex<Vec<(Place, Closer)>>,
}

/// A copy that gives parts; none when there are no more to come.
type Opens = Option<(Place, Connection)>;

impl<'a> Helpers<'a> {
    pub(super) fn new(exchange: &'a Arc<Exchange>, place: &'a Place, but: &'a But) -> Self {
        Self { exchange, place, but, at_work: Mutex::default() }
    }

    /// Fetches all parts that there are: `takes` does, and beside it those who fetch from copies, if there is more than one for it.
    ///
    /// # Errors
    /// What `takes` says. All that could be fetched from copies is there all the same.
    pub(super) fn help(
        &self,
        copies: Vec<Place>,
        pieces: &Pieces<'_>,
        mut takes: impl FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        if copies.is_empty() || pieces.todo() < 2 {
            return takes();
        }
        // All that is ever said has room there.
        let (tell, told) = sync_channel(limits::PULL_SOURCES_MAX);
        copies.into_iter().for_each(|copy| self.opens(copy, tell.clone()));
        thread::scope(|all| {
            let hears = move || self.begins(all, pieces, &told);
            let name = "raytree-pulls".to_owned();
            // Without it there is no help.
            _ = thread::Builder::new().name(name).spawn_scoped(all, hears);
            let mut taken = takes();
            // What the others have is waited for as long as something comes.
            while pieces.held() > 0 || (taken.is_ok() && pieces.todo() > 0) {
                if !pieces.waits(limits::PULL_HELP_SILENT) {
                    self.hangs_up();
                }
                if taken.is_ok() {
                    taken = takes();
                }
            }
            _ = tell.send(None);
            taken
        })
    }

    /// On a thread that nobody waits for: a node that is gone does not answer for seconds.
    fn opens(&self, copy: Place, tell: SyncSender<Opens>) {
        let (exchange, home, but) =
            (Arc::clone(self.exchange), self.place.clone(), Arc::clone(self.but));
        let opens = move || match exchange.opens(&copy, (&[], true), || false) {
            // When it comes too late there is nothing to do any more.
            Ok(Opened::Here(connection, _)) => _ = tell.send(Some((copy, connection))),
            // It is busy.
            Err(Failed::Unwanted) => {}
            Ok(Opened::At(_)) | Err(_) => {
                but.lock().push(copy.clone());
                exchange.tells_of_none(&home, vec![copy]);
            }
        };
        _ = thread::Builder::new().name("raytree-opens".to_owned()).spawn(opens);
    }

    fn begins<'s>(
        &'s self,
        all: &'s Scope<'s, '_>,
        pieces: &'s Pieces<'_>,
        told: &Receiver<Opens>,
    ) {
        while let Ok(Some((copy, connection))) = told.recv() {
            let helps = move || self.fetches(copy, connection, pieces);
            // Without it the others do its part.
            _ = thread::Builder::new().name("raytree-pulls".to_owned()).spawn_scoped(all, helps);
        }
    }

    /// Fetches parts from a copy, for as long as there are any and it gives them.
    fn fetches(&self, copy: Place, mut connection: Connection, pieces: &Pieces<'_>) {
        self.at_work.lock().push((copy.clone(), connection.closer()));
        let taken = takes(&mut connection, pieces);
        self.at_work.lock().retain(|(own, _)| *own != copy);
        match taken.and_then(|()| connection.say(&Wants::Close)) {
            Ok(()) => self.exchange.connections.keep(connection),
            Err(_) => self.but.lock().push(copy),
        }
    }

    /// Whoever is at work has been silent.
    fn hangs_up(&self) {
        self.at_work.lock().drain(..).for_each(|(_, closer)| closer.shutdown());
    }
}
