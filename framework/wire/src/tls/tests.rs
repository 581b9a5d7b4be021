//! Somebody between two who know the token.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::*;
use crate::handshake;
use crate::hello::{Hello, Plane};
use crate::message::NONCE_BYTES;
use crate::patience::Patience;
use crate::token::PROOF_BYTES;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dialer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (dialer, listener.accept().unwrap().0)
}

fn hello() -> Hello {
    Hello::new(Plane::Control, "node-1", b"").unwrap()
}

fn patience() -> Patience {
    Patience::new(Duration::from_secs(60), None).unwrap()
}

#[test]
fn wh_3_who_stole_the_key_cannot_stand_between_two_who_know_the_token() {
    let token = Token::random().unwrap();
    let stolen = Tls::of_token(&token).unwrap();
    let ((dialer, near), (far, listener)) = (pair(), pair());
    thread::scope(|scope| {
        let dialed = scope.spawn(|| {
            let dialed = handshake::dial(&dialer, &token, Some(&stolen), &hello(), &patience());
            dialed.map(|_| ())
        });
        let accepted = scope.spawn(|| {
            let accepted = handshake::accept(&listener, &token, Some(&stolen), &patience());
            accepted.map(|_| ())
        });
        let patience = patience();
        let mut near = Patient { socket: &near, patience: &patience };
        let mut far = Patient { socket: &far, patience: &patience };
        let mut victim = stolen.accept(&mut near).unwrap();
        let mut door = stolen.dial(&mut far).unwrap();
        assert_ne!(victim.binding().unwrap(), door.binding().unwrap());
        let mut opening = [0; HEAD_BYTES + NONCE_BYTES];
        victim.over(&mut near).read_exact(&mut opening).unwrap();
        door.over(&mut far).write_all(&opening).unwrap();
        let mut challenge = [0; HEAD_BYTES + NONCE_BYTES + PROOF_BYTES];
        door.over(&mut far).read_exact(&mut challenge).unwrap();
        victim.over(&mut near).write_all(&challenge).unwrap();
        let dialed = dialed.join().unwrap();
        assert!(matches!(dialed, Err(HandshakeError::Token)), "{dialed:?}");
        far.socket.shutdown(Shutdown::Both).unwrap();
        let accepted = accepted.join().unwrap();
        assert!(matches!(accepted, Err(HandshakeError::Closed)), "{accepted:?}");
    });
}

#[test]
fn who_copied_the_public_key_does_not_have_the_other() {
    let token = Token::random().unwrap();
    let (true_one, other) = (Tls::of_token(&token).unwrap(), Tls::of_token(&token).unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let der = |seed: u8| {
        let key = [&PKCS8_OF_ED25519[..], &[seed; 32]].concat();
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))
    };
    let load = |seed: u8| provider.key_provider.load_private_key(der(seed)).unwrap();
    // Shows the key of seed 1, and signs with that of seed 2.
    let shown = CertificateDer::from(load(1).public_key().unwrap().to_vec());
    let forged = CertifiedKey::new(vec![shown.clone()], load(2));
    let liar = Tls { server: server(&provider, forged, true).unwrap(), ..other };
    let pinned = Pinned { expected: shown, bare: true, provider: Arc::clone(&provider) };
    let dialing = Tls { client: client(&provider, pinned).unwrap(), ..true_one };
    let (dialer, listener) = pair();
    thread::scope(|scope| {
        let accepted =
            scope.spawn(|| handshake::accept(&listener, &token, Some(&liar), &patience()));
        let dialed = handshake::dial(&dialer, &token, Some(&dialing), &hello(), &patience());
        assert!(matches!(dialed, Err(HandshakeError::Certificate)), "{dialed:?}");
        drop(dialer);
        assert!(accepted.join().unwrap().is_err());
    });
}

#[test]
fn the_key_of_a_token_is_always_the_same_and_that_of_another_is_not() {
    let (token, other) = (Token::random().unwrap(), Token::random().unwrap());
    let shown = |token: &Token| {
        let provider = rustls::crypto::ring::default_provider();
        let key = provider.key_provider.load_private_key(key_of(token)).unwrap();
        key.public_key().unwrap().to_vec()
    };
    assert_eq!(shown(&token), shown(&token.clone()));
    assert_ne!(shown(&token), shown(&other));
}
