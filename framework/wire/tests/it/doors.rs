//! A listener among friends, strangers and those who stall.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use raytree_types::limits;
use raytree_wire::{BindError, BindTo, DialError, HandshakeError, Listener, Refusal, Stream, dial};
use rustix::net::sockopt::socket_acceptconn;
use rustix::net::{Shutdown, getsockname, shutdown};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use crate::support::{GENEROUS, House, hello, token, until, ways};

/// Waits until the other side has hung up.
fn hears_the_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    // A connection that is reset has ended too.
    _ = socket.read_to_end(&mut said);
    said
}

#[test]
fn who_knows_the_token_comes_in_and_both_talk() {
    for to in ways() {
        let encrypted = to.tls.is_some();
        let house = House::of(to);
        for _ in 0..3 {
            let (dialed, accepted) = house.meet();
            assert_eq!((dialed.is_encrypted(), accepted.is_encrypted()), (encrypted, encrypted));
            talk(dialed, accepted);
        }
        let counts = house.listener.counts();
        assert_eq!((counts.accepted, counts.refused, counts.crowded), (3, 0, 0));
    }
}

fn talk(one: Stream, other: Stream) {
    let ((mut reads, mut writes), (mut hears, mut says)) = (one.split(), other.split());
    let mut said = [0; 4];
    writes.write_all(b"ping").unwrap();
    hears.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"ping");
    says.write_all(b"pong").unwrap();
    reads.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"pong");
}

#[test]
fn wh_1_who_does_not_know_the_token_stays_outside() {
    for to in ways() {
        let house = House::of(to);
        let refused = dial(house.address(), &token(), house.tls.as_ref(), &hello(), GENEROUS);
        let error = refused.unwrap_err();
        assert!(matches!(error.handshake(), Some(HandshakeError::Token)), "{error:?}");
        until(|| house.listener.counts().refused == 1);
        house.meet();
    }
}

#[test]
fn garbage_and_http_are_refused_and_harm_nobody() {
    for to in ways() {
        let house = House::of(to);
        let said: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            &[0; 100_000],
            &[0xff],
            b"\x16\x03\x01\x00\x05?????",
        ];
        for said in said {
            let mut stranger = house.stranger();
            // It may be gone before all is said.
            _ = stranger.write_all(said);
            let answer = hears_the_end(&mut stranger);
            assert!(answer.len() <= 16, "{answer:?}");
        }
        until(|| house.listener.counts().refused == 4);
        house.meet();
    }
}

#[test]
fn wl_1_a_silent_client_holds_up_nobody() {
    for to in ways() {
        let house = House::of(BindTo { handshake_within: GENEROUS, ..to });
        let silent = house.stranger();
        let mut slow = house.stranger();
        slow.write_all(if house.tls.is_some() { b"\x16" } else { b"r" }).unwrap();
        house.meet();
        house.meet();
        drop((silent, slow));
        until(|| house.listener.counts().refused == 2);
    }
}

#[test]
fn wp_1_a_silent_client_is_closed_in_the_end() {
    let within = Duration::from_millis(20);
    for to in ways() {
        let house = House::of(BindTo { handshake_within: within, ..to });
        assert_eq!(hears_the_end(&mut house.stranger()), b"");
        until(|| house.listener.counts().refused == 1);
    }
}

#[test]
fn wl_1_what_is_too_much_is_closed_at_once() {
    let house = House::of(BindTo { handshake_within: GENEROUS, ..BindTo::loopback(token()) });
    let stalled: Vec<_> = (0..limits::WIRE_HANDSHAKES_MAX).map(|_| house.stranger()).collect();
    // They are taken in order, so these come when the house is full.
    for _ in 0..3 {
        assert_eq!(hears_the_end(&mut house.stranger()), b"");
    }
    let error = house.dial().unwrap_err();
    assert!(matches!(error.handshake(), Some(HandshakeError::Closed)), "{error:?}");
    until(|| house.listener.counts().crowded == 4);
    assert_eq!(house.listener.counts().refused, 0);
    let all = u64::try_from(stalled.len()).unwrap();
    drop(stalled);
    until(|| house.listener.counts().refused == all);
    // The last places are given back a moment later.
    until(|| house.dial().is_ok());
}

#[test]
fn wl_2_a_dropped_listener_frees_its_port_and_everything_else() {
    for to in ways() {
        let house = House::of(BindTo { handshake_within: GENEROUS, ..to });
        let (address, mut silent) = (house.address(), house.stranger());
        let mut slow = house.stranger();
        slow.write_all(if house.tls.is_some() { b"\x16" } else { b"r" }).unwrap();
        // They are in, because this one, who came later, is.
        let (dialed, accepted) = house.meet();
        let House { listener, arrivals, token, tls } = house;
        drop(listener);
        let again = TcpListener::bind(address).unwrap();
        drop(again);
        // What was in a handshake is closed long before its time is over.
        assert_eq!(hears_the_end(&mut silent), b"");
        assert_eq!(hears_the_end(&mut slow), b"");
        // The callback is dropped with the last thread.
        let gone = arrivals.recv_timeout(GENEROUS).map(|_| ());
        assert_eq!(gone, Err(RecvTimeoutError::Disconnected));
        // What was handed on stays.
        talk(dialed, accepted);
        let refused = dial(address, &token, tls.as_ref(), &hello(), GENEROUS).unwrap_err();
        assert!(matches!(refused, DialError::Unreachable { .. }), "{refused}");
    }
}

