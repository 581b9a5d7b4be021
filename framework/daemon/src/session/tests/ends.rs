//! How sessions end, and what of others does not.

use std::io::Write as _;
use std::thread;

use ractor::ActorCell;
use ractor::registry::get_all_pids;
use raytree_types::limits;
use raytree_wire::write_frame;

use super::support::{Couple, Door, GENEROUS, Process};
use crate::session::gate::GateMsg;
use crate::session::letter::Letter;
use crate::session::pump::Greeting;
use crate::session::{SayError, Session, SessionEnd, SessionEvent, Side, open};

#[test]
fn se_2_closing_ends_both_sides() {
    let couple = Couple::meet();
    couple.at_head.0.say(&"before".to_owned()).unwrap();
    assert_eq!(couple.at_node.1.said(), "before");
    couple.at_head.0.close();
    couple.at_head.0.close();
    assert_eq!(couple.at_head.1.lost(), SessionEnd::Closed);
    assert_eq!(couple.at_node.1.lost(), SessionEnd::PeerGone);
    let refused = couple.at_node.0.say(&"after".to_owned()).unwrap_err();
    assert!(matches!(refused, SayError::Lost { peer } if peer == "head"));
}

#[test]
fn se_2_a_session_that_nobody_holds_is_closed() {
    let couple = Couple::meet();
    let (session, events) = couple.at_node;
    let clone = session.clone();
    drop(session);
    clone.say(&"still held".to_owned()).unwrap();
    assert_eq!(couple.at_head.1.said(), "still held");
    drop(clone);
    assert_eq!(events.lost(), SessionEnd::Closed);
    assert_eq!(couple.at_head.1.lost(), SessionEnd::PeerGone);
}

#[test]
fn se_2_a_cut_connection_is_lost_on_both_sides() {
    let couple = Couple::meet();
    let another = couple.another();
    couple.middle.cut();
    assert_eq!(couple.at_node.1.lost(), SessionEnd::PeerGone);
    assert_eq!(couple.at_head.1.lost(), SessionEnd::PeerGone);
    another.works();
}

#[test]
fn se_2_a_process_that_ends_is_lost() {
    let couple = Couple::meet();
    couple.node.shutdown();
    assert_eq!(couple.at_node.1.lost(), SessionEnd::SessionsEnded);
    assert_eq!(couple.at_head.1.lost(), SessionEnd::PeerGone);
    // And what is opened in it from then on is not taken.
    let (dialed, _accepted) = couple.door.connection();
    let (_session, events) = couple.node.open::<String>(dialed, Side::Dialed);
    assert!(matches!(events.lost(), SessionEnd::NotTaken { .. }));
}

#[test]
fn se_2_a_panic_of_the_actor_loses_all_and_new_ones_open_afterwards() {
    let couple = Couple::meet();
    let another = couple.another();
    couple.head.sessions.probe().panic_now();
    assert_eq!(couple.at_head.1.lost(), SessionEnd::SessionsEnded);
    assert_eq!(another.at_head.1.lost(), SessionEnd::SessionsEnded);
    assert_eq!(couple.at_node.1.lost(), SessionEnd::PeerGone);
    assert_eq!(another.at_node.1.lost(), SessionEnd::PeerGone);
    couple.another().works();
}

#[test]
fn se_4_garbage_ends_its_own_session_alone() {
    let too_long = (limits::SESSION_FRAME_BYTES_MAX as u64 + 1).to_be_bytes();
    let no_protobuf = [&3_u64.to_be_bytes()[..], &[0xff; 3]].concat();
    let endless = u64::MAX.to_be_bytes();
    for garbage in [&too_long[..], &no_protobuf, &endless] {
        let couple = Couple::meet();
        let another = couple.another();
        couple.middle.inject(garbage);
        let end = couple.at_node.1.lost();
        assert!(matches!(end, SessionEnd::Protocol { .. }), "{end}");
        assert_eq!(couple.at_head.1.lost(), SessionEnd::PeerGone);
        another.works();
    }
}

#[test]
fn se_4_garbage_instead_of_a_greeting_ends_its_own_session_alone() {
    let couple = Couple::meet();
    let frame = |bytes: &[u8]| {
        let mut frame = Vec::new();
        write_frame(&mut frame, bytes, usize::MAX).unwrap();
        frame
    };
    let same_side = Greeting::new(1).unwrap().bytes(Side::Accepted);
    for garbage in [&[0xff; 64][..], &frame(b"hello"), &frame(&same_side), &[0]] {
        let (stranger, accepted) = couple.door.connection();
        let (_session, events) = couple.head.open::<String>(accepted, Side::Accepted);
        let (_reads, mut writes) = stranger.split();
        writes.write_all(garbage).unwrap();
        drop(writes);
        let end = events.lost();
        assert!(matches!(end, SessionEnd::NoGreeting { .. }), "{end}");
    }
    couple.another().works();
}

