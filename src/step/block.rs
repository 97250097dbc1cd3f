//! A residual block, forward and backward.

use super::gate::Gate;
use super::half::Half;
use super::layer::{Layer, Receiver, Source};
use crate::model::block::{Block as Module, ProjectionPool, Shortcut as Way};
use crate::model::config::AntiAliasing;
use candle_core::{Result, bail};
use resnet_kernels::OutputInit;
use resnet_kernels::conv::Workspace;
use resnet_kernels::layout::Buffer;
use resnet_kernels::residual::{PaddedShortcut, grad_padded_shortcut, padded_shortcut};
use resnet_kernels::simd::ChannelBlock;

/// A block with the values that its gradients need.
#[derive(Debug)]
pub(super) struct Block {
    layers: Vec<Layer>,
    /// An average and the index of the layer before it.
    average: Option<(usize, Half)>,
    gate: Option<Gate>,
    shortcut: Shortcut,
    /// True if the block is trained; otherwise it runs in evaluation mode.
    pub learns: bool,
}

#[derive(Debug)]
enum Shortcut {
    None,
    Identity,
    /// A layer, behind an average if there is one.
    Projection(Option<Half>, Box<Layer>),
    Padded(PaddedShortcut, Buffer),
}

/// Memory for gradients that are passed from block to block.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Gradient of the block's output; in the end that of its input.
    pub gradient: Buffer,
    /// Gradient of a layer's input.
    pub spare: Buffer,
    /// Gradient of the input through the shortcut.
    side: Buffer,
    /// Gradient of the input of an average or of attention.
    pooled: Buffer,
}

impl Block {
    /// Creates the block `path` for inputs of this shape.
    pub fn new(path: &str, block: &Module, shape: [usize; 3], learns: bool) -> Result<Self> {
        let mut layers: Vec<Layer> = Vec::with_capacity(block.layers.len());
        let mut average = None;
        let mut current = shape;
        for (i, layer) in block.layers.iter().enumerate() {
            let names = ["conv", "bn"].map(|kind| format!("{path}.{kind}{}", i + 1));
            let layer = Layer::new(names, layer, current, learns)?;
            current = layer.shape();
            layers.push(layer);
            if i == block.strided_layer() && block.anti_aliasing == AntiAliasing::Average {
                let half = halved(current, false)?;
                current = half.shape();
                average = Some((i, half));
            }
        }
        let attention = block.attention.as_ref();
        let gate = attention.map(|attention| Gate::new(format!("{path}.se"), attention, current));
        let shortcut = match &block.shortcut {
            Way::None => Shortcut::None,
            Way::Identity => Shortcut::Identity,
            Way::Projection(projection) => {
                let names = projection
                    .layer_names()
                    .map(|place| format!("{path}.downsample.{place}"));
                let half = match projection.pool {
                    ProjectionPool::Average => Some(halved(shape, true)?),
                    ProjectionPool::None | ProjectionPool::Identity => None,
                };
                let shape = half.as_ref().map_or(shape, Half::shape);
                let layer = Layer::new(names, &projection.layer, shape, learns)?;
                if layer.shape() != current {
                    bail!("height and width of the image must be multiples of 32 for this network");
                }
                Shortcut::Projection(half, Box::new(layer))
            }
            Way::Padded { channels, stride } => {
                let [_, height, width] = shape;
                let shortcut = PaddedShortcut {
                    channels: *channels,
                    size: [height, width],
                    stride: *stride,
                };
                Shortcut::Padded(shortcut, Buffer::default())
            }
        };
        Ok(Self {
            layers,
            average,
            gate,
            shortcut,
            learns,
        })
    }

    fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Returns channels, height and width of the output.
    pub fn shape(&self) -> [usize; 3] {
        self.last().shape()
    }

    /// Returns the output of the last forward pass over `batch` images.
    pub fn output(&self, batch: usize) -> &[ChannelBlock] {
        let gate = self.gate.as_ref();
        gate.map_or_else(|| self.last().output(batch), |gate| gate.output(batch))
    }

    pub fn forward(
        &mut self,
        batch: usize,
        input: &[ChannelBlock],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let residual = match &mut self.shortcut {
            Shortcut::None => None,
            Shortcut::Identity => Some(input),
            Shortcut::Projection(half, layer) => {
                let input = match half {
                    Some(half) => {
                        half.forward(batch, input);
                        half.output(batch)
                    }
                    None => input,
                };
                layer.forward(batch, Source::Blocks(input), None, false, workspace)?;
                Some(layer.output(batch))
            }
            Shortcut::Padded(shortcut, buffer) => {
                let lanes = shortcut.out_blocks(batch);
                buffer.reserve(lanes);
                padded_shortcut(batch, input, shortcut, &mut buffer[..lanes]);
                Some(&buffer[..lanes])
            }
        };
        let last = self.layers.len() - 1;
        for i in 0..=last {
            let (before, rest) = self.layers.split_at_mut(i);
            let source = source_of(before, self.average.as_ref(), batch, input);
            let is_end = i == last && self.gate.is_none();
            let residual = residual.filter(|_| is_end);
            let relu = is_end || i < last;
            rest[0].forward(batch, Source::Blocks(source), residual, relu, workspace)?;
            if let Some((after, half)) = &mut self.average
                && *after == i
            {
                half.forward(batch, rest[0].output(batch));
            }
        }
        if let Some(gate) = &mut self.gate {
            gate.forward(batch, self.layers[last].output(batch), residual)?;
        }
        if !self.learns {
            let kept = if self.gate.is_some() { last + 1 } else { last };
            self.layers[..kept].iter_mut().for_each(Layer::release);
            if let Some((_, half)) = &mut self.average {
                half.release();
            }
            match &mut self.shortcut {
                Shortcut::Projection(half, layer) => {
                    layer.release();
                    half.iter_mut().for_each(Half::release);
                }
                Shortcut::Padded(_, buffer) => *buffer = Buffer::default(),
                Shortcut::None | Shortcut::Identity => {}
            }
        }
        Ok(())
    }

