use raytree::prelude::*;

struct Socket;

#[remote]
fn send(socket: Socket) -> u64 {
    drop(socket);
    1
}

fn main() {}
