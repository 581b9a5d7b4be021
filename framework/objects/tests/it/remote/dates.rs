//! Dates, as S3 writes them.

const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// Year, month from 0, day from 1, and the seconds of that day.
fn parts(at: u64) -> (u64, usize, u64, u64) {
    let (mut days, mut year) = (at / 86_400, 1970);
    // Until the year 2100 each fourth one is longer.
    let long = |year: u64| u64::from(year.is_multiple_of(4));
    while days >= 365 + long(year) {
        days -= 365 + long(year);
        year += 1;
    }
    let mut month = 0;
    let len = |month: usize| MONTHS[month].1 + if month == 1 { long(year) } else { 0 };
    while days >= len(month) {
        days -= len(month);
        month += 1;
    }
    (year, month, days + 1, at % 86_400)
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`.
pub(super) fn as_in_headers(at: u64) -> String {
    let (year, month, day, second) = parts(at);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(at / 86_400 % 7) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month = MONTHS[month].0;
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `1970-01-01T00:00:00.000Z`.
pub(super) fn as_in_lists(at: u64) -> String {
    let (year, month, day, second) = parts(at);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z", month + 1)
}

#[test]
fn dates_are_what_they_are() {
    assert_eq!(as_in_headers(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(as_in_headers(1_800_000_000), "Fri, 15 Jan 2027 08:00:00 GMT");
    assert_eq!(as_in_lists(1_709_251_199), "2024-02-29T23:59:59.000Z");
}
