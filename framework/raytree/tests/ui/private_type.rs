use raytree::prelude::*;

struct Counter;

#[remote]
impl Counter {
    pub fn new() -> Self {
        Self
    }
}

fn main() {}
