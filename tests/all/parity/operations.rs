//! Tests of every operation, in both forms, against PyTorch: values and gradients over strides, paddings, dilations,
//! groups, odd sizes, inputs smaller than the window, ties, infinities and NaN (`fixtures/parity/make.py`).

use crate::support::fixture::{Fixture, devices, folder, values};
use candle_core::{DType, Device, Tensor, Var};
use resnet::nn::BatchNorm2d;
use resnet::nn::Parameters;
use resnet::ops::conv2d::{Conv2dConfig, conv2d_as};
use resnet::ops::max_pool::max_pool2d_as;
use resnet::ops::relu::relu;
use resnet::ops::{Backend, batch_norm};
use serde_json::Value;

/// A way to compute an operation, and its limit for the difference from PyTorch's f64.
struct Way {
    backend: Backend,
    dtype: DType,
    device: Device,
    limit: f64,
}

/// Returns each form with each dtype, the portable one on every device.
fn ways() -> Vec<Way> {
    let mut ways = vec![Way {
        backend: Backend::Native,
        dtype: DType::F32,
        device: Device::Cpu,
        limit: 1e-5,
    }];
    for device in devices() {
        for (dtype, limit) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
            ways.push(Way {
                backend: Backend::Candle,
                dtype,
                device: device.clone(),
                limit,
            });
        }
    }
    ways
}

struct Case<'a> {
    name: &'a str,
    about: &'a Value,
    fixture: &'a Fixture,
}

impl Case<'_> {
    fn tensor(&self, key: &str) -> &Tensor {
        self.fixture.get(&format!("{}.{key}", self.name))
    }

    fn variable(&self, key: &str, way: &Way) -> Var {
        let tensor = self.tensor(key).to_dtype(way.dtype).unwrap();
        Var::from_tensor(&tensor.to_device(&way.device).unwrap()).unwrap()
    }

    fn number(&self, key: &str) -> usize {
        usize::try_from(self.about[key].as_u64().unwrap()).unwrap()
    }

    /// Asserts that `ours` equals the tensor `key`: NaN and infinities at the same positions, the rest within `limit`
    /// of the largest number, or of 1 if all are smaller.
    #[track_caller]
    fn assert_equal(&self, key: &str, ours: &Tensor, limit: f64) {
        let expected = self.tensor(key);
        let name = format!("{}.{key} in {:?}", self.name, ours.dtype());
        assert_eq!(ours.dims(), expected.dims(), "{name}");
        let (ours, expected) = (values(ours), values(expected));
        let finite = expected.iter().filter(|value| value.is_finite());
        let scale = finite.fold(1.0, |scale: f64, value| scale.max(value.abs()));
        for (index, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
            let same = match expected {
                expected if expected.is_nan() => ours.is_nan(),
                expected if expected.is_infinite() => ours.to_bits() == expected.to_bits(),
                expected => (ours - expected).abs() <= limit * scale,
            };
            assert!(same, "{name}: {ours} instead of {expected} at {index}");
        }
    }

    /// Asserts that the gradients of `variables` for the fixture's gradient of `output` equal PyTorch's.
    #[track_caller]
    fn assert_gradients(&self, output: &Tensor, variables: &[(&str, &Var)], limit: f64) {
        let upstream = self.tensor("upstream").to_dtype(output.dtype()).unwrap();
        let upstream = upstream.to_device(output.device()).unwrap();
        // The sum itself may be NaN; the gradient of `output` is `upstream` all the same.
        let gradients = (output * upstream)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        for (key, variable) in variables {
            let gradient = gradients.get(variable).unwrap();
            self.assert_equal(&format!("grad_{key}"), gradient, limit);
        }
    }
}

/// Runs `check` on every case of an operation; there are `count` of them.
fn each(op: &str, count: usize, check: impl Fn(&Case)) {
    let fixture = Fixture::read(&folder().join("ops.safetensors"));
    let cases: Value = serde_json::from_str(&fixture.metadata["cases"]).unwrap();
    let cases = cases.as_object().unwrap();
    let ours = cases.iter().filter(|(_, about)| about["op"] == op);
    assert_eq!(ours.clone().count(), count);
    for (name, about) in ours {
        let fixture = &fixture;
        check(&Case {
            name,
            about,
            fixture,
        });
    }
}

