//! Gradients, optimizers and averages: both backends of each, clipping, accumulation, and their state.

use crate::support::fixture::{distance, values};
use candle_core::{DType, Device, Tensor, Var};
use resnet::error::is_usage_error;
use resnet::ops::Backend;
use resnet::ops::optimizer::{Adam, Sgd, adam_as, move_average_as, sgd_as, sum_of_squares_as};
use resnet::random::Random;
use resnet::train::{Ema, Gradients, Optimizer, OptimizerConfig, OptimizerKind};

fn random(purpose: &str, count: usize) -> Tensor {
    let mut random = Random::new(1, purpose);
    let values: Vec<f32> = (0..count).map(|_| random.normal() as f32).collect();
    Tensor::from_vec(values, count, &Device::Cpu).unwrap()
}

fn variable(purpose: &str, count: usize) -> Var {
    Var::from_tensor(&random(purpose, count)).unwrap()
}

fn zeros(count: usize) -> Var {
    Var::zeros(count, DType::F32, &Device::Cpu).unwrap()
}

/// More than one chunk of the kernels, and not a multiple of the vector length.
const COUNT: usize = 40_003;

/// The variables after three steps with each backend agree in all values, not only in their norm.
#[track_caller]
fn assert_backends_agree(what: &str, run: impl Fn(Backend) -> Vec<Var>) {
    let (fused, portable) = (run(Backend::Native), run(Backend::Candle));
    for (fused, portable) in fused.iter().zip(&portable) {
        for (ours, theirs) in values(fused).into_iter().zip(values(portable)) {
            let difference = (ours - theirs).abs();
            assert!(
                difference <= 1e-6 * theirs.abs().max(1.0),
                "{what}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn the_two_forms_of_sgd_agree() {
    for (momentum, nesterov, weight_decay) in [
        (0.0, false, 0.0),
        (0.0, false, 0.1),
        (0.9, false, 0.01),
        (0.9, true, 0.01),
    ] {
        let what = format!("momentum {momentum} nesterov {nesterov} decay {weight_decay}");
        assert_backends_agree(&what, |backend| {
            let (parameter, buffer) = (variable("parameter", COUNT), zeros(COUNT));
            for step in 0..3 {
                let gradient = random(&format!("gradient {step}"), COUNT);
                let kept = (momentum > 0.0).then_some(&buffer);
                let step = Sgd {
                    lr: 0.1,
                    momentum,
                    nesterov,
                    weight_decay,
                    trust: None,
                };
                sgd_as(backend, &parameter, &gradient, kept, &step).unwrap();
            }
            vec![parameter, buffer]
        });
    }
}

#[test]
fn the_two_forms_of_adam_agree() {
    for decoupled in [false, true] {
        assert_backends_agree(&format!("decoupled {decoupled}"), |backend| {
            let parameter = variable("parameter", COUNT);
            let (mean, square) = (zeros(COUNT), zeros(COUNT));
            for step in 1..=3 {
                let gradient = random(&format!("gradient {step}"), COUNT);
                let step = Adam {
                    lr: 0.01,
                    betas: [0.9, 0.99],
                    eps: 1e-8,
                    weight_decay: 0.1,
                    decoupled,
                    step,
                };
                adam_as(backend, &parameter, &gradient, [&mean, &square], &step).unwrap();
            }
            vec![parameter, mean, square]
        });
    }
}

#[test]
fn the_two_forms_of_the_average_and_of_the_sum_of_squares_agree() {
    assert_backends_agree("average", |backend| {
        let average = variable("average", COUNT);
        move_average_as(backend, &average, &random("value", COUNT), 0.7).unwrap();
        vec![average]
    });
    let x = random("value", COUNT);
    let exact: f64 = values(&x).iter().map(|value| value * value).sum();
    let wide = x.to_dtype(DType::F64).unwrap();
    let fused = sum_of_squares_as(Backend::Native, &x).unwrap();
    assert!((fused / exact - 1.0).abs() < 1e-12);
    let portable = sum_of_squares_as(Backend::Candle, &wide).unwrap();
    assert!((portable / exact - 1.0).abs() < 1e-12);
    let portable = sum_of_squares_as(Backend::Candle, &x).unwrap();
    assert!((portable / exact - 1.0).abs() < 1e-4);
}

/// Two variables, and the gradients of `scale * (2 sum(a * x) + sum(b * y))`: 2x and y.
fn two_variables() -> Vec<(String, Var)> {
    let variable = |name: &str, shape: &[usize]| {
        let tensor = random(name, shape.iter().product()).reshape(shape).unwrap();
        (name.to_owned(), Var::from_tensor(&tensor).unwrap())
    };
    vec![variable("a", &[50, 40]), variable("b", &[30])]
}

fn gradients(variables: &[(String, Var)], scale: f64, images: usize) -> Gradients {
    let (a, b) = (variables[0].1.as_tensor(), variables[1].1.as_tensor());
    let [x, y] = [("x", a), ("y", b)].map(|(name, like)| {
        let tensor = random(name, like.elem_count());
        (tensor.reshape(like.shape()).unwrap() * scale).unwrap()
    });
    let loss = ((a * (x * 2.0).unwrap()).unwrap().sum_all().unwrap()
        + (b * y).unwrap().sum_all().unwrap())
    .unwrap();
    Gradients::new(loss.backward().unwrap(), variables, images).unwrap()
}

#[test]
fn accumulation_is_the_mean_over_all_images() {
    let variables = two_variables();
    let whole = gradients(&variables, 1.0, 1);
    // The mean of 1 over 12 images, of 4 over 8 and of 2.5 over 10 is 2.3.
    let sum = gradients(&variables, 1.0, 12)
        .averaged_with(&gradients(&variables, 4.0, 8))
        .unwrap()
        .averaged_with(&gradients(&variables, 2.5, 10))
        .unwrap();
    assert_eq!(sum.images(), 30);
    let mean = (12.0 + 32.0 + 25.0) / 30.0;
    for ((_, sum), (_, whole)) in sum.named().iter().zip(whole.named()) {
        assert!(distance(sum, &(whole * mean).unwrap()) < 1e-6);
    }
}

#[test]
fn clipping_scales_to_the_largest_norm_and_leaves_what_is_below() {
    let variables = two_variables();
    let mut clipped = gradients(&variables, 1.0, 1);
    let all = clipped
        .named()
        .iter()
        .flat_map(|(_, gradient)| values(gradient));
    let norm = all.map(|value| value * value).sum::<f64>().sqrt();
    let before = clipped.clip(norm / 4.0).unwrap();
    assert!((before / norm - 1.0).abs() < 1e-12, "{before} {norm}");
    let after = clipped.norm().unwrap();
    assert!((after / norm * 4.0 - 1.0).abs() < 1e-6, "{after}");
    let untouched = gradients(&variables, 1.0, 1);
    let mut below = untouched.clone();
    below.clip(norm * 1.01).unwrap();
    for ((_, below), (_, untouched)) in below.named().iter().zip(untouched.named()) {
        assert_eq!(values(below), values(untouched));
    }
}

#[test]
fn one_nan_gradient_is_found() {
    let variables = two_variables();
    assert!(gradients(&variables, 1.0, 1).is_finite().unwrap());
    for factor in [f64::NAN, f64::INFINITY] {
        let mut gradients = gradients(&variables, factor, 1);
        assert!(!gradients.is_finite().unwrap());
        assert!(!gradients.clip(1.0).unwrap().is_finite());
    }
}

#[test]
fn a_variable_that_takes_no_part_in_the_loss_is_named() {
    let mut variables = two_variables();
    let loss = variables[0].1.sum_all().unwrap();
    variables.truncate(2);
    let error = Gradients::new(loss.backward().unwrap(), &variables, 1).unwrap_err();
    assert!(error.to_string().contains("`b` has no gradient"), "{error}");
}

fn configs() -> [OptimizerConfig; 5] {
    let decay = OptimizerConfig {
        weight_decay: 0.1,
        ..OptimizerConfig::default()
    };
    [
        OptimizerConfig {
            nesterov: true,
            ..decay.clone()
        },
        OptimizerConfig {
            kind: OptimizerKind::Adam,
            ..decay.clone()
        },
        OptimizerConfig {
            kind: OptimizerKind::Adamw,
            ..decay.clone()
        },
        OptimizerConfig {
            kind: OptimizerKind::Lars,
            ..decay.clone()
        },
        OptimizerConfig {
            kind: OptimizerKind::Lamb,
            ..decay
        },
    ]
}

fn bits(variables: &[(String, Var)]) -> Vec<Vec<u64>> {
    let bits = |tensor: &Tensor| values(tensor).into_iter().map(f64::to_bits).collect();
    variables
        .iter()
        .map(|(_, variable)| bits(variable))
        .collect()
}

#[test]
fn an_optimizer_restored_from_its_state_continues_as_if_never_stopped() {
    for config in configs() {
        let whole = two_variables();
        let mut optimizer = Optimizer::new(config.clone(), whole.clone()).unwrap();
        for _ in 0..2 {
            optimizer.step(&gradients(&whole, 1.0, 1), 0.1).unwrap();
        }
        let parts = two_variables();
        for ((_, part), (_, whole)) in parts.iter().zip(&whole) {
            part.set(&whole.copy().unwrap()).unwrap();
        }
        let state = optimizer.state().unwrap();
        let mut restored = Optimizer::new(config, parts.clone()).unwrap();
        let tensors = state.iter().cloned().collect();
        restored.restore(&tensors, optimizer.steps()).unwrap();
        for _ in 0..2 {
            optimizer.step(&gradients(&whole, 0.5, 1), 0.1).unwrap();
            restored.step(&gradients(&parts, 0.5, 1), 0.1).unwrap();
        }
        assert_eq!(bits(&whole), bits(&parts));
        assert_eq!(restored.steps(), 4);

        let mut damaged = tensors;
        let (first, _) = &state[0];
        let tensor = damaged.remove(first).unwrap();
        let error = restored.restore(&damaged, 2).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{first}`")) && error.contains("missing"),
            "{error}"
        );
        damaged.insert(first.clone(), tensor.flatten_all().unwrap());
        let error = restored.restore(&damaged, 2).unwrap_err().to_string();
        assert!(error.contains("shape [2000], not [50, 40]"), "{error}");
        assert_eq!(restored.steps(), 4);
    }
}

#[test]
fn parameters_of_one_axis_do_not_decay_unless_asked_for() {
    // LARS and LAMB do not scale their updates either.
    for config in configs().into_iter().take(3) {
        let after = |norm_decay: bool, weight_decay: f64| {
            let config = OptimizerConfig {
                norm_decay,
                weight_decay,
                ..config.clone()
            };
            let variables = two_variables();
            let mut optimizer = Optimizer::new(config, variables.clone()).unwrap();
            optimizer.step(&gradients(&variables, 1.0, 1), 0.1).unwrap();
            bits(&variables)
        };
        let (none, all, weights) = (after(true, 0.0), after(true, 0.1), after(false, 0.1));
        assert_eq!(weights[0], all[0]);
        assert_eq!(weights[1], none[1]);
        assert_ne!(all[0], none[0]);
        assert_ne!(all[1], none[1]);
    }
}

#[test]
fn one_two_and_three_threads_move_variables_alike() {
    let run = |config: &OptimizerConfig, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let variables = vec![("a".to_owned(), variable("a", 100_001))];
            let mut optimizer = Optimizer::new(config.clone(), variables.clone()).unwrap();
            let mut ema = Ema::new(0.9, variables.clone()).unwrap();
            let loss = (variables[0].1.sqr().unwrap() * 3.0)
                .unwrap()
                .sum_all()
                .unwrap();
            let store = loss.backward().unwrap();
            let mut gradients = Gradients::new(store, &variables, 1).unwrap();
            let norm = gradients.clip(1.0).unwrap();
            optimizer.step(&gradients, 0.1).unwrap();
            ema.update().unwrap();
            let average = values(&ema.tensors().unwrap()["a"]);
            (norm.to_bits(), bits(&variables), average)
        })
    };
    for config in configs() {
        let one = run(&config, 1);
        assert_eq!(one, run(&config, 2));
        assert_eq!(one, run(&config, 3));
    }
}

#[test]
fn numbers_out_of_range_are_misuse() {
    let wrong = [
        OptimizerConfig {
            momentum: 1.0,
            ..OptimizerConfig::default()
        },
        OptimizerConfig {
            momentum: 0.0,
            nesterov: true,
            ..OptimizerConfig::default()
        },
        OptimizerConfig {
            weight_decay: -1.0,
            ..OptimizerConfig::default()
        },
        OptimizerConfig {
            betas: [0.9, f64::NAN],
            ..OptimizerConfig::default()
        },
    ];
    for config in wrong {
        let error = Optimizer::new(config, Vec::new()).unwrap_err();
        assert!(is_usage_error(&error), "{error}");
    }
}

#[test]
fn an_average_follows_its_formula_and_continues_from_its_state() {
    let variables = two_variables();
    let mut ema = Ema::new(0.15, variables.clone()).unwrap();
    let mut expected: Vec<Vec<f64>> = variables.iter().map(|(_, v)| values(v)).collect();
    // min(0.15, 1/10, 2/11, 3/12): the warm-up's share once, then the decay's.
    let mut halfway = None;
    for keep in [0.1, 0.15, 0.15] {
        for ((_, variable), expected) in variables.iter().zip(&mut expected) {
            let moved = (variable.as_detached_tensor() * 1.5).unwrap();
            variable.set(&moved).unwrap();
            for (average, value) in expected.iter_mut().zip(values(variable)) {
                *average = keep * *average + (1.0 - keep) * value;
            }
        }
        ema.update().unwrap();
        halfway.get_or_insert_with(|| ema.state().unwrap());
    }
    let tensors = ema.tensors().unwrap();
    for ((name, _), expected) in variables.iter().zip(&expected) {
        for (ours, expected) in values(&tensors[name]).iter().zip(expected) {
            assert!((ours - expected).abs() < 1e-5, "{name}: {ours} {expected}");
        }
    }
    let mut restored = Ema::new(0.15, variables).unwrap();
    let state = halfway.unwrap().into_iter().collect();
    restored.restore(&state, 1).unwrap();
    assert_eq!(restored.updates(), 1);
    let tensors = restored.tensors().unwrap();
    assert_eq!(values(&tensors["a"]), values(&state["ema.a"]));
    let error = restored.restore(&tensors, 1).unwrap_err().to_string();
    assert!(error.contains("`ema.a`"), "{error}");
}
