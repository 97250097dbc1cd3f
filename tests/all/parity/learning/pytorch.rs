//! Training against PyTorch on real images (`fixtures/learning/make.py`): in f64 the losses of 20 steps, in f32 the
//! loss, the gradients and the update of single steps, each started from PyTorch's weights and optimizer state.
//!
//! Two computations of the same f32 training part within a few steps, PyTorch's own in two layouts among them, so that no
//! longer f32 run can be compared. `RESNET_LEARNING` names one more folder of cases: `benches/peers/learning.py` makes those
//! of full-size networks.

#![expect(
    clippy::print_stdout,
    reason = "how far a case is from PyTorch is what the script's table shows"
)]

use crate::support::fixture::{Fixture, devices, distance, values};
use candle_core::{DType, Device, Tensor};
use resnet::model::{Frozen, ModelConfig, ResNet};
use resnet::nn::{CrossEntropy, Parameters, Targets};
use resnet::train::learner::forward_backward::{ForwardBackward, Input};
use resnet::train::{Gradients, Optimizer, OptimizerConfig, Schedule, Scheduler};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/learning")
}

/// The losses of a training.
#[derive(Deserialize)]
struct Run {
    optimizer: OptimizerConfig,
    batch: usize,
    label_smoothing: f64,
    clip: Option<f64>,
}

/// A network under one optimizer, with PyTorch's answers.
struct Case {
    fixture: Fixture,
    config: ModelConfig,
    run: Run,
    /// Steps whose f32 start is known.
    steps: Vec<usize>,
    /// `[images, height, width]`.
    images: Vec<u8>,
    size: [usize; 2],
    targets: Vec<u32>,
}

/// Mean and std of Fashion-MNIST's pixels, as the fixtures' script rounds them.
const PIXELS: [f32; 2] = [0.286, 0.353];

/// Every case of the fixtures' folder, and of the folder that the environment names; one at a time, as full-size networks are
/// large.
fn cases() -> impl Iterator<Item = Case> {
    let mut paths = paths_in(&folder());
    assert!(
        paths.len() >= 8,
        "only {} models in the folder",
        paths.len()
    );
    if let Some(folder) = std::env::var_os("RESNET_LEARNING") {
        paths.extend(paths_in(Path::new(&folder)));
    }
    paths.into_iter().map(|path| Case::read(&path))
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("resnet") && name.ends_with(".safetensors")
    });
    paths.sort();
    paths
}

impl Case {
    fn read(path: &Path) -> Self {
        let shown = Fixture::read_tensors(&path.with_file_name("pictures.safetensors"));
        let (_, height, width) = shown["pictures"].dims3().unwrap();
        let fixture = Fixture::read(path);
        Self {
            config: serde_json::from_str(&fixture.metadata["config"]).unwrap(),
            run: serde_json::from_str(&fixture.metadata["run"]).unwrap(),
            steps: serde_json::from_str(&fixture.metadata["steps"]).unwrap(),
            fixture,
            images: shown["pictures"].flatten_all().unwrap().to_vec1().unwrap(),
            size: [height, width],
            targets: classes(&shown["targets"]),
        }
    }
}

fn classes(targets: &Tensor) -> Vec<u32> {
    targets.to_dtype(DType::U32).unwrap().to_vec1().unwrap()
}

/// A network with its optimizer before a step.
struct Learner<'a> {
    case: &'a Case,
    dtype: DType,
    device: Device,
    pass: ForwardBackward,
    parameters: Parameters,
    optimizer: Optimizer,
}

impl<'a> Learner<'a> {
    /// Starts from `weights`; running statistics matter to no loss in training and may be missing.
    fn new(
        case: &'a Case,
        dtype: DType,
        device: &Device,
        weights: &HashMap<String, Tensor>,
    ) -> Self {
        let parameters = Parameters::default();
        let network = ResNet::new(&case.config, &parameters.seeded(0, dtype, device)).unwrap();
        parameters.set_all(weights).unwrap();
        let optimizer = Optimizer::new(case.run.optimizer.clone(), parameters.trainable());
        Self {
            case,
            dtype,
            device: device.clone(),
            pass: ForwardBackward::new(network, Frozen::Nothing),
            parameters,
            optimizer: optimizer.unwrap(),
        }
    }

