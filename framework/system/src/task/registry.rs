//! The registry: every remote function and actor type that is linked into the program, by name.

use std::collections::HashMap;
use std::sync::OnceLock;

use raytree_types::{Error, Result};

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

/// The names of all remote functions and actor types of this program, in order.
///
/// # Errors
/// [`Error::DuplicateName`] when two have the same.
pub fn registered() -> Result<Vec<&'static str>> {
    let mut names: Vec<_> = entries()?.keys().copied().collect();
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
        static ENTRIES: [Entry; 2] = [Entry::named(&FIRST), Entry::named(&SECOND)];
        let error = index(ENTRIES.iter()).unwrap_err().to_string();
        assert_eq!(error, "app::square is registered twice: at app.rs:3 and at app.rs:30");
    }
}
