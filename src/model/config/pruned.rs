//! Channels of networks that were pruned after their training.

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

/// Output channels of convolutions in place of those that follow from a network's planes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedChannels {
    /// Of the blocks of each stage.
    pub stages: Vec<usize>,
    /// Of all but the last convolution of each block of each stage.
    pub inner: Vec<Vec<Vec<usize>>>,
}

impl PrunedChannels {
    /// Checks that there are channels for each convolution of stages of `blocks` blocks, which have `inner` convolutions besides their
    /// last one.
    pub(super) fn validate(&self, blocks: &[usize], inner: &[usize]) -> Result<()> {
        let fits = self.stages.len() == blocks.len()
            && self.inner.len() == blocks.len()
            && (0..blocks.len()).all(|stage| {
                let of_stage = &self.inner[stage];
                let is_whole = |channels: &Vec<usize>| channels.len() == inner[stage];
                of_stage.len() == blocks[stage] && of_stage.iter().all(is_whole)
            });
        if !fits {
            bail!("the pruned channels are not those of {:?} blocks", blocks);
        }
        let mut all = self
            .stages
            .iter()
            .chain(self.inner.iter().flatten().flatten());
        if all.any(|channels| !(1..=1 << 20).contains(channels)) {
            bail!("pruned channels must be from 1 to {}", 1 << 20);
        }
        Ok(())
    }
}

/// Returns the channels of timm's `ecaresnet50d_pruned`.
pub(super) fn ecaresnet50d() -> PrunedChannels {
    of_bottlenecks(
        [19, 171, 818, 2022],
        [
            &[[47, 18], [52, 22], [64, 35]],
            &[[85, 37], [107, 80], [120, 85], [125, 87]],
            &[
                [198, 126],
                [255, 232],
                [256, 233],
                [253, 235],
                [256, 225],
                [256, 239],
            ],
            &[[492, 237], [512, 500], [512, 490]],
        ],
    )
}

/// Returns the channels of timm's `ecaresnet101d_pruned`.
pub(super) fn ecaresnet101d() -> PrunedChannels {
    of_bottlenecks(
        [26, 142, 278, 2042],
        [
            &[[45, 25], [53, 20], [60, 27]],
            &[[81, 24], [93, 49], [102, 54], [122, 78]],
            &[
                [101, 25],
                [239, 160],
                [234, 156],
                [250, 176],
                [253, 191],
                [251, 175],
                [230, 128],
                [244, 154],
                [244, 159],
                [238, 97],
                [244, 149],
                [253, 181],
                [245, 119],
                [255, 216],
                [256, 201],
                [253, 149],
                [254, 141],
                [256, 190],
                [256, 217],
                [255, 156],
                [256, 155],
                [256, 232],
                [256, 214],
            ],
            &[[499, 289], [512, 512], [512, 502]],
        ],
    )
}

/// Returns the channels of four stages of bottlenecks: those of the first and second convolution of each.
fn of_bottlenecks(stages: [usize; 4], inner: [&[[usize; 2]]; 4]) -> PrunedChannels {
    let of_stage = |blocks: &[[usize; 2]]| blocks.iter().map(|pair| pair.to_vec()).collect();
    PrunedChannels {
        stages: stages.to_vec(),
        inner: inner.into_iter().map(of_stage).collect(),
    }
}
