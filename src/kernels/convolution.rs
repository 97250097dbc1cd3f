//! Convolution as a matrix product over unfolded patches ("im2col"):
//! `y[o, p] = sum over q of w[o, q] * patches[q, p]`, q over input channel and tap, p over output pixels.
//!
//! - Layouts: images `[N, C, H, W]`, weights `[C_out, C_in / groups, k, k]`, patches `[C_in / groups * k * k, pixels]`.
//! - A 1x1 kernel of stride 1 reads the image as it is. Images of few pixels are merged, so that the product has columns
//!   enough to be worth its start.
//! - The input's gradient is the product with the transposed weights, folded back; the weights' gradient is the product of
//!   the output's gradient and the transposed patches, summed over the images in order.
//! - Cost: 2 * `C_out` * patch * pixels operations and one copy of the patches. High Performance Convolutional Neural
//!   Networks for Document Processing, <https://inria.hal.science/inria-00112631>.

use super::ConvGeometry;
use super::matmul::{Matrix, Store, Threads, matmul};
use rayon::prelude::*;

/// Columns that a product should have at least: images are merged until it has.
const COLUMNS: usize = 256;
/// With fewer tasks than this the threads share each product, with more each takes tasks of its own.
const TASKS: usize = 4;

/// How the work is cut: by shapes alone, so that the bits do not depend on threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    /// Images of one task.
    images: usize,
    /// Who computes the products of one task.
    threads: Threads,
}

impl Cut {
    fn of(geometry: &ConvGeometry) -> Self {
        let merged = COLUMNS
            .div_ceil(geometry.out_pixels().max(1))
            .min(geometry.batch.max(1));
        let tasks = geometry.batch.div_ceil(merged);
        let threads = if tasks < TASKS {
            Threads::All
        } else {
            Threads::One
        };
        Self {
            images: merged,
            threads,
        }
    }

    /// Runs `task` on every chunk of `output`, `image` numbers an image, with the index of the chunk's first image.
    fn run(self, output: &mut [f32], image: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
        let chunk = self.images * image;
        match self.threads {
            Threads::All => output
                .chunks_mut(chunk)
                .enumerate()
                .for_each(|(i, part)| task(i * self.images, part)),
            Threads::One => {
                output
                    .par_chunks_mut(chunk)
                    .enumerate()
                    .for_each(|(i, part)| task(i * self.images, part));
            }
        }
    }
}

/// Output `[N, C_out, H_out, W_out]` of input and weights.
pub fn forward(input: &[f32], weight: &[f32], geometry: &ConvGeometry) -> Vec<f32> {
    let mut output = vec![0.0; geometry.batch * geometry.out_image()];
    forward_into(input, weight, geometry, &mut output);
    output
}

/// [`forward`] into a slice of the output's size.
pub fn forward_into(input: &[f32], weight: &[f32], geometry: &ConvGeometry, output: &mut [f32]) {
    check(input, weight, output, geometry);
    let cut = Cut::of(geometry);
    let (pixels, patch) = (geometry.out_pixels(), geometry.patch());
    let group_outputs = geometry.out_channels / geometry.groups;
    cut.run(output, geometry.out_image(), |first, output| {
        let images = output.len() / geometry.out_image();
        let columns = images * pixels;
        let mut patches = Vec::new();
        let mut merged = vec![
            0.0;
            if images > 1 {
                group_outputs * columns
            } else {
                0
            }
        ];
        for group in 0..geometry.groups {
            let group_weight = &weight[group * group_outputs * patch..][..group_outputs * patch];
            let a = Matrix::new(group_weight, group_outputs, patch);
            let b = unfolded(
                input,
                first,
                images,
                group,
                geometry,
                cut.threads,
                &mut patches,
            );
            if images == 1 {
                let target =
                    &mut output[group * group_outputs * pixels..][..group_outputs * pixels];
                matmul(target, pixels, a, b, Store::Overwrite, cut.threads);
            } else {
                matmul(&mut merged, columns, a, b, Store::Overwrite, cut.threads);
                for (channel, row) in merged.chunks_exact(columns).enumerate() {
                    for (image, plane) in row.chunks_exact(pixels).enumerate() {
                        let start =
                            (image * geometry.out_channels + group * group_outputs + channel)
                                * pixels;
                        output[start..start + pixels].copy_from_slice(plane);
                    }
                }
            }
        }
    });
}