#[test]
fn se_4_a_gate_that_is_none_ends_its_own_session_alone() {
    let couple = Couple::meet();
    let (stranger, accepted) = couple.door.connection();
    let (_session, events) = couple.head.open::<String>(accepted, Side::Accepted);
    let (_reads, mut writes) = stranger.split();
    let greeting = Greeting::new(u64::MAX).unwrap().bytes(Side::Dialed);
    write_frame(&mut writes, &greeting, greeting.len()).unwrap();
    writes.write_all(&[0xff; 64]).unwrap();
    let end = events.lost();
    assert!(matches!(end, SessionEnd::Protocol { .. }), "{end}");
    couple.another().works();
}

#[test]
fn se_4_a_letter_to_nobody_is_nobodys() {
    let couple = Couple::meet();
    let another = couple.another();
    let stray = Letter::said(&"stray").unwrap().to(&[7; 16]);
    for gate in get_all_pids().into_iter().filter(ActorCell::supports_remoting) {
        for letter in [&stray[..], &stray[..16], &[], &[0xff; 40]] {
            // Those of other tests may end meanwhile.
            _ = gate.send_message(GateMsg::Letter(letter.to_vec()));
        }
    }
    another.works();
    couple.another().works();
}

#[test]
fn se_3_a_peer_that_says_nothing_is_not_waited_for() {
    let (head, door) = (Process::impatient(), Door::plain());
    let (mute, accepted) = door.connection();
    let (_session, events) = head.open::<String>(accepted, Side::Accepted);
    let end = head.run_until(move || events.lost());
    assert_eq!(end, SessionEnd::Overdue { within: limits::SESSION_OPEN_WITHIN });
    drop(mute);
}

#[test]
fn se_4_a_message_that_cannot_be_read_ends_its_own_session_alone() {
    let couple = Couple::meet();
    let (dialed, accepted) = couple.door.connection();
    let (at_node, node_hears) = couple.node.open::<String>(dialed, Side::Dialed);
    // This side expects numbers.
    let (_at_head, head_hears) = couple.head.open::<u32>(accepted, Side::Accepted);
    at_node.say(&"no number".to_owned()).unwrap();
    let end = head_hears.lost();
    assert!(matches!(end, SessionEnd::Unreadable { .. }), "{end}");
    assert_eq!(node_hears.lost(), SessionEnd::PeerGone);
    couple.another().works();
}

#[test]
fn se_4_who_panics_when_it_hears_ends_its_own_session_alone() {
    let couple = Couple::meet();
    let (dialed, accepted) = couple.door.connection();
    let (at_node, node_hears) = couple.node.open::<String>(dialed, Side::Dialed);
    let at_head: Session<String> = open(
        &couple.head.sessions,
        "node-1",
        accepted,
        Side::Accepted,
        |event: SessionEvent<String>| {
            assert!(!matches!(event, SessionEvent::Said(_)), "it cannot bear this");
        },
    );
    at_node.say(&"this".to_owned()).unwrap();
    assert_eq!(node_hears.lost(), SessionEnd::PeerGone);
    assert!(matches!(at_head.say(&String::new()), Err(SayError::Lost { .. })));
    couple.another().works();
}

#[test]
fn se_2_who_hears_may_say_and_close() {
    let couple = Couple::meet();
    let (dialed, accepted) = couple.door.connection();
    let (at_node, node_hears) = couple.node.open::<String>(dialed, Side::Dialed);
    let (give, given) = std::sync::mpsc::sync_channel::<Session<String>>(1);
    let mut own = None;
    let answers = move |event: SessionEvent<String>| match event {
        SessionEvent::Opened => own = given.recv_timeout(GENEROUS).ok(),
        SessionEvent::Said(text) if text == "end" => own.as_ref().unwrap().close(),
        SessionEvent::Said(text) => own.as_ref().unwrap().say(&text).unwrap(),
        // The last of its session is dropped here, in its own ear.
        SessionEvent::Lost(_) => own = None,
    };
    give.send(open(&couple.head.sessions, "node-1", accepted, Side::Accepted, answers)).unwrap();
    node_hears.opened();
    at_node.say(&"echo".to_owned()).unwrap();
    assert_eq!(node_hears.said(), "echo");
    at_node.say(&"end".to_owned()).unwrap();
    assert_eq!(node_hears.lost(), SessionEnd::PeerGone);
    couple.another().works();
}

#[test]
fn se_2_sessions_end_while_everybody_talks() {
    let couple = Couple::meet();
    thread::scope(|scope| {
        for session in [&couple.at_node.0, &couple.at_head.0] {
            // Until it is lost, whatever is refused meanwhile.
            scope.spawn(move || {
                while !matches!(session.say(&"x".repeat(999)), Err(SayError::Lost { .. })) {
                    thread::yield_now();
                }
            });
        }
        assert_eq!(couple.at_head.1.said().len(), 999);
        couple.middle.cut();
    });
    couple.at_node.1.lost();
    couple.at_head.1.lost();
    couple.another().works();
}
