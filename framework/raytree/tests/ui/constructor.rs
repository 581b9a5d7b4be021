use raytree::prelude::*;

struct Counter(u64);

#[remote]
impl Counter {
    pub fn add(&mut self) {
        self.0 += 1;
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self(0)
    }
}

#[remote]
impl Iterator for Counter {
    type Item = u64;
    fn next(&mut self) -> Option<u64> {
        None
    }
}

fn main() {}
