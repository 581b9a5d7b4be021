//! Objects larger than memory, and who owns them: `cargo run --bin objects`.

#![expect(clippy::print_stdout, reason = "a program says what it found")]

use raytree::prelude::*;
use raytree::state::{self, ObjectPlace};
use raytree::{Bytes, Error, Result, Runtime};

const MIB: usize = 1 << 20;

fn main() -> anyhow::Result<()> {
    let full = store("32MiB", "0B")?;
    full.block_on(more_than_memory())?;
    full.shutdown();
    let small_disk = store("16MiB", "8MiB")?;
    small_disk.block_on(more_than_disk())?;
    small_disk.block_on(owners())?;
    small_disk.shutdown();
    Ok(())
}

/// One node with a store of so many bytes, which puts at most so many on disk; at 0 as many as there is room for.
fn store(memory: &str, disk: &str) -> Result<Runtime> {
    let init = raytree::init().cpus(2.0).nodes(1);
    init.setting("node.object_store_bytes", memory).setting("node.spill_bytes", disk).start()
}

/// Bytes that tell which object they are of.
fn pattern(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number * 31 + at / 7) as u8).collect()
}

/// A megabyte; it lies in the store of the node that makes it.
#[remote]
fn chunk(number: usize) -> Bytes {
    pattern(number, MIB).into()
}

async fn more_than_memory() -> Result<()> {
    println!("S-8 more than memory: what nobody looks at goes to disk, and comes back");
    let chunks: Vec<_> = (0..64).map(chunk::remote).collect();
    let mut right = 0;
    for (number, chunk) in chunks.iter().enumerate() {
        // Read where it lies; it stays there while `bytes` is held.
        let bytes = chunk.await?;
        right += usize::from(bytes[..] == pattern(number, MIB));
    }
    println!("  64 MiB in a store of 32 MiB, {right} of 64 as they were");
    let on_disk = chunks.iter().map(state::object).filter(|object| {
        object.as_ref().is_ok_and(|object| object.place == Some(ObjectPlace::Disk))
    });
    println!("  some of them on disk: {}", on_disk.count() >= 32);
    Ok(())
}

async fn more_than_disk() -> Result<()> {
    println!("S-8 more than disk: an error that says so, and nothing is lost");
    let mut chunks = Vec::new();
    let refused = loop {
        let next = chunk::remote(chunks.len());
        match (&next).await {
            Ok(_) => chunks.push(next),
            Err(error) => break error,
        }
    };
    if let Error::OutOfDisk { size, capacity, .. } = &refused {
        println!("  {}: no room for {size} bytes, of {capacity} in memory", refused.code());
    }
    let mut right = 0;
    for (number, chunk) in chunks.iter().enumerate() {
        right += usize::from(chunk.await?[..] == pattern(number, MIB));
    }
    println!("  all that was stored before is there: {}", right == chunks.len() && right >= 16);
    Ok(())
}

/// Has a process of its own.
#[derive(Debug)]
pub struct Maker;

#[remote(isolated)]
impl Maker {
    /// It needs nothing.
    pub fn new() -> Self {
        Self
    }

    /// Two objects, of which the program owns the second one.
    pub async fn two(&self) -> Result<[ObjectRef<String>; 2]> {
        let own = raytree::put("nobody will read this".to_owned()).await?;
        let handed = raytree::put("the program's".to_owned()).await?.owned_by_job().await?;
        Ok([own, handed])
    }
}

async fn owners() -> Result<()> {
    println!("owners: an object ends with its owner, which can be another one");
    let maker = Maker::remote();
    let [own, handed] = maker.two().await?;
    maker.stop().await?;
    match own.await {
        Err(error @ Error::OwnerDied { .. }) => println!("  its maker's: {}", error.code()),
        other => println!("  its maker's: {other:?}"),
    }
    println!("  handed over: {}", handed.await?);
    Ok(())
}
