//! What it takes until nothing is left of objects that nobody has any more, wherever they were.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use raytree::inspect::{Answer, Request, Selection, StoreRow};
use raytree::prelude::*;
use raytree::{Bytes, put, wait};
use raytree_inspector::client::{Client, SocketLine};

use crate::look::socket_in;
use crate::report::{Report, Row, now, p99, time};

pub(crate) const ROWS: &[Row] = &[Row { name: "ref_drop_to_empty_p99", run: emptied }];

const LONG: usize = 1 << 20;
const NODES: usize = 2;
const WITHIN: Duration = Duration::from_secs(30);

#[remote]
fn made(byte: u8) -> Bytes {
    vec![byte; LONG].into()
}

/// Has references, and what it has read of one.
struct Holds(Vec<ObjectRef<Bytes>>, Option<Bytes>);

#[remote]
impl Holds {
    fn new() -> Self {
        Self(Vec::new(), None)
    }

    pub(crate) fn hold(&mut self, refs: Vec<ObjectRef<Bytes>>, bytes: Bytes) {
        (self.0, self.1) = (refs, Some(bytes));
    }

    pub(crate) fn let_go(&mut self) {
        (self.0, self.1) = (Vec::new(), None);
    }
}

/// The one store that all processes of this machine share is empty.
fn is_empty(client: &mut Client) -> Result<bool> {
    let Answer::Tree(rows) = client.ask(Request::Tree(Selection::default()), WITHIN)?.answer else {
        bail!("another answer");
    };
    let processes = rows.rows.iter().filter_map(|row| row.process.as_ref());
    let stores: Vec<_> = processes.filter_map(|process| process.store).collect();
    let is_empty = |store: &StoreRow| store.objects + store.sealed + store.dying == 0;
    let [store] = &stores[..] else { bail!("{} stores, where there is one", stores.len()) };
    Ok(is_empty(store))
}

/// Two nodes, processes of this machine with one store. Objects of 1 MiB: results, a `put`, arguments; held by the program, by an actor's
/// state, inside another object. From the drop of the last of them to a store with nothing in it, seen from outside. The floor is to
/// look once.
fn emptied(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let again = vec!["--child".into(), "node".into()];
    let init = raytree::init().nodes(NODES).cpus(2.0).threads(1).again(again);
    let init = init.inspector(true).inspect_dir(folder.path().join("inspect"));
    let runtime = init.setting("node.object_store_bytes", "64MiB").start()?;
    let socket = socket_in(&folder.path().join("inspect"))?;
    let mut client = Client::new(Box::new(SocketLine::open(&socket)?));
    let holds: Vec<_> = runtime.block_on(async {
        let all: Vec<_> = (0..2).map(|_| Holds::remote()).collect();
        for one in &all {
            one.ready().await?;
        }
        Ok::<_, raytree::Error>(all)
    })?;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 0..report.size(100) {
        let held = runtime.block_on(async {
            let mut refs: Vec<_> = (0..4).map(|at| made::remote((round + at) as u8)).collect();
            refs.push(put(Bytes::from(vec![round as u8; LONG])).await?);
            for one in &holds {
                one.hold(refs.clone(), &refs[4]).await?;
            }
            wait(refs.clone()).count(refs.len()).await?;
            let inside = put(refs.clone()).await?;
            Ok::<_, raytree::Error>((refs, inside))
        })?;
        ensure!(!is_empty(&mut client)?, "nothing was in a store");
        runtime.block_on(async {
            for one in &holds {
                one.let_go().await?;
            }
            Ok::<_, raytree::Error>(())
        })?;
        let began = now();
        drop(held);
        while !is_empty(&mut client)? {
            ensure!(
                began.elapsed() < WITHIN,
                "after {WITHIN:?} there is still something in the store"
            );
        }
        ours.push(began.elapsed().as_secs_f64() * 1e3);
        let (took, looked) = time(|| is_empty(&mut client));
        ensure!(looked?, "something is there again");
        floor.push(took.as_secs_f64() * 1e3);
    }
    drop(holds);
    runtime.shutdown();
    report.row("ref_drop_to_empty_p99", p99(ours), "ms");
    report.row("ref_drop_to_empty_p99.floor", p99(floor), "ms");
    Ok(())
}