/// The input's gradient `[N, C_in, H, W]` of the output's gradient and the weights.
pub fn grad_input(gradient: &[f32], weight: &[f32], geometry: &ConvGeometry) -> Vec<f32> {
    let mut result = vec![0.0; geometry.batch * geometry.image()];
    check(&result, weight, gradient, geometry);
    let cut = Cut::of(geometry);
    let (pixels, patch) = (geometry.out_pixels(), geometry.patch());
    let group_outputs = geometry.out_channels / geometry.groups;
    cut.run(&mut result, geometry.image(), |first, result| {
        let images = result.len() / geometry.image();
        let columns = images * pixels;
        let mut merged = Vec::new();
        let mut patches = vec![0.0; patch * columns];
        for group in 0..geometry.groups {
            let group_weight = &weight[group * group_outputs * patch..][..group_outputs * patch];
            let a = Matrix::new(group_weight, group_outputs, patch).transposed();
            let b = merged_gradient(gradient, first, images, group, geometry, &mut merged);
            matmul(&mut patches, columns, a, b, Store::Overwrite, cut.threads);
            for (image, result) in result.chunks_exact_mut(geometry.image()).enumerate() {
                fold(&patches, columns, image * pixels, group, geometry, result);
            }
        }
    });
    result
}

/// The weights' gradient of the input and the output's gradient.
pub fn grad_weight(input: &[f32], gradient: &[f32], geometry: &ConvGeometry) -> Vec<f32> {
    let mut result = vec![0.0; geometry.weights()];
    check(input, &result, gradient, geometry);
    let patch = geometry.patch();
    let group_outputs = geometry.out_channels / geometry.groups;
    let merged_images = Cut::of(geometry).images;
    let (mut patches, mut merged) = (Vec::new(), Vec::new());
    // Images in order and the threads inside each product: the sum's order is fixed.
    for first in (0..geometry.batch).step_by(merged_images) {
        let images = merged_images.min(geometry.batch - first);
        for (group, result) in result.chunks_exact_mut(group_outputs * patch).enumerate() {
            let a = merged_gradient(gradient, first, images, group, geometry, &mut merged);
            let b = unfolded(
                input,
                first,
                images,
                group,
                geometry,
                Threads::All,
                &mut patches,
            );
            matmul(result, patch, a, b.transposed(), Store::Add, Threads::All);
        }
    }
    result
}

fn check(input: &[f32], weight: &[f32], output: &[f32], geometry: &ConvGeometry) {
    assert_eq!(
        input.len(),
        geometry.batch * geometry.image(),
        "the input's size"
    );
    assert_eq!(weight.len(), geometry.weights(), "the weights' size");
    assert_eq!(
        output.len(),
        geometry.batch * geometry.out_image(),
        "the output's size"
    );
}

/// One group's patches of `images` images as a matrix `[patch, images * pixels]`, in `buffer` unless the image itself
/// serves.
fn unfolded<'a>(
    input: &'a [f32],
    first: usize,
    images: usize,
    group: usize,
    geometry: &ConvGeometry,
    threads: Threads,
    buffer: &'a mut Vec<f32>,
) -> Matrix<'a> {
    let (patch, pixels) = (geometry.patch(), geometry.out_pixels());
    let columns = images * pixels;
    let plane = geometry.height * geometry.width;
    let channels = geometry.in_channels / geometry.groups;
    let group_start = |image: usize| (first + image) * geometry.image() + group * channels * plane;
    if geometry.is_pointwise() && images == 1 {
        return Matrix::new(&input[group_start(0)..][..channels * plane], patch, pixels);
    }
    buffer.resize(patch * columns, 0.0);
    let unfold_row = |(row, target): (usize, &mut [f32])| {
        let taps = geometry.kernel * geometry.kernel;
        for (image, target) in target.chunks_exact_mut(pixels).enumerate() {
            let source = &input[group_start(image) + row / taps * plane..][..plane];
            unfold_tap(source, row % taps, geometry, target);
        }
    };
    match threads {
        Threads::One => buffer
            .chunks_exact_mut(columns)
            .enumerate()
            .for_each(unfold_row),
        Threads::All => buffer
            .par_chunks_exact_mut(columns)
            .enumerate()
            .for_each(unfold_row),
    }
    Matrix::new(buffer, patch, columns)
}

