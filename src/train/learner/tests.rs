//! Tests of the saved and restored state of a network in training.

use super::*;
use crate::random::Random;
use crate::train::config::settings::architecture;
use crate::train::data::batching::schedule;
use crate::train::example::{recipe, settings};

/// Height and width of the images.
const SIZE: usize = 16;
/// Images per batch.
const BATCH: usize = 4;

/// Returns the learner of a small network with the settings `keys`.
fn learner(keys: &str, seed: u64) -> Learner {
    let keys = format!("depth = 20\nwidth = 4\nimage-size = {SIZE}\nseed = {seed}\n{keys}");
    let settings = settings(&keys);
    let architecture = architecture(&recipe(&keys), [SIZE; 2]).unwrap();
    let config = architecture.config().unwrap();
    let loss = CrossEntropy {
        label_smoothing: settings.label_smoothing,
        class_weights: None,
    };
    let (schedule, start) = (schedule(&settings, 4), HashMap::new());
    Learner::new(&config, &settings, loss, schedule, &start, &Device::Cpu).unwrap()
}

/// Makes step `step` with the gradients of two batches; returns the bits of their losses and of the learning rate.
fn train(learner: &mut Learner, step: u64) -> [u64; 3] {
    let losses = [false, true].map(|is_mixed| {
        let mut random = Random::at(5, "batch", &[step, u64::from(is_mixed)]);
        let values = (0..BATCH * 3 * SIZE * SIZE).map(|_| random.normal());
        let shape = (BATCH, 3, SIZE, SIZE);
        let images = Tensor::from_vec(values.collect::<Vec<f64>>(), shape, &Device::Cpu).unwrap();
        let dtype = learner.model().first_weight().dtype();
        let mut classes = || (0..BATCH).map(|_| random.below(10) as u32).collect();
        let targets = if is_mixed {
            Targets::Mixed {
                first: classes(),
                second: classes(),
                share: 0.3,
            }
        } else {
            Targets::Classes(classes())
        };
        let input = Input::Images(images.to_dtype(dtype).unwrap());
        learner.learn(&input, &targets).unwrap().loss.to_bits()
    });
    let lr = learner.step(step).unwrap();
    [losses[0], losses[1], lr.to_bits()]
}

/// Returns the bits of all tensors of a state, by their names.
fn bits(learner: &Learner) -> Vec<(String, Vec<u64>)> {
    let state = learner.state().unwrap().into_iter();
    let mut bits: Vec<_> = state
        .map(|(name, tensor)| {
            let values = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
            let values = values.to_vec1::<f64>().unwrap().into_iter();
            (name, values.map(f64::to_bits).collect())
        })
        .collect();
    bits.sort();
    bits
}

fn state(learner: &Learner) -> HashMap<String, Tensor> {
    let tensors = learner.state().unwrap().into_iter();
    // The tensors of a learner are its variables.
    tensors
        .map(|(name, tensor)| (name, tensor.copy().unwrap()))
        .collect()
}

#[test]
fn a_restored_learner_makes_the_following_steps_bit_for_bit() {
    for keys in [
        "optimizer = 'sgd'\nnesterov = true",
        "optimizer = 'sgd'\nmomentum = 0\nscheduler = 'constant'",
        "optimizer = 'adam'\ndtype = 'f64'",
        "optimizer = 'adamw'\nema = 0.9\nclip-grad = 0.5",
        "optimizer = 'lars'\nfreeze = 'layer1'",
        "optimizer = 'lamb'\nema = 0.99\nlabel-smoothing = 0.1",
    ] {
        let mut saved = learner(keys, 1);
        for step in 0..3 {
            train(&mut saved, step);
        }
        let mut restored = learner(keys, 2);
        assert!(bits(&restored) != bits(&saved), "{keys}");
        restored.restore(&state(&saved), 3).unwrap();
        for step in 3..6 {
            assert!(
                bits(&restored) == bits(&saved),
                "{keys}: before step {step}"
            );
            assert_eq!(
                train(&mut restored, step),
                train(&mut saved, step),
                "{keys}: step {step}"
            );
        }
        assert!(bits(&restored) == bits(&saved), "{keys}");
    }
}

#[test]
fn a_state_without_one_of_its_tensors_or_with_one_of_another_shape_is_refused() {
    let mut learner = learner("optimizer = 'adamw'\nema = 0.9", 1);
    train(&mut learner, 0);
    let state = state(&learner);
    for prefix in ["model.", "ema.", "exp_avg.", "exp_avg_sq."] {
        let name = format!("{prefix}fc.weight");
        let mut changed = state.clone();
        let tensor = changed.remove(&name).unwrap_or_else(|| panic!("{name}"));
        let error = learner.restore(&changed, 1).unwrap_err();
        assert!(format!("{error:#}").contains(&name), "{error:#}");
        changed.insert(name.clone(), tensor.narrow(0, 0, 1).unwrap());
        let error = learner.restore(&changed, 1).unwrap_err();
        assert!(format!("{error:#}").contains("fc.weight"), "{error:#}");
    }
    learner.restore(&state, 1).unwrap();
}
