//! A residual block, forward and backward.

use super::layer::{Layer, Receiver, Source};
use crate::model::block::{Block as Module, Shortcut as Way};
use candle_core::Result;
use resnet_kernels::OutputInit;
use resnet_kernels::conv::Workspace;
use resnet_kernels::layout::Buffer;
use resnet_kernels::residual::{PaddedShortcut, grad_padded_shortcut, padded_shortcut};
use resnet_kernels::simd::ChannelBlock;

/// A block with the values that its gradients need.
#[derive(Debug)]
pub(super) struct Block {
    layers: Vec<Layer>,
    shortcut: Shortcut,
    /// True if the block is trained; otherwise it runs in evaluation mode.
    pub learns: bool,
}

#[derive(Debug)]
enum Shortcut {
    None,
    Identity,
    Projection(Box<Layer>),
    Padded(PaddedShortcut, Buffer),
}

/// Memory for gradients that are passed from block to block.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Gradient of the block's output; in the end that of its input.
    pub gradient: Buffer,
    /// Gradient of a layer's input.
    spare: Buffer,
    /// Gradient of the input through the shortcut.
    side: Buffer,
}

impl Block {
    /// Creates the block `path` for inputs of this shape.
    pub fn new(path: &str, block: &Module, shape: [usize; 3], learns: bool) -> Result<Self> {
        let mut layers: Vec<Layer> = Vec::with_capacity(block.layers.len());
        for (i, layer) in block.layers.iter().enumerate() {
            let shape = layers.last().map_or(shape, Layer::shape);
            let names = ["conv", "bn"].map(|kind| format!("{path}.{kind}{}", i + 1));
            layers.push(Layer::new(names, layer, shape, learns)?);
        }
        let shortcut = match &block.shortcut {
            Way::None => Shortcut::None,
            Way::Identity => Shortcut::Identity,
            Way::Projection(layer) => {
                let names = ["0", "1"].map(|place| format!("{path}.downsample.{place}"));
                Shortcut::Projection(Box::new(Layer::new(names, layer, shape, learns)?))
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
        self.last().output(batch)
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
            Shortcut::Projection(layer) => {
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
            let source = before.last().map_or(input, |layer| layer.output(batch));
            let residual = residual.filter(|_| i == last);
            rest[0].forward(batch, Source::Blocks(source), residual, true, workspace)?;
        }
        if !self.learns {
            self.layers[..last].iter_mut().for_each(Layer::release);
            match &mut self.shortcut {
                Shortcut::Projection(layer) => layer.release(),
                Shortcut::Padded(_, buffer) => *buffer = Buffer::default(),
                Shortcut::None | Shortcut::Identity => {}
            }
        }
        Ok(())
    }

    /// Releases the output, which nothing reads any more.
    pub fn release(&mut self) {
        self.layers.iter_mut().for_each(Layer::release);
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
        } = buffers;
        let last = self.layers.len() - 1;
        let lanes = self.layers[last].lanes(batch);
        let in_lanes = input.len();
        self.layers[last].grad_norm(batch, &mut gradient[..lanes], true, receive)?;
        match &mut self.shortcut {
            Shortcut::None | Shortcut::Identity => {}
            Shortcut::Projection(layer) => {
                layer.grad_norm(batch, &mut gradient[..lanes], false, receive)?;
                layer.grad_weight(batch, Source::Blocks(input), workspace, receive)?;
                if wants_input {
                    layer.grad_input(batch, OutputInit::Overwrite, workspace, side)?;
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
            let source = before.last().map_or(input, |layer| layer.output(batch));
            layer.grad_weight(batch, Source::Blocks(source), workspace, receive)?;
            if let Some(before) = before.last_mut() {
                layer.grad_input(batch, OutputInit::Overwrite, workspace, spare)?;
                let lanes = before.lanes(batch);
                before.grad_norm(batch, &mut spare[..lanes], true, receive)?;
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
                    Shortcut::Projection(_) | Shortcut::Padded(..) => {
                        layer.grad_input(batch, OutputInit::Residual, workspace, side)?;
                        std::mem::swap(gradient, side);
                    }
                }
            }
        }
        Ok(())
    }
}
