//! Description of a network by walking the layers that it is built of.

use super::block::ProjectionPool;
use super::block::{Block, ConvNorm, Shortcut};
use super::config::{AntiAliasing, BlockKind, ModelConfig};
use super::description::{Description, Module, ModuleCall, ModuleKind};
use super::resnet::ResNet;
use super::stem::{BLURRED_POOL, Pool, STEM_POOL};
use crate::nn::init::without_memory;
use crate::nn::{ChannelAttention, Norm};
use candle_core::{Result, bail};

/// Describes the network of `config` at input shape `[N, C, H, W]`, without memory for its parameters.
///
/// Returns an error for an architecture that cannot be built and for another number of input channels.
pub fn describe(config: &ModelConfig, input: [usize; 4]) -> Result<Description> {
    let (model, _) = without_memory(|vb| ResNet::new(config, &vb))?;
    model.describe(input)
}

impl ResNet {
    /// Describes the network at input shape `[N, C, H, W]`.
    pub fn describe(&self, input: [usize; 4]) -> Result<Description> {
        let config = self.config();
        if input[1] != config.in_channels {
            bail!(
                "the model expects images with {} channels, not {}",
                config.in_channels,
                input[1]
            );
        }
        if input.contains(&0) {
            bail!("an input of {input:?} contains no image");
        }
        // No layer's output has more than this many times the numbers of the input.
        let most_channels = config
            .features()
            .max(config.bottleneck_channels(config.planes.len() - 1));
        let numbers: u128 = input.iter().map(|&size| size as u128).product();
        if numbers * most_channels as u128 > u128::from(u64::MAX >> 16) {
            bail!("an input of {input:?} is too large to count");
        }
        let mut walk = Walk {
            shape: input.to_vec(),
            calls: Vec::new(),
        };
        let mut children = walk.stem(self);
        for (stage, blocks) in self.stages().iter().enumerate() {
            let path = format!("layer{}", stage + 1);
            let before = walk.shape.clone();
            let blocks = blocks
                .iter()
                .enumerate()
                .map(|(i, block)| walk.block(block, &format!("{path}.{i}")));
            let blocks = blocks.collect();
            children.push(walk.close(&path, ModuleKind::Sequential, blocks, before));
        }
        children.push(walk.leaf("avgpool", ModuleKind::AdaptiveAvgPool2d));
        let features = [config.features(), config.classes];
        children.push(walk.leaf("fc", ModuleKind::Linear { features }));
        let root = walk.close("", ModuleKind::ResNet, children, input.to_vec());
        let name = config.name().unwrap_or("resnet").to_owned();
        Ok(Description {
            name,
            input,
            root,
            calls: walk.calls,
        })
    }
}

/// The current shape and the calls that have returned.
struct Walk {
    shape: Vec<usize>,
    calls: Vec<ModuleCall>,
}

impl Walk {
    /// Records a call of a module without children.
    fn leaf(&mut self, path: &str, kind: ModuleKind) -> Module {
        let output = output_shape(kind, &self.shape);
        let input = std::mem::replace(&mut self.shape, output.clone());
        self.calls.push(ModuleCall {
            path: path.to_owned(),
            kind,
            input,
            output,
        });
        Module {
            path: path.to_owned(),
            kind,
            children: Vec::new(),
        }
    }

    /// Records the return of a module that received `input` and called `children`.
    fn close(
        &mut self,
        path: &str,
        kind: ModuleKind,
        children: Vec<Module>,
        input: Vec<usize>,
    ) -> Module {
        self.calls.push(ModuleCall {
            path: path.to_owned(),
            kind,
            input,
            output: self.shape.clone(),
        });
        Module {
            path: path.to_owned(),
            kind,
            children,
        }
    }

