//! Convolution of images, whose few channels would leave most of a block empty.
//!
//! An image is expanded to `[H + 2p, W + 2p, C]` with its border of zeros: all channels of all columns that a row of
//! the kernel reads are then contiguous, and those of the next output pixel start `stride * C` values later. The tile
//! reads them in place; nothing is gathered.

mod gradient;

use super::geometry::ConvGeometry;
use super::tasks;
use crate::layout::{Buffer, blocks};
use crate::simd::{ChannelBlock, Job, LANES, Simd, dispatch};
use crate::tile::{
    self, Epilogue, OutputInit, OutputTile, TileProduct, add_products, each, each_pixel, tiles,
};
use rayon::prelude::*;

pub use gradient::grad_weight_on_images;

/// Approximate number of output pixels per task.
const CHUNK: usize = 448;
/// Maximum number of input channels for this algorithm.
const MOST_CHANNELS: usize = 4;

/// Returns true if this algorithm supports the convolution.
pub fn applies(geometry: &ConvGeometry) -> bool {
    geometry.in_channels <= MOST_CHANNELS && geometry.groups == 1 && geometry.dilation == 1
}

/// Packs weights as `[tiles of blocks][kernel row, kernel column, input channel][blocks of the tile][16]`.
pub fn pack(weight: &[f32], geometry: &ConvGeometry, packed: &mut Buffer) {
    struct Pack<'a>(&'a [f32], &'a ConvGeometry, &'a mut [ChannelBlock]);
    impl Job for Pack<'_> {
        type Output = ();
        fn run<S: Simd>(self, _: S) {
            pack_for::<S>(self.0, self.1, self.2);
        }
    }
    let lanes = blocks(geometry.out_channels) * geometry.patch();
    packed.reserve(lanes);
    let packed = &mut packed[..lanes];
    // Padding of the last block.
    if !geometry.out_channels.is_multiple_of(LANES) {
        packed.fill([0.0; LANES]);
    }
    dispatch(Pack(weight, geometry, packed));
}

fn pack_for<S: Simd>(weight: &[f32], geometry: &ConvGeometry, packed: &mut [ChannelBlock]) {
    let (channels, taps) = (geometry.in_channels, geometry.kernel * geometry.kernel);
    let patch = geometry.patch();
    for (tile, packed) in packed.chunks_mut(S::BLOCKS * patch).enumerate() {
        let blocks = packed.len() / patch;
        for place in 0..blocks * LANES {
            let output = tile * S::BLOCKS * LANES + place;
            if output >= geometry.out_channels {
                break;
            }
            let weight = &weight[output * patch..][..patch];
            for (i, &value) in weight.iter().enumerate() {
                let (channel, tap) = (i / taps, i % taps);
                let lane = (tap * channels + channel) * blocks + place / LANES;
                packed[lane][place % LANES] = value;
            }
        }
    }
}

/// Returns the number of values of the images as [`forward`] expands them.
pub fn expanded_len(geometry: &ConvGeometry) -> usize {
    let [height, width] = padded_size(geometry);
    geometry.batch * height * width * geometry.in_channels
}

/// Returns height and width of an expanded image.
fn padded_size(geometry: &ConvGeometry) -> [usize; 2] {
    [geometry.height, geometry.width].map(|side| side + 2 * geometry.padding)
}

/// Computes the output `[C_out / 16, N, H', W', 16]` of images `[N, C, H, W]`, which are expanded into `buffer` of
/// [`expanded_len`].
pub fn forward(
    images: &[f32],
    buffer: &mut [f32],
    weights: &[ChannelBlock],
    geometry: &ConvGeometry,
    epilogue: Epilogue,
    output: &mut [ChannelBlock],
) {
    struct Forward<'a>(
        &'a [f32],
        &'a [ChannelBlock],
        &'a ConvGeometry,
        Epilogue<'a>,
        &'a mut [ChannelBlock],
    );
    impl Job for Forward<'_> {
        type Output = ();
        fn run<S: Simd>(self, simd: S) {
            let Self(padded, weights, geometry, epilogue, output) = self;
            let stem = Stem {
                simd,
                padded,
                weights,
                geometry,
                epilogue,
            };
            match geometry.stride * geometry.in_channels {
                3 => stem.run::<3>(output),
                6 => stem.run::<6>(output),
                _ => stem.run::<0>(output),
            }
        }
    }
    expand(images, geometry, buffer);
    dispatch(Forward(buffer, weights, geometry, epilogue, output));
}

