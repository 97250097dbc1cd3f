//! Tests of whole networks against PyTorch: logits, gradients and running statistics of each block kind, stem, stride
//! placement, shortcut, grouping and dilation, in f32 and f64 (`fixtures/parity/make.py`).

use crate::support::fixture::{Fixture, devices, distance, folder, largest_difference};
use candle_core::{D, DType, Device, Tensor};
use resnet::infer::{Plan, Workload};
use resnet::model::{ModelConfig, ResNet};
use resnet::nn::Parameters;

/// A narrow network with PyTorch's results.
pub struct Case {
    pub fixture: Fixture,
    config: ModelConfig,
}

/// Returns every network of the folder.
pub fn cases() -> Vec<Case> {
    let files = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut cases: Vec<Case> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .map(|path| Fixture::read(&path))
        .filter_map(|fixture| {
            let config = serde_json::from_str(fixture.metadata.get("config")?).unwrap();
            Some(Case { fixture, config })
        })
        .collect();
    cases.sort_by(|a, b| a.fixture.name.cmp(&b.fixture.name));
    assert!(
        cases.len() >= 23,
        "only {} networks in the folder",
        cases.len()
    );
    cases
}

impl Case {
    /// Builds the network with the fixture's weights, as variables.
    pub fn network(&self, dtype: DType, device: &Device) -> (ResNet, Parameters) {
        let parameters = Parameters::default();
        let network = ResNet::new(&self.config, &parameters.seeded(0, dtype, device)).unwrap();
        let weights = self.fixture.under("weights.");
        assert_eq!(
            parameters.all().len(),
            weights.len(),
            "{}",
            self.fixture.name
        );
        parameters.set_all(&weights).unwrap();
        (network, parameters)
    }

    pub fn input(&self, dtype: DType, device: &Device) -> Tensor {
        let input = self.fixture.get("input").to_dtype(dtype).unwrap();
        input.to_device(device).unwrap()
    }

    /// Returns the mean cross-entropy of `logits`.
    fn loss(&self, logits: &Tensor) -> Tensor {
        let targets = self.fixture.get("targets").unsqueeze(1).unwrap();
        let targets = targets.to_device(logits.device()).unwrap();
        let likelihoods = candle_nn::ops::log_softmax(logits, D::Minus1).unwrap();
        likelihoods
            .gather(&targets, 1)
            .unwrap()
            .mean_all()
            .unwrap()
            .neg()
            .unwrap()
    }

    #[track_caller]
    fn assert_within(&self, what: &str, difference: f64, limit: f64) {
        // Written so that NaN fails.
        assert!(
            difference <= limit,
            "{}: {what} differs by {difference:e}",
            self.fixture.name
        );
    }

    fn evaluates_within(&self, dtype: DType, device: &Device, limit: f64) {
        let logits = self
            .network(dtype, device)
            .0
            .forward_t(&self.input(dtype, device), false)
            .unwrap();
        self.assert_within(
            "logits",
            largest_difference(&logits, self.fixture.get("eval.logits")),
            limit,
        );
    }

    fn trains_within(&self, dtype: DType, device: &Device, logit_limit: f64, limit: f64) {
        let (network, parameters) = self.network(dtype, device);
        let logits = network.forward_t(&self.input(dtype, device), true).unwrap();
        let loss = self.loss(&logits);
        self.assert_within(
            "logits",
            largest_difference(&logits, self.fixture.get("train.logits")),
            logit_limit,
        );
        self.assert_within(
            "loss",
            distance(&loss, self.fixture.get("train.loss")),
            logit_limit,
        );

        let gradients = loss.backward().unwrap();
        let expected = self.fixture.under("grad.");
        assert_eq!(expected.len(), parameters.trainable().len());
        for (name, variable) in parameters.trainable() {
            let gradient = gradients
                .get(&variable)
                .unwrap_or_else(|| panic!("`{name}` has no gradient"));
            self.assert_within(&name, distance(gradient, &expected[&name]), limit);
        }

        let after = self.fixture.under("after.");
        let statistics = parameters
            .all()
            .into_iter()
            .filter(|(name, _)| !expected.contains_key(name));
        let mut compared = 0;
        for (name, variable) in statistics {
            self.assert_within(&name, distance(&variable, &after[&name]), limit);
            compared += 1;
        }
        assert_eq!(compared, after.len());
    }
}

#[test]
fn logits_in_evaluation_are_pytorchs_in_f32() {
    for device in devices() {
        for case in cases() {
            case.evaluates_within(DType::F32, &device, 1e-4);
        }
    }
}

#[test]
fn logits_in_evaluation_are_pytorchs_in_f64() {
    for device in devices() {
        for case in cases() {
            case.evaluates_within(DType::F64, &device, 1e-9);
        }
    }
}

#[test]
fn gradients_and_running_statistics_are_pytorchs_in_f32() {
    for device in devices() {
        for case in cases() {
            case.trains_within(DType::F32, &device, 1e-4, 1e-3);
        }
    }
}

#[test]
fn gradients_and_running_statistics_are_pytorchs_in_f64() {
    for device in devices() {
        for case in cases() {
            case.trains_within(DType::F64, &device, 1e-9, 1e-9);
        }
    }
}

#[test]
fn the_compiled_pass_gives_pytorchs_logits() {
    for case in cases() {
        let input = case.input(DType::F32, &Device::Cpu);
        let [_, _, height, width] = *input.dims() else {
            panic!("images have four axes")
        };
        let (network, _) = case.network(DType::F32, &Device::Cpu);
        let plan = Plan::new(&network, height, width, Workload::many(1)).unwrap();
        let images: Vec<f32> = input.flatten_all().unwrap().to_vec1().unwrap();
        let expected = case.fixture.get("eval.logits");
        let logits =
            Tensor::from_vec(plan.run(&images).unwrap(), expected.shape(), &Device::Cpu).unwrap();
        case.assert_within("logits", largest_difference(&logits, expected), 1e-4);
    }
}
