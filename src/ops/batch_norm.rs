//! Batch norm over `[N, C, H, W]`: with the batch statistics in training, with fixed ones in evaluation.

use super::record::{Computed, record3};
use super::shared_statistics::{Channel, ShardGroup, over_shards, sum};
use super::{Backend, layout, with_values};
use candle_core::{DType, Device, Result, Tensor, bail};
use resnet_kernels::layout::vector;
use resnet_kernels::norm;
use resnet_kernels::simd::ChannelBlock;
use std::sync::Arc;

/// Mean and biased variance of a batch, `[C]` each.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Mean of each channel.
    pub mean: Tensor,
    /// Variance of each channel, divided by the number of values.
    pub variance: Tensor,
}

impl Statistics {
    /// Converts the statistics of `channels` channels that the kernels computed, on the CPU.
    pub(crate) fn of_blocks(blocks: &[norm::Statistics], channels: usize) -> Result<Self> {
        let of = |value: fn(&norm::Statistics) -> &ChannelBlock| {
            let values: Vec<f32> = blocks.iter().flat_map(|block| *value(block)).collect();
            Tensor::from_slice(&values[..channels], channels, &Device::Cpu)
        };
        Ok(Self {
            mean: of(|block| &block.mean)?,
            variance: of(|block| &block.variance)?,
        })
    }
}

/// Computes `(x - mean) / sqrt(variance + eps) * weight + bias` with the statistics of this batch; also returns them.
///
/// Returns an error for a batch with one value per channel, which would always be normalized to 0.
pub fn train(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<(Tensor, Statistics)> {
    train_as(Backend::of(x), x, weight, bias, eps)
}

/// Implements [`train`] by the given backend.
pub fn train_as(
    backend: Backend,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, Statistics)> {
    let (n, c, h, w) = x.dims4()?;
    if n * h * w <= 1 {
        bail!(
            "batch norm cannot train on one value per channel (input [{n}, {c}, {h}, {w}]): use a larger batch or a larger input"
        );
    }
    match backend {
        Backend::Native => train_native(x, weight, bias, eps),
        Backend::Candle => {
            let (output, statistics, _) = train_candle(x, weight, bias, eps, None)?;
            Ok((output, statistics))
        }
    }
}

/// Computes [`train`] with the statistics of all `shards` of a batch, of which `x` is one; also returns the number of their values
/// per channel. `origin`, `[C]`, is near the means and the same in all shards: the running means. The gradient of `x` is that of the
/// whole batch, those of weight and bias are the part of this shard.
///
/// A batch with one value per channel is no error here, as no shard sees that alone: its statistics cannot be used.
///
/// # Errors
/// If another shard has failed.
pub fn train_shared(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    origin: &Tensor,
    shards: &Arc<dyn ShardGroup>,
) -> Result<(Tensor, Statistics, usize)> {
    let origins = numbers(origin)?;
    train_candle(x, weight, bias, eps, Some((shards, &origins)))
}

fn train_native(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, Statistics)> {
    let (n, c, h, w) = x.dims4()?;
    let shape = [n, c, h * w];
    let input = layout::to_blocked(x)?;
    let of_blocks = norm::statistics(&input, n * h * w);
    let statistics = Statistics::of_blocks(&of_blocks, c)?;
    let weights = with_values(weight, vector)?;
    let affine = norm::affine(&of_blocks, &weights, &with_values(bias, vector)?, eps);
    let mut output = layout::zeros(shape);
    norm::apply(&input, &affine, None, false, &mut output);
    let output = record3(
        "batch_norm",
        [x, weight, bias],
        Computed::Values(layout::from_blocked(&output, shape), x.shape().clone()),
        move |[x, _, _], _, gradient| {
            let (mut input, mut gradient) = (layout::to_blocked(x)?, layout::to_blocked(gradient)?);
            let of_vectors =
                norm::gradients(&mut input, &mut gradient, None, &of_blocks, &weights, eps);
            let [of_weight, of_bias] =
                of_vectors.map(|values| Tensor::from_slice(&values[..c], c, x.device()));
            let of_input =
                Tensor::from_vec(layout::from_blocked(&input, shape), x.shape(), x.device())?;
            Ok([Some(of_input), Some(of_weight?), Some(of_bias?)])
        },
    )?;
    Ok((output, statistics))
}

/// Computes [`train`] or, with the shards of a batch and their origins, [`train_shared`].
fn train_candle(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    shared: Option<(&Arc<dyn ShardGroup>, &[f64])>,
) -> Result<(Tensor, Statistics, usize)> {
    let dtype = x.dtype();
    let own_count = x.elem_count() / x.dim(1)?;
    let mut count = own_count;
    let fixed = wide(&x.detach())?;
    let mut mean = channel_mean(&fixed)?; // [1, C, 1, 1]
    let mut centered = fixed.broadcast_sub(&mean)?;
    let mut variance = channel_mean(&centered.sqr()?)?;
    if let Some((shards, origins)) = shared {
        let pairs = numbers(&mean)?.into_iter().zip(numbers(&variance)?);
        let own: Vec<Channel> = pairs
            .map(|(mean, variance)| Channel { mean, variance })
            .collect();
        let (all, channels) = over_shards(&**shards, count, &own, origins)?;
        count = all;
        let of = |value: fn(&Channel) -> f64| tensor_like(&mean, channels.iter().map(value));
        (mean, variance) = (of(|channel| channel.mean)?, of(|channel| channel.variance)?);
        centered = fixed.broadcast_sub(&mean)?;
    }
    let inverse = (&variance + eps)?.sqrt()?.recip()?;
    let normalized = centered.broadcast_mul(&inverse)?; // [N, C, H, W]
    let scaled = normalized.broadcast_mul(&as_channels(&wide(&weight.detach())?)?)?;
    let output = scaled
        .broadcast_add(&as_channels(&wide(&bias.detach())?)?)?
        .to_dtype(dtype)?;
    let statistics = Statistics {
        mean: mean.flatten_all()?,
        variance: variance.flatten_all()?,
    };
    let shards = shared.map(|(shards, _)| Arc::clone(shards));
    let output = record3(
        "batch_norm",
        [x, weight, bias],
        Computed::Tensor(output),
        move |[_, weight, _], _, gradient| {
            let gradient = gradient.detach().to_dtype(normalized.dtype())?;
            let weight = weight.detach().to_dtype(normalized.dtype())?;
            let plain = channel_mean(&gradient)?;
            let product = (&gradient * &normalized)?;
            let weighted = channel_mean(&product)?;
            let total = |mean: &Tensor| mean * own_count as f64;
            let [plain_of_all, weighted_of_all] = match &shards {
                None => [plain.clone(), weighted.clone()],
                Some(shards) => {
                    let mut sums = numbers(&total(&plain)?)?;
                    let channels = sums.len();
                    sums.extend(numbers(&total(&weighted)?)?);
                    let sums = sum(&**shards, sums)?;
                    let means = sums.iter().map(|sum| sum / count as f64);
                    let [first, second] = [0, channels]
                        .map(|start| tensor_like(&plain, means.clone().skip(start).take(channels)));
                    [first?, second?]
                }
            };
            let residue = gradient
                .broadcast_sub(&plain_of_all)?
                .sub(&normalized.broadcast_mul(&weighted_of_all)?)?;
            let input = residue.broadcast_mul(&(as_channels(&weight)? * &inverse)?)?;
            let sum = |mean: &Tensor| total(mean)?.flatten_all()?.to_dtype(dtype);
            Ok([
                Some(input.to_dtype(dtype)?),
                Some(sum(&weighted)?),
                Some(sum(&plain)?),
            ])
        },
    )?;
    Ok((output, statistics, count))
}

/// Computes `x * scale + shift` by [`scale_and_shift`] with the given statistics; candle provides the gradients of `x`,
/// weight and bias.
pub fn eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    statistics: &Statistics,
    eps: f64,
) -> Result<Tensor> {
    let statistics = Statistics {
        mean: wide(&statistics.mean.detach())?,
        variance: wide(&statistics.variance.detach())?,
    };
    let (scale, shift) = scale_and_shift(&wide(weight)?, &wide(bias)?, &statistics, eps)?;
    let channels = |t: Tensor| as_channels(&t.to_dtype(x.dtype())?);
    x.broadcast_mul(&channels(scale)?)?
        .broadcast_add(&channels(shift)?)
}

