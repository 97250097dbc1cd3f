//! Two-dimensional convolution without bias, with square kernels and groups.
//!
//! With candle's operations, both gradients are forward convolutions of contiguous tensors, because candle's own input
//! gradient is a naive loop on every device, and its strided kernels are slow on CUDA and wrong on Metal:
//! - the input gradient convolves the output gradient, with zeros inserted between its pixels for the stride, with the
//!   flipped kernel, input and output channels exchanged;
//! - the weight gradient convolves the input with the output gradient as a kernel whose dilation is the stride,
//!   channels and batch exchanged.

use super::record::{Computed, record2};
use super::{Backend, layout, with_values};
use candle_core::{Result, Tensor, bail};
use resnet_kernels::conv::stem;
use resnet_kernels::conv::{self, Workspace};
use resnet_kernels::{ConvGeometry, OutputInit};

/// Parameters of a convolution besides its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Stride of both axes.
    pub stride: usize,
    /// Zeros added on each side of both axes.
    pub padding: usize,
    /// Spacing of the kernel's taps on both axes.
    pub dilation: usize,
    /// Number of groups of channels that are convolved separately.
    pub groups: usize,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
        }
    }
}

/// Convolves `[N, C_in, H, W]` with `[C_out, C_in / groups, k, k]` to `[N, C_out, H', W']`, where
/// `H' = (H + 2 padding - dilation (k - 1) - 1) / stride + 1`.
///
/// The gradient of an input that is not tracked (the images that the stem reads) is never computed.
pub fn conv2d(x: &Tensor, weight: &Tensor, config: Conv2dConfig) -> Result<Tensor> {
    conv2d_as(Backend::of(x), x, weight, config)
}

/// Implements [`conv2d`] by the given backend.
pub fn conv2d_as(
    backend: Backend,
    x: &Tensor,
    weight: &Tensor,
    config: Conv2dConfig,
) -> Result<Tensor> {
    let geometry = geometry(x, weight, config)?;
    let result = match backend {
        Backend::Native => {
            let shape = (
                geometry.batch,
                geometry.out_channels,
                geometry.out_height(),
                geometry.out_width(),
            );
            Computed::Values(native_forward(x, weight, &geometry)?, shape.into())
        }
        Backend::Candle => Computed::Tensor(candle_forward(&x.detach(), &weight.detach(), config)?),
    };
    record2(
        "conv2d",
        [x, weight],
        result,
        move |[x, weight], _, gradient| {
            let gradient = gradient.detach().contiguous()?;
            let of_input = || match backend {
                Backend::Native => {
                    let values = native_grad_input(&gradient, weight, &geometry)?;
                    Tensor::from_vec(values, x.shape(), x.device())
                }
                Backend::Candle => candle_grad_input(&gradient, &weight.detach(), &geometry),
            };
            let of_weight = || match backend {
                Backend::Native => {
                    let values = native_grad_weight(x, &gradient, &geometry)?;
                    Tensor::from_vec(values, weight.shape(), weight.device())
                }
                Backend::Candle => candle_grad_weight(&x.detach(), &gradient, &geometry),
            };
            let input = x.track_op().then(of_input).transpose()?;
            let weight = weight.track_op().then(of_weight).transpose()?;
            Ok([input, weight])
        },
    )
}

fn geometry(x: &Tensor, weight: &Tensor, config: Conv2dConfig) -> Result<ConvGeometry> {
    let (batch, in_channels, height, width) = x.dims4()?;
    let (out_channels, group_channels, kernel, kernel_width) = weight.dims4()?;
    let Conv2dConfig {
        stride,
        padding,
        dilation,
        groups,
    } = config;
    if kernel != kernel_width || kernel == 0 || stride == 0 || dilation == 0 {
        bail!(
            "a convolution with kernel {kernel}x{kernel_width}, stride {stride} and dilation {dilation}"
        );
    }
    if groups == 0 || group_channels * groups != in_channels || out_channels % groups != 0 {
        bail!(
            "a convolution of {in_channels} channels in {groups} groups with weights {:?}: the weights expect {} channels",
            weight.dims(),
            group_channels * groups
        );
    }
    let geometry = ConvGeometry {
        batch,
        in_channels,
        out_channels,
        groups,
        height,
        width,
        kernel,
        stride,
        padding,
        dilation,
    };
    if !geometry.fits() {
        bail!(
            "a {height}x{width} image is too small for a {kernel}x{kernel} convolution with padding {padding} and dilation {dilation}"
        );
    }
    Ok(geometry)
}

fn native_forward(x: &Tensor, weight: &Tensor, geometry: &ConvGeometry) -> Result<Vec<f32>> {
    let shape = [geometry.batch, geometry.out_channels, geometry.out_pixels()];
    let (mut output, workspace) = (layout::zeros(shape), &mut Workspace::default());
    if output.is_empty() {
        return Ok(Vec::new());
    }
    with_values(weight, |weight| {
        if stem::applies(geometry) {
            return with_values(x, |x| {
                conv::forward_on_images(x, weight, geometry, workspace, &mut output);
            });
        }
        let x = layout::to_blocked(x)?;
        conv::forward(&x, weight, geometry, workspace, &mut output);
        Ok(())
    })??;
    Ok(layout::from_blocked(&output, shape))
}

