//! Pooling that halves height and width, other than by maxima, in the blocked layout, `[C / 16, N, H, W, 16]`: averages of 2x2 pixels,
//! and blurs by the binomial `[1, 2, 1] / 4` along both axes.

use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;

/// Shapes of a pooling that halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfGeometry {
    /// Number of images times blocks of channels.
    pub planes: usize,
    /// Height and width of a plane.
    pub size: [usize; 2],
    /// Height and width of an output plane.
    pub out: [usize; 2],
}

impl HalfGeometry {
    fn plane(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn out_plane(&self) -> usize {
        self.out[0] * self.out[1]
    }
}

/// The inputs of an output of one axis: positions with their weights, whose sum is 1.
type Taps = [(usize, f32); 3];

/// Returns the positions and weights of an average of two pixels, or of the one that is there.
fn average_taps(output: usize, length: usize) -> Taps {
    let first = 2 * output;
    if first + 1 < length {
        [(first, 0.5), (first + 1, 0.5), (first, 0.0)]
    } else {
        [(first, 0.5), (first, 0.5), (first, 0.0)]
    }
}

/// Returns the positions and weights of a blur, reflected at the edges.
fn blur_taps(output: usize, length: usize) -> Taps {
    let reflected = |position: usize| {
        let position = position.abs_diff(1);
        position.min(2 * (length - 1) - position)
    };
    let middle = 2 * output;
    [
        (reflected(middle), 0.25),
        (middle, 0.5),
        (reflected(middle + 2), 0.25),
    ]
}

/// Averages 2x2 pixels. If `out` is rounded up, the averages at the edge are of the pixels that there are.
///
/// # Panics
/// If the sizes do not fit the geometry.
pub fn average(input: &[ChannelBlock], geometry: &HalfGeometry, output: &mut [ChannelBlock]) {
    pool(input, geometry, average_taps, 2, output);
}

/// Blurs with stride 2, reflected at the edges; `out` is rounded up.
///
/// # Panics
/// If the sizes do not fit the geometry, or an edge has a single pixel.
pub fn blur(input: &[ChannelBlock], geometry: &HalfGeometry, output: &mut [ChannelBlock]) {
    assert!(geometry.size.iter().all(|&length| length > 1));
    pool(input, geometry, blur_taps, 3, output);
}

fn pool(
    input: &[ChannelBlock],
    geometry: &HalfGeometry,
    taps: fn(usize, usize) -> Taps,
    count: usize,
    output: &mut [ChannelBlock],
) {
    struct Pool<'a>(
        &'a [ChannelBlock],
        &'a HalfGeometry,
        [Vec<Taps>; 2],
        usize,
        &'a mut [ChannelBlock],
    );
    impl Job for Pool<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(input, geometry, [rows, columns], count, output) = self;
            let (plane, width) = (geometry.plane(), geometry.size[1]);
            let lines = output.par_chunks_exact_mut(geometry.out[1]).enumerate();
            lines.with_min_len(8).for_each(|(line, output)| {
                let plane = &input[line / rows.len() * plane..][..plane];
                let row = &rows[line % rows.len()][..count];
                simd.vectorize(
                    #[inline(always)]
                    || {
                        for (output, column) in output.iter_mut().zip(&columns) {
                            let mut sum = simd.splat(0.0);
                            for (y, of_row) in row {
                                for (x, of_column) in &column[..count] {
                                    let value = simd.load(&plane[y * width + x]);
                                    let weight = simd.splat(of_row * of_column);
                                    sum = simd.mul_add(value, weight, sum);
                                }
                            }
                            simd.store(output, sum);
                        }
                    },
                );
            });
        }
    }
    let taps = taps_of(geometry, taps);
    assert_eq!(input.len(), geometry.planes * geometry.plane());
    assert_eq!(output.len(), geometry.planes * geometry.out_plane());
    dispatch(Pool(input, geometry, taps, count, output));
}

/// Returns the taps of each output row and column.
fn taps_of(geometry: &HalfGeometry, taps: fn(usize, usize) -> Taps) -> [Vec<Taps>; 2] {
    [0, 1].map(|axis| {
        let outputs = 0..geometry.out[axis];
        outputs
            .map(|output| taps(output, geometry.size[axis]))
            .collect()
    })
}

/// Computes the gradient of the input of [`average`] from that of its output.
///
/// # Panics
/// As for [`average`].
pub fn grad_average(
    gradient: &[ChannelBlock],
    geometry: &HalfGeometry,
    result: &mut [ChannelBlock],
) {
    grad_pool(gradient, geometry, average_taps, result);
}

/// Computes the gradient of the input of [`blur`] from that of its output.
///
/// # Panics
/// As for [`blur`].
pub fn grad_blur(gradient: &[ChannelBlock], geometry: &HalfGeometry, result: &mut [ChannelBlock]) {
    assert!(geometry.size.iter().all(|&length| length > 1));
    grad_pool(gradient, geometry, blur_taps, result);
}

