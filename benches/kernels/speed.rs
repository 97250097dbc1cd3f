//! Times of every algorithm.

use crate::limits::Limits;
use crate::shapes::{self, Case};
use anyhow::Result;
use resnet_kernels::conv::{Algorithm, Convolution, Products, choose};
use resnet_kernels::layout::{Buffer, blocks};
use resnet_kernels::{ConvGeometry, OutputInit};
use std::time::Instant;

/// One algorithm at one shape.
struct Candidate {
    convolution: Convolution,
    algorithm: Algorithm,
    seconds: Vec<f64>,
}

impl Candidate {
    /// Returns the lower quartile of the times.
    fn time(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 4]
    }
}

/// Returns the number of lanes of a convolution's input and of its output.
fn sizes(shape: &ConvGeometry) -> [usize; 2] {
    [
        blocks(shape.in_channels) * shape.batch * shape.height * shape.width,
        blocks(shape.out_channels) * shape.batch * shape.out_pixels(),
    ]
}

/// Returns the number of multiplications of a convolution by an algorithm.
fn products(shape: &ConvGeometry, algorithm: Algorithm) -> f64 {
    let Products { weights, positions } = algorithm.products(shape);
    (weights * positions * shape.in_channels / shape.groups * shape.out_channels) as f64
}

/// Returns the number of lanes of a convolution's packed weights.
fn weight_lanes(shape: &ConvGeometry, algorithm: Algorithm) -> usize {
    algorithm.products(shape).weights * shape.in_channels / shape.groups
        * blocks(shape.out_channels)
}

/// Prints the table of a case; returns the shapes at which the selected algorithm lags.
pub fn print(case: Case, rounds: usize, limits: &Limits) -> Result<Vec<String>> {
    let shapes = shapes::of(case)?;
    let mut all: Vec<(ConvGeometry, Vec<Candidate>)> = shapes
        .into_iter()
        .map(|shape| {
            let weight: Vec<f32> = (0..shape.weights())
                .map(|i| (i % 13) as f32 - 6.0)
                .collect();
            let bias = vec![0.0; shape.out_channels];
            let candidates = Algorithm::applicable(&shape).map(|algorithm| Candidate {
                convolution: Convolution::new(&weight, &bias, shape, algorithm),
                algorithm,
                seconds: Vec::new(),
            });
            (shape, candidates.collect())
        })
        .collect();
    let largest = |i: usize| {
        all.iter()
            .map(|(shape, _)| sizes(shape)[i])
            .max()
            .unwrap_or(0)
    };
    let (mut input, mut output) = (Buffer::zeros(largest(0)), Buffer::zeros(largest(1)));
    // All shapes are run before one is repeated, so that weights come from where they would in a network.
    for round in 0..=rounds {
        for (shape, candidates) in &mut all {
            let [read, written] = sizes(shape);
            for candidate in candidates {
                let start = Instant::now();
                let (input, output) = (&mut input[..read], &mut output[..written]);
                candidate
                    .convolution
                    .run(case.batch, input, OutputInit::Overwrite, true, output);
                if round > 0 {
                    candidate.seconds.push(start.elapsed().as_secs_f64());
                }
            }
        }
    }
    println!("{} images of {} px\n", case.batch, case.side);
    println!(
        "| convolution | direct ms | F(2x2) ms | F(4x4) ms | chosen | GFLOP/s | as direct | share of the limit |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut lagging = Vec::new();
    for (shape, candidates) in &all {
        let chosen = choose(shape);
        let mut cells = vec!["--".to_owned(); 3];
        for (cell, candidate) in cells.iter_mut().zip(candidates) {
            *cell = format!("{:.3}", 1e3 * candidate.time());
        }
        let fastest = candidates
            .iter()
            .map(Candidate::time)
            .fold(f64::INFINITY, f64::min);
        let Some(candidate) = candidates.iter().find(|one| one.algorithm == chosen) else {
            continue;
        };
        let time = candidate.time();
        let rate = |algorithm| 2e-9 * products(shape, algorithm) / time;
        // The minimum that must be read and written, and the minimum that must be computed.
        let [input, output] = sizes(shape);
        // Strides may skip pixels.
        let seen = (shape.kernel.min(shape.stride) as f64 / shape.stride as f64).powi(2);
        let lanes = weight_lanes(shape, chosen) as f64 + seen * input as f64 + output as f64;
        let least =
            (64e-9 * lanes / limits.gbytes).max(2e-9 * products(shape, chosen) / limits.gflops);
        println!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.0} % |",
            shapes::name(shape),
            cells.join(" | "),
            label(chosen),
            rate(chosen),
            rate(Algorithm::Direct),
            100.0 * least / time
        );
        if time > 1.1 * fastest {
            lagging.push(format!(
                "{}x{}: {} takes {:.2} of the fastest at {}",
                case.batch,
                case.side,
                label(chosen),
                time / fastest,
                shapes::name(shape)
            ));
        }
    }
    println!();
    Ok(lagging)
}

/// Returns the name of the algorithm.
fn label(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Stem => "stem".to_owned(),
        Algorithm::Direct => "direct".to_owned(),
        Algorithm::Winograd(tile) => format!("F({0}x{0})", tile.side()),
    }
}