fn native_grad_input(
    gradient: &Tensor,
    weight: &Tensor,
    geometry: &ConvGeometry,
) -> Result<Vec<f32>> {
    let pixels = geometry.height * geometry.width;
    let shape = [geometry.batch, geometry.in_channels, pixels];
    let (mut result, workspace) = (layout::zeros(shape), &mut Workspace::default());
    if result.is_empty() {
        return Ok(Vec::new());
    }
    let gradient = layout::to_blocked(gradient)?;
    with_values(weight, |weight| {
        conv::grad_input(
            &gradient,
            weight,
            geometry,
            OutputInit::Overwrite,
            workspace,
            &mut result,
        );
    })?;
    Ok(layout::from_blocked(&result, shape))
}

fn native_grad_weight(x: &Tensor, gradient: &Tensor, geometry: &ConvGeometry) -> Result<Vec<f32>> {
    let (x, gradient) = (layout::to_blocked(x)?, layout::to_blocked(gradient)?);
    let (mut result, workspace) = (vec![0.0; geometry.weights()], &mut Workspace::default());
    conv::grad_weight(&x, &gradient, geometry, workspace, &mut result);
    Ok(result)
}

fn candle_forward(x: &Tensor, weight: &Tensor, config: Conv2dConfig) -> Result<Tensor> {
    let Conv2dConfig {
        stride,
        padding,
        dilation,
        groups,
    } = config;
    by_groups([(x, 1), (weight, 0)], groups, 1, |x, weight| {
        x.conv2d(weight, padding, stride, dilation, 1)
    })
}

fn candle_grad_input(
    gradient: &Tensor,
    weight: &Tensor,
    geometry: &ConvGeometry,
) -> Result<Tensor> {
    let ConvGeometry {
        kernel,
        padding,
        dilation,
        ..
    } = *geometry;
    let full = dilation * (kernel - 1); // padding of the transposed convolution for no padding of the forward one
    let spread = spread(gradient, geometry)?;
    let (spread, rest) = if padding <= full {
        (spread, full - padding)
    } else {
        // With more padding than the kernel's extent, the outermost outputs see nothing but zeros.
        let cut = padding - full;
        let (h, w) = (spread.dim(2)? - 2 * cut, spread.dim(3)? - 2 * cut);
        (spread.narrow(2, cut, h)?.narrow(3, cut, w)?, 0)
    };
    by_groups(
        [(&spread, 1), (weight, 0)],
        geometry.groups,
        1,
        |gradient, weight| {
            let flipped = weight
                .transpose(0, 1)?
                .contiguous()?
                .flip(&[2, 3])?
                .contiguous()?;
            gradient.conv2d(&flipped, rest, 1, dilation, 1)
        },
    )
}

/// Returns `[N, C, H', W']` with `stride - 1` zeros after each row and column, cropped so that a convolution over the
/// effective kernel size restores height and width of the input: rows and columns outside every window get zeros.
fn spread(gradient: &Tensor, geometry: &ConvGeometry) -> Result<Tensor> {
    let ConvGeometry {
        stride, padding, ..
    } = *geometry;
    let mut result = gradient.clone();
    for (dim, length) in [(2, geometry.height), (3, geometry.width)] {
        let mut dims = result.dims().to_vec();
        dims.insert(dim + 1, 1);
        let with_zeros = result
            .reshape(dims.as_slice())?
            .pad_with_zeros(dim + 1, 0, stride - 1)?;
        dims.remove(dim + 1);
        dims[dim] *= stride;
        let wanted = length + 2 * padding + 1 - geometry.effective_kernel_size();
        result = with_zeros
            .reshape(dims.as_slice())?
            .narrow(dim, 0, wanted)?;
    }
    result.contiguous()
}

fn candle_grad_weight(x: &Tensor, gradient: &Tensor, geometry: &ConvGeometry) -> Result<Tensor> {
    let ConvGeometry {
        kernel,
        stride,
        padding,
        dilation,
        ..
    } = *geometry;
    by_groups(
        [(x, 1), (gradient, 1)],
        geometry.groups,
        0,
        |x, gradient| {
            let x = x.transpose(0, 1)?.contiguous()?; // [C_in, N, H, W]
            let gradient = gradient.transpose(0, 1)?.contiguous()?; // [C_out, N, H', W']
            let weight = x.conv2d(&gradient, padding, dilation, stride, 1)?; // [C_in, C_out, k.., k..]
            weight
                .narrow(2, 0, kernel)?
                .narrow(3, 0, kernel)?
                .transpose(0, 1)?
                .contiguous()
        },
    )
}

/// Applies `run` to each group of the two tensors, split along their dimensions, and concatenates the results along
/// `joined`.
fn by_groups(
    [(a, a_dim), (b, b_dim)]: [(&Tensor, usize); 2],
    groups: usize,
    joined: usize,
    run: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    if groups == 1 {
        return run(&a.contiguous()?, &b.contiguous()?);
    }
    let parts = a
        .chunk(groups, a_dim)?
        .into_iter()
        .zip(b.chunk(groups, b_dim)?);
    let results = parts
        .map(|(a, b)| run(&a.contiguous()?, &b.contiguous()?))
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&results, joined)
}
