//! Statistics of batch norm over all shards of a batch, each of which holds a part of the images.
//!
//! Forward, a shard with n values per channel gives n, n (mean - K) and n (variance + (mean - K)²), where K is near the mean and the
//! same in all shards, so that nothing is lost beside a large mean; backward, the sums of dy and of dy x̂. All sums are of f64.
//! It is what PyTorch calls `SyncBatchNorm`.

use candle_core::{Result, bail};
use resnet_kernels::norm::{Statistics as OfBlock, Wide};
use resnet_kernels::simd::ChannelBlock;
use std::fmt::Debug;

/// The shards of a batch, as one of them sees them. All make the same calls in the same order.
pub trait ShardGroup: Debug + Send + Sync {
    /// Returns the sums over all shards of `values`, of which each shard gives the same number.
    ///
    /// # Errors
    /// If another shard has failed.
    fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>>;

    /// Returns true if this shard updates the running statistics, which others of the group may share with it.
    fn updates_running(&self) -> bool;
}

/// Statistics of a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Channel {
    /// Mean.
    pub mean: f64,
    /// Biased variance.
    pub variance: f64,
}

/// Returns the statistics over all shards, and their number of values per channel; `own` are those of the `count` values of this
/// shard. `origins` are the same in all shards. Without any values, the statistics are NaN.
///
/// # Errors
/// If another shard has failed, or has other channels.
pub(crate) fn over_shards(
    shards: &dyn ShardGroup,
    count: usize,
    own: &[Channel],
    origins: &[f64],
) -> Result<(usize, Vec<Channel>)> {
    let weight = count as f64;
    let mut values = Vec::with_capacity(1 + 2 * own.len());
    values.push(weight);
    for (channel, origin) in own.iter().zip(origins) {
        let distance = channel.mean - origin;
        values.extend([
            weight * distance,
            weight * (channel.variance + distance * distance),
        ]);
    }
    let sums = sum(shards, values)?;
    let (pairs, _) = sums[1..].as_chunks();
    let count = sums[0];
    let channels = pairs.iter().zip(origins).map(|([sum, squares], origin)| {
        let distance = sum / count;
        let variance = squares / count - distance * distance;
        Channel {
            mean: origin + distance,
            // Rounding may produce a negative number; NaN stays NaN.
            variance: if variance < 0.0 { 0.0 } else { variance },
        }
    });
    Ok((count as usize, channels.collect()))
}

/// Replaces the statistics of `pixels` values per channel with those over all shards, and returns the number of values of these.
///
/// # Errors
/// As for [`over_shards`].
pub(crate) fn of_blocks(
    shards: &dyn ShardGroup,
    pixels: usize,
    own: &mut [OfBlock],
    origins: &[ChannelBlock],
) -> Result<usize> {
    let channels = own.iter().flat_map(|block| {
        let pairs = block.mean.into_iter().zip(block.variance);
        pairs.map(|(mean, variance)| Channel {
            mean: mean.into(),
            variance: variance.into(),
        })
    });
    let channels: Vec<Channel> = channels.collect();
    let origins: Vec<f64> = origins
        .as_flattened()
        .iter()
        .map(|&value| value.into())
        .collect();
    let (count, channels) = over_shards(shards, pixels, &channels, &origins)?;
    let (blocks, _) = channels.as_chunks();
    for (own, block) in own.iter_mut().zip(blocks) {
        *own = OfBlock {
            mean: block.map(|channel| channel.mean as f32),
            variance: block.map(|channel| channel.variance as f32),
        };
    }
    Ok(count)
}

/// Replaces the sums of gradients with those over all shards.
///
/// # Errors
/// If another shard has failed, or has other channels.
pub(crate) fn sum_blocks(shards: &dyn ShardGroup, sums: &mut [[Wide; 2]]) -> Result<()> {
    let own = sums.as_flattened_mut().as_flattened_mut();
    let total = sum(shards, own.to_vec())?;
    own.copy_from_slice(&total);
    Ok(())
}

/// Returns the sums over all shards.
///
/// # Errors
/// If another shard has failed, or gives another number of values.
pub(crate) fn sum(shards: &dyn ShardGroup, values: Vec<f64>) -> Result<Vec<f64>> {
    let length = values.len();
    let total = shards.sum(values)?;
    if total.len() != length {
        bail!(
            "batch norm has {length} values to share where another shard has {}",
            total.len()
        );
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    /// A group whose other shards have given `others`.
    #[derive(Debug, Default)]
    struct Given {
        others: Vec<f64>,
        own: Mutex<Vec<f64>>,
    }

    impl ShardGroup for Given {
        fn sum(&self, values: Vec<f64>) -> Result<Vec<f64>> {
            let sums = self.others.iter().zip(&values).map(|(a, b)| a + b);
            let sums = sums.collect();
            *self.own.lock().unwrap_or_else(PoisonError::into_inner) = values;
            Ok(sums)
        }

        fn updates_running(&self) -> bool {
            true
        }
    }

    fn statistics(values: &[f64]) -> Channel {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        Channel {
            mean,
            variance: squares.sum::<f64>() / count,
        }
    }

    #[test]
    fn statistics_over_shards_are_those_of_all_values() {
        // Of the 16 digits of f64, the variance loses those that the square of the distance has more, and those before the point.
        for (mean, origin, tolerance) in [(0.3, 0.0, 1e-13), (1e4, 9e3, 1e-8), (-3e6, -3e6, 1e-8)] {
            let value = |i: usize| mean + ((i * 7919) % 1009) as f64 / 1024.0;
            let values: Vec<f64> = (0..100).map(value).collect();
            let [first, second] = [&values[..30], &values[30..]].map(statistics);
            let nobody = Given {
                others: vec![0.0; 3],
                ..Given::default()
            };
            over_shards(&nobody, 30, &[first], &[origin]).unwrap();
            let both = Given {
                others: nobody.own.into_inner().unwrap(),
                ..Given::default()
            };
            let (count, found) = over_shards(&both, 70, &[second], &[origin]).unwrap();
            let expected = statistics(&values);
            assert_eq!(count, 100);
            let of_mean = (found[0].mean - expected.mean).abs() / expected.mean.abs();
            let of_variance = (found[0].variance / expected.variance - 1.0).abs();
            assert!(of_mean < 1e-14, "{mean}: {of_mean:e}");
            assert!(of_variance < tolerance, "{mean}: {of_variance:e}");
        }
    }

    #[test]
    fn shards_with_other_channels_are_an_error() {
        let group = Given {
            others: vec![0.0; 3],
            ..Given::default()
        };
        let channel = statistics(&[1.0, 2.0]);
        let error = over_shards(&group, 2, &[channel; 2], &[0.0; 2]).unwrap_err();
        assert!(error.to_string().contains("5 values"), "{error}");
    }
}
