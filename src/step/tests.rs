//! Tests of the compiled step against autograd.

use super::*;
use crate::model::StemKind;
use crate::model::{ModelConfig, ShortcutKind, StridePlacement};
use crate::nn::Parameters;
use candle_core::{DType, Device, Shape, Tensor, Var};
use resnet_kernels::cpu;
use std::collections::HashMap;

fn narrow(name: &str) -> ModelConfig {
    ModelConfig {
        classes: 7,
        ..ModelConfig::named(name).unwrap().with_width(8)
    }
}

/// Returns a network of one block per stage: rounding grows with the depth, and most where factors of channels multiply it.
fn shallow(name: &str) -> ModelConfig {
    ModelConfig {
        blocks: vec![1; 4],
        ..narrow(name)
    }
}

fn kinds() -> Vec<ModelConfig> {
    vec![
        narrow("resnet18"),
        narrow("resnet50"),
        ModelConfig {
            stem: StemKind::Cifar,
            ..narrow("resnet18")
        },
        ModelConfig {
            stride_placement: StridePlacement::V1,
            ..narrow("resnet50")
        },
        ModelConfig {
            groups: 4,
            width_per_group: 32,
            ..narrow("resnet50")
        },
        ModelConfig {
            dilated: vec![false, false, true, true],
            ..narrow("resnet50")
        },
        ModelConfig {
            in_channels: 5,
            ..narrow("resnet18")
        },
        ModelConfig::named("resnet20").unwrap(),
        ModelConfig {
            shortcut: ShortcutKind::None,
            ..narrow("resnet20")
        },
        narrow("resnet50d"),
        narrow("resnet26t").with_width(16),
        narrow("seresnet18"),
        shallow("ecaresnet26t").with_width(16),
        shallow("seresnetaa50d"),
        shallow("resnetrs50"),
        ModelConfig {
            first_reduction: 2,
            projection_kernel: 3,
            ..shallow("seresnet50")
        },
        ModelConfig {
            classes: 7,
            ..ModelConfig::named("test_resnet").unwrap()
        },
    ]
}

/// Gives every even channel a bias that keeps it positive and every odd one a bias that keeps it negative: a value that
/// rounding moves across ReLU's threshold would change all gradients before it.
fn keep_from_relus_edge(parameters: &Parameters) {
    for (name, variable) in parameters.trainable() {
        if name.ends_with("bias") && !name.starts_with("fc") && !name.ends_with("fc2.bias") {
            let signs = (0..variable.elem_count()).map(|i| if i % 2 == 0 { 8f32 } else { -8.0 });
            let signs = Tensor::from_iter(signs, &Device::Cpu).unwrap();
            variable.set(&signs).unwrap();
        }
    }
}

/// Computes the logits, the gradients of all parameters but the head's, and the updated running statistics, by
/// autograd.
fn by_autograd(
    config: &ModelConfig,
    parameters: &Parameters,
    x: &Tensor,
    weights: &Tensor,
    dtype: DType,
    frozen: Frozen,
) -> HashMap<String, Tensor> {
    let own = Parameters::default();
    let network = ResNet::new(config, &own.seeded(3, dtype, &Device::Cpu)).unwrap();
    for ((_, variable), (_, from)) in own.all().iter().zip(parameters.all()) {
        variable.set(&from.to_dtype(dtype).unwrap()).unwrap();
    }
    let logits = network
        .forward_frozen(&x.to_dtype(dtype).unwrap(), frozen, true)
        .unwrap();
    let loss = (&logits * weights.to_dtype(dtype).unwrap()).unwrap();
    let mut store = loss.sum_all().unwrap().backward().unwrap();
    let trained = own.trainable().into_iter();
    let trained = trained.filter(|(name, _)| !name.starts_with("fc") && !frozen.holds(name));
    let mut named: HashMap<_, _> = trained
        .map(|(name, variable)| (name, store.remove(&variable).unwrap()))
        .collect();
    let running = own.all().into_iter();
    let running = running.filter(|(name, _)| name.contains("running"));
    named.extend(running.map(|(name, variable)| (name, variable.as_detached_tensor())));
    named.insert("logits".to_owned(), logits);
    named
}

