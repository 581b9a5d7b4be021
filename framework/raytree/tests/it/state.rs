//! Lists of what there is, and the timeline: rows are what the program did.

mod timeline;
mod why;

use raytree::prelude::*;
use raytree::state::{self, Filter, ObjectState, TaskKind, TaskState};
use raytree::{Error, Result, limits};
use serde::{Deserialize, Serialize};

use crate::tasks::gate::*;

#[remote]
fn holds(gate: Gate) -> u32 {
    gate.pass_blocking();
    7
}

#[remote]
async fn waits_for(other: ObjectRef<u32>, gate: Gate) -> Result<u32> {
    let _inside = gate.enter();
    other.await
}

#[remote]
fn takes(_value: u32) {}

#[remote(cpus = 2)]
fn wide() {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("not today\nnor tomorrow")]
struct NotToday;

#[remote(retry_errors = 1)]
fn refuses(ctx: &TaskContext) -> Result<u32, NotToday> {
    if ctx.run() == 0 { Err(NotToday) } else { Ok(1) }
}

#[remote]
fn fails() -> Result<u32, NotToday> {
    Err(NotToday)
}

#[remote]
async fn parent(gate: Gate) -> Result<u32> {
    holds::remote(gate).await
}

pub(crate) struct Keeper;

#[remote]
impl Keeper {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) async fn keep(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub(crate) async fn waits(&mut self) {
        std::future::pending::<()>().await;
    }

    pub(crate) fn breaks(&mut self) {
        panic!("dropped it");
    }
}

async fn states(name: &str) -> Result<Vec<TaskState>> {
    let list = state::tasks().is("name", name).limit(limits::STATE_ROWS_MAX).await?;
    Ok(list.rows.iter().map(|row| row.state).collect())
}

