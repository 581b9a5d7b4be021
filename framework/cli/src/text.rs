//! Words and numbers as a person reads them.

use std::time::Duration;

/// Columns a text takes on the screen, one a character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text in at most `columns` columns, with `…` where it was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { kept } else { format!("{}…", kept.trim_end()) }
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

/// The two largest units: `3d 4h`, `2h 14m`, `2m 3s`, `3s`.
pub(crate) fn uptime(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let written: Vec<String> =
            [0, 12, 123, 1234, 123_456, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(written, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }

    #[test]
    fn times_are_told_in_two_units() {
        let of = |seconds| uptime(Duration::from_secs(seconds));
        assert_eq!([of(0), of(59), of(123)], ["0s", "59s", "2m 3s"]);
        assert_eq!([of(8040), of(273_600)], ["2h 14m", "3d 4h"]);
    }

    #[test]
    fn a_text_is_cut_at_its_columns() {
        assert_eq!(cut("abcde", 5), "abcde");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("abc def", 5), "abc…", "no gap before the dots");
        assert_eq!(cut("äöü", 2), "ä…");
        assert_eq!((cut("ab", 1), cut("ab", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn a_text_cannot_control_the_terminal() {
        assert_eq!(plain("a\n\tb \x1b[31mred\u{202e}c"), "a b [31mred c");
    }
}