fn gradients_of(step: &mut Step, gradient: &[f32]) -> Vec<(String, Tensor)> {
    let mut named = Vec::new();
    let mut receive = |name, values, shape: &Shape| {
        named.push((name, Tensor::from_vec(values, shape, &Device::Cpu)?));
        Ok(())
    };
    step.backward(gradient, &mut receive).unwrap();
    named
}

/// Computes the same with a step.
fn by_step(
    network: &ResNet,
    parameters: &Parameters,
    values: &[f32],
    weights: &Tensor,
    size: [usize; 2],
    frozen: Frozen,
) -> HashMap<String, Tensor> {
    let mut step = Step::new(network, size, frozen).unwrap();
    let features = step.forward(values).unwrap();
    let shape = (weights.dims()[0], network.config().features());
    let features = Tensor::from_vec(features, shape, &Device::Cpu).unwrap();
    let features = Var::from_tensor(&features).unwrap();
    let logits = network.head().forward(&features).unwrap();
    let loss = (&logits * weights).unwrap().sum_all().unwrap();
    let gradient = loss.backward().unwrap().remove(&features).unwrap();
    let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
    let mut named: HashMap<String, Tensor> =
        gradients_of(&mut step, &gradient).into_iter().collect();
    let running = parameters.all().into_iter();
    let running = running.filter(|(name, _)| name.contains("running"));
    named.extend(running.map(|(name, variable)| (name, variable.as_detached_tensor())));
    named.insert("logits".to_owned(), logits);
    named
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap();
    flat.to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// Returns the norm of the difference relative to the norm of `expected`.
fn distance(ours: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(ours.dims(), expected.dims());
    let (ours, expected) = (numbers(ours), numbers(expected));
    let differences: Vec<f64> = ours.iter().zip(&expected).map(|(a, b)| a - b).collect();
    norm(&differences) / norm(&expected)
}

#[test]
fn a_step_gives_the_gradients_of_autograd_for_every_kind_of_network() {
    for config in kinds() {
        let name = format!("{config:?}");
        let parameters = Parameters::default();
        let vb = parameters.seeded(3, DType::F32, &Device::Cpu);
        let network = ResNet::new(&config, &vb).unwrap();
        keep_from_relus_edge(&parameters);
        let (batch, height, width) = match config.anti_aliasing {
            AntiAliasing::None => (6, 40, 33),
            // Their averages leave out an odd edge.
            _ => (6, 64, 64),
        };
        let count = batch * config.in_channels * height * width;
        let values: Vec<f32> = (0..count)
            .map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0)
            .collect();
        let shape = (batch, config.in_channels, height, width);
        let x = Tensor::from_vec(values.clone(), shape, &Device::Cpu).unwrap();
        let weights = (0..batch * config.classes).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0);
        let weights = Tensor::from_iter(weights, &Device::Cpu).unwrap();
        let weights = weights.reshape((batch, config.classes)).unwrap();
        let frozen = Frozen::Nothing;
        let expected = by_autograd(&config, &parameters, &x, &weights, DType::F64, frozen);
        let norms = expected.values().map(|tensor| norm(&numbers(tensor)));
        let largest = norms.fold(0.0, f64::max);

        let start: Vec<Tensor> = parameters
            .all()
            .iter()
            .map(|(_, variable)| variable.as_detached_tensor().copy().unwrap())
            .collect();
        for isa in cpu::available() {
            for ((_, variable), start) in parameters.all().iter().zip(&start) {
                variable.set(start).unwrap();
            }
            cpu::with(isa, || {
                let rounded = by_autograd(&config, &parameters, &x, &weights, DType::F32, frozen);
                let size = [height, width];
                let ours = by_step(&network, &parameters, &values, &weights, size, frozen);

                assert_eq!(ours.len(), expected.len(), "{name}");
                for (tensor, expected) in &expected {
                    let error = distance(&ours[tensor], expected);
                    // Some gradients are small sums of large terms: autograd shows how precise f32 can be.
                    let rounding = distance(&rounded[tensor], expected);
                    // A bias before a batch norm has none at all.
                    let vanishes = norm(&numbers(expected)) < 1e-5 * largest;
                    assert!(
                        (vanishes || error < 1e-3_f64.max(3.0 * rounding))
                            && error < 6.0 * rounding + 1e-6,
                        "{name}, {isa:?}: {tensor}: {error:e}, autograd {rounding:e}"
                    );
                }
            });
        }
    }
}

