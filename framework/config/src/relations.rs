//! What settings have to be with regard to each other.

use std::time::Duration;

use raytree_types::{Error, Result};

use crate::check::bad;
use crate::config::{Config, Origin};

/// Checks what no range can say.
///
/// # Errors
/// [`Error::BadOption`] for the first setting that does not go together with another, naming both and where they come
/// from.
pub(crate) fn check(config: &Config) -> Result<()> {
    orders(config)?;
    security(config)
}

/// The least time between two deadlines.
const GAP: Duration = Duration::from_millis(10);

const APART: [&str; 2] = ["at least 10ms above", "at least 10ms below"];

const THRICE: [&str; 2] = ["at least three times", "at most a third of"];

/// So many beats of one child may be under way until it is dead; its lease, which ends a sixth before, has room for no more.
const BEATS_MAX: u32 = 600;

const BEATS: [&str; 2] = ["at most 600 times", "at least a 600th of"];

/// Two settings of which one may not be too small for the other.
struct Order {
    larger: &'static str,
    smaller: &'static str,
    /// What the larger has to be, and what then the smaller has to be.
    words: [&'static str; 2],
    holds: bool,
}

fn above(larger: &'static str, smaller: &'static str, holds: bool) -> Order {
    Order { larger, smaller, words: ["above", "below"], holds }
}

/// A difference or a factor besides.
fn by(larger: &'static str, smaller: &'static str, words: [&'static str; 2], holds: bool) -> Order {
    Order { larger, smaller, words, holds }
}

fn at_least(larger: &'static str, smaller: &'static str, holds: bool) -> Order {
    Order { larger, smaller, words: ["at least", "at most"], holds }
}

/// The chain of silences: a process is suspect before it is dead, and isolated before it is declared dead. They are far enough
/// apart for clocks that drift, and near enough for every beat to be remembered.
fn orders(config: &Config) -> Result<()> {
    let live = config.liveness();
    let (beat, suspect) = (live.beat_every, live.suspect_after);
    let (local, remote) = (live.dead_after_local, live.dead_after_remote);
    let rules = [
        by("liveness.suspect_after", "liveness.beat_every", THRICE, suspect >= 3 * beat),
        by("liveness.dead_after_local", "liveness.suspect_after", APART, local >= suspect + GAP),
        at_least("liveness.dead_after_remote", "liveness.dead_after_local", remote >= local),
        by("liveness.dead_after_remote", "liveness.beat_every", BEATS, remote <= BEATS_MAX * beat),
        by(
            "liveness.stuck_after",
            "liveness.suspect_after",
            APART,
            live.stuck_after >= suspect + GAP,
        ),
        above(
            "liveness.isolation_grace",
            "liveness.dead_after_remote",
            live.isolation_grace > remote,
        ),
    ];
    let Some(Order { larger, smaller, words, .. }) = rules.into_iter().find(|rule| !rule.holds)
    else {
        return Ok(());
    };
    // The one with more to say is the one that somebody changed.
    let by_smaller = config.origin(smaller) > config.origin(larger);
    let (key, other, word) =
        if by_smaller { (smaller, larger, words[1]) } else { (larger, smaller, words[0]) };
    let (text, origin) = told(config, other);
    let reason = format!("it has to be {word} {other}, which is {text} from {origin}");
    Err(refused(config, key, &reason))
}

fn security(config: &Config) -> Result<()> {
    let cluster = config.cluster();
    match (&cluster.tls_cert, &cluster.tls_key) {
        (Some(_), None) => {
            return Err(refused(
                config,
                "cluster.tls_cert",
                "it needs cluster.tls_key, which is not set",
            ));
        }
        (None, Some(_)) => {
            return Err(refused(
                config,
                "cluster.tls_key",
                "it needs cluster.tls_cert, which is not set",
            ));
        }
        _ => {}
    }
    if cluster.bind.is_unspecified() {
        let reason = "others have to know by which address they reach it: say that one";
        return Err(refused(config, "cluster.bind", reason));
    }
    let dashboard = config.dashboard();
    if !dashboard.host.to_canonical().is_loopback() && !dashboard.insecure {
        let reason = "others could read along: leave it on a loopback address and go there through a tunnel, or say \
                      dashboard.insecure=true";
        return Err(refused(config, "dashboard.host", reason));
    }
    Ok(())
}

fn told<'a>(config: &'a Config, key: &str) -> (&'a str, &'a Origin) {
    (config.text(key).unwrap_or_default(), config.origin(key).unwrap_or(&Origin::Default))
}

fn refused(config: &Config, key: &str, reason: &str) -> Error {
    let (text, origin) = told(config, key);
    bad(key, text, reason, origin)
}
