//! Conversion of tensors to and from the layout of the kernels.

use super::with_values;
use candle_core::{Result, Tensor};
use resnet_kernels::layout::{Buffer, blocks, from_planar, to_planar};
use resnet_kernels::simd::ChannelBlock;

/// Converts `[N, C, H, W]`, f32 on the CPU, to `[C / 16, N, H, W, 16]`.
pub fn to_blocked(x: &Tensor) -> Result<Buffer> {
    let (batch, channels, height, width) = x.dims4()?;
    let shape = [batch, channels, height * width];
    let mut blocked = zeros(shape);
    with_values(x, |values| from_planar(values, shape, &mut blocked))?;
    Ok(blocked)
}

/// Returns zeros for `[N, C, pixels]`.
pub fn zeros([batch, channels, pixels]: [usize; 3]) -> Buffer {
    Buffer::zeros(blocks(channels) * batch * pixels)
}

/// Converts `[C / 16, N, pixels, 16]` to `[N, C, pixels]`, the `shape`.
pub fn from_blocked(blocked: &[ChannelBlock], shape: [usize; 3]) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    to_planar(blocked, shape, &mut values);
    values
}