/// What tap `tap` of the kernel sees of one plane, an output pixel each; zero outside the plane.
fn unfold_tap(plane: &[f32], tap: usize, geometry: &ConvGeometry, target: &mut [f32]) {
    let (tap_row, tap_column) = (tap / geometry.kernel, tap % geometry.kernel);
    let out_width = geometry.out_width();
    let rows = geometry.inside(tap_row, geometry.height, geometry.out_height());
    let columns = geometry.inside(tap_column, geometry.width, out_width);
    for (out_row, target) in target.chunks_exact_mut(out_width).enumerate() {
        if !rows.contains(&out_row) || columns.is_empty() {
            target.fill(0.0);
            continue;
        }
        let row = out_row * geometry.stride + tap_row * geometry.dilation - geometry.padding;
        let start =
            columns.start * geometry.stride + tap_column * geometry.dilation - geometry.padding;
        let source = &plane[row * geometry.width + start..(row + 1) * geometry.width];
        target[..columns.start].fill(0.0);
        target[columns.end..].fill(0.0);
        if geometry.stride == 1 {
            target[columns.clone()].copy_from_slice(&source[..columns.len()]);
        } else {
            let sampled = source.iter().step_by(geometry.stride);
            for (target, &value) in target[columns.clone()].iter_mut().zip(sampled) {
                *target = value;
            }
        }
    }
}

/// Adds one group's patches of one image, columns from `start`, to where they were read: the transpose of unfolding.
fn fold(
    patches: &[f32],
    columns: usize,
    start: usize,
    group: usize,
    geometry: &ConvGeometry,
    image: &mut [f32],
) {
    let taps = geometry.kernel * geometry.kernel;
    let (out_width, plane) = (geometry.out_width(), geometry.height * geometry.width);
    let channels = geometry.in_channels / geometry.groups;
    for (row, source) in patches.chunks_exact(columns).enumerate() {
        let source = &source[start..start + geometry.out_pixels()];
        let target = &mut image[(group * channels + row / taps) * plane..][..plane];
        let (tap_row, tap_column) = (row % taps / geometry.kernel, row % geometry.kernel);
        let inside = geometry.inside(tap_column, geometry.width, out_width);
        if inside.is_empty() {
            continue;
        }
        for out_row in geometry.inside(tap_row, geometry.height, geometry.out_height()) {
            let row = out_row * geometry.stride + tap_row * geometry.dilation - geometry.padding;
            let column =
                inside.start * geometry.stride + tap_column * geometry.dilation - geometry.padding;
            let target =
                target[row * geometry.width + column..(row + 1) * geometry.width].iter_mut();
            let source = &source[out_row * out_width..][inside.clone()];
            for (target, &value) in target.step_by(geometry.stride).zip(source) {
                *target += value;
            }
        }
    }
}

/// One group of the output's gradient of `images` images as `[C_out / groups, images * pixels]`, in `buffer` where more
/// than one image is merged.
fn merged_gradient<'a>(
    gradient: &'a [f32],
    first: usize,
    images: usize,
    group: usize,
    geometry: &ConvGeometry,
    buffer: &'a mut Vec<f32>,
) -> Matrix<'a> {
    let (pixels, group_outputs) = (
        geometry.out_pixels(),
        geometry.out_channels / geometry.groups,
    );
    let start =
        |image: usize| (first + image) * geometry.out_image() + group * group_outputs * pixels;
    if images == 1 {
        return Matrix::new(
            &gradient[start(0)..][..group_outputs * pixels],
            group_outputs,
            pixels,
        );
    }
    let columns = images * pixels;
    buffer.resize(group_outputs * columns, 0.0);
    for (channel, row) in buffer.chunks_exact_mut(columns).enumerate() {
        for (image, target) in row.chunks_exact_mut(pixels).enumerate() {
            target.copy_from_slice(&gradient[start(image) + channel * pixels..][..pixels]);
        }
    }
    Matrix::new(buffer, group_outputs, columns)
}
