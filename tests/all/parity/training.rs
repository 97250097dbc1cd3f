//! Tests of properties of `forward_t(x, true)` and its gradients, besides PyTorch's numbers.

use candle_core::{DType, Device, Tensor, Var};
use resnet::model::{ModelConfig, ResNet, ShortcutKind, StemKind};
use resnet::nn::Parameters;
use resnet::ops::conv2d::{Conv2dConfig, conv2d_as};
use resnet::ops::max_pool::max_pool2d_as;
use resnet::ops::{Backend, batch_norm};

fn narrow(name: &str) -> ModelConfig {
    ModelConfig {
        classes: 4,
        ..ModelConfig::named(name).unwrap().with_width(8)
    }
}

fn images(batch: usize, size: usize) -> Tensor {
    let values: Vec<f32> = (0..batch * 3 * size * size)
        .map(|i| ((i * 31) % 97) as f32 / 48.0 - 1.0)
        .collect();
    Tensor::from_vec(values, (batch, 3, size, size), &Device::Cpu).unwrap()
}

fn network(config: &ModelConfig) -> ResNet {
    let vb = Parameters::default().seeded(5, DType::F32, &Device::Cpu);
    ResNet::new(config, &vb).unwrap()
}

/// Returns the loss and the gradients of all parameters of one step, as bits.
fn step(config: &ModelConfig, batch: usize, size: usize) -> (u32, Vec<(String, Vec<u32>)>) {
    let parameters = Parameters::default();
    let network = ResNet::new(config, &parameters.seeded(5, DType::F32, &Device::Cpu)).unwrap();
    let logits = network.forward_t(&images(batch, size), true).unwrap();
    let targets: Vec<u32> = (0..batch as u32)
        .map(|i| i % config.classes as u32)
        .collect();
    let targets = Tensor::from_vec(targets, batch, &Device::Cpu).unwrap();
    let loss = candle_nn::loss::cross_entropy(&logits, &targets).unwrap();
    let gradients = loss.backward().unwrap();
    let bits = |tensor: &Tensor| -> Vec<u32> {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    let all = parameters.trainable().into_iter().map(|(name, variable)| {
        let gradient = gradients
            .get(&variable)
            .unwrap_or_else(|| panic!("`{name}` has no gradient"));
        (name, bits(gradient))
    });
    let all = all.collect();
    (loss.to_scalar::<f32>().unwrap().to_bits(), all)
}

#[test]
fn every_parameter_of_every_kind_of_network_gets_a_gradient() {
    let configs = [
        narrow("resnet18"),
        narrow("resnet50"),
        narrow("resnet20"),
        ModelConfig {
            shortcut: ShortcutKind::None,
            ..narrow("resnet20")
        },
        ModelConfig {
            stem: StemKind::Cifar,
            ..narrow("resnet34")
        },
    ];
    for config in configs {
        step(&config, 3, 20);
    }
}

#[test]
fn one_two_and_three_threads_give_the_same_bits() {
    let config = narrow("resnet18");
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| step(&config, 6, 40))
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

#[test]
fn a_training_batch_of_one_value_per_channel_is_refused_and_evaluates() {
    let config = narrow("resnet18");
    let network = network(&config);
    // 32 px become one pixel in the last stage.
    let error = network
        .forward_t(&images(1, 32), true)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("one value per channel") && error.contains("larger batch"),
        "{error}"
    );
    assert!(network.forward_t(&images(1, 64), true).is_ok());
    assert_eq!(
        network.forward_t(&images(1, 32), false).unwrap().dims(),
        [1, 4]
    );
}

#[test]
fn no_images_have_no_logits() {
    let logits = network(&narrow("resnet18")).forward_t(&images(0, 32), false);
    assert_eq!(logits.unwrap().dims(), [0, 4]);
}

#[test]
fn images_of_other_channels_are_refused() {
    let config = ModelConfig {
        in_channels: 1,
        ..narrow("resnet18")
    };
    let network = network(&config);
    let error = network
        .forward_t(&images(1, 32), false)
        .unwrap_err()
        .to_string();
    assert!(error.contains("1 channels, not 3"), "{error}");
}

#[test]
fn zero_init_residual_makes_every_block_its_shortcut() {
    let config = narrow("resnet18");
    let vb = Parameters::default().seeded(5, DType::F32, &Device::Cpu);
    let network = ResNet::with_init(&config, true, &vb).unwrap();
    let x = network.stem().forward_t(&images(2, 32), false).unwrap();
    let y = network.stages()[0][1].forward_t(&x, false).unwrap();
    let difference = (x - y)
        .unwrap()
        .abs()
        .unwrap()
        .max_all()
        .unwrap()
        .to_scalar::<f32>()
        .unwrap();
    assert!(difference.abs() < f32::EPSILON, "{difference}");
}

/// Compares both forms of an operation on `inputs`: returns the largest difference of results and of gradients of a
/// weighted sum.
fn difference_of_backends(inputs: &[Tensor], run: impl Fn(Backend, &[Tensor]) -> Tensor) -> f32 {
    let results: Vec<Vec<Tensor>> = [Backend::Native, Backend::Candle]
        .into_iter()
        .map(|backend| {
            let variables: Vec<Var> = inputs
                .iter()
                .map(|input| Var::from_tensor(input).unwrap())
                .collect();
            let tensors: Vec<Tensor> = variables
                .iter()
                .map(|variable| variable.as_tensor().clone())
                .collect();
            let result = run(backend, &tensors);
            let weights = images(1, 64)
                .flatten_all()
                .unwrap()
                .narrow(0, 0, result.elem_count())
                .unwrap();
            let sum = (result.flatten_all().unwrap() * weights)
                .unwrap()
                .sum_all()
                .unwrap();
            let gradients = sum.backward().unwrap();
            let gradients = variables
                .iter()
                .map(|variable| gradients.get(variable).unwrap().clone());
            std::iter::once(result.clone()).chain(gradients).collect()
        })
        .collect();
    let pairs = results[0].iter().zip(&results[1]);
    let differences = pairs.map(|(a, b)| {
        (a - b)
            .unwrap()
            .abs()
            .unwrap()
            .max_all()
            .unwrap()
            .to_scalar()
            .unwrap()
    });
    differences.fold(0.0, f32::max)
}

