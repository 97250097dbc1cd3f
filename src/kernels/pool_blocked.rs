//! Pooling in the blocked layout, `[C / 16, N, H, W, 16]`.

use super::PoolGeometry;
use super::simd::{Job, LANES, Lane, Simd, dispatch};
use rayon::prelude::*;

/// Maxima of windows; `geometry.planes` counts images times blocks of channels. NaN beats every number, padding never
/// wins.
pub fn maxima(input: &[Lane], geometry: &PoolGeometry, output: &mut [Lane]) {
    struct Maxima<'a>(&'a [Lane], &'a PoolGeometry, &'a mut [Lane]);
    impl Job for Maxima<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, geometry, output) = self;
            let width = geometry.out_width();
            let plane = geometry.height * geometry.width;
            let lines = output.par_chunks_exact_mut(width).enumerate();
            lines.with_min_len(8).for_each(|(line, output)| {
                let (plane_number, row) =
                    (line / geometry.out_height(), line % geometry.out_height());
                let plane = &input[plane_number * plane..][..plane];
                simd.vectorize(
                    #[inline(always)]
                    || line_of_maxima(simd, plane, geometry, row, output),
                );
            });
        }
    }
    dispatch(Maxima(input, geometry, output));
}

#[inline(always)]
fn line_of_maxima<S: Simd>(
    simd: S,
    plane: &[Lane],
    geometry: &PoolGeometry,
    row: usize,
    output: &mut [Lane],
) {
    let rows = geometry.window(row, geometry.height);
    for (column, output) in output.iter_mut().enumerate() {
        let columns = geometry.window(column, geometry.width);
        let mut maximum = simd.splat(f32::NEG_INFINITY);
        for row in rows.clone() {
            for lane in &plane[row * geometry.width..][columns.clone()] {
                maximum = simd.max_or_nan(maximum, simd.load(lane));
            }
        }
        simd.store(output, maximum);
    }
}

/// The mean of each plane of `pixels` pixels, summed in f64.
pub fn means(input: &[Lane], pixels: usize, output: &mut [Lane]) {
    let planes = output.par_iter_mut().zip(input.par_chunks_exact(pixels));
    planes.with_min_len(8).for_each(|(output, plane)| {
        let mut sums = [0.0f64; LANES];
        for lane in plane {
            for (sum, &value) in sums.iter_mut().zip(lane) {
                *sum += f64::from(value);
            }
        }
        *output = sums.map(|sum| (sum / pixels as f64) as f32);
    });
}
