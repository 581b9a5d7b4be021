//! The nearest known name to one that nobody knows.

/// Below this likeness a name is no help: nobody who meant one of them wrote the other.
const LIKE_ENOUGH: f64 = 0.5;

/// Bytes of a name for which a near one is looked for: comparing takes time and memory with the product of the lengths,
/// and no name that is much longer than the known ones is like them.
const WRONG_BYTES_MAX: usize = 100;

/// The known name that is most like `wrong`, by the whole name or by its last part: who leaves out the section, or takes
/// the wrong one, is helped too.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
    separator: &str,
) -> Option<&'a str> {
    if wrong.len() > WRONG_BYTES_MAX {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let last = |name: &str| name.rsplit(separator).next().unwrap_or_default().to_owned();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let whole = strsim::normalized_damerau_levenshtein(&wrong, &name);
        // The last part alone says less than the whole name does.
        let part = strsim::normalized_damerau_levenshtein(&last(&wrong), &last(&name)) * 0.9;
        whole.max(part)
    };
    let scored = known.into_iter().map(|name| (likeness(name), name));
    let best = scored.filter(|(score, _)| *score >= LIKE_ENOUGH);
    // The first of those that are equally near, so that the same mistake gets the same answer.
    best.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TABLE;

    #[track_caller]
    fn near(wrong: &str, right: Option<&str>) {
        assert_eq!(nearest(wrong, TABLE.iter().map(|entry| entry.key), "."), right, "{wrong}");
    }

    #[test]
    fn slips_sections_and_case_are_forgiven() {
        near("cluster.prot", Some("cluster.port"));
        near("clutser.port", Some("cluster.port"));
        near("node.port", Some("cluster.port"));
        near("strict", Some("calls.strict"));
        near("Liveness.BeatEvery", Some("liveness.beat_every"));
        near("node.executable_cache", Some("node.executable_cache_bytes"));
        near("liveness.dead_after", Some("liveness.dead_after_local"));
        near("x", None);
        near("", None);
        near(&"cluster.port".repeat(100_000), None);
    }
}
