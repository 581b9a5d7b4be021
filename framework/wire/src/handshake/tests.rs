//! Both sides of a handshake, on real sockets of this machine.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::hello::Plane;

const GENEROUS: Duration = Duration::from_secs(60);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dialer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (dialer, listener.accept().unwrap().0)
}

fn token() -> Token {
    Token::random().unwrap()
}

fn hello() -> Hello {
    Hello::new(Plane::Calls, "worker-1", b"details".to_vec()).unwrap()
}

fn patience() -> Patience {
    Patience::new(GENEROUS, None).unwrap()
}

/// What a listener makes of these bytes, after which nothing comes.
fn heard(token: &Token, bytes: &[u8]) -> Result<Hello, HandshakeError> {
    let (mut dialer, listener) = pair();
    dialer.write_all(bytes).unwrap();
    dialer.shutdown(Shutdown::Write).unwrap();
    accept(&listener, token, None, &patience()).map(|(hello, _)| hello)
}

/// A dialer and a listener that is scripted, or the other way round.
fn against<A: Send, B: Send>(
    dialer: impl FnOnce(TcpStream) -> A + Send,
    listener: impl FnOnce(TcpStream) -> B + Send,
) -> (A, B) {
    let (one, other) = pair();
    thread::scope(|scope| {
        let dialer = scope.spawn(move || dialer(one));
        let heard = listener(other);
        (dialer.join().unwrap(), heard)
    })
}

fn accepting(token: &Token) -> impl FnOnce(TcpStream) -> Result<Hello, HandshakeError> {
    move |socket| accept(&socket, token, None, &patience()).map(|(hello, _)| hello)
}

/// A dialer that knows what a dialer says, and does not look at what it is answered.
fn careless(socket: &mut TcpStream, token: &Token, introduction: impl FnOnce(&mut Vec<u8>)) {
    let patience = patience();
    let mut patient = Patient { socket, patience: &patience };
    let mut conversation = Conversation::new(&mut patient, token, None);
    conversation.say(Head::of(Kind::Opening), &[&nonce().unwrap()], None).unwrap();
    conversation.hear_head(Kind::Challenge).unwrap();
    conversation.hear(NONCE_BYTES + PROOF_BYTES).unwrap();
    let begin = conversation.said.len();
    conversation.said.extend(Head::of_introduction(&hello()).bytes());
    conversation.said.extend(b"worker-1details");
    let mut said = conversation.said.split_off(begin);
    introduction(&mut said);
    conversation.said.extend(&said);
    let proof = conversation.with_parts(Role::Dialer, |parts| token.proof(parts));
    said.extend(proof);
    conversation.with.write_all(&said).unwrap();
}

