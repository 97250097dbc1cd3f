//! What ends a folded convolution: `y = y + bias (+ residual)`, then ReLU, in place.

use rayon::prelude::*;

/// Adds `bias[c]` to every plane of channel c and the residual where there is one; `relu` then cuts negative values.
/// `output` and `residual` are `[N, C, pixels]`.
///
/// # Panics
/// Where the residual is not as large as the output.
pub fn finish(
    output: &mut [f32],
    bias: &[f32],
    residual: Option<&[f32]>,
    relu: bool,
    pixels: usize,
) {
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    // `max` would turn NaN into the floor.
    let cut = move |value: f32| if value < floor { floor } else { value };
    let output_len = output.len();
    let planes = output.par_chunks_exact_mut(pixels).enumerate();
    match residual {
        None => planes.for_each(|(plane, values)| {
            let bias = bias[plane % bias.len()];
            for value in values {
                *value = cut(*value + bias);
            }
        }),
        Some(residual) => {
            assert_eq!(residual.len(), output_len, "the residual's size");
            planes.zip(residual.par_chunks_exact(pixels)).for_each(
                |((plane, values), residual)| {
                    let bias = bias[plane % bias.len()];
                    for (value, &residual) in values.iter_mut().zip(residual) {
                        *value = cut(*value + bias + residual);
                    }
                },
            );
        }
    }
}

/// The mean of each plane of `pixels` values.
pub fn plane_means(input: &[f32], output: &mut [f32], pixels: usize) {
    for (output, plane) in output.iter_mut().zip(input.chunks_exact(pixels)) {
        let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
        *output = (sum / pixels as f64) as f32;
    }
}
