//! The values that are summed over shards: in the memory of the CPU, or on the device of the variables.

use crate::distributed::sum::Element;
use crate::distributed::tree::{Shards, Summand};
use crate::distributed::{DeviceValues, Pending, Processes};
use crate::train::learner::forward_backward::Gradient;
use anyhow::{Result, bail};
use candle_core::{DType, Device, Storage, Tensor, WithDType};
use std::mem;
use std::ops::Range;

/// Values of a bucket. Both kinds have the same bits: each value is multiplied and added alone, in one order.
pub trait Values: Summand + Sized {
    /// The sums over all shards.
    type Total;

    /// True if the values are not in the memory of the CPU, whose cores then do not move them.
    const ON_DEVICE: bool;

    /// Returns `length` zeros for values of variables such as `like`.
    fn zeros(length: usize, like: &Tensor) -> Self;

    /// Sets the values of `range`, of `length` in all, to those of a gradient times `factor`. `values` are `None` before the first.
    ///
    /// # Errors
    /// If the device lacks memory.
    fn set(
        values: &mut Option<Self>,
        length: usize,
        range: Range<usize>,
        gradient: Gradient,
        factor: f64,
        like: &Tensor,
    ) -> Result<()>;

    /// Starts the sum over the first `used` of `shards`; `own` has this process's nodes.
    ///
    /// # Errors
    /// If the values could not be computed.
    fn start_sum(
        processes: &Processes,
        shards: Shards,
        used: usize,
        own: Vec<(Range<usize>, Self)>,
        length: usize,
        like: &Tensor,
    ) -> Result<Pending<Self::Total>>;

    /// Takes the sums of `range` times `factor`, as a tensor with the shape, dtype and device of `like`.
    ///
    /// # Errors
    /// If the device lacks memory.
    fn take(
        total: &mut Self::Total,
        range: Range<usize>,
        factor: f64,
        like: &Tensor,
    ) -> Result<Tensor>;
}

impl<T: Element + WithDType> Values for Vec<T> {
    type Total = Self;

    const ON_DEVICE: bool = false;

    fn zeros(length: usize, _: &Tensor) -> Self {
        vec![T::from_f64(0.0); length]
    }

    fn set(
        values: &mut Option<Self>,
        length: usize,
        range: Range<usize>,
        gradient: Gradient,
        factor: f64,
        like: &Tensor,
    ) -> Result<()> {
        let factor = T::from_f64(factor);
        match gradient {
            // A bucket of its own takes them as they are.
            Gradient::Values(own, _) if T::DTYPE == DType::F32 && range.len() == length => {
                scale(values.insert(bytemuck::cast_vec(own)), factor);
                Ok(())
            }
            gradient => {
                let values = values.get_or_insert_with(|| Self::zeros(length, like));
                read(&gradient.into_tensor()?, |read: &[T]| {
                    for (value, read) in values[range].iter_mut().zip(read) {
                        *value = *read * factor;
                    }
                })
            }
        }
    }

    fn start_sum(
        processes: &Processes,
        shards: Shards,
        used: usize,
        own: Vec<(Range<usize>, Self)>,
        length: usize,
        _: &Tensor,
    ) -> Result<Pending<Self>> {
        Ok(processes.start_sum(shards, used, own, length))
    }

    fn take(total: &mut Self, range: Range<usize>, factor: f64, like: &Tensor) -> Result<Tensor> {
        let mut values = if range.len() == total.len() {
            mem::take(total)
        } else {
            total[range].to_vec()
        };
        scale(&mut values, T::from_f64(factor));
        let tensor = Tensor::from_vec(values, like.shape(), &Device::Cpu)?;
        Ok(tensor.to_dtype(like.dtype())?.to_device(like.device())?)
    }
}

impl Values for DeviceValues {
    type Total = Tensor;

    const ON_DEVICE: bool = true;

    fn zeros(length: usize, like: &Tensor) -> Self {
        Tensor::zeros(length, sum_dtype(like), like.device())
    }

    fn set(
        values: &mut Option<Self>,
        length: usize,
        range: Range<usize>,
        gradient: Gradient,
        factor: f64,
        like: &Tensor,
    ) -> Result<()> {
        let gradient = gradient.into_tensor()?.detach().flatten_all()?;
        let gradient = gradient.to_device(like.device())?;
        let gradient = gradient.to_dtype(sum_dtype(like))?.contiguous()?;
        let values = values.get_or_insert_with(|| Self::zeros(length, like));
        if let Ok(values) = values {
            values.slice_set(&product(gradient, factor)?, 0, range.start)?;
        }
        Ok(())
    }

    fn start_sum(
        processes: &Processes,
        shards: Shards,
        used: usize,
        own: Vec<(Range<usize>, Self)>,
        length: usize,
        like: &Tensor,
    ) -> Result<Pending<Tensor>> {
        let own = own.into_iter().map(|(node, values)| Ok((node, values?)));
        let own = own.collect::<Result<_>>()?;
        Ok(processes.start_tensor_sum(shards, used, own, length, sum_dtype(like)))
    }

    fn take(total: &mut Tensor, range: Range<usize>, factor: f64, like: &Tensor) -> Result<Tensor> {
        let values = total.narrow(0, range.start, range.len())?;
        let values = product(values, factor)?.reshape(like.shape())?;
        Ok(values.to_dtype(like.dtype())?)
    }
}

/// Returns the type in which values of a tensor are summed: half precision in f32.
pub fn sum_dtype(like: &Tensor) -> DType {
    match like.dtype() {
        DType::F64 => DType::F64,
        _ => DType::F32,
    }
}

/// Returns the products of the values of a vector with `factor`. Candle's product with a number also adds 0, which changes the sign of
/// a zero.
fn product(values: Tensor, factor: f64) -> candle_core::Result<Tensor> {
    if factor.to_bits() == 1_f64.to_bits() {
        return Ok(values);
    }
    let factor = match values.dtype() {
        DType::F64 => Tensor::full(factor, 1, values.device()),
        _ => Tensor::full(factor as f32, 1, values.device()),
    };
    values.broadcast_mul(&factor?)
}

/// Multiplies values by `factor`; spares memory the work if it is 1.
fn scale<T: WithDType>(values: &mut [T], factor: T) {
    if factor == T::from_f64(1.0) {
        return;
    }
    for value in values {
        *value *= factor;
    }
}

/// Lets `take` have the values of a tensor.
fn read<T: WithDType>(tensor: &Tensor, take: impl FnOnce(&[T])) -> Result<()> {
    let tensor = tensor
        .detach()
        .to_dtype(T::DTYPE)?
        .to_device(&Device::Cpu)?
        .contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
    else {
        bail!("a tensor on the CPU has no values");
    };
    take(&T::cpu_storage_as_slice(storage)?[start..end]);
    Ok(())
}