/// The refusal that a side was told.
fn told(socket: &mut TcpStream) -> Refusal {
    match Head::read(socket, Kind::Welcome).unwrap_err() {
        HandshakeError::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_that_know_the_token_meet() {
    let token = token();
    let (dialed, heard) = against(
        |socket| dial(&socket, &token, None, &hello(), &patience()).map(|_| ()),
        accepting(&token),
    );
    dialed.unwrap();
    assert_eq!(heard.unwrap(), hello());
}

#[test]
fn wh_1_a_listener_without_the_token_is_refused() {
    let token = token();
    let (dialed, heard) = against(
        |socket| dial(&socket, &token, None, &hello(), &patience()).map(|_| ()),
        accepting(&Token::random().unwrap()),
    );
    assert!(matches!(dialed, Err(HandshakeError::Token)), "{dialed:?}");
    let told = HandshakeError::Refused { reason: Refusal::Token }.to_string();
    assert_eq!(heard.unwrap_err().to_string(), told);
}

#[test]
fn wh_1_a_dialer_without_the_token_is_refused() {
    let wrong = token();
    let (told, heard) = against(
        |mut socket| {
            careless(&mut socket, &wrong, |_| {});
            told(&mut socket)
        },
        accepting(&token()),
    );
    assert!(matches!(heard, Err(HandshakeError::Token)), "{heard:?}");
    assert_eq!(told, Refusal::Token);
}

#[test]
fn wh_2_a_stranger_learns_nothing_of_the_dialer() {
    let (_, said) = against(
        |socket| dial(&socket, &token(), None, &hello(), &patience()).map(|_| ()),
        |mut socket| {
            let mut said = vec![0; HEAD_BYTES + NONCE_BYTES];
            socket.read_exact(&mut said).unwrap();
            socket.write_all(&Head::of(Kind::Challenge).bytes()).unwrap();
            socket.write_all(&[7; NONCE_BYTES + PROOF_BYTES]).unwrap();
            socket.read_to_end(&mut said).unwrap();
            said
        },
    );
    assert_eq!(said[HEAD_BYTES + NONCE_BYTES..], Head::of_refusal(Refusal::Token).bytes());
}

#[test]
fn wh_3_what_was_said_once_convinces_nobody_again() {
    let token = token();
    let (said, heard) = against(
        |mut socket| {
            let mut listener = socket.try_clone().unwrap();
            // A true dialer behind somebody who keeps what it says.
            let (mut near, far) = pair();
            thread::scope(|scope| {
                let dialer = scope.spawn(|| dial(&far, &token, None, &hello(), &patience()));
                let mut said = vec![0; HEAD_BYTES + NONCE_BYTES];
                near.read_exact(&mut said).unwrap();
                socket.write_all(&said).unwrap();
                let mut answer = [0; HEAD_BYTES + NONCE_BYTES + PROOF_BYTES];
                listener.read_exact(&mut answer).unwrap();
                near.write_all(&answer).unwrap();
                let begin = said.len();
                said.resize(begin + HEAD_BYTES + "worker-1details".len() + PROOF_BYTES, 0);
                near.read_exact(&mut said[begin..]).unwrap();
                socket.write_all(&said[begin..]).unwrap();
                let mut welcome = [0; HEAD_BYTES + PROOF_BYTES];
                listener.read_exact(&mut welcome).unwrap();
                near.write_all(&welcome).unwrap();
                assert!(dialer.join().unwrap().is_ok());
                said
            })
        },
        accepting(&token),
    );
    assert_eq!(heard.unwrap(), hello());
    let again = super::tests::heard(&token, &said);
    assert!(matches!(again, Err(HandshakeError::Token)), "{again:?}");
}

#[test]
fn wh_3_a_proof_holds_for_one_role_and_one_connection() {
    let token = token();
    let patience = patience();
    let (socket, _other) = pair();
    let mut patient = Patient { socket: &socket, patience: &patience };
    let mut proofs = Vec::new();
    for binding in [None, Some([0; 32]), Some([1; 32])] {
        let conversation = Conversation::new(&mut patient, &token, binding);
        for role in [Role::Challenger, Role::Dialer, Role::Welcomer] {
            proofs.push(conversation.with_parts(role, |parts| token.proof(parts)));
        }
    }
    let all = proofs.len();
    proofs.sort_unstable();
    proofs.dedup();
    assert_eq!(proofs.len(), all);
}

#[test]
fn a_dialer_that_ends_at_any_byte_is_told_as_such() {
    let token = token();
    let mut opening = Head::of(Kind::Opening).bytes().to_vec();
    opening.extend([1; NONCE_BYTES]);
    for end in 0..=opening.len() {
        let heard = heard(&token, &opening[..end]);
        assert!(matches!(heard, Err(HandshakeError::Closed)), "{end}: {heard:?}");
    }
    let all = HEAD_BYTES + "worker-1details".len() + PROOF_BYTES;
    for end in 0..all {
        let cut = |mut socket: TcpStream| {
            let (mut near, far) = pair();
            thread::scope(|scope| {
                let dialer = scope.spawn(|| dial(&far, &token, None, &hello(), &patience()));
                let mut bytes = [0; HEAD_BYTES + NONCE_BYTES];
                near.read_exact(&mut bytes).unwrap();
                socket.write_all(&bytes).unwrap();
                let mut answer = [0; HEAD_BYTES + NONCE_BYTES + PROOF_BYTES];
                socket.read_exact(&mut answer).unwrap();
                near.write_all(&answer).unwrap();
                let mut introduction = vec![0; all];
                near.read_exact(&mut introduction).unwrap();
                socket.write_all(&introduction[..end]).unwrap();
                socket.shutdown(Shutdown::Write).unwrap();
                near.shutdown(Shutdown::Both).unwrap();
                assert!(matches!(dialer.join().unwrap(), Err(HandshakeError::Closed)));
            });
        };
        let ((), heard) = against(cut, accepting(&token));
        assert!(matches!(heard, Err(HandshakeError::Closed)), "{end}: {heard:?}");
    }
}

#[test]
fn a_listener_that_ends_at_any_byte_is_told_as_such() {
    let mut answer = Head::of(Kind::Challenge).bytes().to_vec();
    answer.extend([1; NONCE_BYTES + PROOF_BYTES]);
    for end in 0..answer.len() {
        let (dialed, ()) = against(
            |socket| dial(&socket, &token(), None, &hello(), &patience()).map(|_| ()),
            |mut socket| {
                socket.read_exact(&mut [0; HEAD_BYTES + NONCE_BYTES]).unwrap();
                socket.write_all(&answer[..end]).unwrap();
            },
        );
        assert!(matches!(dialed, Err(HandshakeError::Closed)), "{end}: {dialed:?}");
    }
}

#[test]
fn another_version_is_told_from_garbage_and_told_so() {
    let mut opening = Head::of(Kind::Opening).bytes();
    opening[8] = 2;
    let (told, heard) = against(
        |mut socket| {
            socket.write_all(&opening).unwrap();
            // Whatever else that version says is not read.
            socket.write_all(&[9; 500]).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            told(&mut socket)
        },
        accepting(&token()),
    );
    assert!(matches!(heard, Err(HandshakeError::Version { theirs: 2 })), "{heard:?}");
    assert_eq!(told, Refusal::Version);

    let mut refusal = Head::of_refusal(Refusal::Version).bytes();
    refusal[8] = 2;
    let (dialed, ()) = against(
        |socket| dial(&socket, &token(), None, &hello(), &patience()).map(|_| ()),
        |mut socket| {
            socket.read_exact(&mut [0; HEAD_BYTES + NONCE_BYTES]).unwrap();
            socket.write_all(&refusal).unwrap();
        },
    );
    assert!(matches!(dialed, Err(HandshakeError::Version { theirs: 2 })), "{dialed:?}");
}

#[test]
fn what_is_no_raytree_is_refused_at_its_first_byte() {
    for (said, guess) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "an HTTP request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "an HTTP request"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH"),
    ] {
        let heard = heard(&token(), said);
        let of = |error: &HandshakeError| match error {
            HandshakeError::NotRaytree { looks_like } => *looks_like,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(&heard.unwrap_err()), Some(guess));
    }
    let (answer, heard) = against(
        |mut socket| {
            // It says no more, and waits.
            socket.write_all(b"?").unwrap();
            told(&mut socket)
        },
        accepting(&token()),
    );
    assert!(matches!(heard, Err(HandshakeError::NotRaytree { looks_like: None })), "{heard:?}");
    assert_eq!(answer, Refusal::NotUnderstood);
    let tls = super::tests::heard(&token(), b"\x16\x03\x01\x02\x00");
    assert!(matches!(tls, Err(HandshakeError::OnlyTls)), "{tls:?}");
}

