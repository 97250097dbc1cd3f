//! Errors of single convolutions and of whole networks, compared with f64.

use crate::shapes::{self, Case};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;
use resnet::infer::{Plan, Workload};
use resnet::model::{ModelConfig, ResNet};
use resnet::nn::Parameters;
use resnet::random::Random;
use resnet_kernels::conv::{Algorithm, Convolution};
use resnet_kernels::layout::{blocks, from_planar, to_planar};
use resnet_kernels::simd::LANES;
use resnet_kernels::{ConvGeometry, OutputInit};
use std::collections::HashMap;

/// Maximum difference of logits, relative to the largest.
const LIMIT: f64 = 1e-4;

/// Prints the tables; returns true if all networks are within the limit.
pub fn print() -> Result<bool> {
    println!(
        "Largest error of a single convolution relative to its largest output; inputs and weights are normally distributed.\n"
    );
    println!("| convolution | direct | F(2x2) | F(4x4) |");
    println!("|---|---|---|---|");
    let cases = [224, 32].map(|side| Case { batch: 1, side });
    let mut seen = Vec::new();
    for case in cases {
        for shape in shapes::of(case)? {
            if shape.kernel == 3 && shape.stride == 1 && !seen.contains(&shape) {
                seen.push(shape);
                let errors = errors(&shape)
                    .into_iter()
                    .map(|error| format!("{error:.1e}"));
                println!(
                    "| {} | {} |",
                    shapes::name(&shape),
                    errors.collect::<Vec<_>>().join(" | ")
                );
            }
        }
    }
    println!(
        "\nLargest error of the logits relative to the largest logit, with seeded weights and one noise image of 224 px; the network is compiled\nfor one image, for many images one by one, and for batches of 32.\n"
    );
    println!("| model | one | many | batches of 32 |");
    println!("|---|---|---|---|");
    let mut holds = true;
    for name in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] {
        let errors = network_errors(name)?;
        holds &= errors.iter().all(|&error| error <= LIMIT);
        let errors = errors.map(|error| format!("{error:.1e}"));
        println!("| {name} | {} |", errors.join(" | "));
    }
    Ok(holds)
}

fn noise(count: usize, purpose: &str) -> Vec<f32> {
    let mut random = Random::new(0, purpose);
    (0..count).map(|_| random.normal() as f32).collect()
}

/// Returns the errors of a convolution, one for each algorithm.
fn errors(shape: &ConvGeometry) -> Vec<f64> {
    let (input, weight) = (
        noise(shape.image(), "input"),
        noise(shape.weights(), "weight"),
    );
    let exact = exact(&input, &weight, shape);
    let pixels = shape.height * shape.width;
    let mut blocked = vec![[0.0; LANES]; blocks(shape.in_channels) * pixels];
    from_planar(&input, [1, shape.in_channels, pixels], &mut blocked);
    let error = |algorithm| {
        let bias = vec![0.0; shape.out_channels];
        let convolution = Convolution::new(&weight, &bias, *shape, algorithm);
        let mut output = vec![[0.0; LANES]; blocks(shape.out_channels) * shape.out_pixels()];
        convolution.run(1, &blocked, OutputInit::Overwrite, false, &mut output);
        let mut planar = vec![0.0; exact.len()];
        to_planar(
            &output,
            [1, shape.out_channels, shape.out_pixels()],
            &mut planar,
        );
        largest_error(&planar, &exact)
    };
    Algorithm::applicable(shape).map(error).collect()
}

fn largest_error(values: &[f32], exact: &[f64]) -> f64 {
    let largest = exact
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    let errors = values
        .iter()
        .zip(exact)
        .map(|(&value, exact)| (f64::from(value) - exact).abs());
    // Written so that NaN stays.
    errors.fold(0.0, |most, error| if error <= most { most } else { error }) / largest
}

/// Computes the convolution of one image in f64.
fn exact(input: &[f32], weight: &[f32], g: &ConvGeometry) -> Vec<f64> {
    let mut output = vec![0.0; g.out_image()];
    let planes = output.par_chunks_mut(g.out_pixels()).enumerate();
    planes.for_each(|(o, plane)| {
        for (place, value) in plane.iter_mut().enumerate() {
            let (y, x) = (place / g.out_width(), place % g.out_width());
            for c in 0..g.in_channels {
                for tap in 0..g.kernel * g.kernel {
                    let row = (y * g.stride + tap / g.kernel).wrapping_sub(g.padding);
                    let column = (x * g.stride + tap % g.kernel).wrapping_sub(g.padding);
                    if row < g.height && column < g.width {
                        let weight = weight[(o * g.in_channels + c) * g.kernel * g.kernel + tap];
                        let input = input[(c * g.height + row) * g.width + column];
                        *value += f64::from(weight) * f64::from(input);
                    }
                }
            }
        }
    });
    output
}

/// Returns the errors of a network's logits, one for each workload that it is compiled for.
fn network_errors(name: &str) -> Result<[f64; 3]> {
    let config = ModelConfig::named(name).ok_or_else(|| anyhow::anyhow!("no {name}"))?;
    let parameters = Parameters::default();
    ResNet::new(&config, &parameters.seeded(0, DType::F32, &Device::Cpu))?;
    let tensors: HashMap<String, Tensor> = {
        let all = parameters.all().into_iter();
        all.map(|(name, variable)| (name, variable.as_detached_tensor()))
            .collect()
    };
    let build = |dtype| {
        let tensors = tensors
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(dtype)?)));
        let tensors = tensors.collect::<Result<HashMap<_, _>>>()?;
        anyhow::Ok(ResNet::new(
            &config,
            &VarBuilder::from_tensors(tensors, dtype, &Device::Cpu),
        )?)
    };
    let image = noise(3 * 224 * 224, "picture");
    let exact = Tensor::from_slice(&image, (1, 3, 224, 224), &Device::Cpu)?.to_dtype(DType::F64)?;
    let exact = build(DType::F64)?
        .forward_t(&exact, false)?
        .flatten_all()?
        .to_vec1()?;
    let single = build(DType::F32)?;
    let one = Workload {
        batch: 1,
        images: 1,
    };
    let mut errors = [0.0; 3];
    for (error, work) in errors
        .iter_mut()
        .zip([one, Workload::many(1), Workload::many(32)])
    {
        let logits = Plan::new(&single, 224, 224, work)?.run(&image)?;
        *error = largest_error(&logits, &exact);
    }
    Ok(errors)
}
