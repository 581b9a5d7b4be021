//! Placeholder until the algorithm lands.
fn main() {}
