//! Bounds of the live view.

use std::time::Duration;

/// How long the live view shows a row that is gone: long enough to be read by somebody who looked elsewhere.
pub const TOP_GRAVE: Duration = Duration::from_secs(10);

/// Rows that are gone and still shown by the live view: screens show a few dozen, and a node that leaves may take thousands.
pub const TOP_GRAVES_MAX: usize = 1000;

/// An actor that has handled one message for so long is called stuck by the live view: most take microseconds, and who trains
/// or waits for long is shown as what it is, busy.
pub const TOP_STUCK_AFTER: Duration = Duration::from_secs(10);

/// The live view looks at most ten times a second: nobody reads faster, and who is looked at pays for it.
pub const TOP_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Entries of the supervision log that the live view keeps: twenty screens. Older ones are a matter of `raytree events`.
pub const TOP_EVENTS_MAX: usize = 1024;

/// Lines of a log that the live view asks for: more is a matter of `raytree logs`.
pub const TOP_LOG_LINES: usize = 500;

/// Characters of what is typed as a filter: no name is longer than a screen.
pub const TOP_FILTER_CHARS_MAX: usize = 80;

/// How long the live view says that something was done.
pub const TOP_NOTICE: Duration = Duration::from_secs(5);

/// How long the live view waits for a key before it looks whether it is to end: a signal ends it within this time.
pub const TOP_KEYS_WITHIN: Duration = Duration::from_millis(100);

/// Keys and answers that wait to be read by the live view: whoever has more waits. Far more than a person types while one
/// screen is drawn.
pub const TOP_INPUTS_MAX: usize = 64;

/// How long a screen may stand: ages on it are told in seconds.
pub const TOP_REDRAW: Duration = Duration::from_secs(1);
