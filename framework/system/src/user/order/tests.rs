//! Lines of one caller in any story: arguments come and are lost, calls are cancelled, an actor takes what is in its mailbox.

use std::sync::atomic::{AtomicBool, AtomicU32};

use proptest::prelude::*;

use super::*;

struct Call {
    number: usize,
    is_complete: AtomicBool,
    is_over: AtomicBool,
    /// How often its argument is found lost when its turn comes.
    losses: AtomicU32,
    is_back: AtomicBool,
    world: Arc<World>,
}

#[derive(Default)]
struct World {
    order: Order,
    mailbox: Mutex<VecDeque<Arc<Call>>>,
    begun: Mutex<Vec<usize>>,
    /// The one that has begun last, as long as it may be lost with the life that had it.
    running: Mutex<Option<Arc<Call>>>,
}

impl Deferred for Call {
    fn number(&self) -> u64 {
        self.number as u64
    }

    fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Relaxed) || self.is_over()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn send(self: Arc<Self>) {
        let world = Arc::clone(&self.world);
        world.mailbox.lock().push_back(self);
    }
}

impl Call {
    fn goes_on(&self) {
        if self.is_back.swap(false, Ordering::Relaxed) {
            self.world.order.goes_on(self);
        }
    }

    fn ends(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.goes_on();
        self.world.order.advance();
    }
}

impl World {
    fn make(self: &Arc<Self>, number: usize, (is_complete, losses): (bool, u32)) -> Arc<Call> {
        let call = Arc::new(Call {
            number,
            is_complete: AtomicBool::new(is_complete),
            is_over: AtomicBool::new(false),
            losses: AtomicU32::new(losses),
            is_back: AtomicBool::new(false),
            world: Arc::clone(self),
        });
        if is_complete && self.order.is_empty() {
            Arc::clone(&call).send();
        } else {
            self.order.push(Arc::clone(&call) as Arc<dyn Deferred>);
            self.order.advance();
        }
        call
    }

    /// The actor takes one call; whether there was one.
    fn takes(&self) -> bool {
        let Some(call) = self.mailbox.lock().pop_front() else { return false };
        if call.is_over() {
            return true;
        }
        let is_lost = || {
            let one_less = |left: u32| left.checked_sub(1);
            call.losses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
        };
        let may_begin = self.order.may_begin(&*call);
        if !may_begin || is_lost() {
            call.is_complete.store(!may_begin, Ordering::Relaxed);
            call.is_back.store(true, Ordering::Relaxed);
            assert!(
                self.order.comes_back(Arc::clone(&call) as Arc<dyn Deferred>),
                "it is not over"
            );
            self.order.advance();
            return true;
        }
        call.goes_on();
        self.begun.lock().push(call.number);
        self.returns();
        *self.running.lock() = Some(call);
        true
    }

    /// What runs returns.
    fn returns(&self) {
        if let Some(call) = self.running.lock().take() {
            call.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// The actor's life ends, and what runs and what is in the mailbox goes to the next one.
    fn begins_again(&self) {
        if let Some(call) = self.running.lock().take() {
            self.mailbox.lock().push_front(call);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Make(bool, u32),
    Complete(prop::sample::Index),
    Cancel(prop::sample::Index),
    Take,
    BeginAgain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), 0u32..3).prop_map(|(complete, losses)| Step::Make(complete, losses)),
        3 => any::<prop::sample::Index>().prop_map(Step::Complete),
        1 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        4 => Just(Step::Take),
        1 => Just(Step::BeginAgain),
    ]
}

proptest! {
    #[test]
    fn or_1_calls_begin_in_order_also_where_some_come_back(
        story in prop::collection::vec(step(), 0..120),
    ) {
        let world = Arc::<World>::default();
        let mut calls: Vec<Arc<Call>> = Vec::new();
        let mut cancelled = Vec::new();
        for step in story {
            match step {
                Step::Make(is_complete, losses) => {
                    calls.push(world.make(calls.len(), (is_complete, losses)));
                }
                Step::Complete(which) if !calls.is_empty() => {
                    calls[which.index(calls.len())].is_complete.store(true, Ordering::Relaxed);
                    world.order.advance();
                }
                Step::Cancel(which) if !calls.is_empty() => {
                    let call = &calls[which.index(calls.len())];
                    if !call.is_over() {
                        cancelled.push(call.number);
                        call.ends();
                    }
                }
                Step::Complete(_) | Step::Cancel(_) => {}
                Step::Take => _ = world.takes(),
                Step::BeginAgain => world.begins_again(),
            }
        }
        // All arguments come in the end, and then each call has begun once and in its turn.
        let mut turns = 0;
        while calls.iter().any(|call| !call.is_over()) {
            calls.iter().for_each(|call| call.is_complete.store(true, Ordering::Relaxed));
            world.order.advance();
            if !world.takes() {
                prop_assert!(world.running.lock().is_some(), "somebody waits, nobody is in the mailbox");
                world.returns();
            }
            turns += 1;
            prop_assert!(turns < 100_000, "calls come back for ever");
        }
        let expected: Vec<_> =
            (0..calls.len()).filter(|number| !cancelled.contains(number)).collect();
        let mut begun = world.begun.lock().clone();
        prop_assert!(begun.is_sorted(), "{begun:?}");
        begun.dedup();
        begun.retain(|number| !cancelled.contains(number));
        prop_assert_eq!(begun, expected);
        while world.takes() {}
        prop_assert!(world.order.is_empty() && world.order.line.lock().back.is_empty());
    }
}

#[test]
fn what_is_over_does_not_come_back() {
    let world = Arc::<World>::default();
    let call = world.make(0, (true, 0));
    call.ends();
    assert!(!world.order.comes_back(call as Arc<dyn Deferred>));
    assert!(world.order.is_empty());
}