#[test]
fn an_oversized_hello_is_refused_before_it_is_read() {
    let token = token();
    for (at, bytes, error) in [
        (11, &[129][..], "a name of 129 bytes, where 1 to 128 are allowed"),
        (12, &[1, 16, 0, 0], "details of 4097 bytes, where at most 4096 are allowed"),
        (12, &[255; 4], "details of 4294967295 bytes, where at most 4096 are allowed"),
    ] {
        let (told, heard) = against(
            |mut socket| {
                careless(&mut socket, &token, |said| {
                    said[at..at + bytes.len()].copy_from_slice(bytes);
                });
                told(&mut socket)
            },
            accepting(&token),
        );
        let expected = format!("the dialer introduced itself with {error}");
        assert_eq!(heard.unwrap_err().to_string(), expected);
        assert_eq!(told, Refusal::NotUnderstood);
    }
}

#[test]
fn a_name_that_is_no_text_is_refused_though_it_is_proven() {
    let token = token();
    for byte in [0xff, 0x1b] {
        let ((), heard) = against(
            |mut socket| careless(&mut socket, &token, |said| said[HEAD_BYTES] = byte),
            accepting(&token),
        );
        assert!(matches!(heard, Err(HandshakeError::Hello(BadHello::NameText))), "{heard:?}");
    }
}

