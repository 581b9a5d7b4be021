//! The timeline: what ran when, and in which process.

use std::time::Duration;

use raytree::state::SpanKind;

use super::*;

#[remote]
fn busy(rounds: u32) -> u32 {
    works(rounds);
    std::process::id()
}

/// Something that takes a while: a round is no less than a cycle.
fn works(rounds: u32) {
    for round in 0..rounds {
        std::hint::black_box(round);
    }
}

#[raytree::test(nodes = 2)]
async fn the_timeline_has_each_run_once_in_the_process_that_ran_it() -> Result<()> {
    within(async {
        let ran = raytree::get_all((0..40).map(|_| busy::remote(100_000))).await?;
        // A node can be looked at a moment after it has begun.
        comes(|| async {
            state::timeline().await.is_ok_and(|trace| {
                let spans = trace.processes.iter().flat_map(|process| &process.spans);
                spans.filter(|span| span.name == "busy").count() == ran.len()
            })
        })
        .await;
        let trace = state::timeline().await?;
        assert!(trace.missing.is_empty(), "{:?}", trace.missing);
        let mut seen: Vec<u32> = Vec::new();
        for process in &trace.processes {
            let runs = process.spans.iter().filter(|span| span.name == "busy");
            for span in runs {
                assert_eq!((span.kind, span.outcome), (SpanKind::Task, Some(TaskState::Finished)));
                assert!(span.took > Duration::ZERO && span.began <= trace.now);
                seen.push(process.pid);
            }
        }
        seen.sort_unstable();
        let mut ran = ran;
        ran.sort_unstable();
        assert_eq!(seen, ran, "as many runs in each process as it says itself");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("timeline.json");
        state::write_timeline(&trace, &file).expect("it is written");
        let text = std::fs::read_to_string(&file).expect("it is there");
        assert_eq!(text.matches("\"name\":\"busy\"").count(), 40);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn messages_of_actors_are_in_the_timeline_once_they_take_a_moment() -> Result<()> {
    within(async {
        let gate = Gate::new();
        gate.open();
        let keeper = Keeper::with(ActorOptions::new().name("keeper")).remote();
        let slow = Slow::with(ActorOptions::new().name("slow")).remote();
        // Whoever has an answer may be quicker than the one who notes it; the first is noted before the second begins.
        slow.works().await?;
        slow.works().await?;
        keeper.keep(gate).await?;
        let trace = state::timeline().await?;
        let spans = trace.processes.iter().flat_map(|process| &process.spans);
        let works: Vec<_> = spans.filter(|span| span.name == "works").collect();
        assert!(!works.is_empty() && works.len() <= 2);
        assert_eq!((works[0].kind, works[0].line.starts_with("slow")), (SpanKind::Call, true));
        assert!(works[0].actor.is_some() && works[0].took >= limits::SPAN_MIN);
        Ok(())
    })
    .await
}

#[raytree::test(cpus = 2)]
async fn constructors_are_in_the_timeline_once_they_take_a_moment() -> Result<()> {
    within(async {
        let slow = Slow::with(ActorOptions::new().name("slow")).remote();
        slow.works().await?;
        let trace = state::timeline().await?;
        let spans = trace.processes.iter().flat_map(|process| &process.spans);
        let made: Vec<_> = spans.filter(|span| span.name == "new").collect();
        assert_eq!(made.len(), 1, "{trace:?}");
        assert_eq!((made[0].kind, made[0].line.starts_with("slow")), (SpanKind::Call, true));
        assert!(made[0].actor.is_some() && made[0].took >= limits::SPAN_MIN);
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1)]
async fn on_a_node_a_constructor_is_in_the_timeline_once() -> Result<()> {
    within(async {
        let slow = Slow::with(ActorOptions::new().name("slow")).remote();
        slow.works().await?;
        let made = || async {
            let trace = state::timeline().await?;
            let of = |pid: u32, spans: Vec<state::Span>| {
                let new = spans.into_iter().filter(|span| span.name == "new");
                new.map(move |span| (pid, span.line))
            };
            let processes = trace.processes.into_iter();
            Ok::<_, Error>(processes.flat_map(|one| of(one.pid, one.spans)).collect::<Vec<_>>())
        };
        // A node can be looked at a moment after it has begun.
        comes(|| async { made().await.is_ok_and(|made| !made.is_empty()) }).await;
        let made = made().await?;
        assert_eq!(made.len(), 1, "{made:?}");
        assert!(made[0].0 != std::process::id() && made[0].1.starts_with("slow"), "{made:?}");
        Ok(())
    })
    .await
}

pub(crate) struct Slow;

#[remote]
impl Slow {
    pub(crate) fn new() -> Self {
        works(1_000_000);
        Self
    }

    pub(crate) fn works(&mut self) {
        works(1_000_000);
    }
}
