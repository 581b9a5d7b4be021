//! Words and numbers as a person reads them, in a given number of columns.

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns a text takes on the screen.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `columns` columns, with `…` where it was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let kept = &text[..fitting(text, columns.saturating_sub(1))];
    if columns == 0 { String::new() } else { format!("{}…", kept.trim_end()) }
}

/// The end of the text in at most `columns` columns, with `…` where it was cut.
pub(crate) fn cut_front(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        taken += c.width().unwrap_or(0);
        if taken >= columns {
            break;
        }
        from = at;
    }
    if columns == 0 { String::new() } else { format!("…{}", &text[from..]) }
}

/// Bytes of the text that take at most `columns` columns.
fn fitting(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return at;
        }
    }
    text.len()
}

/// The text in lines of at most `columns` columns, broken between words or after a `/` where there are any.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while width(rest) > columns {
        let most = fitting(rest, columns).max(rest.chars().next().map_or(1, char::len_utf8));
        let fits_a_word = rest[most..].starts_with(' ');
        let space = rest[..most].rfind(' ').filter(|at| !rest[..*at].trim().is_empty());
        let slash = || rest[..most].rfind('/').map(|at| at + 1);
        let at = if fits_a_word { None } else { space.or_else(slash) };
        let (line, after) = rest.split_at(at.unwrap_or(most));
        lines.push(line.trim_end().to_owned());
        rest = after.trim_start();
    }
    if lines.is_empty() || !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// On one line and harmless to a terminal: what controls it becomes a space, and spaces do not pile up.