#[test]
fn one_bent_byte_of_an_introduction_is_noticed() {
    let token = token();
    for at in HEAD_BYTES..HEAD_BYTES + "worker-1details".len() {
        let (mut near, far) = pair();
        let (dialed, heard) = against(
            |mut socket| {
                thread::scope(|scope| {
                    let dialer = scope.spawn(|| dial(&far, &token, None, &hello(), &patience()));
                    let mut bytes = [0; HEAD_BYTES + NONCE_BYTES];
                    near.read_exact(&mut bytes).unwrap();
                    socket.write_all(&bytes).unwrap();
                    let mut answer = [0; HEAD_BYTES + NONCE_BYTES + PROOF_BYTES];
                    socket.read_exact(&mut answer).unwrap();
                    near.write_all(&answer).unwrap();
                    let mut introduction = [0; HEAD_BYTES + "worker-1details".len() + PROOF_BYTES];
                    near.read_exact(&mut introduction).unwrap();
                    introduction[at] ^= 1;
                    socket.write_all(&introduction).unwrap();
                    let mut refusal = [0; HEAD_BYTES];
                    socket.read_exact(&mut refusal).unwrap();
                    near.write_all(&refusal).unwrap();
                    dialer.join().unwrap().map(|_| ())
                })
            },
            accepting(&token),
        );
        assert!(matches!(heard, Err(HandshakeError::Token)), "{at}: {heard:?}");
        let refused = HandshakeError::Refused { reason: Refusal::Token }.to_string();
        assert_eq!(dialed.unwrap_err().to_string(), refused);
    }
}

#[test]
fn wp_1_one_who_sends_a_byte_now_and_then_gains_nothing() {
    let (told, heard) = against(
        |mut socket| {
            // Waits for an answer that does not come, a hundredth of a second for each byte.
            socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            for byte in b"raytree".iter().chain(&[1, 1, 0]).chain(&[0; 5000]) {
                if socket.write_all(&[*byte]).is_err() {
                    return true;
                }
                if socket.read(&mut [0]).is_ok() {
                    return true;
                }
            }
            false
        },
        |socket| {
            let patience = Patience::new(Duration::from_millis(100), None).unwrap();
            accept(&socket, &token(), None, &patience).map(|(hello, _)| hello)
        },
    );
    let in_time = matches!(
        heard,
        Err(HandshakeError::TimedOut { within }) if within == Duration::from_millis(100)
    );
    assert!(in_time && told, "{heard:?}");
}

#[test]
fn a_listener_that_is_silent_is_not_waited_for() {
    let (dialer, _listener) = pair();
    for within in [Duration::ZERO, Duration::from_millis(20)] {
        let patience = Patience::new(within, None).unwrap();
        let dialed = dial(&dialer, &token(), None, &hello(), &patience);
        assert!(matches!(dialed, Err(HandshakeError::TimedOut { .. })), "{dialed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_an_error_and_no_panic(
        begins_well: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut all = if begins_well { Head::of(Kind::Opening).bytes().to_vec() } else { Vec::new() };
        all.extend(bytes);
        prop_assert!(heard(&token(), &all).is_err());
    }

    #[test]
    fn any_answer_is_an_error_and_no_panic(
        begins_well: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut all = if begins_well { Head::of(Kind::Challenge).bytes().to_vec() } else { Vec::new() };
        all.extend(bytes);
        let (dialer, mut listener) = pair();
        listener.write_all(&all).unwrap();
        listener.shutdown(Shutdown::Write).unwrap();
        prop_assert!(dial(&dialer, &token(), None, &hello(), &patience()).is_err());
    }
}
