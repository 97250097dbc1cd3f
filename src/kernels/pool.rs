//! Max-pooling with the position of each maximum kept for the gradient.
//!
//! As in PyTorch the first of equal maxima in row-major order wins, NaN beats every number, and padding never wins.

use super::PoolGeometry;
use rayon::prelude::*;

/// `[planes, out_height, out_width]` maxima of `[planes, height, width]`, and the place of each in its input plane.
pub fn forward(input: &[f32], geometry: &PoolGeometry) -> (Vec<f32>, Vec<u32>) {
    let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
    let outputs = out_height * out_width;
    let mut maxima = vec![0.0; geometry.planes * outputs];
    let mut places = vec![0; geometry.planes * outputs];
    let planes = input.par_chunks(geometry.height * geometry.width);
    maxima
        .par_chunks_mut(outputs)
        .zip(places.par_chunks_mut(outputs))
        .zip(planes)
        .for_each(|((maxima, places), plane)| {
            for out_row in 0..out_height {
                let rows = window(out_row, geometry, geometry.height);
                for out_column in 0..out_width {
                    let columns = window(out_column, geometry, geometry.width);
                    let (mut maximum, mut place) = (
                        f32::NEG_INFINITY,
                        rows.start * geometry.width + columns.start,
                    );
                    for row in rows.clone() {
                        for column in columns.clone() {
                            let at = row * geometry.width + column;
                            if plane[at] > maximum || plane[at].is_nan() {
                                (maximum, place) = (plane[at], at);
                            }
                        }
                    }
                    maxima[out_row * out_width + out_column] = maximum;
                    places[out_row * out_width + out_column] = place as u32;
                }
            }
        });
    (maxima, places)
}

/// `[planes, height, width]`: each output's gradient added at the place of its maximum.
pub fn grad_input(gradient: &[f32], places: &[u32], geometry: &PoolGeometry) -> Vec<f32> {
    let outputs = geometry.out_height() * geometry.out_width();
    let mut result = vec![0.0; geometry.planes * geometry.height * geometry.width];
    let planes = gradient.par_chunks(outputs).zip(places.par_chunks(outputs));
    result
        .par_chunks_mut(geometry.height * geometry.width)
        .zip(planes)
        .for_each(|(result, (gradient, places))| {
            for (&gradient, &place) in gradient.iter().zip(places) {
                result[place as usize] += gradient;
            }
        });
    result
}

/// The input positions under output `position` of one axis.
fn window(position: usize, geometry: &PoolGeometry, length: usize) -> std::ops::Range<usize> {
    let start = position * geometry.stride;
    let end = (start + geometry.kernel)
        .saturating_sub(geometry.padding)
        .min(length);
    start.saturating_sub(geometry.padding)..end
}