    /// The loss and the gradients of step `step`.
    fn look(&mut self, step: usize) -> (f64, Gradients) {
        let case = self.case;
        let count = case.targets.len();
        let order = (0..case.run.batch).map(|place| (step * case.run.batch + place) % count);
        let targets = order.clone().map(|index| case.targets[index]).collect();
        let ([mean, std], [height, width]) = (PIXELS, case.size);
        let mut inputs: Vec<f32> = Vec::new();
        for index in order {
            let image = &case.images[index * height * width..][..height * width];
            let gray = image
                .iter()
                .map(|&pixel| (f32::from(pixel) / 255.0 - mean) / std);
            (0..3).for_each(|_| inputs.extend(gray.clone()));
        }
        let shape = (case.run.batch, 3, height, width);
        let x = Tensor::from_vec(inputs, shape, &Device::Cpu).unwrap();
        let x = x.to_dtype(self.dtype).unwrap();
        let x = x.to_device(&self.device).unwrap();
        let entropy = CrossEntropy {
            label_smoothing: case.run.label_smoothing,
            class_weights: None,
        };
        let passed = self.pass.forward(&Input::Images(x)).unwrap();
        let loss = entropy
            .loss(&passed.logits, &Targets::Classes(targets))
            .unwrap();
        let variables = self.optimizer.variables();
        let gradients = self
            .pass
            .backward(&passed, &loss, variables, case.run.batch)
            .unwrap();
        (values(&loss)[0], gradients)
    }

    /// Updates the weights as step `step` does.
    fn learn(&mut self, step: usize, mut gradients: Gradients) {
        if let Some(largest) = self.case.run.clip {
            gradients.clip(largest).unwrap();
        }
        let lr = values(self.case.fixture.get("lrs"))[step];
        self.optimizer.step(&gradients, lr).unwrap();
    }
}

#[test]
fn the_losses_of_twenty_steps_are_pytorchs_in_f64() {
    for device in devices() {
        losses_are_pytorchs(&device);
    }
}

fn losses_are_pytorchs(device: &Device) {
    for case in cases() {
        // Some cases have single steps only.
        let Some(losses) = case.fixture.tensors.get("losses") else {
            continue;
        };
        let mut learner = Learner::new(&case, DType::F64, device, &case.fixture.under("weights."));
        let mut largest = 0.0_f64;
        for (step, expected) in values(losses).into_iter().enumerate() {
            let (loss, gradients) = learner.look(step);
            let difference = (loss - expected).abs();
            let name = &case.fixture.name;
            assert!(
                difference <= 1e-6,
                "{name}, step {step}: {loss} is not {expected}"
            );
            largest = largest.max(difference);
            learner.learn(step, gradients);
        }
        let spread = values(case.fixture.get("spread"))[0];
        println!(
            "{}: f64 losses {largest:.1e} (PyTorch {spread:.1e})",
            case.fixture.name
        );
    }
}

#[test]
fn each_step_from_pytorchs_weights_and_state_is_pytorchs_in_f32() {
    for device in devices() {
        steps_are_pytorchs(&device);
    }
}

