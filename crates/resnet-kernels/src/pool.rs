//! Pooling in the blocked layout, `[C / 16, N, H, W, 16]`.

use crate::layout::blocks;
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// The shapes of a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolGeometry {
    /// Number of images times blocks of channels.
    pub planes: usize,
    /// Height of a plane.
    pub height: usize,
    /// Width of a plane.
    pub width: usize,
    /// Height and width of the window.
    pub kernel: usize,
    /// Stride of both axes.
    pub stride: usize,
    /// Padding of both axes, which never contributes a maximum.
    pub padding: usize,
}

impl PoolGeometry {
    /// Returns the height of an output plane.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Returns the width of an output plane.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }
    /// Returns the input positions under output `position` of one axis with `length` positions.
    pub fn window(&self, position: usize, length: usize) -> Range<usize> {
        let start = position * self.stride;
        let end = (start + self.kernel)
            .saturating_sub(self.padding)
            .min(length);
        start.saturating_sub(self.padding)..end
    }
}

/// Returns the geometry of pooling an image with these channels, height and width by windows of kernel, stride and
/// padding.
pub fn geometry(
    [channels, height, width]: [usize; 3],
    [kernel, stride, padding]: [usize; 3],
) -> PoolGeometry {
    PoolGeometry {
        planes: blocks(channels),
        height,
        width,
        kernel,
        stride,
        padding,
    }
}

/// Computes the maxima of windows; `geometry.planes` counts images times blocks of channels. NaN wins against every
/// number, padding never wins.
pub fn max_pool(input: &[ChannelBlock], geometry: &PoolGeometry, output: &mut [ChannelBlock]) {
    struct Maxima<'a>(&'a [ChannelBlock], &'a PoolGeometry, &'a mut [ChannelBlock]);
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
                    || max_pool_line(simd, plane, geometry, row, output),
                );
            });
        }
    }
    dispatch(Maxima(input, geometry, output));
}

#[inline(always)]
fn max_pool_line<S: Simd>(
    simd: S,
    plane: &[ChannelBlock],
    geometry: &PoolGeometry,
    row: usize,
    output: &mut [ChannelBlock],
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

/// Computes the mean of each plane of `pixels` pixels, summed in f64.
pub fn avg_pool(input: &[ChannelBlock], pixels: usize, output: &mut [ChannelBlock]) {
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

/// Adds the gradient of each output to the first of the largest inputs of its window, in row-major order, or to the
/// last that is NaN, as PyTorch does. `output` is the output of [`max_pool`]; `result` is overwritten.
pub fn grad_max_pool(
    input: &[ChannelBlock],
    output: &[ChannelBlock],
    gradient: &[ChannelBlock],
    geometry: &PoolGeometry,
    result: &mut [ChannelBlock],
) {
    struct Grad<'a>(
        [&'a [ChannelBlock]; 3],
        &'a PoolGeometry,
        &'a mut [ChannelBlock],
    );
    impl Job for Grad<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self([input, output, gradient], geometry, result) = self;
            let plane = geometry.height * geometry.width;
            let out_plane = geometry.out_height() * geometry.out_width();
            let planes = result.par_chunks_exact_mut(plane).enumerate();
            planes.for_each(|(number, result)| {
                let input = &input[number * plane..][..plane];
                let [output, gradient] =
                    [output, gradient].map(|lanes| &lanes[number * out_plane..][..out_plane]);
                simd.vectorize(
                    #[inline(always)]
                    || grad_max_pool_plane(simd, [input, output, gradient], geometry, result),
                );
            });
        }
    }
    dispatch(Grad([input, output, gradient], geometry, result));
}

#[inline(always)]
fn grad_max_pool_plane<S: Simd>(
    simd: S,
    [input, output, gradient]: [&[ChannelBlock]; 3],
    geometry: &PoolGeometry,
    result: &mut [ChannelBlock],
) {
    result.fill([0.0; LANES]);
    let mut outputs = output.iter().zip(gradient);
    for row in 0..geometry.out_height() {
        let rows = geometry.window(row, geometry.height);
        for (column, (output, gradient)) in (0..geometry.out_width()).zip(outputs.by_ref()) {
            let columns = geometry.window(column, geometry.width);
            let maximum = simd.load(output);
            // Gradient of each channel that is still to be assigned to a largest input.
            let mut rest = simd.load(gradient);
            for row in rows.clone() {
                let line = row * geometry.width;
                let places = line + columns.start..line + columns.end;
                let pixels = result[places.clone()].iter_mut().zip(&input[places]);
                for (result, input) in pixels {
                    let given = simd.where_equal(simd.load(input), maximum, rest);
                    rest = simd.sub(rest, given);
                    simd.store(result, simd.add(simd.load(result), given));
                }
            }
            if output.iter().any(|value| value.is_nan()) {
                let window = [rows.clone(), columns];
                grad_of_nan(input, [output, gradient], geometry, window, result);
            }
        }
    }
}

/// Computes the gradients of the maxima of a window that are NaN, and so are equal to nothing.
#[cold]
fn grad_of_nan(
    input: &[ChannelBlock],
    [maximum, gradient]: [&ChannelBlock; 2],
    geometry: &PoolGeometry,
    [rows, columns]: [Range<usize>; 2],
    result: &mut [ChannelBlock],
) {
    for channel in (0..LANES).filter(|&channel| maximum[channel].is_nan()) {
        let lines = rows.clone().map(|row| row * geometry.width);
        let mut places = lines.flat_map(|line| line + columns.start..line + columns.end);
        if let Some(place) = places.rfind(|&place| input[place][channel].is_nan()) {
            result[place][channel] += gradient[channel];
        }
    }
}

/// Spreads the gradient of each mean over its `pixels` pixels.
pub fn grad_avg_pool(gradient: &[ChannelBlock], pixels: usize, result: &mut [ChannelBlock]) {
    let share = 1.0 / pixels as f32;
    for (result, gradient) in result.chunks_exact_mut(pixels).zip(gradient) {
        result.fill(gradient.map(|value| value * share));
    }
}
