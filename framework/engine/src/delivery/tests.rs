//! Calls over links that lose, repeat and reorder, told as stories and by chance. The stories of whole clusters are in
//! `membership::tests::sim`.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use raytree_types::limits;

use super::*;

type Receiver = Inbox<&'static str, u64, u64>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn life(number: u64) -> ProcessIncarnation {
    ProcessIncarnation(number)
}

fn caller(number: u64) -> Caller<&'static str> {
    Caller { name: "caller", incarnation: life(number) }
}

fn call(seq: u64, acked: u64) -> Call<u64> {
    Call { to: life(1), seq, acked, payload: seq * 10 }
}

/// What was begun.
fn runs(effects: &[Delivered<&'static str, u64, u64>]) -> Vec<u64> {
    let run = |effect: &Delivered<_, _, _>| match effect {
        Delivered::Run { seq, payload, .. } => {
            assert_eq!(*payload, seq * 10);
            Some(*seq)
        }
        _ => None,
    };
    effects.iter().filter_map(run).collect()
}

fn refusal(effects: &[Delivered<&'static str, u64, u64>]) -> Refusal {
    match effects {
        [Delivered::Refuse { why, .. }] => *why,
        other => panic!("no refusal but {other:?}"),
    }
}

fn make(outbox: &mut Outbox<u64>, id: u64, retries: u32) -> Vec<Post<u64, u64>> {
    outbox.step(CallInput::Call { id, payload: id, retries }, ms(0))
}

fn failed(id: u64, error: CallError) -> Post<u64, u64> {
    Post::Resolved { id, outcome: Err(error) }
}

#[test]
fn dl_1_a_repeated_call_gets_the_kept_reply_until_it_is_acknowledged() {
    let mut inbox = Receiver::new(life(1));
    assert_eq!(runs(&inbox.call(caller(1), call(1, 1), ms(0))), [1]);
    assert_eq!(inbox.call(caller(1), call(1, 1), ms(0)), [], "it runs");
    let reply = [Delivered::Reply { caller: caller(1), seq: 1, reply: 7 }];
    assert_eq!(inbox.finished(caller(1), 1, 7), reply);
    assert_eq!(inbox.finished(caller(1), 1, 8), [], "it has replied");
    assert_eq!(inbox.call(caller(1), call(1, 1), ms(0)), reply);
    inbox.acknowledged(&caller(1), life(2), 2);
    assert_eq!(inbox.kept(&"caller"), 1, "that was for another life");
    inbox.acknowledged(&caller(1), life(1), 2);
    assert_eq!(inbox.kept(&"caller"), 0);
    assert_eq!(inbox.call(caller(1), call(1, 1), ms(0)), []);
    // An acknowledgement of what has not come is not one.
    inbox.acknowledged(&caller(1), life(1), 99);
    assert_eq!(runs(&inbox.call(caller(1), call(2, 2), ms(0))), [2]);
}

#[test]
fn dl_2_a_gap_waits_and_dl_4_too_far_ahead_is_refused() {
    let mut inbox = Receiver::new(life(1));
    assert_eq!(inbox.call(caller(1), call(3, 1), ms(0)), []);
    assert_eq!(inbox.call(caller(1), call(2, 1), ms(0)), []);
    let limit = limits::CALLS_IN_FLIGHT_MAX;
    let far = inbox.call(caller(1), call(limit as u64 + 1, 1), ms(0));
    assert_eq!(refusal(&far), Refusal::BeyondWindow { limit });
    assert_eq!(inbox.call(caller(1), call(limit as u64, 1), ms(0)), []);
    assert_eq!(runs(&inbox.call(caller(1), call(1, 1), ms(0))), [1, 2, 3]);
    assert_eq!(inbox.kept(&"caller"), 4);
}

#[test]
fn a_later_life_answers_lost_and_an_earlier_one_not_yet() {
    let mut inbox = Receiver::new(life(2));
    let old = inbox.call(caller(1), call(1, 1), ms(0));
    assert_eq!(refusal(&old), Refusal::Lost { now: life(2) });
    let new = Call { to: life(3), ..call(1, 1) };
    assert_eq!(refusal(&inbox.call(caller(1), new, ms(0))), Refusal::NotYet { now: life(2) });
    assert_eq!(inbox.callers(), 0);
}

#[test]
fn a_later_life_of_a_caller_begins_anew_and_the_earlier_is_refused() {
    let mut inbox = Receiver::new(life(1));
    inbox.call(caller(1), call(1, 1), ms(0));
    inbox.call(caller(1), call(5, 1), ms(0));
    assert_eq!(runs(&inbox.call(caller(2), call(1, 1), ms(0))), [1]);
    assert_eq!(inbox.finished(caller(1), 1, 7), [], "nobody waits for it");
    assert_eq!(inbox.finished(caller(2), 1, 8).len(), 1);
    let late = inbox.call(caller(1), call(2, 1), ms(0));
    assert_eq!(refusal(&late), Refusal::OldCaller);
    inbox.caller_ended(&caller(2), ms(0));
    let late = inbox.call(caller(2), call(1, 1), ms(0));
    assert_eq!(refusal(&late), Refusal::OldCaller, "DL-1: it would run again");
    assert_eq!(inbox.kept(&"caller"), 0);
    inbox.caller_ended(&caller(1), ms(0));
    assert_eq!(runs(&inbox.call(caller(3), call(1, 1), ms(0))), [1]);
}

#[test]
fn dl_4_callers_are_bounded_and_the_ended_make_room() {
    let mut inbox: Inbox<usize, u64, u64> = Inbox::new(life(1));
    let caller = |name| Caller { name, incarnation: life(1) };
    for name in 0..limits::CALLERS_MAX {
        inbox.call(caller(name), call(1, 1), ms(0));
    }
    inbox.caller_ended(&caller(0), ms(0));
    let refused = |inbox: &mut Inbox<usize, u64, u64>, at| {
        let effects = inbox.call(caller(limits::CALLERS_MAX), call(1, 1), at);
        matches!(effects[..], [Delivered::Refuse { why: Refusal::TooManyCallers { .. }, .. }])
    };
    assert!(refused(&mut inbox, ms(0)));
    assert!(!refused(&mut inbox, limits::CALLER_REMEMBERED));
    assert_eq!(inbox.callers(), limits::CALLERS_MAX);
}

#[test]
fn dl_3_calls_of_a_dead_life_are_retried_in_order_or_lost() {
    let mut outbox = Outbox::new(life(1), ms(100));
    for (id, retries) in [(1, 0), (2, 2), (3, 0), (4, 1)] {
        make(&mut outbox, id, retries);
    }
    let lost = |receiver| CallError::Lost { receiver: life(receiver) };
    let send = |to, seq, payload| Post::Send(Call { to: life(to), seq, acked: 1, payload });
    let moved = outbox.step(CallInput::Moved { to: life(2) }, ms(10));
    assert_eq!(moved, [failed(1, lost(1)), send(2, 1, 2), failed(3, lost(1)), send(2, 2, 4)]);
    // What the old life still says comes too late.
    let late = CallInput::Reply { from: life(1), seq: 1, reply: 9 };
    assert_eq!(outbox.step(late, ms(11)), []);
    // The next life says it itself.
    let why = Refusal::Lost { now: life(5) };
    let refused = CallInput::Refused { to: life(2), seq: 1, why };
    assert_eq!(outbox.step(refused.clone(), ms(12)), [send(5, 1, 2), failed(4, lost(2))]);
    assert_eq!(outbox.step(refused, ms(13)), [], "once");
    assert_eq!(outbox.step::<u64>(CallInput::Moved { to: life(3) }, ms(14)), []);
    assert_eq!((outbox.receiver(), outbox.len()), (life(5), 1));
    assert_eq!(outbox.step(CallInput::Ended, ms(15)), [failed(2, lost(5))]);
    assert_eq!(make(&mut outbox, 6, 0), [failed(6, CallError::Ended)]);
    assert!(outbox.is_empty());
}

#[test]
fn dl_3_what_is_not_answered_is_sent_again_in_order() {
    let mut outbox = Outbox::new(life(1), ms(100));
    for id in 1..=3 {
        make(&mut outbox, id, 0);
    }
    let reply = |seq| CallInput::Reply { from: life(1), seq, reply: seq };
    assert_eq!(outbox.step(reply(2), ms(10)), [Post::Resolved { id: 2, outcome: Ok(2) }]);
    assert_eq!(outbox.step(reply(2), ms(10)), [], "once");
    assert_eq!(outbox.step::<u64>(CallInput::Tick, ms(99)), []);
    let send = |seq| Post::Send(Call { to: life(1), seq, acked: 1, payload: seq });
    assert_eq!(outbox.step::<u64>(CallInput::Tick, ms(100)), [send(1), send(3)]);
    outbox.step(reply(1), ms(110));
    let ack = |acked| Post::<u64, u64>::Ack { to: life(1), acked };
    assert_eq!(outbox.step(CallInput::Tick, ms(120)), [ack(3)]);
    outbox.step(reply(3), ms(130));
    assert_eq!(outbox.step(CallInput::Tick, ms(140)), [ack(4)]);
    assert_eq!(outbox.step::<u64>(CallInput::Tick, ms(900)), []);
}

#[test]
fn dl_4_calls_in_flight_and_retries_are_bounded() {
    let limit = limits::CALLS_IN_FLIGHT_MAX;
    let mut outbox = Outbox::new(life(1), ms(100));
    for id in 1..=limit as u64 {
        assert!(matches!(make(&mut outbox, id, 0)[..], [Post::Send(_)]), "{id}");
    }
    assert_eq!(make(&mut outbox, 0, 0), [failed(0, CallError::Overloaded { limit })]);
    outbox.step(CallInput::Reply { from: life(1), seq: 2, reply: 2 }, ms(0));
    assert_eq!(make(&mut outbox, 0, 0), [failed(0, CallError::Overloaded { limit })]);
    outbox.step(CallInput::Reply { from: life(1), seq: 1, reply: 1 }, ms(0));
    assert!(matches!(make(&mut outbox, 0, 0)[..], [Post::Send(_)]));
    let limit = limits::CALL_RETRIES_MAX;
    assert_eq!(make(&mut outbox, 0, limit + 1), [failed(0, CallError::TooManyRetries { limit })]);
}

proptest! {
    /// A link that delivers anything it was ever given, in any order, any number of times, and a receiver that is
    /// replaced now and then.
    #[test]
    fn dl_1_2_3_hold_on_any_link(
        story in prop::collection::vec((0u8..12, any::<u16>()), 0..400),
    ) {
        let mut outbox: Outbox<u64> = Outbox::new(life(1), ms(1));
        let mut inbox: Inbox<&str, u64, u64> = Inbox::new(life(1));
        let (mut up, mut back) = (Vec::new(), Vec::new());
        let (mut calls, mut resolved, mut last) = (0, BTreeSet::new(), (1, 0));
        let (mut me, mut running) = (1, Vec::new());
        let mut settle = Vec::new();
        // After the story nothing is lost any more.
        for _ in 0..20 {
            settle.extend([(10u8, 0u16), (11, 0)]);
        }
        for (at, (what, which)) in story.into_iter().chain(settle).enumerate() {
            let now = ms(10 * at as u64);
            let pick = |len: usize| usize::from(which) % len.max(1);
            let mut posts = Vec::new();
            let mut effects = Vec::new();
            match what {
                0..=2 => {
                    calls += 1;
                    let retries = u32::from(which % 3);
                    posts = outbox.step(CallInput::Call { id: calls, payload: calls, retries }, now);
                }
                3..=5 if !up.is_empty() => {
                    let one: &Call<u64> = &up[pick(up.len())];
                    effects = inbox.call(caller(1), one.clone(), now);
                }
                6..=7 if !back.is_empty() => {
                    let one: &CallInput<u64, u64> = &back[pick(back.len())];
                    posts = outbox.step(one.clone(), now);
                }
                8 if !running.is_empty() => {
                    let (seq, payload) = running.swap_remove(pick(running.len()));
                    effects = inbox.finished(caller(1), seq, payload);
                }
                9 if which % 8 == 0 => {
                    me += 1;
                    inbox = Inbox::new(life(me));
                    running.clear();
                }
                10 => posts = outbox.step(CallInput::Tick, now),
                11 => {
                    for one in &up {
                        effects.extend(inbox.call(caller(1), one.clone(), now));
                    }
                    for effect in &effects {
                        if let Delivered::Run { seq, payload, .. } = effect {
                            running.push((*seq, *payload));
                        }
                    }
                    let done = std::mem::take(&mut running);
                    for (seq, payload) in done {
                        back.extend(inbox.finished(caller(1), seq, payload).into_iter().filter_map(|it| reply(me, it)));
                    }
                    for one in &back {
                        posts.extend(outbox.step(one.clone(), now));
                    }
                }
                _ => {}
            }
            for effect in effects {
                if let Delivered::Run { seq, payload, .. } = &effect {
                    prop_assert!((me, *payload) > last, "DL-1, DL-2: {} after {:?}", payload, last);
                    last = (me, *payload);
                    if what != 11 {
                        running.push((*seq, *payload));
                    }
                }
                back.extend(reply(me, effect));
            }
            for post in posts {
                match post {
                    Post::Send(call) => up.push(call),
                    Post::Ack { to, acked } => inbox.acknowledged(&caller(1), to, acked),
                    Post::Resolved { id, outcome } => {
                        prop_assert!(resolved.insert(id), "DL-3: {} is resolved twice", id);
                        prop_assert!(outcome.is_err() || outcome == Ok(id), "DL-3");
                    }
                }
            }
        }
        prop_assert_eq!(resolved.len() as u64, calls, "DL-3: {} calls hang", outbox.len());
    }
}

/// What goes back to the caller.
fn reply(me: u64, effect: Delivered<&str, u64, u64>) -> Option<CallInput<u64, u64>> {
    match effect {
        Delivered::Reply { seq, reply, .. } => {
            Some(CallInput::Reply { from: life(me), seq, reply })
        }
        Delivered::Refuse { to, seq, why, .. } => Some(CallInput::Refused { to, seq, why }),
        Delivered::Run { .. } => None,
    }
}
