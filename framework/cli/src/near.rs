//! The nearest known name to one that nobody knows.

/// Below this likeness a name is no help: nobody who meant one of them wrote the other.
const LIKE_ENOUGH: f64 = 0.5;

/// Bytes of a name for which a near one is looked for: comparing takes time and memory with the product of the lengths.
const WRONG_BYTES_MAX: usize = 100;

/// The known name that is most like `wrong`; of several the first.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if wrong.len() > WRONG_BYTES_MAX {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let short = known.into_iter().filter(|name| name.len() <= WRONG_BYTES_MAX);
    let likeness =
        |name: &str| strsim::normalized_damerau_levenshtein(&wrong, &name.to_lowercase());
    let scored = short.map(|name| (likeness(name), name));
    let best = scored.filter(|(score, _)| *score >= LIKE_ENOUGH);
    best.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_nonsense_is_not() {
        let known = ["state", "workers", "age"];
        assert_eq!(nearest("State", known), Some("state"));
        assert_eq!(nearest("stat", known), Some("state"));
        assert_eq!(nearest("wokrers", known), Some("workers"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest(&"state".repeat(100_000), known), None);
    }
}