    fn conv_norm(&mut self, layer: &ConvNorm, path: &str, [conv, norm]: [&str; 2]) -> Vec<Module> {
        let join = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            }
        };
        let (dims, config) = (layer.conv.weight().dims(), layer.conv.config());
        let kind = ModuleKind::Conv2d {
            channels: [dims[1] * config.groups, dims[0]],
            kernel: dims[2],
            stride: config.stride,
            padding: config.padding,
            dilation: config.dilation,
            groups: config.groups,
        };
        let conv = self.leaf(&join(conv), kind);
        let channels = layer.norm.channels();
        let kind = match &layer.norm {
            Norm::Batch(_) => ModuleKind::BatchNorm2d { channels },
            Norm::Group(norm) => ModuleKind::GroupNorm {
                groups: norm.groups(),
                channels,
            },
        };
        let norm = self.leaf(&join(norm), kind);
        vec![conv, norm]
    }

    fn stem(&mut self, network: &ResNet) -> Vec<Module> {
        let stem = network.stem();
        let mut children = Vec::new();
        let names = network.config().stem.layer_names();
        for (layer, names) in stem.layers.iter().zip(names) {
            children.extend(self.conv_norm(layer, "", *names));
            children.push(self.leaf("relu", ModuleKind::Relu));
        }
        let max_pool = |[kernel, stride, padding]: [usize; 3]| ModuleKind::MaxPool2d {
            kernel,
            stride,
            padding,
        };
        match &stem.pool {
            Pool::None => {}
            Pool::Max => children.push(self.leaf("maxpool", max_pool(STEM_POOL))),
            Pool::Average => {
                children.push(self.leaf("maxpool", ModuleKind::AvgPool2d { ceil_mode: false }));
            }
            Pool::Blur => {
                children.push(self.leaf("maxpool.0", max_pool(BLURRED_POOL)));
                let channels = self.shape[1];
                children.push(self.leaf("maxpool.1", ModuleKind::BlurPool2d { channels }));
            }
            Pool::Convolution(layer) => {
                children.extend(self.conv_norm(layer, "", ["maxpool.0", "maxpool.1"]));
                children.push(self.leaf("maxpool.2", ModuleKind::Relu));
            }
        }
        children
    }

    fn anti_aliasing(&mut self, kind: AntiAliasing, path: &str) -> Option<Module> {
        let kind = match kind {
            AntiAliasing::None => return None,
            AntiAliasing::Average => ModuleKind::AvgPool2d { ceil_mode: false },
            AntiAliasing::Blur => ModuleKind::BlurPool2d {
                channels: self.shape[1],
            },
        };
        Some(self.leaf(&format!("{path}.aa"), kind))
    }

    fn attention(&mut self, attention: &ChannelAttention, path: &str) -> Module {
        let kind = match attention {
            ChannelAttention::Se { squeeze, .. } => {
                let dims = squeeze.weight().dims();
                ModuleKind::SeModule {
                    channels: [dims[1], dims[0]],
                }
            }
            ChannelAttention::Eca { weight } => ModuleKind::EcaModule {
                kernel: weight.elem_count(),
            },
        };
        self.leaf(&format!("{path}.se"), kind)
    }

    fn block(&mut self, block: &Block, path: &str) -> Module {
        let input = self.shape.clone();
        let mut children = Vec::new();
        let relu = format!("{path}.relu");
        for (i, layer) in block.layers.iter().enumerate() {
            let names = [format!("conv{}", i + 1), format!("bn{}", i + 1)];
            children.extend(self.conv_norm(layer, path, [&names[0], &names[1]]));
            // torchvision calls one ReLU after each layer but the last, and once more after the shortcut is added.
            if i + 1 < block.layers.len() {
                self.leaf(&relu, ModuleKind::Relu);
            }
            if i == block.strided_layer() {
                children.extend(self.anti_aliasing(block.anti_aliasing, path));
            }
        }
        let attention = block.attention.as_ref();
        children.extend(attention.map(|attention| self.attention(attention, path)));
        let shortcut = self.shortcut(&block.shortcut, path, input.clone());
        self.leaf(&relu, ModuleKind::Relu);
        let relu = Module {
            path: relu,
            kind: ModuleKind::Relu,
            children: Vec::new(),
        };
        // torchvision defines a basic block's ReLU after the first layer and a bottleneck's after the last.
        let (kind, position) = match block.kind {
            BlockKind::Basic => (ModuleKind::BasicBlock, 2),
            BlockKind::Bottleneck => (ModuleKind::Bottleneck, children.len()),
        };
        children.insert(position, relu);
        children.extend(shortcut);
        self.close(path, kind, children, input)
    }

    fn shortcut(&mut self, shortcut: &Shortcut, path: &str, input: Vec<usize>) -> Option<Module> {
        let path = format!("{path}.downsample");
        let output = std::mem::replace(&mut self.shape, input.clone());
        let module = match shortcut {
            Shortcut::None | Shortcut::Identity => None,
            Shortcut::Projection(projection) => {
                let first = format!("{path}.0");
                let mut children = Vec::new();
                match projection.pool {
                    ProjectionPool::None => {}
                    ProjectionPool::Identity => {
                        children.push(self.leaf(&first, ModuleKind::Identity));
                    }
                    ProjectionPool::Average => {
                        let kind = ModuleKind::AvgPool2d { ceil_mode: true };
                        children.push(self.leaf(&first, kind));
                    }
                }
                let names = projection.layer_names();
                children.extend(self.conv_norm(&projection.layer, &path, names));
                Some(self.close(&path, ModuleKind::Sequential, children, input))
            }
            Shortcut::Padded { channels, stride } => {
                let kind = ModuleKind::PaddedShortcut {
                    channels: *channels,
                    stride: *stride,
                };
                Some(self.leaf(&path, kind))
            }
        };
        self.shape = output;
        module
    }
}

fn output_shape(kind: ModuleKind, input: &[usize]) -> Vec<usize> {
    let mut output = input.to_vec();
    let mut set_pixels = |length: &dyn Fn(usize) -> usize| {
        for pixels in &mut output[2..] {
            *pixels = length(*pixels);
        }
    };
    match kind {
        ModuleKind::Conv2d {
            channels,
            kernel,
            stride,
            padding,
            dilation,
            ..
        } => {
            set_pixels(&|length| (length + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1);
            output[1] = channels[1];
        }
        ModuleKind::MaxPool2d {
            kernel,
            stride,
            padding,
        } => {
            set_pixels(&|length| (length + 2 * padding - kernel) / stride + 1);
        }
        ModuleKind::AvgPool2d { ceil_mode: false } => set_pixels(&|length| length / 2),
        ModuleKind::AvgPool2d { ceil_mode: true } | ModuleKind::BlurPool2d { .. } => {
            set_pixels(&|length| length.div_ceil(2));
        }
        ModuleKind::PaddedShortcut { channels, stride } => {
            set_pixels(&|length| length.div_ceil(stride));
            output[1] = channels[1];
        }
        ModuleKind::AdaptiveAvgPool2d => set_pixels(&|_| 1),
        ModuleKind::Linear { features } => return vec![input[0], features[1]],
        _ => {}
    }
    output
}
