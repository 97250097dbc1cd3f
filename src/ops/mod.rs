//! Differentiable operations by two backends that tests hold equal: [`resnet_kernels`] for f32 on the CPU, and candle's
//! tensor operations for every device and dtype (including f64, the reference).
//!
//! Each operation here converts its tensors to the layout of the kernels and back. The compiled passes of
//! [`crate::infer`] and `step`, which predict and train, stay in that layout.

pub mod batch_norm;
pub mod conv2d;
mod layout;
pub mod max_pool;
pub mod optimizer;
pub mod pool;
mod record;
pub mod relu;
pub mod shared_statistics;

use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor, bail};

/// The implementation that computes an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Over [`resnet_kernels`]: f32 on the CPU.
    Native,
    /// Made of candle's tensor operations: any device, any dtype.
    Candle,
}

impl Backend {
    /// Returns the backend for tensors like `x`.
    pub fn of(x: &Tensor) -> Self {
        Self::on(x.dtype(), x.device())
    }

    /// Returns the backend for tensors of `dtype` on `device`.
    pub fn on(dtype: DType, device: &Device) -> Self {
        match (device, dtype) {
            (Device::Cpu, DType::F32) => Self::Native,
            _ => Self::Candle,
        }
    }
}

/// Calls `read` with the values of an f32 tensor on the CPU; copies them first if they are not contiguous.
pub fn with_values<T>(x: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
        bail!(
            "the kernels take f32 tensors on the CPU, not {:?}",
            x.dtype()
        );
    };
    let start = layout.start_offset();
    Ok(read(&values[start..start + layout.shape().elem_count()]))
}
