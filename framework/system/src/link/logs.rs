//! What processes below one side have written, on its way to the driver.

use raytree_types::LogLines;

use super::Link;
use super::frame::Frame;

impl Link {
    /// The other side hears what a process below this one has written. Not when there is no room.
    pub(crate) fn tell_lines(&self, lines: LogLines) {
        self.tell(&Frame::Lines(lines));
    }

    /// Passed on, or printed. Those of a neighbour go to its own driver, by its own link.
    pub(super) fn hears_lines(&self, lines: LogLines) {
        if let Some(runtime) = self.life.runtime().filter(|_| self.between.is_none()) {
            runtime.logs.hears(lines);
        }
    }
}