pub(crate) fn plain(text: &str) -> String {
    let controls = |c: char| c.is_control() || c.is_whitespace() || is_reordering(c);
    text.split(controls).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters that change the direction of what follows.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1,234`, `123k`, `12M`: a number in six columns.
pub(crate) fn short(number: u64) -> String {
    match number {
        0..100_000 => grouped(number),
        100_000..10_000_000 => format!("{}k", grouped(number / 1000)),
        10_000_000..10_000_000_000 => format!("{}M", grouped(number / 1_000_000)),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// So many a second: with one digit after the point where there are few, so that few is not none.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        few if few > 0.0 && few < 0.05 => "<0.1".to_owned(),
        few if few > 0.0 && few < 9.95 => format!("{few:.1}"),
        // Saturates, and NaN is 0.
        many => short(many.round() as u64),
    }
}

/// A share in whole percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0}", (share * 100.0).clamp(0.0, 99_999.0))
}

/// An amount with at most two digits after the point: `41`, `0.5`.
pub(crate) fn amount(number: f64) -> String {
    let text = format!("{number:.2}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `512 B`, `18.2 MiB`, `1.50 GiB`: three digits and the unit.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// The two largest units: `3d 4h`, `2h 14m`, `2m 3s`, `12 s`, `0.8 s`, `15 ms`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds >= 10 => format!("{seconds} s"),
        (0, 0, 0) if time.as_millis() >= 100 => format!("{:.1} s", time.as_secs_f64()),
        (0, 0, 0) => format!("{} ms", time.as_millis()),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// The time of day of a moment since 1970, in UTC: `12:04:07`.
pub(crate) fn time_of_day(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The time of day with milliseconds: `12:04:07.113`.
pub(crate) fn exact_time(since_1970: Duration) -> String {
    let mut text = time_of_day(since_1970);
    // Writing into a text does not fail.
    _ = write!(text, ".{:03}", since_1970.subsec_millis());
    text
}

/// `1 actor`, `2 actors`.
pub(crate) fn many(count: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `95s`, `12m`, `47h`, `12d`: a time in four columns, three digits at most.
pub(crate) fn brief(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..600 => format!("{seconds}s"),
        seconds @ 600..36_000 => format!("{}m", seconds / 60),
        seconds @ 36_000..2_160_000 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// The path of an event or a row without what changes the terminal: of one that is too long the last names, as many as fit.
pub(crate) fn path(path: &str, columns: usize) -> String {
    let path = plain(path);
    if width(&path) <= columns {
        return path;
    }
    let end = cut_front(&path, columns);
    match end.find('/') {
        Some(at) if at + 1 < end.len() => format!("…{}", &end[at..]),
        _ => end,
    }
}

/// As it was written, and harmless to a terminal: what controls it becomes a space.
pub(crate) fn harmless(text: &str) -> String {
    let harmless = |c: char| if c.is_control() || is_reordering(c) { ' ' } else { c };
    text.replace('\t', "    ").chars().map(harmless).collect()
}

/// Base64 with padding, for what is put on a terminal's clipboard.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= chunk.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_columns_from_either_side() {
        assert_eq!((cut("abcdef", 5), cut("abc def", 5)), ("abcd…".into(), "abc…".into()));
        assert_eq!((cut("日本語", 5), cut("日本語", 4)), ("日本…".into(), "日…".into()));
        assert_eq!((cut("ab", 1), cut("ab", 0)), ("…".into(), String::new()));
        assert_eq!((cut_front("abcdef", 4), cut_front("日本語", 4)), ("…def".into(), "…語".into()));
        assert_eq!((cut_front("ab", 1), cut_front("ab", 0)), ("…".into(), String::new()));
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("gcs/membership/node", 12), ["gcs/", "membership/", "node"]);
        assert_eq!(wrap("gcs/membership now", 12), ["gcs/", "membership", "now"]);
        assert_eq!(
            (wrap("", 4), wrap("日本", 1)),
            (vec![String::new()], vec!["日".into(), "本".into()])
        );
    }

    #[test]
    fn numbers_have_few_digits_and_a_unit() {
        let shorts: Vec<String> =
            [0, 1234, 99_999, 123_456, 12_345_678, u64::MAX].into_iter().map(short).collect();
        assert_eq!(shorts, ["0", "1,234", "99,999", "123k", "12M", "18446744073G"]);
        let rates: Vec<String> =
            [0.0, 0.01, 0.5, 9.96, 1260.4, f64::NAN].into_iter().map(rate).collect();
        assert_eq!(rates, ["0", "<0.1", "0.5", "10", "1,260", "0"]);
        let sizes: Vec<String> =
            [0, 1023, 1536, 19_083_494, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(sizes, ["0 B", "1023 B", "1.50 KiB", "18.2 MiB", "16.0 EiB"]);
        assert_eq!(
            (amount(41.0), amount(0.5), amount(100.0)),
            ("41".into(), "0.5".into(), "100".into())
        );
    }

    #[test]
    fn times_are_told_in_two_units() {
        let of = |millis| span(Duration::from_millis(millis));
        assert_eq!([of(15), of(800), of(12_400), of(123_000)], ["15 ms", "0.8 s", "12 s", "2m 3s"]);
        assert_eq!([of(8_040_000), of(273_600_000)], ["2h 14m", "3d 4h"]);
        let brief = |seconds| brief(Duration::from_secs(seconds));
        assert_eq!([brief(599), brief(600), brief(36_000)], ["599s", "10m", "10h"]);
        assert_eq!(brief(30 * 86_400), "30d");
        assert_eq!(exact_time(Duration::from_millis(86_400_000 + 43_447_113)), "12:04:07.113");
    }

    #[test]
    fn a_text_cannot_control_the_terminal() {
        assert_eq!(plain("a\n\tb \x1b[31mred\u{202e}c"), "a b [31mred c");
    }

    #[test]
    fn of_a_long_path_whole_names_are_kept() {
        let of = |columns| path("node/worker/actor_host/scores#8", columns);
        assert_eq!(
            [of(31), of(30), of(20)],
            ["node/worker/actor_host/scores#8", "…/worker/actor_host/scores#8", "…/scores#8"]
        );
        assert_eq!((of(6), of(1)), ("…res#8".into(), "…".into()));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let written: Vec<String> = texts.iter().map(|text| base64(text.as_bytes())).collect();
        assert_eq!(written, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
