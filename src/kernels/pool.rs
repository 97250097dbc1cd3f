//! Max-pooling with the position of each maximum kept for the gradient.
//!
//! As in PyTorch the first of equal maxima in row-major order wins, NaN beats every number, and padding never wins.

use super::PoolGeometry;
use rayon::prelude::*;
use std::ops::Range;

/// `[planes, out_height, out_width]` maxima of `[planes, height, width]`, and the place of each in its input plane.
pub fn forward(input: &[f32], geometry: &PoolGeometry) -> (Vec<f32>, Vec<u32>) {
    let outputs = geometry.out_height() * geometry.out_width();
    let mut maxima = vec![0.0; geometry.planes * outputs];
    let mut places = vec![0; geometry.planes * outputs];
    let planes = input.par_chunks(geometry.height * geometry.width);
    let results = maxima
        .par_chunks_mut(outputs)
        .zip(places.par_chunks_mut(outputs));
    results.zip(planes).for_each(|((maxima, places), plane)| {
        let windows = windows(geometry).zip(maxima.iter_mut().zip(places));
        for ((rows, columns), (maximum, place)) in windows {
            let (value, at) = first_maximum(plane, rows, columns, geometry.width);
            (*maximum, *place) = (value, at as u32);
        }
    });
    (maxima, places)
}

/// The input rows and columns of every window, in the outputs' order.
fn windows(geometry: &PoolGeometry) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    (0..geometry.out_height()).flat_map(move |row| {
        let rows = geometry.window(row, geometry.height);
        (0..geometry.out_width())
            .map(move |column| (rows.clone(), geometry.window(column, geometry.width)))
    })
}

/// The first of the largest values of a window in row-major order, and its place; the last NaN where there is one.
fn first_maximum(
    plane: &[f32],
    rows: Range<usize>,
    columns: Range<usize>,
    width: usize,
) -> (f32, usize) {
    let mut maximum = (f32::NEG_INFINITY, rows.start * width + columns.start);
    for row in rows {
        for (value, at) in plane[row * width..][columns.clone()]
            .iter()
            .zip(row * width + columns.start..)
        {
            if *value > maximum.0 || value.is_nan() {
                maximum = (*value, at);
            }
        }
    }
    maximum
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
