use raytree::prelude::*;

struct Counter(u64);

#[remote]
impl Counter {
    fn new() -> Self {
        Self(0)
    }

    #[remote(blocking)]
    pub async fn wait(&self) {}

    pub fn into_value(self) -> u64 {
        self.0
    }

    pub fn add(&mut self, amount: impl Into<u64>) {
        self.0 += amount.into();
    }
}

fn main() {}
