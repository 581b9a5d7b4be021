//! Somebody below a mirror, whose tree is shown as a part of this one: followed while somebody looks, and remembered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use raytree_supervise::{NoWay, Passage, Sight, clock};
use raytree_types::inspect::place;
use raytree_types::inspect::{Answer, Request, Selection, TreeRow};
use raytree_types::limits;
use rustix::process::geteuid;

use super::line::{Line, SocketLine};
use super::{AskError, Client, find};

/// How a process is reached that is to be looked at.
pub trait Dial: Send + Sync + fmt::Debug + 'static {
    /// A new connection with it. Blocks, at most so long.
    ///
    /// # Errors
    /// [`AskError`].
    fn dial(&self, within: Duration) -> Result<Box<dyn Line>, AskError>;
}

/// A process of this machine and this user, through its socket.
#[derive(Debug)]
pub struct SocketDial {
    /// Its number.
    pub pid: u32,
    /// Where the sockets lie, if not where they lie by default.
    pub folder: Option<PathBuf>,
}

impl Dial for SocketDial {
    fn dial(&self, _within: Duration) -> Result<Box<dyn Line>, AskError> {
        let by_default = || place::folder(geteuid().as_raw());
        let folder = self.folder.clone().unwrap_or_else(by_default);
        let found = find(&folder).map_err(|error| AskError::Nonsense(error.to_string()))?;
        // Its first runtime is the one that works for us; others are its own affair.
        let own = found.into_iter().find(|(name, _)| name.pid == self.pid);
        let (_, path) = own.ok_or(AskError::Shut)?;
        Ok(Box::new(SocketLine::open(&path)?))
    }
}

/// The passage to one process. Only one question is under way at a time.
pub struct Feed {
    dial: Box<dyn Dial>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    /// What was seen last, and when.
    seen: Option<(Arc<Vec<TreeRow>>, u64, Duration)>,
    /// It did not answer in time.
    is_silent: bool,
}

impl Feed {
    /// Nobody is dialed before somebody looks.
    #[must_use]
    pub fn new(dial: impl Dial) -> Arc<Self> {
        Arc::new(Self { dial: Box::new(dial), state: Mutex::default() })
    }

    /// To the runtime of a process of this machine.
    #[must_use]
    pub fn to_process(pid: u32, folder: Option<PathBuf>) -> Arc<Self> {
        Self::new(SocketDial { pid, folder })
    }

    /// Asks over the connection that is there, or a new one: the other side hangs up on who has not asked for a while. What does
    /// something is asked once, over a new one.
    fn with<T>(
        &self,
        state: &mut State,
        by: Duration,
        is_harmless: bool,
        ask: impl Fn(&mut Client, Duration) -> Result<T, AskError>,
    ) -> Result<T, AskError> {
        let all = left(by);
        let part = if state.is_silent { all / limits::INSPECT_SILENT_PART } else { all };
        let by = clock::now() + part;
        let mut known = state.client.take().filter(|_| is_harmless);
        let asked = loop {
            let was_known = known.is_some();
            let client = match known.take() {
                Some(client) => Ok(client),
                None => self.dial.dial(left(by)).map(Client::new),
            };
            let asked = client.and_then(|mut client| {
                let asked = ask(&mut client, left(by));
                if matches!(asked, Ok(_) | Err(AskError::Refused(_))) {
                    state.client = Some(client);
                }
                asked
            });
            let again = was_known
                && !matches!(asked, Ok(_) | Err(AskError::Refused(_) | AskError::Silent { .. }));
            if !again {
                break asked;
            }
        };
        state.is_silent = matches!(asked, Err(AskError::Silent { .. }));
        asked
    }

    /// Others who look through this one now are waited for, and no longer than for an answer.
    fn locked(&self, by: Duration) -> Result<MutexGuard<'_, State>, NoWay> {
        let busy = || NoWay::because("others look at it, and it is slow to answer");
        self.state.try_lock_for(left(by)).ok_or_else(busy)
    }
}

fn left(by: Duration) -> Duration {
    by.saturating_sub(clock::now())
}

impl Passage for Feed {
    fn sees(&self, owners: bool, within: Duration) -> Result<Sight, NoWay> {
        let selection = Selection { owners, whole: true, ..Selection::default() };
        let by = clock::now() + within;
        let mut state = self.locked(by)?;
        let seen = self.with(&mut state, by, true, |client, within| {
            let (_, rows) = client.follow(&selection, within)?;
            Ok((Arc::new(rows.rows.clone()), rows.more, rows.missing.clone()))
        });
        let now = clock::now();
        let why = match seen {
            Ok((rows, more, missing)) => {
                if !owners {
                    state.seen = Some((Arc::clone(&rows), more, now));
                }
                return Ok(Sight { rows, more, missing, stale: None });
            }
            Err(error) => no_way(&error),
        };
        match &state.seen {
            Some((rows, more, at)) if !owners => {
                let stale = Some((now.saturating_sub(*at), why));
                let (rows, more, missing) = (Arc::clone(rows), *more, Vec::new());
                Ok(Sight { rows, more, missing, stale })
            }
            _ => Err(why),
        }
    }

    fn asks(&self, request: &Request, within: Duration) -> Result<Answer, NoWay> {
        let by = clock::now() + within;
        let mut state = self.locked(by)?;
        let is_harmless = !matches!(request, Request::End { .. } | Request::Panic { .. });
        let asked = self.with(&mut state, by, is_harmless, |client, within| {
            client.ask(request.clone(), within).map(|reply| reply.answer)
        });
        match asked {
            Ok(answer) => Ok(answer),
            Err(AskError::Refused(refused)) => Ok(Answer::Refused(refused)),
            Err(error) => Err(no_way(&error)),
        }
    }
}

fn no_way(error: &AskError) -> NoWay {
    NoWay { why: error.to_string(), is_shut: matches!(error, AskError::Shut) }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("dial", &self.dial).finish_non_exhaustive()
    }
}