#[test]
fn a_frozen_part_evaluates_and_has_no_gradients() {
    let values: Vec<f32> = (0..4 * 3 * 33 * 33)
        .map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0)
        .collect();
    let x = Tensor::from_vec(values.clone(), (4, 3, 33, 33), &Device::Cpu).unwrap();
    let plain = ModelConfig {
        shortcut: ShortcutKind::None,
        ..narrow("resnet20")
    };
    for (config, frozen, first) in [
        (narrow("resnet18"), Frozen::Stem, "layer1.0.conv1.weight"),
        (
            narrow("resnet18"),
            Frozen::Stage(2),
            "layer3.0.conv1.weight",
        ),
        (
            narrow("resnet50"),
            Frozen::Stage(1),
            "layer2.0.downsample.0.weight",
        ),
        (
            narrow("resnet20"),
            Frozen::Stage(1),
            "layer2.0.conv1.weight",
        ),
        (plain, Frozen::Stage(1), "layer2.0.conv1.weight"),
    ] {
        let parameters = Parameters::default();
        let vb = parameters.seeded(3, DType::F32, &Device::Cpu);
        let network = ResNet::new(&config, &vb).unwrap();
        keep_from_relus_edge(&parameters);
        let weights = (0..4 * config.classes).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0);
        let weights = Tensor::from_iter(weights, &Device::Cpu).unwrap();
        let weights = weights.reshape((4, config.classes)).unwrap();
        let before = running_mean(&parameters, "bn1");
        let expected = by_autograd(&config, &parameters, &x, &weights, DType::F64, frozen);
        let rounded = by_autograd(&config, &parameters, &x, &weights, DType::F32, frozen);
        let ours = by_step(&network, &parameters, &values, &weights, [33, 33], frozen);
        assert_eq!(running_mean(&parameters, "bn1"), before);
        assert!(ours.contains_key(first), "{frozen}");
        assert_eq!(ours.len(), expected.len(), "{frozen}");
        for (tensor, expected) in &expected {
            let error = distance(&ours[tensor], expected);
            let rounding = distance(&rounded[tensor], expected);
            // Running means of the frozen part are still zero.
            let is_same = numbers(&ours[tensor]) == numbers(expected);
            assert!(
                is_same || error < 6.0 * rounding + 1e-6,
                "{frozen}: {tensor}: {error:e}, autograd {rounding:e}"
            );
        }
    }
}

fn running_mean(parameters: &Parameters, norm: &str) -> Vec<f32> {
    let all: HashMap<_, _> = parameters.all().into_iter().collect();
    all[&format!("{norm}.running_mean")].to_vec1().unwrap()
}

#[test]
fn a_step_is_the_same_after_batches_of_other_sizes() {
    for name in ["resnet50", "resnet20"] {
        is_the_same_after_others(&narrow(name));
    }
}

fn is_the_same_after_others(config: &ModelConfig) {
    let parameters = Parameters::default();
    let vb = parameters.seeded(3, DType::F32, &Device::Cpu);
    let network = ResNet::new(config, &vb).unwrap();
    let values: Vec<f32> = (0..6 * 3 * 40 * 33)
        .map(|i| ((i * 7919) % 1009) as f32 / 504.5 - 1.0)
        .collect();
    let take = |step: &mut Step, batch: usize| {
        let features = step.forward(&values[..batch * 3 * 40 * 33]).unwrap();
        let gradient: Vec<f32> = features.iter().map(|value| value.sin()).collect();
        let gradients = gradients_of(step, &gradient).into_iter();
        let gradients = gradients.map(|(name, gradient)| {
            let numbers: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            (name, numbers)
        });
        (features, gradients.collect::<Vec<_>>())
    };
    let new = || Step::new(&network, [40, 33], Frozen::Nothing).unwrap();
    let mut used = new();
    for batch in [6, 3, 1, 6] {
        assert!(take(&mut used, batch) == take(&mut new(), batch), "{batch}");
    }
}
