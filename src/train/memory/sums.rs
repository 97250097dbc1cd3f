//! Memory of the sums of gradients over shards.

use super::network::{learns, parameters};
use crate::distributed::sum::buffer_bytes;
use crate::distributed::tree::Shards;
use crate::model::{ModelConfig, describe};
use crate::train::config::settings::Settings;
use crate::train::learner::gradient_sums::BUCKET_BYTES;
use anyhow::Result;
use candle_core::DType;

/// Returns a lower bound of the bytes that process `rank` needs to sum the gradients over `shards`, beside the gradients of one shard:
/// the nodes of the tree that wait for others, and the buffers in which the largest bucket travels. With shared batch-norm statistics,
/// all shards of the process have their gradients at a time.
///
/// # Errors
/// If the network is invalid.
pub fn sum_bytes(
    config: &ModelConfig,
    settings: &Settings,
    shards: Shards,
    rank: usize,
) -> Result<u64> {
    if shards.count() == 1 {
        return Ok(0);
    }
    let value = match settings.dtype {
        DType::F64 => size_of::<f64>(),
        _ => size_of::<f32>(),
    } as u64;
    let is_trained = |call: &_| learns(call, settings.frozen);
    let trained = value * parameters(config, is_trained)?;
    // The parameters do not depend on the size.
    let described = describe(config, [1, config.in_channels, 64, 64])?;
    let calls = described.calls.iter().filter(|call| is_trained(call));
    let largest = calls.map(|call| call.kind.parameters() as u64).max();
    let bucket = (value * largest.unwrap_or(0)).max(trained.min(BUCKET_BYTES as u64));
    let copies = if settings.shares_statistics() {
        // The first shard is being added while all have their gradients.
        shards.of(rank).len()
    } else {
        shards.most_nodes(rank).saturating_sub(1)
    };
    Ok(copies as u64 * trained + buffer_bytes(shards, rank, bucket))
}