    /// Releases the output, which nothing reads any more.
    pub fn release(&mut self) {
        self.layers.iter_mut().for_each(Layer::release);
        self.gate.iter_mut().for_each(Gate::release);
    }

    /// Turns the gradient of the output in `buffers` into that of the input, if requested, and passes those of the
    /// parameters to `receive`.
    pub fn backward(
        &mut self,
        batch: usize,
        input: &[ChannelBlock],
        wants_input: bool,
        buffers: &mut Buffers,
        workspace: &mut Workspace,
        receive: &mut Receiver,
    ) -> Result<()> {
        let Buffers {
            gradient,
            spare,
            side,
            pooled,
        } = buffers;
        let last = self.layers.len() - 1;
        let lanes = self.layers[last].lanes(batch);
        let in_lanes = input.len();
        match &mut self.gate {
            None => self.layers[last].grad_norm(batch, &mut gradient[..lanes], true, receive)?,
            Some(gate) => {
                let scaled = self.layers[last].output(batch);
                gate.backward(batch, scaled, &mut gradient[..lanes], receive, pooled)?;
                self.layers[last].grad_norm(batch, &mut pooled[..lanes], false, receive)?;
            }
        }
        match &mut self.shortcut {
            Shortcut::None | Shortcut::Identity => {}
            Shortcut::Projection(half, layer) => {
                layer.grad_norm(batch, &mut gradient[..lanes], false, receive)?;
                let source = half.as_ref().map_or(input, |half| half.output(batch));
                layer.grad_weight(batch, Source::Blocks(source), workspace, receive)?;
                match half {
                    _ if !wants_input => {}
                    None => layer.grad_input(batch, OutputInit::Overwrite, workspace, side)?,
                    Some(half) => {
                        layer.grad_input(batch, OutputInit::Overwrite, workspace, pooled)?;
                        half.backward(batch, pooled, side);
                    }
                }
            }
            Shortcut::Padded(shortcut, _) => {
                side.reserve(in_lanes);
                grad_padded_shortcut(batch, &gradient[..lanes], shortcut, &mut side[..in_lanes]);
            }
        }
        for i in (0..=last).rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let layer = &rest[0];
            let source = source_of(before, self.average.as_ref(), batch, input);
            layer.grad_weight(batch, Source::Blocks(source), workspace, receive)?;
            if let Some(before) = before.last_mut() {
                layer.grad_input(batch, OutputInit::Overwrite, workspace, spare)?;
                let lanes = before.lanes(batch);
                let averaged = self.average.as_ref().filter(|(after, _)| after + 1 == i);
                let of_output = match averaged {
                    None => &mut *spare,
                    Some((_, half)) => {
                        half.backward(batch, spare, pooled);
                        &mut *pooled
                    }
                };
                before.grad_norm(batch, &mut of_output[..lanes], true, receive)?;
            } else if wants_input {
                // The gradient through the shortcut is accumulated in place.
                match self.shortcut {
                    Shortcut::None => {
                        layer.grad_input(batch, OutputInit::Overwrite, workspace, spare)?;
                        std::mem::swap(gradient, spare);
                    }
                    Shortcut::Identity => {
                        layer.grad_input(batch, OutputInit::Residual, workspace, gradient)?;
                    }
                    Shortcut::Projection(..) | Shortcut::Padded(..) => {
                        layer.grad_input(batch, OutputInit::Residual, workspace, side)?;
                        std::mem::swap(gradient, side);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Returns the input of the layer after `before`: the output of the last of them, averaged if an average follows it.
fn source_of<'a>(
    before: &'a [Layer],
    average: Option<&'a (usize, Half)>,
    batch: usize,
    input: &'a [ChannelBlock],
) -> &'a [ChannelBlock] {
    match (before.last(), average) {
        (Some(_), Some((after, half))) if after + 1 == before.len() => half.output(batch),
        (Some(layer), _) => layer.output(batch),
        (None, _) => input,
    }
}

/// Returns the average of values of this shape.
fn halved(shape: [usize; 3], rounds_up: bool) -> Result<Half> {
    Half::new(shape, rounds_up)
        .ok_or_else(|| candle_core::Error::Msg("the image is too small for the network".to_owned()))
}
