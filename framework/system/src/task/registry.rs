//! The registry: every remote function and actor type that is linked into the program, by name.

use std::collections::HashMap;
use std::sync::OnceLock;

use raytree_types::{Error, Result};

use super::by_bytes::Way;
use super::definition::{Entry, Info};

/// Every entry by its name.
///
/// # Errors
/// [`Error::DuplicateName`] when two have the same.
pub(crate) fn entries() -> Result<&'static HashMap<&'static str, &'static Entry>> {
    static ENTRIES: OnceLock<Result<HashMap<&'static str, &'static Entry>>> = OnceLock::new();
    ENTRIES
        .get_or_init(|| index(inventory::iter::<Entry>.into_iter()))
        .as_ref()
        .map_err(Clone::clone)
}

fn index(
    all: impl Iterator<Item = &'static Entry>,
) -> Result<HashMap<&'static str, &'static Entry>> {
    let mut entries: HashMap<&'static str, &'static Entry> = HashMap::new();
    for entry in all {
        if let Some(first) = entries.insert(entry.info.name, entry) {
            let place = |info: &Info| format!("{}:{}", info.file, info.line);
            let (first, second) = (place(first.info), place(entry.info));
            let name = entry.info.name.to_owned();
            return Err(Error::DuplicateName { name, first, second });
        }
    }
    Ok(entries)
}

/// How what another process calls so is called here. Both must mean the same.
///
/// # Errors
/// [`Error::ProgramsDiffer`] when there is nothing of this name, or something else.
pub(crate) fn way(name: &str, signature: &str) -> Result<Way> {
    let entry = entries()?.get(name).ok_or_else(|| differs(name, signature, "missing"))?;
    let own = entry.info.signature;
    if own == signature {
        return Ok(entry.way);
    }
    Err(differs(name, signature, &format!("`{own}`")))
}

/// Two processes do not mean the same by a name. The link between them says who they are.
pub(crate) fn differs(name: &str, signature: &str, found: &str) -> Error {
    let (asking, asked) = (String::new(), String::new());
    let (name, wanted, found) = (name.to_owned(), format!("`{signature}`"), found.to_owned());
    Error::ProgramsDiffer { name, asking, wanted, asked, found }
}

/// The names of all remote functions and actor types of this program, in order.
///
/// # Errors
/// [`Error::DuplicateName`] when two have the same.
pub fn registered() -> Result<Vec<&'static str>> {
    let is_named = |entry: &&&Entry| !matches!(entry.way, Way::Method(_));
    let mut names: Vec<_> =
        entries()?.values().filter(is_named).map(|entry| entry.info.name).collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use raytree_types::codec::Codec;

    use super::*;

    #[test]
    fn a_duplicate_name_is_one_error_with_both_places() {
        const fn info(line: u32) -> Info {
            let (name, signature) = ("app::square", "u64 -> u64");
            Info { name, signature, file: "app.rs", line, codec: Codec::Compact }
        }
        static FIRST: Info = info(3);
        static SECOND: Info = info(30);
        const WAY: Way = Way::Function(|_, _| Err(Error::NoRuntime));
        static ENTRIES: [Entry; 2] = [Entry::new(&FIRST, WAY), Entry::new(&SECOND, WAY)];
        let error = index(ENTRIES.iter()).unwrap_err().to_string();
        assert_eq!(error, "app::square is registered twice: at app.rs:3 and at app.rs:30");
    }

    #[test]
    fn what_another_process_calls_otherwise_is_told_with_both_signatures() {
        let told = |name: &str| way(name, "u64 -> u64").map(drop).unwrap_err();
        let missing = told("app::nowhere");
        assert_eq!(missing, differs("app::nowhere", "u64 -> u64", "missing"));
        assert_eq!(missing.code(), "RT0034");
    }
}
