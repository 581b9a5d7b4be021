//! Who may look: whoever knows the token of the dashboard, or has opened a one-time link with a browser.
//!
//! Token and codes follow from a key that follows from the token of the cluster ([`Key`]). So `raytree dashboard` makes a code by
//! itself, wherever it runs, and the head only checks it: what a code says is proven, and which were used is remembered
//! until they run out. A head draws a new *epoch* when it starts, and codes of another one open nothing.
//!
//! Invariants:
//! - **AC-1 (once):** a code opens one session at most.
//! - **AC-2 (own):** a code that was made with another key, for another epoch, or too long ago opens nothing.
//! - **AC-3 (bounded):** neither sessions nor remembered codes grow without bound.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use raytree_types::limits;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Bytes of a code's proof, which nobody can try at home.
const PROOF_BYTES: usize = 16;

/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// What token and codes are made with: a secret that follows from the token of a cluster. Whoever knows it may look, and can do
/// nothing else.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From such a secret.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The token that scripts show: `Authorization: Bearer <token>`. It stays the same for as long as that of the cluster does.
    #[must_use]
    pub fn bearer(&self) -> String {
        hex(&self.proof(&[b"bearer"]))
    }

    /// A code for a one-time link: made now, since 1970, for a head of this epoch. Nobody else has this `number`.
    #[must_use]
    pub fn code(&self, epoch: &str, now: Duration, number: u64) -> String {
        let said = format!("{:x}-{number:016x}", now.as_secs());
        let proof = self.proof(&[b"code", epoch.as_bytes(), b" ", said.as_bytes()]);
        format!("{said}-{}", hex(&proof[..PROOF_BYTES]))
    }

    fn proof(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What a request shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The token, of `Authorization: Bearer ..`.
    pub bearer: Option<&'a str>,
    /// The session, of the cookie.
    pub session: Option<&'a str>,
}

/// Why a code opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEntry {
    /// Nobody of this cluster has made it for this life of its head.
    #[error("this link does not belong to this cluster, or its head was started again since")]
    Foreign,
    /// It was made too long ago.
    #[error("this link has run out: it holds for {} minutes", limits::DASHBOARD_CODE_HOLDS.as_secs() / 60)]
    Old,
    /// It was used.
    #[error("this link was used already: each opens the dashboard once")]
    Used,
    /// Too many were used of late.
    #[error("too many links were used of late: try again in some minutes")]
    Crowded,
}

/// Who is let in.
#[derive(Debug)]
pub struct Access {
    key: Key,
    epoch: String,
    /// When and which.
    used: BTreeSet<(u64, u64)>,
    /// By their proofs: what is looked up in a table is nothing that somebody who sees how long that takes could use.
    sessions: HashMap<[u8; 32], Duration>,
}

impl Access {
    /// Nobody yet. `epoch` is a word that no other life of any head has.
    #[must_use]
    pub fn new(key: Key, epoch: String) -> Self {
        Self { key, epoch, used: BTreeSet::new(), sessions: HashMap::new() }
    }

    /// The word of this life of the head.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// True for one who shows the token, or a session that holds. `now` is the time of any clock that does not go back.
    #[must_use]
    pub fn admits(&self, shown: Shown<'_>, now: Duration) -> bool {
        let is_bearer = shown
            .bearer
            .is_some_and(|bearer| self.key.bearer().as_bytes().ct_eq(bearer.as_bytes()).into());
        let is_session = shown.session.is_some_and(|session| {
            let until = self.sessions.get(&self.key.proof(&[b"session", session.as_bytes()]));
            until.is_some_and(|until| now < *until)
        });
        is_bearer || is_session
    }

    /// Takes a code, and with it lets in whoever will show `session`, which nobody can guess. `today` is the time since 1970.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub fn opens(
        &mut self,
        code: &str,
        session: &str,
        (now, today): (Duration, Duration),
    ) -> Result<(), NoEntry> {
        let (made, number) = read(code).ok_or(NoEntry::Foreign)?;
        let own = self.key.code(&self.epoch, Duration::from_secs(made), number);
        if !bool::from(own.as_bytes().ct_eq(code.as_bytes())) {
            return Err(NoEntry::Foreign);
        }
        let today = today.as_secs();
        let holds = limits::DASHBOARD_CODE_HOLDS.as_secs();
        if made > today + SKEW.as_secs() || today > made.saturating_add(holds) {
            return Err(NoEntry::Old);
        }
        self.used.retain(|(made, _)| today <= made.saturating_add(holds));
        if self.used.contains(&(made, number)) {
            return Err(NoEntry::Used);
        }
        if self.used.len() >= limits::DASHBOARD_CODES_MAX {
            return Err(NoEntry::Crowded);
        }
        self.used.insert((made, number));
        self.let_in(session, now);
        Ok(())
    }

    fn let_in(&mut self, session: &str, now: Duration) {
        self.sessions.retain(|_, until| now < *until);
        if self.sessions.len() >= limits::DASHBOARD_SESSIONS_MAX {
            let first = self.sessions.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(session, _)| *session);
            first.map(|first| self.sessions.remove(&first));
        }
        let proof = self.key.proof(&[b"session", session.as_bytes()]);
        self.sessions.insert(proof, now + limits::DASHBOARD_SESSION_HOLDS);
    }

    /// Whoever shows this session is let in no more.
    pub fn leaves(&mut self, session: &str) {
        self.sessions.remove(&self.key.proof(&[b"session", session.as_bytes()]));
    }

    /// Browsers that are let in.
    #[must_use]
    pub fn sessions(&self, now: Duration) -> usize {
        self.sessions.values().filter(|until| now < **until).count()
    }
}

