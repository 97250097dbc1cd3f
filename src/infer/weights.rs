//! Source of a plan's weights, one layer at a time.

use anyhow::Result;
use candle_core::{DType, Tensor};

/// The weights of a network's convolutions and classifier, until they are packed.
pub trait Weights: Sync {
    /// Fills `numbers` with the weights `[C_out, C_in / groups, k, k]` of the layer at `path`, such as
    /// `layer1.0.conv1`; `tensor` is that of the network.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&self, path: &str, tensor: &Tensor, numbers: &mut [f32]) -> Result<()>;
}

/// The weights of the network itself.
pub(super) struct OwnWeights;

impl Weights for OwnWeights {
    fn read(&self, _: &str, tensor: &Tensor, numbers: &mut [f32]) -> Result<()> {
        let tensor = tensor.detach().to_dtype(DType::F32)?.flatten_all()?;
        numbers.copy_from_slice(&tensor.to_vec1()?);
        Ok(())
    }
}
