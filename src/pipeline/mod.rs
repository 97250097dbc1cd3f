//! From a checkpoint to an engine, and from its logits to classes: what prediction, evaluation and explanation share.

mod agreement;
pub(crate) mod top_k;

pub(crate) use agreement::{OF_MODEL, model_hash};
pub use top_k::Prediction;
pub(crate) use top_k::{NotFinite, ensure_finite, top};

use crate::data::EvalTransform;
use crate::infer::{Engine, Workload};
use crate::model::{ModelConfig, Preprocess, ResNet};
use crate::weights::Checkpoint;
use anyhow::{Result, bail};
use candle_core::{DType, Device};

/// Returns the engine of `network` for the workload `work`, and the transform that creates its inputs by `preprocess`.
///
/// # Errors
/// If the preprocessing is not supported or does not match the input channels, or images are too small for the network.
pub fn prepare(
    network: ResNet,
    preprocess: &Preprocess,
    work: Workload,
) -> Result<(Engine, EvalTransform)> {
    let transform = transform(network.config(), preprocess)?;
    let engine = Engine::new(network, transform.size(), work)?;
    Ok((engine, transform))
}

/// Loads and prepares the network of `checkpoint`, computing in a type on a device. The weights of a compiled network
/// are read one layer at a time.
///
/// # Errors
/// As for [`prepare`], and if the weights cannot be read.
pub fn load(
    checkpoint: &Checkpoint,
    (dtype, device): (DType, &Device),
    preprocess: &Preprocess,
    work: Workload,
) -> Result<(Engine, EvalTransform)> {
    let transform = transform(&checkpoint.info.config, preprocess)?;
    let size = transform.size();
    let engine = if Engine::compiles(dtype, device) {
        Engine::with_weights(&checkpoint.build_outline()?, checkpoint, size, work)?
    } else {
        Engine::new(checkpoint.build(dtype, device)?, size, work)?
    };
    Ok((engine, transform))
}

/// Returns the transform that creates the inputs of a network by `preprocess`.
fn transform(config: &ModelConfig, preprocess: &Preprocess) -> Result<EvalTransform> {
    let transform = EvalTransform::new(preprocess)?;
    let channels = config.in_channels;
    if transform.channels() != channels {
        bail!(
            "the model takes {channels} channels, but its mean and std have {}",
            transform.channels()
        );
    }
    Ok(transform)
}
