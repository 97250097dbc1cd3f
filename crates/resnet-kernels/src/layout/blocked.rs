//! The layout of the kernels: `[C / 16, N, H, W, 16]`, sixteen channels of a pixel side by side.
//!
//! A vector holds the values of one pixel in a block of channels, and the pixels of a batch follow one another across
//! images: a product over pixels never sees where an image ends. Channels that pad the last block are zero.

use crate::simd::{ChannelBlock, LANES};
use rayon::prelude::*;

/// Returns the number of blocks that hold `channels` channels.
pub fn blocks(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

/// Converts `[N, C, pixels]` to `[C / 16, N, pixels, 16]`.
///
/// # Panics
/// If the size of a slice does not match the shape.
pub fn from_planar(
    planar: &[f32],
    [batch, channels, pixels]: [usize; 3],
    blocked: &mut [ChannelBlock],
) {
    assert_eq!(planar.len(), batch * channels * pixels);
    assert_eq!(blocked.len(), blocks(channels) * batch * pixels);
    if pixels == 0 {
        return;
    }
    let images = blocked.par_chunks_exact_mut(pixels).enumerate();
    images.for_each(|(number, lanes)| {
        let (block, image) = (number / batch, number % batch);
        let first = block * LANES;
        let count = LANES.min(channels - first);
        let planes = &planar[(image * channels + first) * pixels..][..count * pixels];
        if count < LANES {
            lanes.fill([0.0; LANES]);
        }
        for (channel, plane) in planes.chunks_exact(pixels).enumerate() {
            for (lane, &value) in lanes.iter_mut().zip(plane) {
                lane[channel] = value;
            }
        }
    });
}

/// Returns the transpose of a square of 16 by 16 values.
#[inline(always)]
pub fn transposed(lanes: &[ChannelBlock; LANES]) -> [ChannelBlock; LANES] {
    std::array::from_fn(|j| std::array::from_fn(|k| lanes[k][j]))
}

/// Returns the columns of the square of 16 by 16 values whose rows start `step` values apart.
pub fn load_square(values: &[f32], step: usize) -> [ChannelBlock; LANES] {
    let mut rows = [[0.0; LANES]; LANES];
    for (row, values) in rows.iter_mut().zip(values.chunks(step)) {
        row.copy_from_slice(&values[..LANES]);
    }
    transposed(&rows)
}

/// Returns sixteen values that are `step` values apart.
#[inline(always)]
pub fn gather_strided(values: &[f32], step: usize) -> ChannelBlock {
    if let (1, Some(lane)) = (step, values.first_chunk()) {
        return *lane;
    }
    // One bounds check for all sixteen.
    let values = &values[..=(LANES - 1) * step];
    std::array::from_fn(|j| values[j * step])
}

/// Returns one value per channel as `[C / 16, 16]`, padded with zeros.
pub fn vector(values: &[f32]) -> Vec<ChannelBlock> {
    let mut lanes = vec![[0.0; LANES]; blocks(values.len())];
    from_planar(values, [1, values.len(), 1], &mut lanes);
    lanes
}

/// Converts `[C / 16, N, pixels, 16]` to `[N, C, pixels]`.
///
/// # Panics
/// If the size of a slice does not match the shape.
pub fn to_planar(
    blocked: &[ChannelBlock],
    [batch, channels, pixels]: [usize; 3],
    planar: &mut [f32],
) {
    assert_eq!(planar.len(), batch * channels * pixels);
    assert_eq!(blocked.len(), blocks(channels) * batch * pixels);
    if pixels == 0 {
        return;
    }
    let planes = planar.par_chunks_exact_mut(pixels).enumerate();
    planes.for_each(|(number, plane)| {
        let (image, channel) = (number / channels, number % channels);
        let lanes = &blocked[(channel / LANES * batch + image) * pixels..][..pixels];
        for (value, lane) in plane.iter_mut().zip(lanes) {
            *value = lane[channel % LANES];
        }
    });
}
