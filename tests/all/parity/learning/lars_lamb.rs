//! LARS and LAMB: against timm's (`fixtures/learning/lars_lamb.py`), and both backends against their formulas.

use crate::support::fixture::{Fixture, devices, values};
use candle_core::{DType, Device, Tensor, Var};
use resnet::ops::Backend;
use resnet::ops::optimizer::{Lamb, Sgd, Trust, lamb_as, sgd_as};
use resnet::random::Random;
use resnet::train::{Gradients, Optimizer, OptimizerConfig};
use serde::Deserialize;
use std::path::Path;

/// The steps of one optimizer in the fixture.
#[derive(Deserialize)]
struct Case {
    name: String,
    optimizer: OptimizerConfig,
    clip: Option<f64>,
    lrs: Vec<f64>,
}

#[test]
fn steps_of_lars_and_lamb_are_those_of_timm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/learning");
    let fixture = Fixture::read(&folder.join("lars_lamb.safetensors"));
    let cases: Vec<Case> = serde_json::from_str(&fixture.metadata["cases"]).unwrap();
    assert_eq!(cases.len(), 9);
    for device in devices() {
        for (dtype, limit) in [(DType::F64, 1e-13_f64), (DType::F32, 2e-6)] {
            for case in &cases {
                // PyTorch's clipping, which is ours, adds 1e-6 to the norm; timm's does not.
                let limit = case.clip.map_or(limit, |_| limit.max(1e-6));
                assert_is_timms(&fixture, case, &device, dtype, limit);
            }
        }
    }
}

/// Compares the parameters after every step; `limit` is relative to the largest number of a parameter.
fn assert_is_timms(fixture: &Fixture, case: &Case, device: &Device, dtype: DType, limit: f64) {
    let convert = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap().to_device(device).unwrap();
    let mut variables: Vec<(String, Var)> = fixture
        .under("start.")
        .into_iter()
        .map(|(name, tensor)| (name, Var::from_tensor(&convert(&tensor)).unwrap()))
        .collect();
    variables.sort_by(|(name, _), (other, _)| name.cmp(other));
    assert_eq!(variables.len(), 5);
    let mut optimizer = Optimizer::new(case.optimizer.clone(), variables.clone()).unwrap();
    for (step, &lr) in case.lrs.iter().enumerate() {
        let named = fixture.under(&format!("gradient.{step}."));
        let named = named
            .into_iter()
            .map(|(name, tensor)| (name, convert(&tensor)));
        let mut gradients = Gradients::of_named(named, &variables, 1).unwrap();
        if let Some(largest) = case.clip {
            gradients.clip(largest).unwrap();
        }
        optimizer.step(&gradients, lr).unwrap();
        for (name, variable) in &variables {
            let expected = values(fixture.get(&format!("{}.{step}.{name}", case.name)));
            let largest = expected.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            for (ours, expected) in values(variable).into_iter().zip(expected) {
                assert!(
                    (ours - expected).abs() <= limit * largest,
                    "{}, step {step}, `{name}`, {dtype:?}: {ours} is not {expected}",
                    case.name
                );
            }
        }
    }
}

/// More than two chunks of the kernels, and not a multiple of the vector length.
const COUNT: usize = 40_003;

fn random(purpose: &str) -> Vec<f32> {
    let mut random = Random::new(1, purpose);
    (0..COUNT).map(|_| random.normal() as f32).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Compares three steps of `step(parameter, gradient, step)` in f32 with those of `formula` in f64.
#[track_caller]
fn assert_follows(
    what: &str,
    mut step: impl FnMut(&Var, &Tensor, u64),
    mut formula: impl FnMut(&mut [f64], &[f64], u64),
) {
    let start = random("parameter");
    let mut expected: Vec<f64> = start.iter().map(|&value| f64::from(value)).collect();
    let tensor = Tensor::from_vec(start, COUNT, &Device::Cpu).unwrap();
    let parameter = Var::from_tensor(&tensor).unwrap();
    for number in 1..=3 {
        let gradient = random(&format!("gradient {number}"));
        let wide: Vec<f64> = gradient.iter().map(|&value| f64::from(value)).collect();
        let gradient = Tensor::from_vec(gradient, COUNT, &Device::Cpu).unwrap();
        step(&parameter, &gradient, number);
        formula(&mut expected, &wide, number);
    }
    for (ours, expected) in values(&parameter).into_iter().zip(expected) {
        let limit = 2e-6 * expected.abs().max(1.0);
        assert!(
            (ours - expected).abs() <= limit,
            "{what}: {ours} {expected}"
        );
    }
}

fn zeros() -> Var {
    Var::zeros(COUNT, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn both_backends_of_lars_follow_its_formula() {
    let (lr, mu, decay, coefficient, eps) = (8.0, 0.9, 0.01, 0.02, 1e-8);
    for backend in [Backend::Native, Backend::Candle] {
        for (momentum, nesterov) in [(0.0, false), (mu, false), (mu, true)] {
            let buffer = zeros();
            let lars = Sgd {
                lr,
                momentum,
                nesterov,
                weight_decay: decay,
                trust: Some(Trust { coefficient, eps }),
            };
            let mut kept = vec![0.0; COUNT];
            assert_follows(
                &format!("{backend:?}, momentum {momentum}, Nesterov {nesterov}"),
                |parameter, gradient, _| {
                    let buffer = (momentum > 0.0).then_some(&buffer);
                    sgd_as(backend, parameter, gradient, buffer, &lars).unwrap();
                },
                |w, g, _| {
                    let ratio = coefficient * norm(w) / (norm(g) + decay * norm(w) + eps);
                    for ((w, g), v) in w.iter_mut().zip(g).zip(&mut kept) {
                        let g = ratio * (g + decay * *w);
                        *v = momentum * *v + g;
                        *w -= lr * if nesterov { g + momentum * *v } else { *v };
                    }
                },
            );
        }
    }
}

#[test]
fn both_backends_of_lamb_follow_its_formula() {
    let (lr, betas, decay, eps) = (0.05, [0.9, 0.99], 0.1, 1e-6);
    for backend in [Backend::Native, Backend::Candle] {
        for adapts in [false, true] {
            let (mean, square) = (zeros(), zeros());
            let (mut m, mut v) = (vec![0.0; COUNT], vec![0.0; COUNT]);
            assert_follows(
                &format!("{backend:?}, adapts {adapts}"),
                |parameter, gradient, step| {
                    let lamb = Lamb {
                        lr,
                        betas,
                        eps,
                        weight_decay: decay,
                        adapts,
                        step,
                    };
                    lamb_as(backend, parameter, gradient, [&mean, &square], &lamb).unwrap();
                },
                |x, g, t| {
                    let [first, second] = betas;
                    let rest = betas.map(|beta: f64| 1.0 - beta.powf(t as f64));
                    let mut update = Vec::new();
                    for index in 0..COUNT {
                        m[index] = first * m[index] + (1.0 - first) * g[index];
                        v[index] = second * v[index] + (1.0 - second) * g[index] * g[index];
                        let ratio = (m[index] / rest[0]) / ((v[index] / rest[1]).sqrt() + eps);
                        update.push(ratio + decay * x[index]);
                    }
                    let trust = if adapts { norm(x) / norm(&update) } else { 1.0 };
                    for (x, update) in x.iter_mut().zip(update) {
                        *x -= lr * trust * update;
                    }
                },
            );
        }
    }
}
