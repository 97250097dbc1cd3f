//! Attention over channels: each is multiplied by a factor from 0 to 1 that depends on the means of all.
//!
//! - Squeeze-and-Excitation Networks, <https://arxiv.org/abs/1709.01507>
//! - ECA-Net, <https://arxiv.org/abs/1910.03151>

use super::conv::INIT;
use crate::ops::relu::relu;
use candle_core::{Result, Tensor};
use candle_nn::{Init, VarBuilder};
use serde::{Deserialize, Serialize};

/// The attention over the channels at the end of each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attention {
    /// None.
    #[default]
    None,
    /// Squeeze-and-excitation: two linear layers over the means of the channels.
    Se {
        /// Ratio of the channels to those between the layers, which are rounded to a multiple of 8.
        reduction: usize,
    },
    /// Efficient channel attention: one convolution along the means of the channels.
    Eca,
}

impl Attention {
    /// Returns the channels between the two layers of squeeze-and-excitation over `channels`.
    pub fn squeezed(channels: usize, reduction: usize) -> usize {
        // timm's `make_divisible(channels / reduction, 8, round_limit=0)`.
        ((channels + 4 * reduction) / (8 * reduction) * 8).max(8)
    }

    /// Returns the size of the kernel of efficient channel attention over `channels`.
    pub fn eca_kernel(channels: usize) -> usize {
        let size = f64::midpoint((channels as f64).log2(), 1.0);
        let size = size as usize;
        (if size % 2 == 1 { size } else { size + 1 }).max(3)
    }
}

/// The attention at the end of a block, under timm's names.
#[derive(Debug, Clone)]
pub enum ChannelAttention {
    /// Squeeze-and-excitation: `se.fc1`, `ReLU`, `se.fc2`, sigmoid.
    Se {
        /// Reduces the channels.
        squeeze: PointwiseConv,
        /// Restores them.
        excite: PointwiseConv,
    },
    /// Efficient channel attention: `se.conv`, sigmoid.
    Eca {
        /// Weights of the convolution along the channels, `[1, 1, k]`.
        weight: Tensor,
    },
}

/// A 1x1 convolution with bias of a vector of channels.
#[derive(Debug, Clone)]
pub struct PointwiseConv {
    weight: Tensor, // [C_out, C_in, 1, 1]
    bias: Tensor,   // [C_out]
}

impl PointwiseConv {
    fn new([input, output]: [usize; 2], vb: &VarBuilder) -> Result<Self> {
        let bound = 1.0 / (input as f64).sqrt();
        let init = Init::Uniform {
            lo: -bound,
            up: bound,
        };
        Ok(Self {
            weight: vb.get_with_hints((output, input, 1, 1), "weight", INIT)?,
            bias: vb.get_with_hints(output, "bias", init)?,
        })
    }

    /// Maps `[N, C_in]` to `[N, C_out]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight.flatten_from(1)?;
        x.matmul(&weight.t()?.contiguous()?)?
            .broadcast_add(&self.bias)
    }

    /// Returns the weights, `[C_out, C_in, 1, 1]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// Returns the bias, `[C_out]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }
}

impl ChannelAttention {
    /// Creates the attention over `channels` from its parameters in `vb`; `None` if `kind` is none. `full` is their number before the
    /// network was pruned, from which the kernel of efficient channel attention follows.
    pub fn new(
        kind: Attention,
        channels: usize,
        full: usize,
        vb: &VarBuilder,
    ) -> Result<Option<Self>> {
        Ok(match kind {
            Attention::None => None,
            Attention::Se { reduction } => {
                let squeezed = Attention::squeezed(channels, reduction);
                Some(Self::Se {
                    squeeze: PointwiseConv::new([channels, squeezed], &vb.pp("fc1"))?,
                    excite: PointwiseConv::new([squeezed, channels], &vb.pp("fc2"))?,
                })
            }
            Attention::Eca => {
                let kernel = Attention::eca_kernel(full);
                // PyTorch's default of a convolution with one input.
                let bound = 1.0 / (kernel as f64).sqrt();
                let init = Init::Uniform {
                    lo: -bound,
                    up: bound,
                };
                let weight = vb
                    .pp("conv")
                    .get_with_hints((1, 1, kernel), "weight", init)?;
                Some(Self::Eca { weight })
            }
        })
    }

    /// Scales the channels of `[N, C, H, W]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (n, channels, ..) = x.dims4()?;
        let means = x.flatten_from(2)?.mean(2)?; // [N, C]
        let factors = candle_nn::ops::sigmoid(&self.scores(&means)?)?;
        x.broadcast_mul(&factors.reshape((n, channels, 1, 1))?)
    }

    /// Returns the parameters with their names.
    pub fn parameters(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            Self::Se { squeeze, excite } => vec![
                ("fc1.weight", &squeeze.weight),
                ("fc1.bias", &squeeze.bias),
                ("fc2.weight", &excite.weight),
                ("fc2.bias", &excite.bias),
            ],
            Self::Eca { weight } => vec![("conv.weight", weight)],
        }
    }

    /// Maps means `[N, C]` to what the sigmoid turns into factors, `[N, C]`.
    pub fn scores(&self, means: &Tensor) -> Result<Tensor> {
        match self {
            Self::Se { squeeze, excite } => excite.forward(&relu(&squeeze.forward(means)?)?),
            Self::Eca { weight } => {
                let (_, _, kernel) = weight.dims3()?;
                let channels = means.dim(1)?;
                let padded = means.pad_with_zeros(1, kernel / 2, kernel / 2)?;
                let taps = (0..kernel).map(|tap| {
                    let weight = weight.narrow(2, tap, 1)?.flatten_all()?; // [1]
                    padded.narrow(1, tap, channels)?.broadcast_mul(&weight)
                });
                let mut sum: Option<Tensor> = None;
                for tap in taps {
                    let tap = tap?;
                    sum = Some(match sum {
                        Some(sum) => (sum + tap)?,
                        None => tap,
                    });
                }
                sum.ok_or_else(|| candle_core::Error::Msg("a kernel without weights".to_owned()))
            }
        }
    }
}