#[test]
fn convolutions_and_their_gradients_are_pytorchs() {
    let ways = ways();
    each("conv2d", 20, |case| {
        let config = Conv2dConfig {
            stride: case.number("stride"),
            padding: case.number("padding"),
            dilation: case.number("dilation"),
            groups: case.number("groups"),
        };
        for way in &ways {
            let [input, weight] = ["input", "weight"].map(|key| case.variable(key, way));
            let output = conv2d_as(way.backend, &input, &weight, config).unwrap();
            case.assert_equal("output", &output, way.limit);
            let variables = [("input", &input), ("weight", &weight)];
            case.assert_gradients(&output, &variables, way.limit);
        }
    });
}

#[test]
fn max_pooling_and_its_gradient_are_pytorchs_with_ties_nan_and_infinities() {
    let ways = ways();
    each("max_pool2d", 7, |case| {
        let [kernel, stride, padding] = ["kernel", "stride", "padding"].map(|key| case.number(key));
        for way in &ways {
            let input = case.variable("input", way);
            let output = max_pool2d_as(way.backend, &input, kernel, stride, padding).unwrap();
            case.assert_equal("output", &output, way.limit);
            case.assert_gradients(&output, &[("input", &input)], way.limit);
        }
    });
}

#[test]
fn relu_and_its_gradient_are_pytorchs_at_zero_and_nan_too() {
    // They have one form.
    let mut ways = ways();
    ways.retain(|way| way.backend == Backend::Candle);
    each("relu", 1, |case| {
        for way in &ways {
            let input = case.variable("input", way);
            let output = relu(&input).unwrap();
            case.assert_equal("output", &output, way.limit);
            // 1e-300 is a positive number in f64 alone.
            if way.dtype == DType::F64 {
                case.assert_gradients(&output, &[("input", &input)], way.limit);
            }
        }
    });
}

#[test]
fn batch_norm_and_its_gradients_are_pytorchs() {
    let ways = ways();
    each("batch_norm", 3, |case| {
        let eps = case.about["eps"].as_f64().unwrap();
        for way in &ways {
            let [input, weight, bias] =
                ["input", "weight", "bias"].map(|key| case.variable(key, way));
            let (output, _) =
                batch_norm::train_as(way.backend, &input, &weight, &bias, eps).unwrap();
            case.assert_equal("output", &output, way.limit);
            let variables = [("input", &input), ("weight", &weight), ("bias", &bias)];
            case.assert_gradients(&output, &variables, way.limit);
        }
    });
}

#[test]
fn running_statistics_move_as_pytorchs_and_serve_evaluation() {
    // They have one form.
    let mut ways = ways();
    ways.retain(|way| way.backend == Backend::Candle);
    each("batch_norm", 3, |case| {
        let [eps, momentum] = ["eps", "momentum"].map(|key| case.about[key].as_f64().unwrap());
        for way in &ways {
            let parameters = Parameters::default();
            let channels = case.tensor("weight").elem_count();
            let source = parameters.seeded(0, way.dtype, &way.device);
            let norm = BatchNorm2d::new(channels, 1.0, eps, momentum, &source).unwrap();
            let start = case.fixture.under(&format!("{}.", case.name));
            parameters.set_all(&start).unwrap();

            let input = case.variable("input", way);
            let evaluated = norm.forward_t(&input, false).unwrap();
            case.assert_equal("eval_output", &evaluated, way.limit);
            norm.forward_t(&input, true).unwrap();
            let after: std::collections::HashMap<_, _> = parameters.all().into_iter().collect();
            case.assert_equal("after_mean", &after["running_mean"], way.limit);
            case.assert_equal("after_var", &after["running_var"], way.limit);
        }
    });
}
