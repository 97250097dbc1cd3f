//! `y = max(x, 0)`, with NaN passed on, and its gradient, which is 0 at 0 as in PyTorch.

use rayon::prelude::*;

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 14;

/// `y = max(x, 0)` in place.
pub fn forward(values: &mut [f32]) {
    values.par_chunks_mut(CHUNK).for_each(|chunk| {
        for value in chunk {
            // Written so that NaN stays.
            *value = if *value < 0.0 { 0.0 } else { *value };
        }
    });
}

/// `dx = dy` where `y > 0`, else 0, in place of `dy`.
///
/// # Panics
/// Where the two are not as long.
pub fn grad_input(gradient: &mut [f32], output: &[f32]) {
    assert_eq!(gradient.len(), output.len());
    gradient
        .par_chunks_mut(CHUNK)
        .zip(output.par_chunks(CHUNK))
        .for_each(|(gradient, output)| {
            for (gradient, &output) in gradient.iter_mut().zip(output) {
                *gradient = if output <= 0.0 { 0.0 } else { *gradient };
            }
        });
}
