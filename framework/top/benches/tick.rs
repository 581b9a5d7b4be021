//! What a second costs: one moment is folded in and drawn, with everything unfolded on a screen of 200 x 60.
//!
//! `tick/10000` should stay well under 10 ms. `floor/10000` is a plain loop over the same rows that compares each with the one
//! before and lets it go, as nobody can do with less.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use raytree_top::{Answer, Demo, Model, Moment, Options, Source as _};

fn tick(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick");
    for actors in [1000, 10_000, 100_000] {
        let mut demo = Demo::large(actors);
        let mut model = Model::new(&Options::new(|| Duration::ZERO));
        let Ok(mut terminal) = Terminal::new(TestBackend::new(200, 60));
        group.bench_function(BenchmarkId::from_parameter(actors), |b| {
            b.iter_batched(
                || demo.look(),
                |moment| {
                    black_box(model.heard(Answer::Look(moment), Duration::from_secs(1)));
                    black_box(terminal.draw(|frame| model.draw(frame)).is_ok());
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn floor(c: &mut Criterion) {
    let mut group = c.benchmark_group("floor");
    for actors in [1000, 10_000, 100_000] {
        let mut demo = Demo::large(actors);
        let mut before = Moment::default();
        group.bench_function(BenchmarkId::from_parameter(actors), |b| {
            b.iter_batched(
                || demo.look().unwrap_or_default(),
                |moment| {
                    let pairs = moment.rows.iter().zip(&before.rows);
                    black_box(pairs.filter(|(now, then)| now.handled != then.handled).count());
                    before = moment;
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, tick, floor);
criterion_main!(benches);
