//! What the live view asks, asked of a runtime that runs.

use std::path::Path;

use clap::Parser as _;
use raytree::Result;
use raytree::prelude::*;
use raytree_cli::args::{Cli, Command};
use raytree_cli::source;
use raytree_top::Source;

use crate::support::*;

/// Has the next one ask on; the last one waits for a file.
struct Asker;

#[remote(cpus = 0)]
impl Asker {
    fn new() -> Self {
        Self
    }

    pub(crate) async fn asks(&mut self, rest: Vec<AskerHandle>, gate: String) -> Result<u64> {
        if let Some((next, rest)) = rest.split_first() {
            return next.asks(rest.to_vec(), gate).await;
        }
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(5));
        while !Path::new(&gate).exists() {
            looks.tick().await;
        }
        Ok(1)
    }
}

fn live(place: &Place) -> Box<dyn Source + Send> {
    let Command::Top(args) = Cli::parse_from(["raytree", "top"]).command else { unreachable!() };
    let found = source(&args, &place.path(), &mut Vec::new()).expect("a vector");
    found.expect("a runtime")
}

#[test]
fn the_live_view_says_what_is_lost_before_it_kills() {
    let place = Place::new();
    let runtime = place.start();
    let top = family(&runtime, "scores");
    let mut live = live(&place);
    let moment = live.look().expect("a moment");
    let path = "node/worker/actor_host/scores#1";
    let detail = live.detail(path).expect("details");
    assert_eq!(detail.row.id, Some(top.id()));
    let story = live.why(path).expect("a story");
    assert_eq!((&*story.now, story.steps.len()), ("it runs, and has nothing to do", 0));
    let lost = ["its state", "1 actor that it owns: scores_shard#2"].map(str::to_owned);
    assert_eq!(live.losses(path), Ok(lost.into()));
    assert_eq!(top.probe().state(), raytree::inspect::ActorState::Running);
    let why = live.losses("gcs").expect_err("it is part of the system");
    assert!(why.contains("part of the system"), "{why}");
    assert!(live.kill("gcs").is_err());
    let done = live.kill(path).expect("it may be killed");
    assert_eq!(done, format!("raytree/{path} was killed"));
    let exit = runtime.block_on(top.exited()).expect("it has ended");
    assert!(exit.kind.to_string().contains("killed by an operator"), "{exit}");
    let store = moment.summary.expect("a summary").store.map(|store| store.total);
    let stores = moment.rows.iter().filter_map(|row| row.process.as_ref()?.store);
    let total: u64 = stores.map(|own| own.capacity).sum();
    assert_eq!(store.unwrap_or_default(), total);
    runtime.shutdown();
}

#[test]
fn the_live_view_tells_a_chain_from_whoever_waits() {
    let place = Place::new();
    let runtime = place.start();
    let gate = place.path().join("gate");
    let here = runtime.enter();
    let named = |name: &str| Asker::with(ActorOptions::new().label(name)).remote();
    let (guest, waiter, cook) = (named("guest"), named("waiter"), named("cook"));
    let asked = guest.asks(vec![waiter, cook], gate.display().to_string());
    let mut live = live(&place);
    let waits = loop {
        let waits = live.waits().expect("an answer");
        // Those who have waited for long are told, one after the other.
        if waits.stories.iter().any(|story| story.steps.len() == 2) {
            break waits;
        }
        std::thread::yield_now();
    };
    assert_eq!((waits.stories.len(), waits.missing.len()), (1, 0));
    let story = &waits.stories[0];
    assert!(story.about.starts_with("guest "), "{}", story.about);
    for (step, (who, of)) in story.steps.iter().zip([("guest", "waiter"), ("waiter", "cook")]) {
        assert!(step.who.starts_with(&format!("{who} (")), "{step:?}");
        assert!(step.what.contains(&format!(" of {of} (")), "{step:?}");
    }
    std::fs::write(&gate, "").expect("a file");
    assert_eq!(runtime.block_on(asked).expect("an answer"), 1);
    drop(here);
    runtime.shutdown();
}
