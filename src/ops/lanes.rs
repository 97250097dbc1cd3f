//! Conversion of tensors to and from the layout of the kernels.

use super::with_values;
use candle_core::{Result, Tensor};
use resnet_kernels::aligned::Lanes;
use resnet_kernels::blocked::{blocks, from_planar, to_planar};
use resnet_kernels::simd::Lane;

/// Converts `[N, C, H, W]`, f32 on the CPU, to `[C / 16, N, H, W, 16]`.
pub fn entered(x: &Tensor) -> Result<Lanes> {
    let (batch, channels, height, width) = x.dims4()?;
    let shape = [batch, channels, height * width];
    let mut lanes = zeros(shape);
    with_values(x, |values| from_planar(values, shape, &mut lanes))?;
    Ok(lanes)
}

/// Returns zeros for `[N, C, pixels]`.
pub fn zeros([batch, channels, pixels]: [usize; 3]) -> Lanes {
    Lanes::zeros(blocks(channels) * batch * pixels)
}

/// Returns the values as `[N, C, pixels]`.
pub fn left(lanes: &[Lane], shape: [usize; 3]) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    to_planar(lanes, shape, &mut values);
    values
}
