//! The beats of a node, on a connection and a thread of their own: no session's traffic delays them.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::thread;

use raytree_engine::membership::{Effect, Input, Member};
use raytree_process::cluster::Beat;
use raytree_types::limits;
use raytree_wire::Stream;

use super::cluster::Cluster;
use super::door::Place;

/// Hears and answers beats until the connection ends.
///
/// # Errors
/// What the operating system said: there is no thread.
pub(super) fn hear(
    cluster: Arc<Cluster>,
    (name, process): (Arc<str>, u64),
    stream: Stream,
    place: Place,
) -> std::io::Result<()> {
    // One that says nothing has been replaced, or is nobody.
    stream.give_up_after(limits::WIRE_SILENT_MAX)?;
    thread::Builder::new().name("raytree-beats".to_owned()).spawn(move || {
        let _place = place;
        let (mut reads, mut writes) = stream.split();
        let mut bytes = [0; Beat::BYTES];
        // Its silence is what the judge notices; how the connection ends says nothing.
        while reads.read_exact(&mut bytes).is_ok() {
            let Some(Beat::Of { incarnation, seq, progress }) = Beat::read(&bytes) else { return };
            let member = Member::new(Arc::clone(&name), incarnation);
            if !cluster.is_life_of(process, &member) {
                // It is not, or is not any more: told as one that is dead, and not heard again.
                _ = writes.write_all(&Beat::Exit { incarnation }.written());
                return;
            }
            for effect in cluster.judge(Input::Beat { member, seq, progress }) {
                let answer = match effect {
                    Effect::Answer { member, seq } => {
                        Beat::Heard { incarnation: member.incarnation, seq }
                    }
                    Effect::TellExit { member, .. } => {
                        Beat::Exit { incarnation: member.incarnation }
                    }
                    _ => continue,
                };
                if writes.write_all(&answer.written()).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(())
}
