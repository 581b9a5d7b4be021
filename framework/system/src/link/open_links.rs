//! The links of one runtime, for those who look at them.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Link;

/// All links that have not gone.
#[derive(Default)]
pub(crate) struct OpenLinks(Mutex<Vec<Weak<Link>>>);

impl OpenLinks {
    pub(super) fn enter(&self, link: &Arc<Link>) {
        let mut links = self.0.lock();
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(link));
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}
