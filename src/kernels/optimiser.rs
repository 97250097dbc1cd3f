//! The optimisers' updates, one pass over parameter, gradient and what is kept of earlier gradients.
//!
//! With g the gradient, p the parameter, λ the weight decay and η the learning rate, as PyTorch writes them:
//!
//! - SGD: `g += λ p`, `b = μ b + g`, `p -= η b`, or `p -= η (g + μ b)` with Nesterov's momentum.
//! - Adam: `g += λ p` (`AdamW`: `p *= 1 - η λ`), `m += (1 - β1) (g - m)`, `v = β2 v + (1 - β2) g²`,
//!   `p -= η / (1 - β1^t) m / (sqrt(v) / sqrt(1 - β2^t) + ε)`.
//!
//! Every number is on its own, so threads and chunks change no bit. Memory's speed decides: 20 bytes a parameter for SGD
//! with momentum, 28 for Adam; the compiler's own vectors keep up with it.
//!
//! - On the importance of initialization and momentum, <https://proceedings.mlr.press/v28/sutskever13.html>
//! - Adam, <https://arxiv.org/abs/1412.6980>; Decoupled Weight Decay Regularization, <https://arxiv.org/abs/1711.05101>

use rayon::prelude::*;

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// The numbers of one step of SGD.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// η.
    pub lr: f64,
    /// μ.
    pub momentum: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
    /// λ.
    pub weight_decay: f64,
}

/// The numbers of one step of Adam.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// η.
    pub lr: f64,
    /// β1 and β2.
    pub betas: [f64; 2],
    /// ε.
    pub eps: f64,
    /// λ.
    pub weight_decay: f64,
    /// Whether the decay acts on the parameter and not through the gradient: `AdamW`.
    pub decoupled: bool,
    /// t, from 1.
    pub step: u64,
}

impl Adam {
    /// `η / (1 - β1^t)`.
    pub fn step_size(&self) -> f64 {
        self.lr / (1.0 - self.betas[0].powf(self.step as f64))
    }

    /// `sqrt(1 - β2^t)`.
    pub fn second_correction(&self) -> f64 {
        (1.0 - self.betas[1].powf(self.step as f64)).sqrt()
    }

    /// What the parameter is multiplied by first.
    pub fn shrink(&self) -> f64 {
        if self.decoupled {
            1.0 - self.lr * self.weight_decay
        } else {
            1.0
        }
    }

    /// What of the parameter is added to its gradient.
    pub fn coupled_decay(&self) -> f64 {
        if self.decoupled {
            0.0
        } else {
            self.weight_decay
        }
    }
}

/// One step of SGD without momentum.
///
/// # Panics
/// Where the slices are not as long.
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

/// One step of SGD with momentum.
///
/// # Panics
/// Where the slices are not as long.
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
    // How much of the gradient and of the momentum moves the parameter.
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

/// One step of Adam: `mean` and `square` are m and v.
///
/// # Panics
/// Where the slices are not as long.
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

/// `average = keep * average + (1 - keep) * values`.
///
/// # Panics
/// Where the slices are not as long.
pub fn move_average(average: &mut [f32], values: &[f32], keep: f64) {
    assert_eq!(average.len(), values.len());
    let part = (1.0 - keep) as f32;
    average
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .for_each(|(average, values)| {
            for (average, &value) in average.iter_mut().zip(values) {
                // So that equal numbers stay what they are.
                *average += part * (value - *average);
            }
        });
}

/// `values *= factor`.
pub fn scale(values: &mut [f32], factor: f64) {
    let factor = factor as f32;
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            *value *= factor;
        }
    });
}

/// The sum of the squares, in f64 and in an order that their number alone decides.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    /// Sums in flight: one chain of additions would wait for each to end.
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
