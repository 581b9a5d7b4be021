use raytree::prelude::*;

#[remote]
fn square(x: u64) -> u64 {
    x * x
}

fn main() {
    square::remote(1, 2);
    square::remote("three");
}
