//! Optimizer updates, in one pass over parameter, gradient and the optimizer's state.
//!
//! With g the gradient, p the parameter, λ the weight decay and η the learning rate, in PyTorch's notation:
//!
//! - SGD: `g += λ p`, `b = μ b + g`, `p -= η b`, or `p -= η (g + μ b)` with Nesterov momentum.
//! - Adam: `g += λ p` (`AdamW`: `p *= 1 - η λ`), `m += (1 - β1) (g - m)`, `v = β2 v + (1 - β2) g²`, `p -= η / (1 -
//!   β1^t) m / (sqrt(v) / sqrt(1 - β2^t) + ε)`.
//!
//! Every element is independent, so threads and chunks change no bit. The updates are memory-bound: 20 bytes per
//! parameter for SGD with momentum, 28 for Adam; the compiler's autovectorization keeps up with that.
//!
//! - On the importance of initialization and momentum, <https://proceedings.mlr.press/v28/sutskever13.html>
//! - Adam, <https://arxiv.org/abs/1412.6980>; Decoupled Weight Decay Regularization, <https://arxiv.org/abs/1711.05101>

use rayon::prelude::*;

/// Number of elements that a thread processes at a time.
const CHUNK: usize = 1 << 14;

/// Parameters of one step of SGD.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// True for Nesterov momentum.
    pub nesterov: bool,
    /// Weight decay λ.
    pub weight_decay: f64,
}

/// Parameters of one step of Adam.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β1 and β2.
    pub betas: [f64; 2],
    /// Epsilon ε.
    pub eps: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
    /// True if the weight decay acts on the parameter directly and not through the gradient: `AdamW`.
    pub decoupled: bool,
    /// Step t, from 1.
    pub step: u64,
}

impl Adam {
    /// Returns `η / (1 - β1^t)`.
    pub fn step_size(&self) -> f64 {
        self.lr / (1.0 - self.betas[0].powf(self.step as f64))
    }

    /// Returns `sqrt(1 - β2^t)`.
    pub fn second_correction(&self) -> f64 {
        (1.0 - self.betas[1].powf(self.step as f64)).sqrt()
    }

    /// Returns the factor by which the parameter is multiplied first.
    pub fn shrink(&self) -> f64 {
        if self.decoupled {
            1.0 - self.lr * self.weight_decay
        } else {
            1.0
        }
    }

    /// Returns the factor of the parameter that is added to its gradient.
    pub fn coupled_decay(&self) -> f64 {
        if self.decoupled {
            0.0
        } else {
            self.weight_decay
        }
    }
}

/// Performs one step of SGD without momentum.
///
/// # Panics
/// If the slices differ in length.
pub fn sgd(parameter: &mut [f32], gradient: &[f32], step: &Sgd) {
    assert_eq!(parameter.len(), gradient.len());
    let (lr, decay) = (step.lr as f32, step.weight_decay as f32);
    parameter
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .for_each(|(parameter, gradient)| {
            for (p, &g) in parameter.iter_mut().zip(gradient) {
                *p -= lr * (g + decay * *p);
            }
        });
}

/// Performs one step of SGD with momentum.
///
/// # Panics
/// If the slices differ in length.
pub fn sgd_with_momentum(
    parameter: &mut [f32],
    gradient: &[f32],
    momentum: &mut [f32],
    step: &Sgd,
) {
    assert_eq!(parameter.len(), gradient.len());
    assert_eq!(parameter.len(), momentum.len());
    let (lr, decay, mu) = (
        step.lr as f32,
        step.weight_decay as f32,
        step.momentum as f32,
    );
    // The weights of the gradient and of the momentum in the update.
    let (gradient_part, momentum_part) = if step.nesterov { (1.0, mu) } else { (0.0, 1.0) };
    parameter
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(momentum.par_chunks_mut(CHUNK))
        .for_each(|((parameter, gradient), momentum)| {
            for ((p, &g), b) in parameter.iter_mut().zip(gradient).zip(momentum) {
                let g = g + decay * *p;
                *b = mu * *b + g;
                *p -= lr * (gradient_part * g + momentum_part * *b);
            }
        });
}

/// Performs one step of Adam: `mean` and `square` are m and v.
///
/// # Panics
/// If the slices differ in length.
pub fn adam(
    parameter: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
    step: &Adam,
) {
    for length in [gradient.len(), mean.len(), square.len()] {
        assert_eq!(parameter.len(), length);
    }
    let (shrink, decay) = (step.shrink() as f32, step.coupled_decay() as f32);
    let [first, second] = step.betas.map(|beta| (1.0 - beta) as f32);
    let keep = step.betas[1] as f32;
    let (size, correction) = (step.step_size() as f32, step.second_correction() as f32);
    let eps = step.eps as f32;
    parameter
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
        .for_each(|((parameter, gradient), (mean, square))| {
            let numbers = parameter.iter_mut().zip(gradient);
            for ((p, &g), (m, v)) in numbers.zip(mean.iter_mut().zip(square)) {
                let g = g + decay * *p;
                *m += first * (g - *m);
                *v = keep * *v + second * g * g;
                *p = shrink * *p - size * *m / (v.sqrt() / correction + eps);
            }
        });
}

/// Computes `average = keep * average + (1 - keep) * values`.
///
/// # Panics
/// If the slices differ in length.
pub fn move_average(average: &mut [f32], values: &[f32], keep: f64) {
    assert_eq!(average.len(), values.len());
    let part = (1.0 - keep) as f32;
    average
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .for_each(|(average, values)| {
            for (average, &value) in average.iter_mut().zip(values) {
                // So that equal values stay unchanged.
                *average += part * (value - *average);
            }
        });
}

/// Computes `values *= factor`.
pub fn scale(values: &mut [f32], factor: f64) {
    let factor = factor as f32;
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            *value *= factor;
        }
    });
}

/// Returns the sum of the squares, in f64 and in an order that depends on the length only.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    /// Number of independent sums: a single chain of additions would be bound by its latency.
    const LANES: usize = 16;
    let chunks: Vec<f64> = values
        .par_chunks(CHUNK)
        .map(|chunk| {
            let (groups, rest) = chunk.as_chunks::<LANES>();
            let mut lanes = [0.0; LANES];
            for group in groups {
                for (lane, &value) in lanes.iter_mut().zip(group) {
                    *lane += f64::from(value) * f64::from(value);
                }
            }
            let rest: f64 = rest.iter().map(|&value| f64::from(value).powi(2)).sum();
            lanes.iter().sum::<f64>() + rest
        })
        .collect();
    chunks.iter().sum()
}
