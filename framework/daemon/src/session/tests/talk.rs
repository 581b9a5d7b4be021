//! What is said is heard.

use std::sync::mpsc::sync_channel;
use std::thread;

use raytree_types::limits;

use super::support::{Couple, Door, Events, GENEROUS, Process};
use crate::session::{SayError, Session, SessionEnd, SessionEvent, Side, open};

/// More than may be unheard.
const MANY: u32 = 10_000;

/// Says it as soon as there is room.
fn say(session: &Session<u32>, number: u32) {
    while let Err(refused) = session.say(&number) {
        assert!(matches!(refused, SayError::Crowded { .. }), "{refused}");
        thread::yield_now();
    }
}

fn hear_all(events: &Events<u32>) {
    events.opened();
    for number in 0..MANY {
        assert_eq!(events.said(), number);
    }
}

fn talk_both_ways(door: &Door) {
    let (node, head) = (Process::start(), Process::start());
    let (dialed, accepted) = door.connection();
    let (at_node, node_hears) = node.open::<u32>(dialed, Side::Dialed);
    let (at_head, head_hears) = head.open::<u32>(accepted, Side::Accepted);
    thread::scope(|scope| {
        scope.spawn(|| (0..MANY).for_each(|number| say(&at_node, number)));
        scope.spawn(|| (0..MANY).for_each(|number| say(&at_head, number)));
        scope.spawn(move || hear_all(&head_hears));
        scope.spawn(move || hear_all(&node_hears));
    });
}

#[test]
fn se_1_ten_thousand_messages_arrive_in_order_both_ways() {
    talk_both_ways(&Door::plain());
}

#[test]
fn se_1_ten_thousand_encrypted_messages_arrive_in_order_both_ways() {
    talk_both_ways(&Door::encrypted());
}

#[test]
fn se_1_what_is_said_before_the_peer_is_there_arrives_first() {
    let (node, head, door) = (Process::start(), Process::start(), Door::plain());
    let (dialed, accepted) = door.connection();
    let (at_node, node_hears) = node.open::<u32>(dialed, Side::Dialed);
    for number in 0..100 {
        at_node.say(&number).unwrap();
    }
    let (_at_head, head_hears) = head.open::<u32>(accepted, Side::Accepted);
    node_hears.opened();
    at_node.say(&100).unwrap();
    head_hears.opened();
    assert!((0..=100).all(|number| head_hears.said() == number));
}

#[test]
fn se_3_a_message_of_the_largest_size_arrives_and_a_larger_one_is_not_sent() {
    let couple = Couple::meet();
    let (at_node, at_head) = (&couple.at_node.0, &couple.at_head.1);
    let max = limits::SESSION_MESSAGE_BYTES_MAX;
    // Two bytes are its quotes.
    let largest = "x".repeat(max - 2);
    at_node.say(&largest).unwrap();
    assert!(at_head.said() == largest);
    let refused = at_node.say(&(largest + "x")).unwrap_err();
    let SayError::TooLarge { peer, bytes, .. } = refused else { panic!("{refused}") };
    assert_eq!((&*peer, bytes), ("head", max + 1));
    at_node.say(&"still here".to_owned()).unwrap();
    assert_eq!(at_head.said(), "still here");
}

#[test]
fn se_3_who_does_not_listen_is_not_talked_to_without_end() {
    let (node, head, door) = (Process::start(), Process::start(), Door::plain());
    let (dialed, accepted) = door.connection();
    let (at_node, node_hears) = node.open::<u32>(dialed, Side::Dialed);
    let (release, released) = sync_channel::<()>(0);
    let (tell, heard) = sync_channel(limits::SESSION_UNHEARD_MAX);
    let listens = move |event| {
        if let SessionEvent::Said(number) = event {
            // From the first message on it is deaf, until it is released.
            _ = released.recv();
            _ = tell.try_send(number);
        }
    };
    let _at_head: Session<u32> = open(&head.sessions, "node-1", accepted, Side::Accepted, listens);
    node_hears.opened();
    let said = (0..).take_while(|number| at_node.say(number).is_ok()).count();
    assert_eq!(said, limits::SESSION_UNHEARD_MAX);
    let refused = at_node.say(&0).unwrap_err();
    let SayError::Crowded { messages, .. } = refused else { panic!("{refused}") };
    assert_eq!(messages, limits::SESSION_UNHEARD_MAX);
    drop(release);
    for number in (0..).take(said) {
        assert_eq!(heard.recv_timeout(GENEROUS), Ok(number));
    }
    say(&at_node, 0);
    assert_eq!(heard.recv_timeout(GENEROUS), Ok(0));
}

#[test]
fn se_3_what_cannot_be_encoded_is_not_said() {
    let (node, door) = (Process::start(), Door::plain());
    let (dialed, _accepted) = door.connection();
    let odd = std::collections::HashMap::from([((1, 2), 3)]);
    let at_node: Session<std::collections::HashMap<(u8, u8), u8>> =
        open(&node.sessions, "head", dialed, Side::Dialed, |_: SessionEvent<()>| {});
    assert!(matches!(at_node.say(&odd), Err(SayError::Encoding { .. })));
}

#[test]
fn se_4_many_sessions_of_one_process_do_not_disturb_each_other() {
    const NODES: usize = 32;
    let (head, door) = (Process::start(), Door::plain());
    let nodes: Vec<_> = (0..NODES).map(|_| Process::start()).collect();
    let talks: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (dialed, accepted) = door.connection();
            let at_node = node.open::<usize>(dialed, Side::Dialed);
            (at_node, head.open::<usize>(accepted, Side::Accepted))
        })
        .collect();
    for (number, ((at_node, _), (at_head, _))) in talks.iter().enumerate() {
        at_node.say(&number).unwrap();
        at_head.say(&number).unwrap();
    }
    for (number, ((_, node_hears), (_, head_hears))) in talks.iter().enumerate() {
        node_hears.opened();
        head_hears.opened();
        assert_eq!((node_hears.said(), head_hears.said()), (number, number));
    }
    // Every second one ends, some from here, some from there.
    for ((at_node, _), _) in talks.iter().step_by(4) {
        at_node.close();
        assert!(matches!(at_node.say(&0), Err(SayError::Lost { .. })));
    }
    for (_, (at_head, _)) in talks.iter().skip(2).step_by(4) {
        at_head.close();
    }
    for (number, (at_node, at_head)) in talks.iter().enumerate() {
        if number % 2 == 0 {
            let ends = (at_node.1.lost(), at_head.1.lost());
            let here_first = (SessionEnd::Closed, SessionEnd::PeerGone);
            let there_first = (SessionEnd::PeerGone, SessionEnd::Closed);
            assert_eq!(ends, if number % 4 == 0 { here_first } else { there_first });
        } else {
            at_head.0.say(&number).unwrap();
            assert_eq!(at_node.1.said(), number);
        }
    }
}
