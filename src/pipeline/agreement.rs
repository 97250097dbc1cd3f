//! Agreement of the processes that share an evaluation or a prediction.

use crate::data::dataset::fingerprint::hash_of;
use crate::data::{DecodeOptions, EvalTransform};
use crate::infer::Engine;
use anyhow::Result;

/// The inputs of [`model_hash`], in words.
pub const OF_MODEL: &str = "weights, preprocessing or processor instructions";

/// Returns a hash of the preprocessing and of the logits of a made-up image, which depend on the weights and on the instructions of the
/// processor.
///
/// # Errors
/// If the device lacks memory.
pub fn model_hash(
    engine: &Engine,
    transform: &EvalTransform,
    decoding: DecodeOptions,
) -> Result<String> {
    let value = |i: usize| (i % 251) as f32 / 125.0 - 1.0;
    let logits = engine.logits((0..transform.input_len()).map(value).collect(), 1)?;
    let mut facts = vec![format!("{transform:?} {decoding:?}")];
    facts.extend(logits.iter().map(|logit| logit.to_bits().to_string()));
    Ok(hash_of(&facts))
}
