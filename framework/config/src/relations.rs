//! What settings have to be with regard to each other.

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

fn at_least(larger: &'static str, smaller: &'static str, holds: bool) -> Order {
    Order { larger, smaller, words: ["at least", "at most"], holds }
}

/// The chain of silences: a process is suspect before it is dead, and isolated before it is declared dead. And frames
/// have room for what stands around a value.
fn orders(config: &Config) -> Result<()> {
    let (live, calls) = (config.liveness(), config.calls());
    let (beat, suspect) = (live.beat_every, live.suspect_after);
    let (local, remote) = (live.dead_after_local, live.dead_after_remote);
    let (soft, hard) = (calls.frame_bytes_soft, calls.frame_bytes_hard);
    let rules = [
        above("liveness.suspect_after", "liveness.beat_every", suspect > beat),
        above("liveness.dead_after_local", "liveness.suspect_after", local > suspect),
        at_least("liveness.dead_after_remote", "liveness.dead_after_local", remote >= local),
        above("liveness.stuck_after", "liveness.beat_every", live.stuck_after > beat),
        above(
            "liveness.isolation_grace",
            "liveness.dead_after_remote",
            live.isolation_grace > remote,
        ),
        at_least("calls.frame_bytes_hard", "calls.frame_bytes_soft", hard >= soft),
        above("calls.frame_bytes_hard", "calls.inline_bytes_max", hard > calls.inline_bytes_max),
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
    Ok(())
}

fn told<'a>(config: &'a Config, key: &str) -> (&'a str, &'a Origin) {
    (config.text(key).unwrap_or_default(), config.origin(key).unwrap_or(&Origin::Default))
}

fn refused(config: &Config, key: &str, reason: &str) -> Error {
    let (text, origin) = told(config, key);
    bad(key, text, reason, origin)
}
