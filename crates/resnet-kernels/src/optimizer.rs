//! Optimizer updates, in one pass over parameter, gradient and the optimizer's state.
//!
//! With g the gradient, p the parameter, λ the weight decay and η the learning rate, in PyTorch's notation:
//!
//! - SGD: `g += λ p`, `b = μ b + g`, `p -= η b`, or `p -= η (g + μ b)` with Nesterov momentum.
//! - Adam: `g += λ p` (`AdamW`: `p *= 1 - η λ`), `m += (1 - β1) (g - m)`, `v = β2 v + (1 - β2) g²`, `p -= η / (1 -
//!   β1^t) m / (sqrt(v) / sqrt(1 - β2^t) + ε)`.
//! - LARS: SGD with `τ (g + λ p)` instead of `g + λ p`, where the trust ratio is `τ = c ‖p‖ / (‖g‖ + λ ‖p‖ + ε)`.
//! - LAMB: m and v as in Adam, `u = (m / (1 - β1^t)) / (sqrt(v) / sqrt(1 - β2^t) + ε) + λ p`, `p -= η ‖p‖ / ‖u‖ u`.
//!
//! Every element is independent, and norms are summed in an order that depends on the length only, so threads and chunks
//! change no bit. The updates are memory-bound: 20 bytes per parameter for SGD with momentum, 28 for Adam, LARS and 40 for
//! LAMB; the compiler's autovectorization keeps up with that.
//!
//! - On the importance of initialization and momentum, <https://proceedings.mlr.press/v28/sutskever13.html>
//! - Adam, <https://arxiv.org/abs/1412.6980>; Decoupled Weight Decay Regularization, <https://arxiv.org/abs/1711.05101>
//! - LARS, <https://arxiv.org/abs/1708.03888>; LAMB, <https://arxiv.org/abs/1904.00962>

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
    /// The trust ratio of the parameter, for LARS.
    pub trust: Option<Trust>,
}

/// LARS's trust ratio, by which a decayed gradient is multiplied.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// Trust coefficient c: the size of an update relative to its parameter, at a learning rate of 1.
    pub coefficient: f64,
    /// Epsilon ε.
    pub eps: f64,
}

impl Trust {
    /// Returns `c ‖p‖ / (‖g‖ + λ ‖p‖ + ε)`, or 1 if a norm is 0.
    fn ratio(self, parameter: &[f32], gradient: &[f32], weight_decay: f64) -> f64 {
        let [p, g] = [parameter, gradient].map(|values| sum_of_squares(values).sqrt());
        if p > 0.0 && g > 0.0 {
            self.coefficient * p / (g + weight_decay * p + self.eps)
        } else {
            1.0
        }
    }
}

impl Sgd {
    /// Returns the factor of the decayed gradient: the trust ratio of LARS, 1 for plain SGD, which changes no bit.
    fn scale(&self, parameter: &[f32], gradient: &[f32]) -> f32 {
        let ratio = |trust: Trust| trust.ratio(parameter, gradient, self.weight_decay);
        self.trust.map_or(1.0, ratio) as f32
    }
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

/// Parameters of one step of LAMB.
#[derive(Debug, Clone, Copy)]
pub struct Lamb {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rates β1 and β2.
    pub betas: [f64; 2],
    /// Epsilon ε.
    pub eps: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
    /// True if the update is scaled by the trust ratio `‖p‖ / ‖u‖`.
    pub adapts: bool,
    /// Step t, from 1.
    pub step: u64,
}

impl Lamb {
    /// Returns `1 - β1^t` and `sqrt(1 - β2^t)`.
    pub fn corrections(&self) -> [f64; 2] {
        let [first, second] = self.betas.map(|beta| 1.0 - beta.powf(self.step as f64));
        [first, second.sqrt()]
    }
}

/// Performs one step of SGD without momentum.
///
/// # Panics
/// If the slices differ in length.
pub fn sgd(parameter: &mut [f32], gradient: &[f32], step: &Sgd) {
    assert_eq!(parameter.len(), gradient.len());
    let (lr, decay) = (step.lr as f32, step.weight_decay as f32);
    let scale = step.scale(parameter, gradient);
    parameter
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .for_each(|(parameter, gradient)| {
            for (p, &g) in parameter.iter_mut().zip(gradient) {
                *p -= lr * (scale * (g + decay * *p));
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
    let scale = step.scale(parameter, gradient);
    // The weights of the gradient and of the momentum in the update.
    let (gradient_part, momentum_part) = if step.nesterov { (1.0, mu) } else { (0.0, 1.0) };
    parameter
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(momentum.par_chunks_mut(CHUNK))
        .for_each(|((parameter, gradient), momentum)| {
            for ((p, &g), b) in parameter.iter_mut().zip(gradient).zip(momentum) {
                let g = scale * (g + decay * *p);
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

/// Performs one step of LAMB: `mean` and `square` are m and v.
///
/// # Panics
/// If the slices differ in length.
pub fn lamb(
    parameter: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
    step: &Lamb,
) {
    for length in [gradient.len(), mean.len(), square.len()] {
        assert_eq!(parameter.len(), length);
    }
    let [first, second] = step.betas.map(|beta| (1.0 - beta) as f32);
    let keep = step.betas[1] as f32;
    let [mean_correction, root_correction] = step.corrections().map(|number| number as f32);
    let (eps, decay) = (step.eps as f32, step.weight_decay as f32);
    let update = move |p: f32, m: f32, v: f32| {
        m / mean_correction / (v.sqrt() / root_correction + eps) + decay * p
    };
    // The squared norms of the chunks of the parameter and of the update.
    let squares: Vec<[f64; 2]> = parameter
        .par_chunks(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
        .map(|((parameter, gradient), (mean, square))| {
            let numbers = parameter.iter().zip(gradient);
            let updates: Vec<f32> = numbers
                .zip(mean.iter_mut().zip(square))
                .map(|((&p, &g), (m, v))| {
                    *m += first * (g - *m);
                    *v = keep * *v + second * g * g;
                    update(p, *m, *v)
                })
                .collect();
            [parameter, &updates].map(chunk_squares)
        })
        .collect();
    let [p, u] = [0, 1].map(|which| squares.iter().map(|both| both[which]).sum::<f64>().sqrt());
    let ratio = if step.adapts && p > 0.0 && u > 0.0 {
        p / u
    } else {
        1.0
    };
    let size = (step.lr * ratio) as f32;
    parameter
        .par_chunks_mut(CHUNK)
        .zip(mean.par_chunks(CHUNK).zip(square.par_chunks(CHUNK)))
        .for_each(|(parameter, (mean, square))| {
            for (p, (&m, &v)) in parameter.iter_mut().zip(mean.iter().zip(square)) {
                *p -= size * update(*p, m, v);
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
    let chunks: Vec<f64> = values.par_chunks(CHUNK).map(chunk_squares).collect();
    chunks.iter().sum()
}

/// Returns the sum of the squares of a chunk.
fn chunk_squares(chunk: &[f32]) -> f64 {
    /// Number of independent sums: a single chain of additions would be bound by its latency.
    const LANES: usize = 16;
    let (groups, rest) = chunk.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for group in groups {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value).powi(2)).sum();
    lanes.iter().sum::<f64>() + rest
}
