use super::{close, load};
use raytree_rllib::stats::{Ema, RunningStats, percentile};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    steps: Vec<Update>,
    exact_mean: Vec<f64>,
    exact_var: Vec<f64>,
    percentiles: Percentiles,
    ema_0_9: Vec<f64>,
}

#[derive(Deserialize)]
struct Update {
    batch: Vec<Vec<f64>>,
    mean: Vec<f64>,
    var: Vec<f64>,
    count: f64,
}

#[derive(Deserialize)]
struct Percentiles {
    x: Vec<f64>,
    p: Vec<f64>,
    linear: Vec<f64>,
}

#[track_caller]
fn all_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        close(&format!("{what}[{index}]"), got, want, 1e-9, 1e-15);
    }
}

#[test]
fn golden_running_mean_and_variance() {
    let file: File = load("algo_running_stats.json");
    let columns = file.exact_mean.len();
    let (mut running, mut merged) = (RunningStats::new(columns), RunningStats::new(columns));
    let mut exact = RunningStats::empty(columns);
    for (index, update) in file.steps.iter().enumerate() {
        let rows = update.batch.concat();
        running.update(&rows);
        let mut part = RunningStats::empty(columns);
        part.update(&rows);
        merged.merge(&part);
        exact.merge(&part);
        for stats in [&running, &merged] {
            all_close(&format!("mean {index}"), stats.mean(), &update.mean);
            all_close(&format!("var {index}"), stats.var(), &update.var);
            close(&format!("count {index}"), stats.count(), update.count, 1e-9, 0.0);
        }
    }
    all_close("exact mean", exact.mean(), &file.exact_mean);
    all_close("exact var", exact.var(), &file.exact_var);
}

#[test]
fn golden_percentiles_and_moving_average() {
    let file: File = load("algo_running_stats.json");
    let Percentiles { x, p, linear } = file.percentiles;
    let got: Vec<f64> = p.iter().map(|&p| percentile(&mut x.clone(), p).unwrap()).collect();
    all_close("percentile", &got, &linear);
    let mut ema = Ema::new(0.9);
    let got: Vec<f64> = x.iter().map(|&x| ema.update(x)).collect();
    all_close("ema", &got, &file.ema_0_9);
}
