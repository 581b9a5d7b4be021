//! Names that are nearly the one that was asked for.

use raytree_types::limits;

/// Below this likeness a name is no help: nobody who meant one of them wrote the other.
const LIKE_ENOUGH: f64 = 0.6;

/// Bytes of a name for which near ones are looked for: comparing takes time and memory with the product of the lengths.
const WRONG_BYTES_MAX: usize = 100;

/// Names that are compared: a level of a tree may have a million.
const COMPARED_MAX: usize = 10_000;

/// The names most like `wrong`, the nearest first.
pub(crate) fn near<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    if wrong.is_empty() || wrong.len() > WRONG_BYTES_MAX {
        return Vec::new();
    }
    let wrong = wrong.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let base = name.rsplit_once('#').map_or(&*name, |(base, _)| base);
        let of = |name| strsim::normalized_damerau_levenshtein(&wrong, name);
        of(&name).max(of(base))
    };
    let short = names.take(COMPARED_MAX).filter(|name| name.len() <= WRONG_BYTES_MAX);
    let scored = short.map(|name| (likeness(name), name));
    let mut near: Vec<_> = scored.filter(|(score, _)| *score >= LIKE_ENOUGH).collect();
    near.sort_by(|one, next| next.0.total_cmp(&one.0).then(one.1.cmp(next.1)));
    near.truncate(limits::INSPECT_NEAR_MAX);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}
