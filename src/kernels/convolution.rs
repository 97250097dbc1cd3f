//! Convolution as a matrix product over unfolded patches ("im2col"):
//! `y[o, p] = sum over q of w[o, q] * patches[q, p]`, q over input channel and tap, p over output pixels.
//!
//! - Layouts: images `[N, C, H, W]`, weights `[C_out, C_in / groups, k, k]`, patches `[C_in / groups * k * k, pixels]`.
//! - Large images are cut into tiles of rows, images of few pixels are merged. A 1x1 kernel of stride 1 reads the image as
//!   it is.
//! - The input's gradient is the product with the transposed weights, folded back; the weights' gradient is the product of
//!   the output's gradient and the transposed patches, summed over images and tiles in order.
//! - Cost: 2 * `C_out` * patch * pixels operations and one copy of the patches. High Performance Convolutional Neural
//!   Networks for Document Processing, <https://inria.hal.science/inria-00112631>.

use super::ConvGeometry;
use super::matmul::{Matrix, Store, Threads, matmul, matmul_by_parts};
use super::patches::{Tile, merged_images};
use rayon::prelude::*;

/// Runs `task` on every chunk of `output`, `image` numbers an image, with the number of its first image and of its images
/// and who is to compute its products.
///
/// The chunks are cut by shapes alone. Whether each thread takes chunks of its own or all share each product is free: it
/// changes no sum's order.
fn by_chunks(
    geometry: &ConvGeometry,
    output: &mut [f32],
    image: usize,
    task: impl Fn([usize; 2], Threads, &mut [f32]) + Sync,
) {
    let merged = merged_images(geometry);
    let tasks = geometry.batch.div_ceil(merged);
    let numbered = |(chunk, part): (usize, &mut [f32]), threads| {
        task([chunk * merged, part.len() / image], threads, part);
    };
    if tasks < rayon::current_num_threads() {
        let chunks = output.chunks_mut(merged * image).enumerate();
        chunks.for_each(|chunk| numbered(chunk, Threads::All));
    } else {
        let chunks = output.par_chunks_mut(merged * image).enumerate();
        chunks.for_each(|chunk| numbered(chunk, Threads::One));
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
    let pixels = geometry.out_pixels();
    let outputs = geometry.out_channels / geometry.groups;
    by_chunks(
        geometry,
        output,
        geometry.out_image(),
        |[first, images], threads, output| {
            let (mut patches, mut merged) = (Vec::new(), Vec::new());
            for tile in Tile::cut(geometry, first, images) {
                for (group, a) in group_weights(weight, geometry).enumerate() {
                    let b = tile.unfold(input, group, threads, &mut patches);
                    let start = group * outputs * pixels;
                    if images == 1 {
                        let target = &mut output[start..][..outputs * pixels][tile.start()..];
                        matmul_by_parts(target, pixels, a, b, threads);
                    } else {
                        merged.resize(outputs * tile.columns(), 0.0);
                        matmul_by_parts(&mut merged, tile.columns(), a, b, threads);
                        let rows = merged.chunks_exact(tile.columns()).enumerate();
                        for (channel, row) in rows {
                            for (image, plane) in row.chunks_exact(pixels).enumerate() {
                                let start = image * geometry.out_image() + start + channel * pixels;
                                output[start..start + pixels].copy_from_slice(plane);
                            }
                        }
                    }
                }
            }
        },
    );
}

/// The input's gradient `[N, C_in, H, W]` of the output's gradient and the weights.
pub fn grad_input(gradient: &[f32], weight: &[f32], geometry: &ConvGeometry) -> Vec<f32> {
    let mut result = vec![0.0; geometry.batch * geometry.image()];
    check(&result, weight, gradient, geometry);
    by_chunks(
        geometry,
        &mut result,
        geometry.image(),
        |[first, images], threads, result| {
            let (mut patches, mut merged) = (Vec::new(), Vec::new());
            for tile in Tile::cut(geometry, first, images) {
                for (group, a) in group_weights(weight, geometry).enumerate() {
                    let b = tile.gradient(gradient, group, &mut merged);
                    let columns = tile.columns();
                    if geometry.is_pointwise() && images == 1 {
                        // The patches are the image.
                        let size = geometry.patch() * columns;
                        let target = &mut result[group * size..][..size];
                        matmul(
                            target,
                            columns,
                            a.transposed(),
                            b,
                            Store::Overwrite,
                            threads,
                        );
                    } else {
                        patches.resize(geometry.patch() * columns, 0.0);
                        matmul(
                            &mut patches,
                            columns,
                            a.transposed(),
                            b,
                            Store::Overwrite,
                            threads,
                        );
                        tile.fold(&patches, group, result);
                    }
                }
            }
        },
    );
    result
}

/// The weights' gradient of the input and the output's gradient.
pub fn grad_weight(input: &[f32], gradient: &[f32], geometry: &ConvGeometry) -> Vec<f32> {
    let mut result = vec![0.0; geometry.weights()];
    check(input, &result, gradient, geometry);
    let patch = geometry.patch();
    let group_size = geometry.weights() / geometry.groups;
    let merged_images = merged_images(geometry);
    let (mut patches, mut merged) = (Vec::new(), Vec::new());
    // Images in order and the threads inside each product: the sum's order is fixed.
    for first in (0..geometry.batch).step_by(merged_images) {
        let images = merged_images.min(geometry.batch - first);
        for tile in Tile::cut(geometry, first, images) {
            for (group, result) in result.chunks_exact_mut(group_size).enumerate() {
                let a = tile.gradient(gradient, group, &mut merged);
                let b = tile.unfold(input, group, Threads::All, &mut patches);
                matmul(result, patch, a, b.transposed(), Store::Add, Threads::All);
            }
        }
    }
    result
}

/// The weights of each group as `[C_out / groups, patch]`.
fn group_weights<'a>(
    weight: &'a [f32],
    geometry: &ConvGeometry,
) -> impl Iterator<Item = Matrix<'a>> {
    let (outputs, patch) = (geometry.out_channels / geometry.groups, geometry.patch());
    weight
        .chunks_exact(outputs * patch)
        .map(move |weight| Matrix::new(weight, outputs, patch))
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
