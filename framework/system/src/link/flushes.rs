//! Who reads from a link gives on what he has heard before he waits.

use std::cell::RefCell;
use std::io::{self, Read};

use crate::runtime::burst::Burst;

/// Lets nobody wait for what was heard while it waits for more itself (BU-1).
pub(super) struct FlushesFirst<'a, R> {
    pub(super) from: R,
    pub(super) burst: &'a RefCell<Burst>,
}

impl<R: Read> Read for FlushesFirst<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.burst.borrow_mut().flush();
        self.from.read(into)
    }
}
