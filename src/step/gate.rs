//! Attention over the channels at the end of a block, forward and backward. Its small layers, between the means of the channels and their
//! scores, are left to autograd.

use super::layer::Receiver;
use crate::nn::ChannelAttention;
use candle_core::{Device, Result, Tensor, Var, bail};
use resnet_kernels::layout::{self, Buffer, blocks};
use resnet_kernels::norm::{self, Affine, Statistics};
use resnet_kernels::pool;
use resnet_kernels::simd::{ChannelBlock, LANES};

/// The attention of a block, with the values that its gradients need.
#[derive(Debug)]
pub(super) struct Gate {
    /// Dotted path.
    path: String,
    attention: ChannelAttention,
    /// Channels, height and width.
    shape: [usize; 3],
    /// Means `[N, C]` and the scores of them, `[N, C]`.
    passed: Option<(Var, Tensor)>,
    /// Factors of the channels, `[C / 16, N]`.
    factors: Vec<ChannelBlock>,
    output: Buffer,
}

impl Gate {
    pub fn new(path: String, attention: &ChannelAttention, shape: [usize; 3]) -> Self {
        Self {
            path,
            attention: attention.clone(),
            shape,
            passed: None,
            factors: Vec::new(),
            output: Buffer::default(),
        }
    }

    fn pixels(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    fn lanes(&self, batch: usize) -> usize {
        blocks(self.shape[0]) * batch * self.pixels()
    }

    /// Returns the output of the last forward pass over `batch` images.
    pub fn output(&self, batch: usize) -> &[ChannelBlock] {
        &self.output[..self.lanes(batch)]
    }

    /// Scales the channels of `input`, adds the residual and applies `ReLU`.
    pub fn forward(
        &mut self,
        batch: usize,
        input: &[ChannelBlock],
        residual: Option<&[ChannelBlock]>,
    ) -> Result<()> {
        let (channels, lanes) = (self.shape[0], self.lanes(batch));
        let mut means = vec![[0.0; LANES]; blocks(channels) * batch];
        pool::avg_pool(input, self.pixels(), &mut means);
        let mut planar = vec![0.0; batch * channels];
        layout::to_planar(&means, [batch, channels, 1], &mut planar);
        let means = Var::from_vec(planar, (batch, channels), &Device::Cpu)?;
        let scores = self.attention.scores(&means)?;
        let factors = candle_nn::ops::sigmoid(&scores.detach())?;
        self.factors = self.to_blocks(batch, &factors)?;
        self.passed = Some((means, scores));
        self.output.reserve(lanes);
        let maps = self.factors.iter().map(|&scale| Affine {
            scale,
            shift: [0.0; LANES],
        });
        let maps: Vec<Affine> = maps.collect();
        let output = &mut self.output[..lanes];
        norm::apply(input, &maps, residual, true, output);
        Ok(())
    }

    /// Returns `[N, C]` in blocks, `[C / 16, N]`.
    fn to_blocks(&self, batch: usize, values: &Tensor) -> Result<Vec<ChannelBlock>> {
        let channels = self.shape[0];
        let values = values.flatten_all()?.to_vec1::<f32>()?;
        let mut in_blocks = vec![[0.0; LANES]; blocks(channels) * batch];
        layout::from_planar(&values, [batch, channels, 1], &mut in_blocks);
        Ok(in_blocks)
    }

    /// Computes the gradient of `input` from that of the output, which is first set to zero where the output, which is `ReLU`'s, is not
    /// positive, and passes those of the parameters to `receive`.
    pub fn backward(
        &mut self,
        batch: usize,
        input: &[ChannelBlock],
        gradient: &mut [ChannelBlock],
        receive: &mut Receiver,
        result: &mut Buffer,
    ) -> Result<()> {
        let Some((means, scores)) = self.passed.take() else {
            bail!("a gradient without a forward pass")
        };
        let (channels, lanes) = (self.shape[0], self.lanes(batch));
        // Of each plane: the sum of the gradients times the input.
        let origins = vec![
            Statistics {
                mean: [0.0; LANES],
                variance: [0.0; LANES],
            };
            self.factors.len()
        ];
        let output = &self.output[..lanes];
        let sums = norm::gradient_sums(input, gradient, Some(output), &origins);
        let of_scores = sums.iter().zip(&self.factors).map(|([_, sums], factors)| {
            let slope = |lane: usize| {
                let factor = f64::from(factors[lane]);
                (sums[lane] * factor * (1.0 - factor)) as f32
            };
            std::array::from_fn(slope)
        });
        let of_scores: Vec<ChannelBlock> = of_scores.collect();
        let mut planar = vec![0.0; batch * channels];
        layout::to_planar(&of_scores, [batch, channels, 1], &mut planar);
        let of_scores = Tensor::from_vec(planar, (batch, channels), &Device::Cpu)?;
        let store = (scores * of_scores)?.sum_all()?.backward()?;
        for (name, parameter) in self.attention.parameters() {
            let Some(of_parameter) = store.get(parameter) else {
                bail!("`{}.{name}` has no gradient", self.path)
            };
            let values = of_parameter.flatten_all()?.to_vec1()?;
            receive(format!("{}.{name}", self.path), values, parameter.shape())?;
        }
        let Some(of_means) = store.get(means.as_tensor()) else {
            bail!("the means of `{}` have no gradient", self.path)
        };
        let share = (of_means / self.pixels() as f64)?;
        let shifts = self.to_blocks(batch, &share)?;
        let maps = self.factors.iter().zip(shifts);
        let maps: Vec<Affine> = maps
            .map(|(&scale, shift)| Affine { scale, shift })
            .collect();
        result.reserve(lanes);
        norm::apply(gradient, &maps, None, false, &mut result[..lanes]);
        Ok(())
    }

    /// Releases the output, which nothing reads any more.
    pub fn release(&mut self) {
        self.output = Buffer::default();
        self.passed = None;
    }
}
