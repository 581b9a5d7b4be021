use raytree::prelude::*;

struct Socket;

struct Sender;

#[remote]
impl Sender {
    fn new(socket: Socket) -> Self {
        drop(socket);
        Self
    }

    pub(crate) fn send(&self, message: u64) -> u64 {
        message
    }
}

fn main() {
    Sender::remote(Socket).send(1);
}
