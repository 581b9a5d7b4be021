//! Rows of spilled objects: files on disk.
//!
//! Both sides are the same to the page cache: nothing is synchronised, each file is removed before the next is made, and what is read
//! was just written.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Result, ensure};
use raytree_store::spill::{Extent, Key, Rules, Spill};
use rustix::fs::{FallocateFlags, fallocate};

use crate::report::{Report, median, time};

const LARGE: usize = 100_000_000;
const PIECE: usize = 1 << 20;

fn bytes() -> Vec<u8> {
    (0..LARGE).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn spilled(spill: &Spill, bytes: &[u8]) -> Result<Extent> {
    Ok(spill.write(&[(Key(1), bytes)])?[0])
}

/// A new file of these bytes; its blocks are asked for in one, or as they come.
fn plain(path: &Path, bytes: &[u8], is_reserved: bool) -> Result<()> {
    let mut file = File::create_new(path)?;
    if is_reserved {
        fallocate(&file, FallocateFlags::empty(), 0, bytes.len() as u64)?;
    }
    Ok(file.write_all(bytes)?)
}

fn rate(seconds: Vec<f64>) -> f64 {
    LARGE as f64 / median(seconds) / 1e9
}

/// One object, to a file of its own. The floor is the faster of a plain write and one to a file whose blocks were asked for before.
pub(crate) fn write(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spill = Spill::open(&[folder.path()], Rules::default())?.spill;
    let (path, bytes) = (folder.path().join("plain"), bytes());
    let (mut ours, mut as_it_comes, mut reserved) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        let (took, at) = time(|| spilled(&spill, &bytes));
        spill.remove(Key(1), &at?)?;
        ours.push(took.as_secs_f64());
        for (is_reserved, times) in [(false, &mut as_it_comes), (true, &mut reserved)] {
            let (took, done) = time(|| plain(&path, &bytes, is_reserved));
            done?;
            std::fs::remove_file(&path)?;
            times.push(took.as_secs_f64());
        }
    }
    report.row("spill_write", rate(ours), "GB/s");
    report.row("spill_write.floor", rate(as_it_comes).max(rate(reserved)), "GB/s");
    Ok(())
}

/// One object, into memory that was used before. The floor is the faster of a plain read in one and one in pieces.
pub(crate) fn read(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spill = Spill::open(&[folder.path()], Rules::default())?.spill;
    let (path, bytes) = (folder.path().join("plain"), bytes());
    let mut into = vec![1; LARGE];
    let (mut ours, mut in_one, mut in_pieces) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.repeats(15) {
        let at = spilled(&spill, &bytes)?;
        let (took, done) = time(|| spill.read(Key(1), &at, &mut into));
        done?;
        ensure!(into == bytes, "it is not what was written");
        spill.remove(Key(1), &at)?;
        ours.push(took.as_secs_f64());
        for (piece, times) in [(LARGE, &mut in_one), (PIECE, &mut in_pieces)] {
            plain(&path, &bytes, true)?;
            let (took, done) = time(|| -> Result<()> {
                let mut file = File::open(&path)?;
                Ok(into.chunks_mut(piece).try_for_each(|part| file.read_exact(part))?)
            });
            done?;
            std::fs::remove_file(&path)?;
            times.push(took.as_secs_f64());
        }
    }
    report.row("spill_read", rate(ours), "GB/s");
    report.row("spill_read.floor", rate(in_one).max(rate(in_pieces)), "GB/s");
    Ok(())
}
