use raytree::prelude::*;

struct Reason;

#[remote]
fn open(port: u16) -> Result<u16, Reason> {
    Ok(port)
}

fn main() {}
