//! A trace goes along with what is started in it, over all processes.

use std::collections::HashSet;

use raytree::Result;
use raytree::prelude::*;
use raytree::testing::TestCluster;
use raytree::trace::{self, TraceContext};

use super::within;

type Seen = Option<TraceContext>;

#[remote]
fn context() -> Seen {
    trace::current()
}

#[remote(isolated)]
fn context_alone() -> Seen {
    trace::current()
}

struct Witness;

#[remote]
impl Witness {
    fn new() -> Self {
        Self
    }

    pub(crate) fn sync(&self) -> Seen {
        trace::current()
    }

    pub(crate) async fn nested(&mut self) -> Result<Vec<Seen>> {
        let before = trace::current();
        let below = context::remote().await?;
        Ok(vec![before, below, trace::current()])
    }
}

/// What is seen in a task, before and after it has waited, and in all that it starts.
#[remote]
async fn nested(witness: WitnessHandle) -> Result<Vec<Seen>> {
    let mut seen = vec![trace::current()];
    seen.push(context::remote().await?);
    seen.push(context_alone::remote().await?);
    seen.push(witness.sync().await?);
    seen.extend(witness.nested().await?);
    // The same as at first, and as before in the actor.
    assert_eq!(seen[0], trace::current());
    Ok(seen)
}

fn belong_to(context: TraceContext, seen: Vec<Seen>) {
    let seen: Vec<TraceContext> = seen.into_iter().map(|own| own.expect("a context")).collect();
    assert!(seen.iter().all(|own| own.trace_id() == context.trace_id()), "{seen:?}");
    let spans: HashSet<u64> = seen.iter().map(|own| own.span_id()).collect();
    assert!(!spans.contains(&context.span_id()), "{seen:?}");
    assert_eq!(seen[4], seen[6], "the same call");
    assert_eq!(spans.len(), seen.len() - 1, "{seen:?}");
}

#[test]
fn tc_1_what_is_started_within_a_trace_belongs_to_it_wherever_it_runs() {
    let cluster = TestCluster::nodes(2).expect("nodes");
    let _here = cluster.runtime().enter();
    let ran: Result<()> = cluster.runtime().block_on(within(async {
        let witness = Witness::remote();
        let context = TraceContext::new();
        let seen = trace::within(context, || nested::remote(witness.clone()));
        belong_to(context, seen.await?);
        let seen = trace::within_async(context, async { nested::remote(witness).await });
        belong_to(context, seen.await?);
        assert_eq!(context::remote().await?, None, "nobody wants to know");
        Ok(())
    }));
    ran.expect("tasks");
}
