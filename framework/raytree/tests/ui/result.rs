use raytree::prelude::*;

struct Socket;

#[remote]
fn open(port: u16) -> Result<Socket, String> {
    Err(port.to_string())
}

fn main() {}
