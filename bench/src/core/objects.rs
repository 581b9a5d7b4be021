//! Objects: made and read, small and large.

use std::hint::black_box;
use std::mem;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow, ensure};
use raytree::put;

use super::{Sides, runtimes};
use crate::report::{Report, median, time};

/// 100 MB.
const LARGE: usize = 100_000_000;

/// Objects of one number, made and dropped; the floor is a counted cell with a lock.
pub(super) fn put_small(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(100_000) as u64);
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let (took, done) = time(|| -> raytree::Result<()> {
            for n in 0..count {
                drop(black_box(put(n).get()?));
            }
            Ok(())
        });
        done?;
        sides.ours.push(count as f64 / took.as_secs_f64());
        let (took, ()) = time(|| {
            for n in 0..count {
                black_box(Arc::new(Mutex::new(n)));
            }
        });
        sides.bare.push(count as f64 / took.as_secs_f64());
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "put_small_rate", "/s");
    Ok(())
}

/// One object of one number, read again and again by way of a reference; the floor is a counted cell with a lock.
pub(super) fn get_small(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(41), report.size(100_000) as u64);
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let (object, bare) = (put(7_u64).get()?, Arc::new(Mutex::new(7_u64)));
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let (took, sum) = time(|| -> raytree::Result<u64> {
            (0..count).try_fold(0, |sum, _| Ok(sum + object.clone().get()?))
        });
        ensure!(sum? == 7 * count, "a wrong value");
        sides.ours.push(count as f64 / took.as_secs_f64());
        let (took, sum) = time(|| {
            let read = |bare: Arc<Mutex<u64>>| bare.lock().map_or(0, |value| *value);
            (0..count).map(|_| read(black_box(Arc::clone(&bare)))).sum::<u64>()
        });
        ensure!(sum == 7 * count, "a wrong value");
        sides.bare.push(count as f64 / took.as_secs_f64());
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "get_small_rate", "/s");
    Ok(())
}

/// What a large buffer took to become an object and to be read back, moved both times, in microseconds; the floors are
/// a counted cell with a lock, and a copy.
struct Large {
    put: Sides,
    get: Sides,
    copy: Vec<f64>,
}

fn large(repeats: usize, size: usize) -> Result<Large> {
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let mut data = vec![1_u8; size];
    let mut copied = vec![0_u8; size];
    let mut large = Large { put: Sides::default(), get: Sides::default(), copy: Vec::new() };
    for _ in 0..repeats {
        let moved = mem::take(&mut data);
        let (took, object) = time(|| put(moved).get());
        large.put.ours.push(took.as_secs_f64() * 1e6);
        let object = object?;
        let (took, value) = time(|| object.get());
        large.get.ours.push(took.as_secs_f64() * 1e6);
        let moved = value?;
        let (took, cell) = time(|| black_box(Arc::new(Mutex::new(Some(moved)))));
        large.put.bare.push(took.as_secs_f64() * 1e6);
        let (took, value) = time(|| cell.lock().ok().and_then(|mut cell| cell.take()));
        large.get.bare.push(took.as_secs_f64() * 1e6);
        data = value.ok_or_else(|| anyhow!("the value is gone"))?;
        let (took, ()) = time(|| black_box(&mut copied).copy_from_slice(black_box(&data)));
        large.copy.push(took.as_secs_f64() * 1e6);
        ensure!(data.len() == size && data[size - 1] == 1, "another value");
    }
    drop(here);
    runtime.shutdown();
    Ok(large)
}

pub(super) fn put_large(report: &mut Report) -> Result<()> {
    let large = large(report.repeats(41), report.size(LARGE))?;
    large.put.report(report, "put_100MB", "us");
    report.row("put_100MB.copy", median(large.copy), "us");
    Ok(())
}

pub(super) fn get_large(report: &mut Report) -> Result<()> {
    let large = large(report.repeats(41), report.size(LARGE))?;
    large.get.report(report, "get_100MB", "us");
    report.row("get_100MB.copy", median(large.copy), "us");
    Ok(())
}

/// An object of many references, read while others hold it too, and the references dropped; the floor is a list of as
/// many counted cells, cloned and dropped.
pub(super) fn get_holding(report: &mut Report) -> Result<()> {
    let (repeats, count) = (report.repeats(101), report.size(10_000));
    let (runtime, _) = runtimes()?;
    let here = runtime.enter();
    let refs = (0..count as u64).map(|n| put(n).get()).collect::<raytree::Result<Vec<_>>>()?;
    let holder = put(refs).get()?;
    let bare: Vec<_> = (0..count as u64).map(|n| Arc::new(Mutex::new(n))).collect();
    let mut sides = Sides::default();
    for _ in 0..repeats {
        let (took, found) = time(|| holder.clone().get().map(|refs| black_box(refs).len()));
        ensure!(found? == count, "a reference is missing");
        sides.ours.push(took.as_secs_f64() * 1e6);
        let (took, found) = time(|| black_box(bare.clone()).len());
        ensure!(found == count, "a cell is missing");
        sides.bare.push(took.as_secs_f64() * 1e6);
    }
    drop(here);
    runtime.shutdown();
    sides.report(report, "get_object_holding_10k_refs", "us");
    Ok(())
}
