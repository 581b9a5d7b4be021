use raytree::prelude::*;

#[remote]
fn same<T>(x: T) -> T {
    x
}

#[remote]
fn push(values: &mut Vec<u64>, value: u64) {
    values.push(value);
}

#[remote]
async fn count(to: u64) -> impl Iterator<Item = u64> {
    0..to
}

#[remote]
fn say(what: impl ToString) -> String {
    what.to_string()
}

#[remote]
fn length(text: &'static str) -> usize {
    text.len()
}

fn main() {}
