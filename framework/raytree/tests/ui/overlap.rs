use raytree::prelude::*;

struct Counter(u64);

#[remote(max_concurrency = 4)]
impl Counter {
    fn new() -> Self {
        Self(0)
    }

    pub fn add(&mut self) {
        self.0 += 1;
    }
}

fn main() {}
