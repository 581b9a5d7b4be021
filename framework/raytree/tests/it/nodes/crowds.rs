//! More than a link takes at once.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use raytree::prelude::*;
use raytree::{Bytes, Error, Result, get_all, limits};

use rustix::process::{Signal, kill_process};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{freeze, pid, process, within};

const LARGE_BYTES: usize = 2 << 20;
/// So many of them may wait.
const MOST: usize = limits::LINK_WAITING_BYTES_MAX / LARGE_BYTES;
/// Some more are written: one is above the bound, another one is in the socket, and the first of a type is tried out.
const MORE: usize = 8;

/// Counts, for its test, how often it was written: what is written waits to go out, or is gone.
#[derive(Clone)]
struct Large<const TEST: usize>(Bytes);

static WRITTEN: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

impl<const TEST: usize> Large<TEST> {
    fn new() -> Self {
        Self(vec![7; LARGE_BYTES].into())
    }

    fn written() -> usize {
        WRITTEN[TEST].load(Ordering::SeqCst)
    }
}

impl<const TEST: usize> Serialize for Large<TEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        WRITTEN[TEST].fetch_add(1, Ordering::SeqCst);
        self.0.serialize(serializer)
    }
}

impl<'de, const TEST: usize> Deserialize<'de> for Large<TEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(Self)
    }
}

#[remote]
fn length(large: Large<0>) -> usize {
    large.0.len()
}

#[raytree::test(nodes = 1, cpus = 200, strict = false)]
async fn pe_1_a_frozen_node_is_sent_no_more_than_may_wait() -> Result<()> {
    within(async {
        let frozen = freeze(process::remote().await?).await;
        let large = Large::new();
        let all: Vec<_> = (0..150).map(|_| length::remote(large.clone())).collect();
        let written = Large::<0>::written();
        assert!((1..=MOST + MORE).contains(&written), "{written}");
        // It may have been given up meanwhile: then all of them go to the one that comes in its place.
        _ = kill_process(frozen, Signal::CONT);
        assert_eq!(get_all(all).await?, [LARGE_BYTES; 150]);
        Ok(())
    })
    .await
}

/// Reading it takes as long as there is no file of this name: whoever reads the link hears nothing meanwhile. The program,
/// which tries it out, has it at once.
#[derive(Clone, Serialize)]
struct Gate {
    file: String,
    program: u32,
}

impl<'de> Deserialize<'de> for Gate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (file, program) = <(String, u32)>::deserialize(deserializer)?;
        while program != std::process::id() && !Path::new(&file).exists() {
            std::thread::yield_now();
        }
        Ok(Self { file, program })
    }
}

struct Ruler {
    measured: usize,
}

#[remote]
impl Ruler {
    fn new() -> Self {
        Self { measured: 0 }
    }

    pub(crate) fn passes(&mut self, gate: Gate) -> usize {
        gate.file.len()
    }

    /// How many there were before.
    pub(crate) fn measure(&mut self, large: Large<1>) -> usize {
        assert_eq!(large.0.len(), LARGE_BYTES);
        self.measured += 1;
        self.measured - 1
    }

    pub(crate) fn weigh(&mut self, large: Large<2>) -> usize {
        large.0.len()
    }
}

/// More cannot be sent.
async fn crowded<const TEST: usize>() {
    while Large::<TEST>::written() < MOST {
        tokio::task::yield_now().await;
    }
}

#[raytree::test(nodes = 1, strict = false)]
async fn calls_wait_in_their_mailbox_while_a_node_does_not_read() -> Result<()> {
    within(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gate").display().to_string();
        let gate = Gate { file: file.clone(), program: std::process::id() };
        let ruler = Ruler::remote();
        ruler.ready().await?;
        let passes = ruler.passes(gate);
        let large = Large::new();
        let all: Vec<_> = (0..150).map(|_| ruler.measure(large.clone())).collect();
        crowded::<1>().await;
        // Whatever else would be written would be by now.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        let written = Large::<1>::written();
        assert!(written <= MOST + MORE, "{written}");
        std::fs::write(&file, "").expect("a file");
        assert_eq!(passes.await?, file.len());
        assert_eq!(get_all(all).await?, (0..150).collect::<Vec<_>>());
        Ok(())
    })
    .await
}

#[raytree::test(nodes = 1, strict = false)]
async fn li_1_calls_that_wait_for_room_are_told_that_their_node_is_gone() -> Result<()> {
    within(async {
        let file = "/nowhere/at/all".to_owned();
        let node = pid(process::remote().await?);
        let ruler = Ruler::remote();
        ruler.ready().await?;
        let passes = ruler.passes(Gate { file, program: std::process::id() });
        let large = Large::new();
        let all: Vec<_> = (0..150).map(|_| ruler.weigh(large.clone())).collect();
        crowded::<2>().await;
        kill_process(node, Signal::KILL).expect("it lives");
        assert!(matches!(passes.await, Err(Error::ActorDied { .. })));
        for waits in all {
            assert!(matches!(waits.await, Err(Error::ActorDied { .. })));
        }
        Ok(())
    })
    .await
}
