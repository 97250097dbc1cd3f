//! Max-pooling with padding and overlapping windows, for which candle has no gradient.
//!
//! The gradient of each output goes to one input: the first of equal maxima in row-major order of the window, as in
//! PyTorch.

use super::record::{Computed, record1};
use super::{Backend, layout};
use candle_core::{D, DType, Result, Tensor, bail};
use resnet_kernels::{PoolGeometry, pool};

/// Pools `[N, C, H, W]` to `[N, C, H', W']`, where `H' = (H + 2 padding - kernel) / stride + 1`.
///
/// Returns an error if the window does not fit or the padding is more than half of it.
pub fn max_pool2d(x: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Tensor> {
    max_pool2d_as(Backend::of(x), x, kernel, stride, padding)
}

/// Implements [`max_pool2d`] by the given backend.
pub fn max_pool2d_as(
    backend: Backend,
    x: &Tensor,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h.min(w) + 2 * padding < kernel || 2 * padding > kernel || stride == 0 {
        bail!(
            "max-pooling of a {h}x{w} image with kernel {kernel}, stride {stride} and padding {padding}"
        );
    }
    let geometry = pool::geometry([c, h, w], [kernel, stride, padding]);
    match backend {
        Backend::Native => {
            let geometry = PoolGeometry {
                planes: n * geometry.planes,
                ..geometry
            };
            native(x, geometry)
        }
        Backend::Candle => candle(x, &geometry),
    }
}

/// Pools with the kernels; `geometry.planes` counts images times blocks of channels.
fn native(x: &Tensor, geometry: PoolGeometry) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
    let outputs = [n, c, out_height * out_width];
    let mut maxima = layout::zeros(outputs);
    pool::max_pool(&layout::to_blocked(x)?, &geometry, &mut maxima);
    let shape = (n, c, out_height, out_width).into();
    let result = Computed::Values(layout::from_blocked(&maxima, outputs), shape);
    record1("max_pool2d", x, result, move |[x], output, gradient| {
        let [input, output, gradient] = [
            layout::to_blocked(x)?,
            layout::to_blocked(output)?,
            layout::to_blocked(gradient)?,
        ];
        let mut result = layout::zeros([n, c, h * w]);
        pool::grad_max_pool(&input, &output, &gradient, &geometry, &mut result);
        let values = layout::from_blocked(&result, [n, c, h * w]);
        Ok([Some(Tensor::from_vec(values, (n, c, h, w), x.device())?)])
    })
}

/// Gathers the windows along a dimension of their own and takes the first maximum; candle provides the gradients of all
/// steps.
fn candle(x: &Tensor, geometry: &PoolGeometry) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let (out_height, out_width, kernel) =
        (geometry.out_height(), geometry.out_width(), geometry.kernel);
    let rows = taps(h, out_height, geometry)?;
    let columns = taps(w, out_width, geometry)?;
    let index = |taps: Vec<u32>| {
        let count = taps.len();
        Tensor::from_vec(taps, count, x.device())
    };
    let windows = x
        .contiguous()?
        .index_select(&index(rows)?, 2)? // [N, C, H' k, W]
        .index_select(&index(columns)?, 3)? // [N, C, H' k, W' k]
        .reshape(&[n, c, out_height, kernel, out_width, kernel][..])?
        .permute([0, 1, 2, 4, 3, 5])?
        .contiguous()?
        .reshape((n, c, out_height, out_width, kernel * kernel))?;
    let fixed = windows.detach();
    let maximum = fixed.max_keepdim(D::Minus1)?;
    let is_maximum = fixed.broadcast_eq(&maximum)?;
    let is_nan = fixed.ne(&fixed)?;
    let last = (kernel * kernel) as f32;
    let places = Tensor::arange(0f32, last, x.device())?
        .broadcast_as(fixed.shape())?
        .contiguous()?;
    let beaten = Tensor::full(last, fixed.shape(), x.device())?;
    // The lowest key wins: the first maximum, and before it the last NaN, whose key is -1 - place.
    let keys = is_maximum.where_cond(&places, &beaten)?;
    let keys = is_nan.where_cond(&places.affine(-1.0, -1.0)?, &keys)?;
    let key = keys.min_keepdim(D::Minus1)?;
    let winner = key
        .maximum(&key.affine(-1.0, -1.0)?)?
        .to_dtype(DType::U32)?;
    windows
        .gather(&winner.contiguous()?, D::Minus1)?
        .squeeze(D::Minus1)
}

/// Returns the input position of every tap of every window of one axis. A tap in the padding reads the nearest position
/// of the image, which the same window reads already: neither the maximum nor the order of equal maxima changes.
fn taps(length: usize, outputs: usize, geometry: &PoolGeometry) -> Result<Vec<u32>> {
    let mut taps = Vec::with_capacity(outputs * geometry.kernel);
    for output in 0..outputs {
        for tap in 0..geometry.kernel {
            let position =
                (output * geometry.stride + tap).max(geometry.padding) - geometry.padding;
            taps.push(u32::try_from(position.min(length - 1))?);
        }
    }
    Ok(taps)
}