#[raytree::test(cpus = 2)]
async fn a_task_is_listed_in_each_of_its_states() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let first = holds::remote(gate);
        gate.begun(1).await;
        assert_eq!(states("holds").await?, [TaskState::Running]);
        // It has lent its CPU, which nobody else wants.
        let waiting = waits_for::remote(first.clone(), gate);
        let pending = takes::remote(&first);
        gate.begun(2).await;
        assert_eq!(states("takes").await?, [TaskState::PendingArguments]);
        let second = holds::remote(gate);
        gate.begun(3).await;
        let queued = wide::remote();
        let cancelled = wide::remote();
        assert_eq!(states("wide").await?, [TaskState::Queued, TaskState::Queued]);
        cancelled.cancel();
        assert_eq!(states("wide").await?, [TaskState::Queued, TaskState::Cancelled]);
        gate.open();
        first.await?;
        second.await?;
        waiting.await?;
        pending.await?;
        queued.await?;
        for name in ["holds", "waits_for", "takes"] {
            let all = states(name).await?;
            assert!(all.iter().all(|state| *state == TaskState::Finished), "{name}: {all:?}");
        }
        assert_eq!(states("wide").await?, [TaskState::Finished, TaskState::Cancelled]);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_waiting_task_has_lent_its_cpu() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let parent = parent::remote(gate);
        gate.begun(1).await;
        let list = state::tasks().is_not("state", "finished").await?;
        let of = |name: &str| list.rows.iter().find(|row| row.name == name).expect("it is listed");
        assert_eq!(
            (of("holds").state, of("parent").state),
            (TaskState::Running, TaskState::Waiting)
        );
        assert_eq!(of("holds").parent, of("parent").id);
        assert!(of("holds").began >= of("parent").began && of("parent").began.is_some());
        gate.open();
        parent.await?;
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn every_attempt_is_listed_with_its_error() -> Result<()> {
    within(async {
        assert_eq!(refuses::remote().await?, 1);
        fails::remote().await.expect_err("it fails");
        let list = state::tasks().is("name", "refuses").await?;
        let rows: Vec<_> = list.rows.iter().map(|row| (row.attempt, row.state)).collect();
        assert_eq!(rows, [(1, TaskState::Finished), (0, TaskState::Failed)], "the newest first");
        assert_eq!(list.rows[0].id, list.rows[1].id);
        let failed = state::tasks().is("state", "failed").is("name", "fails").await?;
        let error = failed.rows[0].error.clone().unwrap_or_default();
        assert!(error.contains("not today") && !error.contains('\n'), "{error}");
        assert!(failed.rows[0].ended >= failed.rows[0].began);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_list_says_what_it_leaves_out() -> Result<()> {
    within(async {
        raytree::get_all((0..20).map(takes::remote)).await?;
        let list = state::tasks().is("name", "takes").limit(5).await?;
        assert_eq!((list.rows.len(), list.total, list.more(), list.dropped), (5, 20, 15, 0));
        assert!(list.rows.windows(2).all(|two| two[0].ended >= two[1].ended), "the newest first");
        let summary = state::tasks().summary().await?;
        assert_eq!((summary.total, summary.dropped, summary.missing.len()), (20, 0, 0));
        let counts: Vec<_> =
            summary.counts.iter().map(|one| (&*one.name, &*one.state, one.count)).collect();
        assert_eq!(counts, [("takes", "finished", 20)]);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn a_history_has_a_bound_and_counts_what_it_drops() -> Result<()> {
    within(async {
        // Each of the shards holds its part: what is more is gone.
        let all = limits::TASK_HISTORY + 1000;
        for some in (0..all as u32).collect::<Vec<_>>().chunks(10_000) {
            raytree::get_all(some.iter().map(|number| takes::remote(*number))).await?;
        }
        let list = state::tasks().limit(1).await?;
        assert_eq!((list.total, list.dropped), (limits::TASK_HISTORY as u64, 1000));
        let summary = state::tasks().summary().await?;
        assert_eq!((summary.total, summary.dropped), (limits::TASK_HISTORY as u64, 1000));
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 1)]
async fn what_cannot_be_listed_is_refused_in_a_sentence() -> Result<()> {
    let refused = state::actors().is("colour", "red").await.expect_err("no such column");
    assert_eq!(
        refused.to_string(),
        "bad value colour for the column: actors have no column `colour`; there are id, name, class, state, owner, \
         job, pid, host, restarts, queued, handled, wants, cause"
    );
    assert!(matches!(state::tasks().limit(0).await, Err(Error::BadOption { .. })));
    assert!(matches!(state::tasks().get(), Err(Error::BlockingInAsync { .. })));
    Ok(())
}

#[raytree::test(cpus = 1)]
fn synchronous_code_asks_too() -> Result<()> {
    takes::remote(1).get()?;
    let list = state::tasks().filter(Filter::is("name", "TAKES")).get()?;
    assert_eq!(list.total, 1);
    Ok(())
}

#[raytree::test(cpus = 2)]
async fn actors_and_their_calls_are_listed() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let keeper = Keeper::with(ActorOptions::new().name("keeper").restarts(1)).remote();
        let (kept, next) = (keeper.keep(gate), keeper.keep(gate));
        gate.begun(1).await;
        let list = state::actors().await?;
        let row = &list.rows[0];
        assert_eq!((list.total, &*row.name, &*row.class), (1, "keeper", "Keeper"));
        assert_eq!((row.state.to_string(), row.restarts), ("running".to_owned(), 0));
        let calls = state::tasks().is("kind", "call").await?;
        let states: Vec<_> = calls.rows.iter().map(|call| (call.state, call.actor)).collect();
        let actor = Some(row.id);
        assert_eq!(states, [(TaskState::Running, actor), (TaskState::Queued, actor)]);
        assert_eq!(calls.rows[0].kind, TaskKind::Call);
        let why = state::why_object(&next).await?;
        assert!(why.now.starts_with("it is the answer of "), "{}", why.now);
        assert!(why.now.contains("Keeper::keep by ") && why.now.contains("keeper#"), "{why:?}");
        gate.open();
        kept.await?;
        next.await?;
        assert_eq!(state::tasks().is("kind", "call").await?.total, 0);
        keeper.breaks().await.expect_err("it panics");
        comes(|| async { state::actors().await.is_ok_and(|all| all.rows[0].restarts == 1) }).await;
        let row = state::actors().await?.rows.remove(0);
        assert!(row.cause.as_ref().is_some_and(|cause| cause.contains("dropped it")), "{row:?}");
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 2)]
async fn on_nodes_a_task_is_listed_once_with_the_process_that_runs_it() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let held = waits_forever::remote();
        comes(|| async { held_up().await.is_ok_and(|all| all.rows[0].state == TaskState::Sent) })
            .await;
        let list = held_up().await?;
        assert_eq!(list.total, 1, "its process lists it not a second time");
        assert!(list.rows[0].host.as_ref().is_some_and(|host| host.starts_with("node-")));
        // A value that a node holds of this process.
        let own = raytree::put(5_u32).await?;
        let waits = takes_reference::remote(vec![own]);
        comes(|| async {
            state::objects().is("state", "ready").await.is_ok_and(|all| all.total > 0)
        })
        .await;
        let held_there = state::objects().is("state", "ready").await?;
        assert!(held_there.rows.iter().all(|row| !row.held_by.is_empty()), "{held_there:?}");
        let to_come = state::objects().is("name", "waits_forever").await?;
        assert_eq!(to_come.rows[0].state, ObjectState::Pending);
        held.cancel();
        waits.cancel();
        _ = gate;
        let nodes = state::nodes().await?;
        let names: Vec<_> =
            nodes.iter().map(|node| (&*node.name, node.phase.to_string())).collect();
        let up = || "up".to_owned();
        assert_eq!(names, [("node-1", up()), ("node-2", up())]);
        Ok(())
    })
    .await
}

#[remote]
async fn never() -> u32 {
    std::future::pending().await
}

#[raytree::test(nodes = 2, cpus = 2)]
async fn an_object_that_several_processes_hold_is_one_row() -> Result<()> {
    within(async {
        let gathered = |column: &'static str, value: &'static str, holders: u64| async move {
            let all = state::objects().is(column, value).await?;
            let is_there = all.rows.iter().any(|row| row.holders == holders);
            Ok::<_, Error>(is_there.then_some(all))
        };
        let own = raytree::put(5_u32).await?;
        let to_come = never::remote();
        let holders: Vec<_> =
            (0..3).map(|_| takes_reference::remote(vec![own.clone(), to_come.clone()])).collect();
        // Four places, of which `never` has one: each node has two.
        for (column, value, state) in
            [("state", "ready", ObjectState::Ready), ("name", "never", ObjectState::Pending)]
        {
            comes(|| async { gathered(column, value, 2).await.is_ok_and(|all| all.is_some()) })
                .await;
            let all = state::objects().is(column, value).await?;
            assert_eq!((all.total, all.rows[0].state), (1, state), "{all:?}");
            let by = &all.rows[0].held_by;
            assert!(by.len() == 2 && by[0] != by[1], "{all:?}");
            assert_eq!(all.rows[0].pid, std::process::id());
        }
        holders.iter().for_each(ObjectRef::cancel);
        to_come.cancel();
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn what_is_to_come_names_its_maker_and_that_one_says_why() -> Result<()> {
    within(async {
        let gate = Gate::new();
        let first = holds::remote(gate);
        gate.begun(1).await;
        let second = takes::remote(&first);
        let actor = Keeper::remote();
        let answer = actor.waits();
        let maker = async |name: &str| {
            let all = state::objects().is("name", name).await?;
            Ok::<_, Error>(all.rows[0].made_by.clone().expect("it is to come"))
        };
        let why = state::why(maker("takes").await?).await?;
        assert!(why.now.starts_with("it waits for its arguments: holds (task-"), "{why:?}");
        let id = actor.id().expect("it has one");
        let calls = state::objects().is("made_by", id.to_string()).await?;
        assert_eq!((calls.total, &*calls.rows[0].name), (1, "Keeper::waits"), "{calls:?}");
        let why = state::why(maker("Keeper::waits").await?).await?;
        assert!(why.about.contains("Keeper"), "{why:?}");
        gate.open();
        second.await?;
        assert!(state::objects().is("name", "takes").await?.rows.is_empty());
        answer.cancel();
        Ok(())
    })
    .await
}

async fn held_up() -> Result<state::Listing<state::TaskRecord>> {
    state::tasks().is("name", "waits_forever").await
}

#[remote]
async fn waits_forever() {
    std::future::pending::<()>().await;
}

#[remote]
async fn takes_reference(_held: Vec<ObjectRef<u32>>) {
    std::future::pending::<()>().await;
}

/// Until it is so.
async fn comes<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    while !condition().await {
        tokio::task::yield_now().await;
    }
}

#[raytree::test(nodes = 2)]
async fn on_nodes_an_actor_is_listed_once_and_so_are_its_calls() -> Result<()> {
    within(async {
        let keeper = Keeper::with(ActorOptions::new().name("keeper").restarts(1)).remote();
        let kept = keeper.waits();
        comes(|| async {
            let all = state::actors().is("state", "running").await;
            all.is_ok_and(|all| all.rows.iter().any(|row| row.host.is_some()))
        })
        .await;
        assert_eq!(state::actors().await?.total, 1);
        assert_eq!(state::tasks().is("kind", "call").await?.total, 1);
        kept.cancel();
        Ok(())
    })
    .await
}