fn steps_are_pytorchs(device: &Device) {
    let (mut compared, mut failures) = (0, Vec::new());
    for case in cases() {
        for &step in &case.steps {
            let name = format!("{}, step {step}", case.fixture.name);
            let part =
                |step: usize, what: &str| case.fixture.under(&format!("step.{step}.{what}."));
            let mut learner = Learner::new(&case, DType::F32, device, &part(step, "weights"));
            let state = part(step, "state");
            learner.optimizer.restore(&state, step as u64).unwrap();
            let (loss, gradients) = learner.look(step);
            let expected = values(case.fixture.get(&format!("step.{step}.loss")))[0];
            let loss_difference = (loss - expected).abs();
            let expected = part(step, "grad");
            assert_eq!(expected.len(), gradients.named().len());
            let distances = gradients
                .named()
                .iter()
                .map(|(tensor, gradient)| (distance(gradient, &expected[tensor]), tensor));
            let (largest, tensor) = distances.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            let found = format!("{name}: f32 loss {loss_difference:.1e}, gradients {largest:.1e}");
            println!("{found}");
            // Comparisons with NaN are false.
            if !(loss_difference <= 1e-4 && largest <= 1e-2) {
                failures.push(format!("{found} (`{tensor}`)"));
            }
            compared += 1;
            // If the file has the next step, its start is the end of this one.
            if case.steps.contains(&(step + 1)) {
                learner.learn(step, gradients);
                learner.assert_is_at(&part(step + 1, "weights"), &part(step + 1, "state"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared >= 6);
}

impl Learner<'_> {
    #[track_caller]
    fn assert_is_at(&self, weights: &HashMap<String, Tensor>, state: &HashMap<String, Tensor>) {
        for (name, variable) in self.parameters.all() {
            let distance = distance(&variable, &weights[&name]);
            assert!(distance <= 1e-5, "`{name}` after the step by {distance}");
        }
        for (name, tensor) in self.optimizer.state().unwrap() {
            let distance = distance(&tensor, &state[&name]);
            assert!(distance <= 1e-3, "`{name}` after the step by {distance}");
        }
    }
}

#[test]
fn schedules_are_those_of_pytorch() {
    #[derive(Deserialize)]
    struct Expected {
        scheduler: Scheduler,
        lr: f64,
        warmup_steps: u64,
        total_steps: u64,
        min_lr: f64,
        milestones: Vec<u64>,
        gamma: f64,
        rates: Vec<f64>,
    }
    let text = std::fs::read_to_string(folder().join("schedules.json")).unwrap();
    let all: Vec<Expected> = serde_json::from_str(&text).unwrap();
    assert_eq!(all.len(), 6);
    for expected in all {
        let schedule = Schedule {
            scheduler: expected.scheduler,
            lr: expected.lr,
            warmup_steps: expected.warmup_steps,
            total_steps: expected.total_steps,
            min_lr: expected.min_lr,
            milestones: expected.milestones,
            gamma: expected.gamma,
        };
        for (step, rate) in expected.rates.into_iter().enumerate() {
            let ours = schedule.lr(step as u64);
            assert!(
                (ours - rate).abs() <= 1e-14,
                "{schedule:?}, step {step}: {ours} is not {rate}"
            );
        }
    }
}

#[test]
fn cross_entropy_and_its_gradient_are_pytorchs_in_both_kinds_of_targets() {
    let fixture = Fixture::read(&folder().join("cross_entropy.safetensors"));
    let [first, second] = ["first", "second"].map(|name| classes(fixture.get(name)));
    let mixed = Targets::Mixed {
        first: first.clone(),
        second,
        share: fixture.metadata["share"].parse().unwrap(),
    };
    for (kind, targets) in [("classes", Targets::Classes(first)), ("mixed", mixed)] {
        for label_smoothing in [0.0, 0.1] {
            for (weighting, class_weights) in [
                ("plain", None),
                ("weighted", Some(values(fixture.get("weights")))),
            ] {
                let entropy = CrossEntropy {
                    label_smoothing,
                    class_weights,
                };
                let name = format!("{kind}.{label_smoothing:.1}.{weighting}");
                for (dtype, limit) in [(DType::F64, 1e-14), (DType::F32, 1e-6)] {
                    let logits = fixture.get("logits").to_dtype(dtype).unwrap();
                    let logits = candle_core::Var::from_tensor(&logits).unwrap();
                    let loss = entropy.loss(&logits, &targets).unwrap();
                    assert!(
                        distance(&loss, fixture.get(&format!("{name}.loss"))) <= limit,
                        "{name}"
                    );
                    let store = loss.backward().unwrap();
                    let gradient = store.get(&logits).unwrap();
                    let distance = distance(gradient, fixture.get(&format!("{name}.grad")));
                    assert!(
                        distance <= limit,
                        "{name}, {dtype:?}: gradient by {distance}"
                    );
                }
            }
        }
    }
}
