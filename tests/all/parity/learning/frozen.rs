//! Freezing: trained variables, running statistics, and the input of a linear probe.

use crate::support::fixture::values;
use candle_core::{DType, Device, Tensor};
use resnet::model::{Frozen, ModelConfig, ResNet};
use resnet::nn::{CrossEntropy, Parameters, Targets};

fn network() -> (ResNet, Parameters) {
    let config = ModelConfig {
        classes: 3,
        ..ModelConfig::named("resnet18").unwrap().with_width(4)
    };
    let parameters = Parameters::default();
    let network = ResNet::new(&config, &parameters.seeded(5, DType::F32, &Device::Cpu)).unwrap();
    (network, parameters)
}

fn images() -> Tensor {
    let values = (0..4 * 3 * 32 * 32).map(|i| ((i * 31) % 97) as f32 / 48.0 - 1.0);
    Tensor::from_iter(values, &Device::Cpu)
        .unwrap()
        .reshape((4, 3, 32, 32))
        .unwrap()
}

#[test]
fn a_frozen_part_gets_no_gradient_and_keeps_its_statistics() {
    for frozen in [
        Frozen::Nothing,
        Frozen::Stem,
        Frozen::Stage(1),
        Frozen::Stage(3),
        Frozen::Backbone,
    ] {
        let (network, parameters) = network();
        let before: Vec<_> = parameters.all().iter().map(|(_, v)| values(v)).collect();
        let logits = network.forward_frozen(&images(), frozen, true).unwrap();
        let targets = Targets::Classes(vec![0, 1, 2, 1]);
        let loss = CrossEntropy::default().loss(&logits, &targets).unwrap();
        let gradients = loss.backward().unwrap();
        for (name, variable) in parameters.trainable() {
            let learns = gradients.get(&variable).is_some();
            assert_eq!(learns, !frozen.holds(&name), "{frozen}: {name}");
        }
        for ((name, variable), before) in parameters.all().iter().zip(before) {
            if name.contains("running") {
                let moved = values(variable) != before;
                assert_eq!(moved, !frozen.holds(name), "{frozen}: {name}");
            }
        }
    }
}

#[test]
fn freezing_nothing_is_plain_training() {
    let ((one, _), (other, _)) = (network(), network());
    let frozen = one.forward_frozen(&images(), Frozen::Nothing, true);
    let plain = other.forward_t(&images(), true);
    assert_eq!(values(&frozen.unwrap()), values(&plain.unwrap()));
}

#[test]
fn the_head_on_pooled_features_is_the_network_in_evaluation() {
    let (network, _) = network();
    let pooled = network.pooled(&images()).unwrap();
    assert_eq!(pooled.dims(), [4, 32]);
    assert!(!pooled.track_op());
    let logits = network.head().forward(&pooled).unwrap();
    let whole = network.forward_t(&images(), false).unwrap();
    assert_eq!(values(&logits), values(&whole));
    // As in a probe: the backbone is in evaluation mode even in training.
    let trained = network.forward_frozen(&images(), Frozen::Backbone, true);
    assert_eq!(values(&trained.unwrap()), values(&whole));
}