fn grad_pool(
    gradient: &[ChannelBlock],
    geometry: &HalfGeometry,
    taps: fn(usize, usize) -> Taps,
    result: &mut [ChannelBlock],
) {
    struct Grad<'a>(
        &'a [ChannelBlock],
        &'a HalfGeometry,
        [Vec<Taps>; 2],
        &'a mut [ChannelBlock],
    );
    impl Job for Grad<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(gradient, geometry, [rows, columns], result) = self;
            let (out_plane, width) = (geometry.out_plane(), geometry.size[1]);
            let planes = result.par_chunks_exact_mut(geometry.plane()).enumerate();
            planes.for_each(|(number, result)| {
                let gradient = &gradient[number * out_plane..][..out_plane];
                simd.vectorize(
                    #[inline(always)]
                    || {
                        result.fill([0.0; LANES]);
                        let mut outputs = gradient.iter();
                        for row in &rows {
                            for (column, gradient) in columns.iter().zip(&mut outputs) {
                                let gradient = simd.load(gradient);
                                for (y, of_row) in row.iter().filter(|(_, weight)| *weight != 0.0) {
                                    for (x, of_column) in
                                        column.iter().filter(|(_, weight)| *weight != 0.0)
                                    {
                                        let place = &mut result[y * width + x];
                                        let weight = simd.splat(of_row * of_column);
                                        let sum = simd.mul_add(gradient, weight, simd.load(place));
                                        simd.store(place, sum);
                                    }
                                }
                            }
                        }
                    },
                );
            });
        }
    }
    let taps = taps_of(geometry, taps);
    assert_eq!(result.len(), geometry.planes * geometry.plane());
    assert_eq!(gradient.len(), geometry.planes * geometry.out_plane());
    dispatch(Grad(gradient, geometry, taps, result));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(size: [usize; 2], out: [usize; 2]) -> HalfGeometry {
        HalfGeometry {
            planes: 2,
            size,
            out,
        }
    }

    fn values(count: usize, seed: usize) -> Vec<ChannelBlock> {
        let value = |i: usize, j: usize| ((i * 31 + j * 7 + seed) % 23) as f32 - 11.0;
        (0..count)
            .map(|i| std::array::from_fn(|j| value(i, j)))
            .collect()
    }

    /// Returns the sum of products, which is the same through a map and through its gradient.
    fn product(a: &[ChannelBlock], b: &[ChannelBlock]) -> f64 {
        let pairs = a.as_flattened().iter().zip(b.as_flattened());
        pairs.map(|(a, b)| f64::from(a * b)).sum()
    }

    #[test]
    fn averages_of_even_and_odd_sizes_are_those_of_their_pixels() {
        let one = |rows: &[f32]| -> Vec<ChannelBlock> {
            let plane = rows.iter().map(|value| [*value; LANES]);
            plane.clone().chain(plane).collect()
        };
        let input = one(&[1.0, 3.0, 5.0, 5.0, 7.0, 9.0, 2.0, 4.0, 8.0]);
        for (out, expected) in [([1, 1], vec![4.0]), ([2, 2], vec![4.0, 7.0, 3.0, 8.0])] {
            let geometry = geometry([3, 3], out);
            let mut output = vec![[0.0; LANES]; 2 * expected.len()];
            average(&input, &geometry, &mut output);
            assert_eq!(output, one(&expected));
        }
    }

    #[test]
    fn a_blur_reflects_at_the_edges() {
        let row = [0.0, 1.0, 2.0, 3.0, 4.0];
        let input: Vec<ChannelBlock> = (0..6).flat_map(|_| row.map(|v| [v; LANES])).collect();
        let mut output = vec![[0.0; LANES]; 2 * 2 * 3];
        blur(&input, &geometry([3, 5], [2, 3]), &mut output);
        let expected = [0.5, 2.0, 3.5].map(|value| [value; LANES]);
        assert!(output.chunks(3).all(|row| row == expected));
    }

    #[test]
    fn gradients_are_the_transposed_maps() {
        type Map = fn(&[ChannelBlock], &HalfGeometry, &mut [ChannelBlock]);
        let pairs: [(Map, Map); 2] = [(average, grad_average), (blur, grad_blur)];
        for (forward, backward) in pairs {
            for size in [[4, 6], [5, 3], [2, 2]] {
                let out = size.map(|length: usize| length.div_ceil(2));
                let geometry = geometry(size, out);
                let input = values(2 * size[0] * size[1], 1);
                let gradient = values(2 * out[0] * out[1], 5);
                let mut output = vec![[0.0; LANES]; gradient.len()];
                let mut result = vec![[1.0; LANES]; input.len()];
                forward(&input, &geometry, &mut output);
                backward(&gradient, &geometry, &mut result);
                let (there, back) = (product(&output, &gradient), product(&input, &result));
                assert!((there - back).abs() < 1e-3, "{size:?}: {there} and {back}");
            }
        }
    }
}
