//! Batch norm in training: `y = (x - mean) / sqrt(var + eps) * weight + bias`, mean and variance a channel over the batch.
//!
//! Statistics are taken in two passes with f64 sums, a channel at a time, so that neither a large mean nor the number of
//! threads can harm them. Batch Normalization, <https://arxiv.org/abs/1502.03167>; gradients as in its section 3.

use rayon::prelude::*;

/// Shape of the normalised tensor: `[batch, channels, pixels]`.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormGeometry {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels of an image.
    pub pixels: usize,
}

impl BatchNormGeometry {
    fn planes<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> {
        values
            .chunks_exact(self.pixels)
            .skip(channel)
            .step_by(self.channels)
    }

    /// Values a channel.
    pub fn count(&self) -> usize {
        self.batch * self.pixels
    }
}

/// Mean and biased variance of each channel.
pub fn statistics(input: &[f32], geometry: &BatchNormGeometry) -> (Vec<f32>, Vec<f32>) {
    let count = geometry.count() as f64;
    (0..geometry.channels)
        .into_par_iter()
        .map(|channel| {
            let sum: f64 = geometry
                .planes(input, channel)
                .map(|plane| sum(plane, f64::from))
                .sum();
            let mean = sum / count;
            let squares: f64 = geometry
                .planes(input, channel)
                .map(|plane| self::sum(plane, |value| (f64::from(value) - mean).powi(2)))
                .sum();
            (mean as f32, (squares / count) as f32)
        })
        .unzip()
}

/// `y = x * scale + shift` with one scale and one shift a channel.
pub fn affine(
    input: &[f32],
    scale: &[f32],
    shift: &[f32],
    geometry: &BatchNormGeometry,
) -> Vec<f32> {
    let mut output = vec![0.0; input.len()];
    output
        .par_chunks_exact_mut(geometry.pixels)
        .zip(input.par_chunks_exact(geometry.pixels))
        .enumerate()
        .for_each(|(plane, (output, input))| {
            let (scale, shift) = (
                scale[plane % geometry.channels],
                shift[plane % geometry.channels],
            );
            for (output, &input) in output.iter_mut().zip(input) {
                *output = input * scale + shift;
            }
        });
    output
}

/// The gradients of input, weight and bias.
#[derive(Debug)]
pub struct Gradients {
    /// As the input.
    pub input: Vec<f32>,
    /// One a channel.
    pub weight: Vec<f32>,
    /// One a channel.
    pub bias: Vec<f32>,
}

/// The gradients, given the input, the output's gradient, the weight and the statistics of the forward pass:
/// with x̂ the normalised input and m the values a channel,
/// `dx = weight / sqrt(var + eps) * (dy - sum(dy) / m - x̂ * sum(dy x̂) / m)`.
pub fn gradients(
    input: &[f32],
    gradient: &[f32],
    weight: &[f32],
    mean: &[f32],
    inverse_deviation: &[f32],
    geometry: &BatchNormGeometry,
) -> Gradients {
    let sums: Vec<(f64, f64)> = (0..geometry.channels)
        .into_par_iter()
        .map(|channel| {
            let mean = mean[channel];
            geometry
                .planes(input, channel)
                .zip(geometry.planes(gradient, channel))
                .fold((0.0, 0.0), |(plain, weighted), (input, gradient)| {
                    (
                        plain + sum(gradient, f64::from),
                        weighted + sum_of_products(input, gradient, mean),
                    )
                })
        })
        .collect();
    let count = geometry.count() as f64;
    let mut result = vec![0.0; input.len()];
    result
        .par_chunks_exact_mut(geometry.pixels)
        .zip(
            input
                .par_chunks_exact(geometry.pixels)
                .zip(gradient.par_chunks_exact(geometry.pixels)),
        )
        .enumerate()
        .for_each(|(plane, (result, (input, gradient)))| {
            let channel = plane % geometry.channels;
            let (plain, weighted) = sums[channel];
            let inverse = f64::from(inverse_deviation[channel]);
            let scale = weight[channel] * inverse_deviation[channel];
            let offset = (plain / count) as f32;
            let slope = (weighted / count * inverse * inverse) as f32;
            for ((result, &x), &g) in result.iter_mut().zip(input).zip(gradient) {
                *result = scale * (g - offset - (x - mean[channel]) * slope);
            }
        });
    let per_channel = sums.iter().zip(inverse_deviation);
    let (weight, bias) = per_channel
        .map(|(&(plain, weighted), &inverse)| {
            ((weighted * f64::from(inverse)) as f32, plain as f32)
        })
        .unzip();
    Gradients {
        input: result,
        weight,
        bias,
    }
}

/// Sums in flight: one chain of additions would wait for each to end.
const LANES: usize = 8;

/// The sum of `term` over the values, in an order that their number alone decides.
fn sum(values: &[f32], term: impl Fn(f32) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&value| term(value)).sum::<f64>()
}

/// The sum of `(x - mean) * g`, in the same order.
fn sum_of_products(x: &[f32], g: &[f32], mean: f32) -> f64 {
    let ((x_chunks, x_rest), (g_chunks, g_rest)) = (x.as_chunks::<LANES>(), g.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (x, g) in x_chunks.iter().zip(g_chunks) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(x[lane] - mean) * f64::from(g[lane]);
        }
    }
    let rest = x_rest
        .iter()
        .zip(g_rest)
        .map(|(&x, &g)| f64::from(x - mean) * f64::from(g));
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}
