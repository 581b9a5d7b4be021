//! A server: takes connections of its port, and answers them.
//!
//! - **Parent:** the root (one-for-one; permanent; a budget of restarts of its own, so that it can end nobody else). Added when
//!   the tree is up.
//! - **Children:** none.
//! - **After a restart:** the port belongs to whoever serves and is still open: who was being answered has to ask again, who was
//!   waiting in line is answered.
//! - **Tells:** nobody but its clients. It reads probes and asks no actor anything.
//!
//! Invariants:
//! - **HS-1 (port-survives):** a restart of a server neither closes nor reopens its port.
//! - **HS-2 (bounded):** no more connections are open than the bound; whoever comes then waits in the line of the port.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use raytree_supervise::{Actor, Addr, ChildSpec, Context, Failure, Root, SupervisorMsg};
use raytree_types::limits;
use tokio::net::{TcpListener, TcpStream};

use crate::connection;

/// What a server serves, and where.
#[derive(Debug)]
pub struct Served {
    listener: TcpListener,
    router: Router,
    connections_max: usize,
}

impl Served {
    /// These routes on this port.
    #[must_use]
    pub fn new(listener: TcpListener, router: Router) -> Arc<Self> {
        Arc::new(Self { listener, router, connections_max: limits::HTTP_CONNECTIONS_MAX })
    }

    /// Where that is.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Adds a server to a tree that is up, under this name. Returns at once.
pub fn start(root: &Root, name: &str, served: Arc<Served>) {
    let addr = Addr::system::<HttpServer>(name);
    let spec = ChildSpec::actor::<HttpServer>(&addr, move || Arc::clone(&served))
        .own_restarts(limits::HTTP_RESTARTS_MAX);
    // Refused only when the whole tree has ended already.
    _ = root.addr().cast(SupervisorMsg::StartChild(Box::new(spec)));
}

/// What a server can be told.
#[derive(strum::IntoStaticStr)]
pub(crate) enum HttpServerMsg {
    /// A client has connected.
    Arrived(TcpStream),
    /// A client is gone.
    Left,
}

// A message is under 1 KiB or it is a reference.
const _: () = assert!(size_of::<HttpServerMsg>() <= 64);

/// See the [module documentation](self).
pub(crate) struct HttpServer {
    served: Arc<Served>,
    accepting: bool,
    clients: usize,
}

impl Actor for HttpServer {
    type Msg = HttpServerMsg;
    type Args = Arc<Served>;

    async fn start(ctx: &Context<HttpServerMsg>, served: Arc<Served>) -> Result<Self, Failure> {
        let mut server = Self { served, accepting: false, clients: 0 };
        server.accept(ctx);
        Ok(server)
    }

    async fn handle(
        &mut self,
        ctx: &Context<HttpServerMsg>,
        message: HttpServerMsg,
    ) -> Result<(), Failure> {
        match message {
            HttpServerMsg::Arrived(client) => self.arrived(ctx, client),
            HttpServerMsg::Left => self.left(ctx),
        }
        Ok(())
    }
}

impl HttpServer {
    /// Waits for the next client, unless enough are being answered.
    fn accept(&mut self, ctx: &Context<HttpServerMsg>) {
        if self.accepting || self.clients >= self.served.connections_max {
            return;
        }
        self.accepting = true;
        let (served, addr) = (Arc::clone(&self.served), ctx.addr().clone());
        ctx.pipe(async move {
            loop {
                match served.listener.accept().await {
                    Ok((client, _)) => return Some(HttpServerMsg::Arrived(client)),
                    Err(error) => {
                        addr.probe().note(format!("no connection: {error}"));
                        tokio::time::sleep(limits::HTTP_ACCEPT_AGAIN).await;
                    }
                }
            }
        });
    }

    fn arrived(&mut self, ctx: &Context<HttpServerMsg>, client: TcpStream) {
        self.accepting = false;
        self.clients += 1;
        let router = self.served.router.clone();
        ctx.pipe(async move {
            connection::serve(client, router).await;
            Some(HttpServerMsg::Left)
        });
        self.accept(ctx);
    }

    fn left(&mut self, ctx: &Context<HttpServerMsg>) {
        self.clients -= 1;
        self.accept(ctx);
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use raytree_supervise::SupervisorSpec;
    use raytree_types::Strategy;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn answer(client: &mut TcpStream) -> String {
        client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
        let mut read = [0; 1024];
        let count = client.read(&mut read).await.expect("an answer");
        String::from_utf8_lossy(&read[..count]).into_owned()
    }

    #[tokio::test]
    async fn hs_2_whoever_comes_when_all_places_are_taken_waits_in_line() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/", get(async || "here"));
        let served = Arc::new(Served { listener, router, connections_max: 1 });
        let root =
            Root::start("raytree", SupervisorSpec::new(Strategy::OneForOne)).expect("a tree");
        start(&root, "http", served);
        let mut first = TcpStream::connect(address).await.expect("it listens");
        assert!(answer(&mut first).await.ends_with("here"));
        let server = root.probe().find("http").expect("a server");
        let before = server.handled();
        let mut second = TcpStream::connect(address).await.expect("the line of the port");
        second.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("room");
        for _ in 0..10 {
            assert!(answer(&mut first).await.ends_with("here"));
        }
        assert_eq!(server.handled(), before, "nobody else has arrived");
        drop(first);
        let mut read = [0; 1024];
        assert!(second.read(&mut read).await.expect("its turn") > 0);
    }
}