/// Expands images `[N, C, H, W]` to `[N, H + 2p, W + 2p, C]`.
pub fn expand(images: &[f32], geometry: &ConvGeometry, padded: &mut [f32]) {
    let ConvGeometry {
        in_channels: channels,
        height,
        width,
        padding,
        ..
    } = *geometry;
    let [padded_height, padded_width] = padded_size(geometry);
    let plane = height * width;
    let rows = padded
        .par_chunks_exact_mut(padded_width * channels)
        .enumerate();
    rows.for_each(|(line, target)| {
        let (image, row) = (
            line / padded_height,
            (line % padded_height).wrapping_sub(padding),
        );
        if row >= height {
            target.fill(0.0);
            return;
        }
        let (before, rest) = target.split_at_mut(padding * channels);
        let (inside, after) = rest.split_at_mut(width * channels);
        before.fill(0.0);
        after.fill(0.0);
        for channel in 0..channels {
            let source = &images[(image * channels + channel) * plane + row * width..][..width];
            for (target, &value) in inside
                .iter_mut()
                .skip(channel)
                .step_by(channels)
                .zip(source)
            {
                *target = value;
            }
        }
    });
}

struct Stem<'a, S> {
    simd: S,
    padded: &'a [f32],
    weights: &'a [ChannelBlock],
    geometry: &'a ConvGeometry,
    epilogue: Epilogue<'a>,
}

impl<S: Simd> Stem<'_, S> {
    /// Runs with a distance of `PITCH` values between the inputs of two output pixels; 0 stands for any number.
    fn run<const PITCH: usize>(&self, output: &mut [ChannelBlock]) {
        let geometry = self.geometry;
        let width = geometry.out_width();
        let pixels = geometry.batch * geometry.out_pixels();
        let cuts = tasks::ranges(pixels, width, pixels.div_ceil(CHUNK));
        let all = 0..blocks(geometry.out_channels);
        let tasks = tasks::split(output, pixels, &cuts, &[all]);
        tasks.into_par_iter().for_each(|mut task| {
            for block in (0..task.blocks.len()).step_by(S::BLOCKS) {
                for line in task.pixels.start / width..task.pixels.end / width {
                    for [pixel, count] in tiles::<S>(width) {
                        self.tile::<PITCH>(&mut task, block, line, [pixel, count]);
                    }
                }
            }
        });
    }

    /// Computes the tile of `count` pixels from column `column` of line `line`, counted over all images.
    fn tile<const PITCH: usize>(
        &self,
        task: &mut tasks::Task,
        block: usize,
        line: usize,
        [column, count]: [usize; 2],
    ) {
        let geometry = self.geometry;
        let [padded_height, padded_width] = padded_size(geometry);
        let (image, row) = (line / geometry.out_height(), line % geometry.out_height());
        let first_row = image * padded_height + row * geometry.stride;
        let start = first_row * padded_width + column * geometry.stride;
        let patch = geometry.patch();
        let pixel = line * geometry.out_width() + column;
        let place = OutputTile {
            block,
            blocks: S::BLOCKS.min(task.blocks.len() - block),
            pixel: pixel - task.pixels.start,
            pixels: count,
            init: OutputInit::Overwrite,
            whole_block: task.blocks.start + block,
        };
        let operands = PatchOperands::<PITCH> {
            values: &self.padded[start * geometry.in_channels..],
            row: padded_width * geometry.in_channels,
            rows: geometry.kernel,
            run: geometry.kernel * geometry.in_channels,
            pitch: geometry.stride * geometry.in_channels,
            weights: &self.weights[(task.blocks.start + block) * patch..][..place.blocks * patch],
        };
        tile::compute(self.simd, operands, &mut task.outputs, place, self.epilogue);
    }
}

/// The inputs of a tile. `PITCH` is `pitch`, or 0 if that is not known at compile time.
#[derive(Clone, Copy)]
struct PatchOperands<'a, const PITCH: usize> {
    /// Values from the first input of the first pixel on.
    values: &'a [f32],
    /// Number of values from one row of the kernel to the next.
    row: usize,
    /// Number of rows of the kernel.
    rows: usize,
    /// Number of values under a row of the kernel.
    run: usize,
    /// Number of values from one pixel to the next.
    pitch: usize,
    /// Weights, `[rows][run][blocks]`.
    weights: &'a [ChannelBlock],
}

impl<const PITCH: usize> TileProduct for PatchOperands<'_, PITCH> {
    #[inline(always)]
    fn add_to<S: Simd, const M: usize, const N: usize>(self, simd: S, sums: &mut [[S::V; N]; M]) {
        let pitch = if PITCH == 0 { self.pitch } else { PITCH };
        let (weights, _) = self.weights.as_chunks::<N>();
        for (row, weights) in weights.chunks_exact(self.run).take(self.rows).enumerate() {
            let values = &self.values[row * self.row..];
            // One slice per pixel, all of the same length: the loop needs no other bounds check.
            let mut pixels = [&values[..0]; M];
            each_pixel!(m in M, { pixels[m] = &values[m * pitch..][..weights.len()]; });
            for (k, weights) in weights.iter().enumerate() {
                add_products(
                    simd,
                    weights,
                    #[inline(always)]
                    |m| pixels[m][k],
                    sums,
                );
            }
        }
    }
}
