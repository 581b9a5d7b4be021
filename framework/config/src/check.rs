//! Errors of settings: which, what was given, what it may be, and where it was found.

use std::borrow::Cow;

use raytree_types::{Error, Result};

use crate::config::Origin;
use crate::limits::SHOWN_CHARS_MAX;
use crate::table::Entry;
use crate::written::Written;

/// A value that is refused.
pub(crate) fn bad(option: &str, value: &str, reason: &str, origin: &Origin) -> Error {
    Error::BadOption {
        option: option.to_owned(),
        value: shown(value),
        reason: format!("{reason} (from {origin})"),
    }
}

/// The one text for a value of a setting.
pub(crate) fn canonical(entry: &Entry, text: &str, origin: &Origin) -> Result<String> {
    let most = crate::limits::TEXT_BYTES_MAX;
    if text.len() > most {
        return Err(bad(entry.key, text, &format!("it has at most {most} bytes"), origin));
    }
    (entry.check)(text, entry.range).map_err(|reason| bad(entry.key, text, &reason, origin))
}

/// Reads a value that was checked before.
pub(crate) fn read<T: Written>(key: &str, text: &str) -> Result<T> {
    T::read(text).map_err(|reason| Error::BadOption {
        option: key.to_owned(),
        value: shown(text),
        reason,
    })
}

/// So much of a value as an error repeats, on one line.
pub(crate) fn shown(value: &str) -> String {
    if value.is_empty() {
        return "``".to_owned();
    }
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let value = without_secrets(value);
    let mut text: String = value.chars().take(SHOWN_CHARS_MAX).map(plain).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push_str("...");
    }
    text
}

/// What a URL may have that nobody else is to read: a password before its host, a signature in its question.
fn without_secrets(value: &str) -> Cow<'_, str> {
    let Some((start, rest)) = value.split_once("://") else { return value.into() };
    // A password may have an @ as well.
    let host = rest.rfind('@').map_or(rest, |at| &rest[at..]);
    let end = host.find('?').map_or(host.len(), |at| at + 1);
    if host.len() == rest.len() && end == host.len() {
        return value.into();
    }
    let hidden = |is_hidden| if is_hidden { "***" } else { "" };
    let (before, after) = (hidden(host.len() < rest.len()), hidden(end < host.len()));
    format!("{start}://{before}{}{after}", &host[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_repeated() {
        for (value, told) in [
            ("/a:s3://bucket/prefix", "/a:s3://bucket/prefix"),
            ("s3://key:wo@rd@bucket/a", "s3://***@bucket/a"),
            ("s3://key:wo?rd@bucket/a", "s3://***@bucket/a"),
            ("az://c/a?sig=word", "az://c/a?***"),
            ("someone@example.org", "someone@example.org"),
        ] {
            assert_eq!(shown(value), told);
        }
    }
}
