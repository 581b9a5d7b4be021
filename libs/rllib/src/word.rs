//! Words of messages that the program itself wrote, also where they come from another process.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A word of a message. Under a name of its own, so that it can be read from anything.
pub(crate) type Word = &'static str;

/// How many different words are read at most: more than this library has.
const WORDS_MAX: usize = 256;

/// Reads a word. Each is kept once, for good.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Word, D::Error> {
    static WORDS: Mutex<BTreeSet<Word>> = Mutex::new(BTreeSet::new());
    let word = String::deserialize(from)?;
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(word.as_str()) {
        return Ok(known);
    }
    if words.len() >= WORDS_MAX {
        return Err(D::Error::custom(format!("`{word}` is no word of this library")));
    }
    let word: Word = Box::leak(word.into_boxed_str());
    words.insert(word);
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_once() {
        let word = || read(&mut serde_json::Deserializer::from_str("\"reset\"")).unwrap();
        assert_eq!(word(), "reset");
        assert_eq!(word().as_ptr(), word().as_ptr());
    }
}