/// When it says it was made, and its number. The rest is compared as a whole.
fn read(code: &str) -> Option<(u64, u64)> {
    let (made, rest) = code.split_once('-')?;
    let (number, _proof) = rest.split_once('-')?;
    let read = |text: &str| u64::from_str_radix(text, 16).ok();
    Some((read(made)?, read(number)?))
}

/// As hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Duration = Duration::from_secs(1_700_000_000);

    fn key() -> Key {
        Key::new([7; 32])
    }

    fn access() -> Access {
        Access::new(key(), "life-1".to_owned())
    }

    fn open(access: &mut Access, code: &str, session: &str, past: u64) -> Result<(), NoEntry> {
        let past = Duration::from_secs(past);
        access.opens(code, session, (past, TODAY + past))
    }

    fn is_in(access: &Access, session: &str, past: u64) -> bool {
        let shown = Shown { session: Some(session), ..Shown::default() };
        access.admits(shown, Duration::from_secs(past))
    }

    #[test]
    fn ac_1_a_code_opens_one_session() {
        let mut access = access();
        let code = key().code("life-1", TODAY, 1);
        assert_eq!(open(&mut access, &code, "first", 5), Ok(()));
        assert_eq!(open(&mut access, &code, "second", 6), Err(NoEntry::Used));
        assert!(is_in(&access, "first", 6) && !is_in(&access, "second", 6));
        let holds = limits::DASHBOARD_CODE_HOLDS.as_secs();
        assert_eq!(open(&mut access, &code, "second", holds), Err(NoEntry::Used), "to the last");
        assert_eq!(open(&mut access, &code, "second", holds + 1), Err(NoEntry::Old));
    }

    #[test]
    fn ac_2_a_code_of_another_key_epoch_or_day_opens_nothing() {
        let mut access = access();
        let foreign = Key::new([8; 32]).code("life-1", TODAY, 1);
        assert_eq!(open(&mut access, &foreign, "s", 0), Err(NoEntry::Foreign));
        let before = key().code("life-0", TODAY, 1);
        assert_eq!(open(&mut access, &before, "s", 0), Err(NoEntry::Foreign));
        let later = key().code("life-1", TODAY + SKEW + Duration::from_secs(1), 1);
        assert_eq!(open(&mut access, &later, "s", 0), Err(NoEntry::Old));
        let good = key().code("life-1", TODAY, 1);
        let (said, proof) = good.rsplit_once('-').expect("three parts");
        for bad in
            ["", "-", "--", "1-2", said, "x-y-z", &format!("{said}-{proof}0"), &format!("0{good}")]
        {
            assert_eq!(open(&mut access, bad, "s", 0), Err(NoEntry::Foreign), "{bad}");
        }
        assert_eq!(access.sessions(Duration::ZERO), 0);
    }

    #[test]
    fn ac_3_neither_sessions_nor_codes_grow_without_bound() {
        let mut access = access();
        for number in 0..limits::DASHBOARD_CODES_MAX as u64 {
            let code = key().code("life-1", TODAY, number);
            // Each a second after the one before would run out: all are of one moment.
            assert_eq!(open(&mut access, &code, &format!("s{number}"), 0), Ok(()));
        }
        let one_more = key().code("life-1", TODAY, u64::MAX);
        assert_eq!(open(&mut access, &one_more, "s", 0), Err(NoEntry::Crowded));
        assert_eq!(access.sessions(Duration::ZERO), limits::DASHBOARD_SESSIONS_MAX);
        let past = limits::DASHBOARD_CODE_HOLDS.as_secs() + 1;
        let fresh = key().code("life-1", TODAY + Duration::from_secs(past), 1);
        assert_eq!(open(&mut access, &fresh, "fresh", past), Ok(()));
        assert_eq!(access.used.len(), 1, "those that ran out are forgotten");
        assert!(is_in(&access, "fresh", past));
    }

    #[test]
    fn a_session_ends_when_it_is_left_or_has_run_out() {
        let mut access = access();
        let holds = limits::DASHBOARD_SESSION_HOLDS.as_secs();
        let code = |number| key().code("life-1", TODAY, number);
        assert_eq!(open(&mut access, &code(1), "a", 0), Ok(()));
        assert_eq!(open(&mut access, &code(2), "b", 0), Ok(()));
        access.leaves("a");
        assert!(!is_in(&access, "a", 1));
        assert!(is_in(&access, "b", holds - 1) && !is_in(&access, "b", holds));
    }

    #[test]
    fn the_token_admits_and_nothing_like_it() {
        let access = access();
        let token = key().bearer();
        let admits = |bearer: &str| {
            access.admits(Shown { bearer: Some(bearer), session: None }, Duration::ZERO)
        };
        assert!(admits(&token));
        for bad in ["", &token[1..], &token.to_uppercase(), &Key::new([8; 32]).bearer()] {
            assert!(!admits(bad), "{bad}");
        }
        assert!(!access.admits(Shown::default(), Duration::ZERO));
        assert_eq!(format!("{:?}", key()), "Key(..)");
    }
}
