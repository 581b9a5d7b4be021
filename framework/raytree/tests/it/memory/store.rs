//! A store gives way before anybody is ended.

use std::collections::BTreeSet;

use raytree::Bytes;
use raytree::state::{self, ObjectPlace, SpanKind};

use super::*;

const MIB: usize = 1 << 20;
const STILL_SHORT: u64 = 890;

#[remote]
fn makes(byte: u8) -> Bytes {
    vec![byte; MIB].into()
}

#[test]
fn on_a_node_that_is_short_of_memory_the_store_goes_to_disk_first() -> Result<()> {
    let figures = Figures::new();
    let cluster = start(&figures, 1)?;
    let runtime = cluster.runtime();
    runtime.block_on(async {
        let object = makes::remote(7);
        assert_eq!((&object).await?.len(), MIB);
        let place = || Ok::<_, Error>(state::object(&object)?.place);
        assert_eq!(place()?, Some(ObjectPlace::Store));
        figures.use_up(SHORT);
        holds_back(runtime).await;
        // Less than is refused at, more than all goes on at: nobody is ended, however long it takes.
        figures.use_up(STILL_SHORT);
        while place()? != Some(ObjectPlace::Disk) {
            tokio::task::yield_now().await;
        }
        figures.use_up(ENOUGH);
        goes_on(runtime).await;
        let bytes = (&object).await?;
        assert!(bytes.len() == MIB && bytes.iter().all(|byte| *byte == 7));
        assert_eq!(place()?, Some(ObjectPlace::Store));
        // Whoever has it may be quicker than the one who notes that.
        loop {
            let trace = state::timeline().await?;
            let spans = trace.processes.iter().flat_map(|process| &process.spans);
            let moved = spans.filter(|span| span.bytes.is_some_and(|bytes| bytes >= MIB as u64));
            let of_store = moved.filter(|span| span.line == "object_store");
            let kinds: BTreeSet<_> = of_store.map(|span| (span.kind, &*span.name)).collect();
            let wanted = [(SpanKind::Spill, "spill"), (SpanKind::Restore, "restore")];
            if kinds.is_superset(&wanted.into()) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    })
}