/// Takes the port away from a listener of this process, which the operating system does not do unasked.
fn take_port(address: SocketAddr) {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let numbers = files.filter_map(|file| file.file_name().to_str()?.parse().ok());
    let held = numbers.filter_map(|file| pidfd_getfd(&own, file, PidfdGetfdFlags::empty()).ok());
    let is_it = |held: &OwnedFd| {
        let at = getsockname(held).ok().and_then(|at| SocketAddr::try_from(at).ok());
        at == Some(address) && socket_acceptconn(held).unwrap_or_default()
    };
    let port = held.into_iter().find(is_it).unwrap();
    shutdown(port, Shutdown::Both).unwrap();
}

#[test]
fn a_listener_that_has_lost_its_port_says_so_and_another_one_has_it() {
    let (tell, told) = sync_channel(1);
    let token = token();
    let to = BindTo::loopback(token.clone());
    let deaf = move |error| _ = tell.send(error);
    let listener = Listener::bind_and_tell(to.clone(), |_, _, _| {}, deaf).unwrap();
    let address = listener.local_addr();
    take_port(address);
    told.recv_timeout(GENEROUS).unwrap();
    let (tell, told) = sync_channel(1);
    let to = BindTo { address, ..to };
    let another = Listener::bind(to, move |_, _, _| _ = tell.send(())).unwrap();
    drop(listener);
    dial(another.local_addr(), &token, None, &hello(), GENEROUS).unwrap();
    told.recv_timeout(GENEROUS).unwrap();
}

#[test]
fn wl_2_a_listener_may_be_dropped_by_its_own_callback() {
    let own: Arc<Mutex<Option<Listener>>> = Arc::default();
    let (tell, told) = sync_channel(1);
    let (kept, token) = (Arc::clone(&own), token());
    let listener = Listener::bind(BindTo::loopback(token.clone()), move |_, _, _| {
        drop(kept.lock().unwrap().take());
        _ = tell.send(());
    });
    let mut place = own.lock().unwrap();
    let address = place.insert(listener.unwrap()).local_addr();
    drop(place);
    dial(address, &token, None, &hello(), GENEROUS).unwrap();
    told.recv_timeout(GENEROUS).unwrap();
    assert!(TcpListener::bind(address).is_ok());
}

#[test]
fn a_callback_that_panics_costs_one_connection() {
    let (tell, told) = sync_channel(1);
    let (token, mut first) = (token(), true);
    let listener = Listener::bind(BindTo::loopback(token.clone()), move |_, _, _| {
        assert!(!std::mem::take(&mut first), "on purpose");
        _ = tell.send(());
    });
    let listener = listener.unwrap();
    let dial = || dial(listener.local_addr(), &token, None, &hello(), GENEROUS).unwrap();
    let (mut reads, _writes) = dial().split();
    assert_eq!(reads.read(&mut [0]).unwrap_or(0), 0);
    dial();
    told.recv_timeout(GENEROUS).unwrap();
}

#[test]
fn wl_3_other_machines_are_let_in_only_with_tls_or_when_asked_for() {
    let exposed: [SocketAddr; 4] = [
        "0.0.0.0:0".parse().unwrap(),
        "[::]:0".parse().unwrap(),
        "192.0.2.1:0".parse().unwrap(),
        "[::ffff:192.0.2.1]:0".parse().unwrap(),
    ];
    for address in exposed {
        let to = BindTo { address, ..BindTo::loopback(token()) };
        let error = Listener::bind(to, |_, _, _| {}).unwrap_err();
        assert!(matches!(error, BindError::Exposed { .. }), "{error}");
        let text = error.to_string();
        assert!(["TLS", "loopback", "insecure"].iter().all(|way| text.contains(way)), "{text}");
    }
    let insecure = BindTo { address: exposed[0], insecure: true, ..BindTo::loopback(token()) };
    assert!(Listener::bind(insecure, |_, _, _| {}).is_ok());
    for to in ways().into_iter().filter(|to| to.tls.is_some()) {
        assert!(Listener::bind(BindTo { address: exposed[0], ..to }, |_, _, _| {}).is_ok());
    }
    let elsewhere = BindTo { address: exposed[2], insecure: true, ..BindTo::loopback(token()) };
    let error = Listener::bind(elsewhere, |_, _, _| {}).unwrap_err();
    assert!(matches!(error, BindError::Refused { .. }), "{error}");
}

#[test]
fn a_port_where_nobody_or_something_else_listens_is_told() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let within = Duration::from_millis(20);
    let error = dial(address, &token(), None, &hello(), within).unwrap_err();
    let timed_out =
        matches!(error.handshake(), Some(HandshakeError::TimedOut { within: w }) if *w == within);
    assert!(timed_out, "{error:?}");
    let (mut client, _) = other.accept().unwrap();
    assert_eq!(client.read(&mut [0; 100]).unwrap(), 48);
    drop(other);
    let error = dial(address, &token(), None, &hello(), GENEROUS).unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error:?}");
    assert!(error.handshake().is_none());
    assert_eq!(
        Refusal::Token.to_string(),
        "this side does not know the token of the other's cluster"
    );
}