/// Returns `weight / sqrt(variance + eps)` and `bias - mean * weight / sqrt(variance + eps)`, `[C]` each: scale and
/// shift of batch norm with fixed statistics.
pub fn scale_and_shift(
    weight: &Tensor,
    bias: &Tensor,
    statistics: &Statistics,
    eps: f64,
) -> Result<(Tensor, Tensor)> {
    let inverse = (&statistics.variance + eps)?.sqrt()?.recip()?;
    let scale = (weight * inverse)?;
    let shift = (bias - (&statistics.mean * &scale)?)?;
    Ok((scale, shift))
}

/// Converts half precision to f32, because sums and small epsilons would be lost.
fn wide(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

/// Reshapes `[C]` to `[1, C, 1, 1]`.
fn as_channels(x: &Tensor) -> Result<Tensor> {
    x.reshape((1, (), 1, 1))
}

/// Returns the mean over batch and pixels, `[1, C, 1, 1]`.
fn channel_mean(x: &Tensor) -> Result<Tensor> {
    x.mean_keepdim(3)?.mean_keepdim(2)?.mean_keepdim(0)
}

/// Returns the values in f64, in which not every device computes.
fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    let x = x.detach().flatten_all()?.to_device(&Device::Cpu)?;
    x.to_dtype(DType::F64)?.to_vec1()
}

/// Returns a tensor of the shape, dtype and device of `like`.
fn tensor_like(like: &Tensor, values: impl Iterator<Item = f64>) -> Result<Tensor> {
    Tensor::from_vec(values.collect(), like.shape(), &Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())
}