#[test]
fn the_two_forms_of_every_operation_agree() {
    let x = images(2, 11); // [2, 3, 11, 11]
    let weight = |shape: (usize, usize, usize, usize)| {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        images(1, 32)
            .flatten_all()
            .unwrap()
            .narrow(0, 5, count)
            .unwrap()
            .reshape(shape)
            .unwrap()
    };
    for (kernel, stride, padding, dilation) in [
        (1, 1, 0, 1),
        (1, 2, 0, 1),
        (3, 1, 1, 1),
        (3, 2, 1, 1),
        (3, 1, 2, 2),
        (7, 2, 3, 1),
    ] {
        let config = Conv2dConfig {
            stride,
            padding,
            dilation,
            groups: 1,
        };
        let inputs = [x.clone(), weight((4, 3, kernel, kernel))];
        let difference = difference_of_backends(&inputs, |backend, t| {
            conv2d_as(backend, &t[0], &t[1], config).unwrap()
        });
        assert!(
            difference < 2e-4,
            "kernel {kernel} stride {stride}: {difference}"
        );
    }
    let grouped = Conv2dConfig {
        padding: 1,
        groups: 3,
        ..Conv2dConfig::default()
    };
    let inputs = [x.clone(), weight((6, 1, 3, 3))];
    let difference = difference_of_backends(&inputs, |backend, t| {
        conv2d_as(backend, &t[0], &t[1], grouped).unwrap()
    });
    assert!(difference < 1e-4, "groups: {difference}");
    let difference = difference_of_backends(std::slice::from_ref(&x), |backend, t| {
        max_pool2d_as(backend, &t[0], 3, 2, 1).unwrap()
    });
    assert!(difference < 1e-6, "max-pooling: {difference}");
    let channels = |values: [f32; 3]| Tensor::new(&values, &Device::Cpu).unwrap();
    let inputs = [x, channels([1.5, -0.5, 0.0]), channels([0.1, 0.0, -2.0])];
    let difference = difference_of_backends(&inputs, |backend, t| {
        batch_norm::train_as(backend, &t[0], &t[1], &t[2], 1e-5)
            .unwrap()
            .0
    });
    assert!(difference < 1e-4, "batch norm: {difference}");
}

#[test]
fn batch_norm_keeps_its_precision_far_from_zero() {
    let x = (images(4, 16) + 10_000.0).unwrap();
    let ones = Tensor::ones(3, DType::F32, &Device::Cpu).unwrap();
    let (y, statistics) = batch_norm::train(&x, &ones, &ones.zeros_like().unwrap(), 1e-5).unwrap();
    let wide = x.to_dtype(DType::F64).unwrap();
    let wide_ones = ones.to_dtype(DType::F64).unwrap();
    let (_, expected) =
        batch_norm::train(&wide, &wide_ones, &wide_ones.zeros_like().unwrap(), 1e-5).unwrap();
    let variance: Vec<f32> = statistics.variance.to_vec1().unwrap();
    let expected: Vec<f64> = expected.variance.to_vec1().unwrap();
    for (variance, expected) in variance.iter().zip(expected) {
        assert!(
            (f64::from(*variance) - expected).abs() < 1e-6 * expected,
            "{variance} {expected}"
        );
    }
    let largest = y
        .abs()
        .unwrap()
        .max_all()
        .unwrap()
        .to_scalar::<f32>()
        .unwrap();
    assert!(largest < 3.0, "{largest}");
}

/// The portable operations in half precision agree with f64: what runs on a GPU is run here on the CPU (where candle
/// multiplies no bf16 matrices).
#[test]
fn half_precision_trains_and_evaluates_near_f64() {
    let config = narrow("resnet18");
    let run = |dtype: DType| {
        let parameters = Parameters::default();
        let vb = parameters.seeded(5, dtype, &Device::Cpu);
        let network = ResNet::new(&config, &vb).unwrap();
        let x = images(4, 40).to_dtype(dtype).unwrap();
        let trained = network.forward_t(&x, true).unwrap();
        let gradients = trained
            .sqr()
            .unwrap()
            .mean_all()
            .unwrap()
            .backward()
            .unwrap();
        let weight = parameters
            .all()
            .into_iter()
            .find(|(name, _)| name == "fc.weight")
            .unwrap()
            .1;
        let gradient = gradients.get(&weight).unwrap().clone();
        let evaluated = network.forward_t(&x, false).unwrap();
        [trained, evaluated, gradient].map(|tensor| tensor.to_dtype(DType::F64).unwrap())
    };
    let reference = run(DType::F64);
    for (half, reference) in run(DType::F16).iter().zip(&reference) {
        let norm = |tensor: &Tensor| -> f64 {
            tensor
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f64>()
                .unwrap()
                .sqrt()
        };
        let distance = norm(&(half - reference).unwrap()) / norm(reference);
        assert!(distance < 0.02, "{distance}");
    }
}
