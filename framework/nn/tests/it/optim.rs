//! Optimisers, schedules and clipping.

use raytree_nn::{AdaGrad, Adam, Optimizer, RmsProp, Schedule, Sgd, clip_global_norm};
use serde_json::Value;

use crate::support::{assert_close, golden, normals, numbers, rows, singles};

/// The optimiser that a case of the golden file describes; a setting that is not known here fails.
fn optimizer(name: &str, defaults: &Value) -> Box<dyn Optimizer> {
    let number = |key: &str| defaults[key].as_f64().unwrap() as f32;
    let truth = |key: &str| defaults[key].as_bool().unwrap();
    for ignored in ["maximize", "capturable", "differentiable"] {
        assert_ne!(defaults[ignored], Value::Bool(true), "{name}: {ignored}");
    }
    let decay = number("weight_decay");
    match name.split('_').next().unwrap() {
        "sgd" => {
            assert_eq!(number("dampening"), 0.0);
            let sgd = Sgd::default().weight_decay(decay);
            let momentum = number("momentum");
            Box::new(if truth("nesterov") {
                sgd.nesterov(momentum)
            } else {
                sgd.momentum(momentum)
            })
        }
        "adam" | "adamw" | "amsgrad" => {
            let betas = singles(&defaults["betas"]);
            let adam = if truth("decoupled_weight_decay") {
                Adam::decoupled(decay)
            } else {
                Adam::default().weight_decay(decay)
            };
            let adam = adam.betas(betas[0], betas[1]).eps(number("eps"));
            Box::new(if truth("amsgrad") { adam.amsgrad() } else { adam })
        }
        "rmsprop" => {
            let rms = RmsProp::default().weight_decay(decay).momentum(number("momentum"));
            let rms = rms.alpha(number("alpha")).eps(number("eps"));
            Box::new(if truth("centered") { rms.centered() } else { rms })
        }
        "adagrad" => {
            assert_eq!(number("initial_accumulator_value"), 0.0);
            let grad = AdaGrad::default().weight_decay(decay);
            Box::new(grad.eps(number("eps")).lr_decay(number("lr_decay")))
        }
        other => panic!("no optimiser is called {other}"),
    }
}

#[test]
fn golden_optim_every_optimizer() {
    let file = golden("algo_optim.json");
    let grads = rows(&file["grads"]);
    for (name, case) in file["optimisers"].as_object().unwrap() {
        let mut optimizer = optimizer(name, &case["defaults"]);
        let lr = case["defaults"]["lr"].as_f64().unwrap() as f32;
        let mut params = singles(&file["w0"]);
        let steps = case["weights_after_each_step"].as_array().unwrap();
        assert_eq!(steps.len(), grads.len());
        for (step, (grads, want)) in grads.iter().zip(steps).enumerate() {
            optimizer.step(&mut params, grads, lr);
            assert_close(&format!("{name} step {step}"), &params, &numbers(want), 1e-5, 1e-6);
        }
    }
}

#[test]
fn golden_optim_every_schedule() {
    let file = golden("algo_optim.json");
    for (name, want) in file["schedules_base_lr_0_1"].as_object().unwrap() {
        let schedule = match name.as_str() {
            "linear" => Schedule::Linear { start: 0.1, end: 0.01, steps: 20 },
            "cosine" => Schedule::Cosine { start: 0.1, end: 0.0, steps: 20 },
            "step" => Schedule::Step { start: 0.1, factor: 0.5, every: 5 },
            "exponential" => Schedule::Exponential { start: 0.1, factor: 0.9 },
            "onecycle" => Schedule::OneCycle { peak: 1.0, steps: 24, warmup: 0.3 },
            other => panic!("no schedule is called {other}"),
        };
        for (step, want) in numbers(want).into_iter().enumerate() {
            let got = schedule.at(step as u64);
            assert!((got - want).abs() < 1e-9, "{name} step {step}: got {got}, want {want}");
        }
    }
}

#[test]
fn golden_optim_clip_global_norm() {
    let case = &golden("algo_optim.json")["clip_global_norm"];
    let mut grads = singles(&case["grads"]);
    let norm = clip_global_norm(&mut grads, case["max_norm"].as_f64().unwrap() as f32);
    assert_close("norm", &[norm], &numbers(&case["norm"]), 1e-5, 1e-6);
    assert_close("clipped", &grads, &numbers(&case["clipped"]), 1e-5, 1e-6);
}

#[test]
fn clipping_leaves_small_and_broken_gradients_alone() {
    let mut small = [0.3, -0.4];
    assert!((clip_global_norm(&mut small, 1.0) - 0.5).abs() < 1e-6);
    assert_eq!(small, [0.3, -0.4]);
    let mut broken = [1.0, f32::INFINITY];
    assert!(!clip_global_norm(&mut broken, 1.0).is_finite());
    assert_eq!(broken[0], 1.0);
}

#[test]
fn state_carried_over_continues_bit_by_bit() {
    let makers: [fn() -> Box<dyn Optimizer>; 6] = [
        || Box::new(Sgd::default().nesterov(0.9)),
        || Box::new(Adam::default()),
        || Box::new(Adam::decoupled(0.1).amsgrad()),
        || Box::new(RmsProp::default()),
        || Box::new(RmsProp::default().centered().momentum(0.9)),
        || Box::new(AdaGrad::default().lr_decay(0.1)),
    ];
    for make in makers {
        let (mut first, mut params) = (make(), normals(37, 1));
        for seed in 0..3 {
            first.step(&mut params, &normals(37, seed + 10), 0.01);
        }
        let mut state = Vec::new();
        first.visit_state(&mut |name, tensor| state.push((name.to_owned(), tensor.clone())));
        let mut second = make();
        let mut saved = state.into_iter();
        second.visit_state(&mut |name, tensor| {
            let (was, values) = saved.next().unwrap();
            assert_eq!(was, name);
            *tensor = values;
        });
        let (mut a, mut b) = (params.clone(), params);
        for seed in 0..3 {
            first.step(&mut a, &normals(37, seed + 20), 0.01);
            second.step(&mut b, &normals(37, seed + 20), 0.01);
        }
        assert_eq!(a, b, "{first:?}");
    }
}
