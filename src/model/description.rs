//! Description of a network without running it: its modules as PyTorch names and nests them, and every call of one
//! forward pass with its shapes. [`crate::report`] prints it; the inference plan names its steps after it.

use resnet_kernels::ConvGeometry;

/// The kind of a module, with the parameters that PyTorch prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// The network itself.
    ResNet,
    /// A list of modules run in sequence: a stage, or a projection shortcut.
    Sequential,
    /// A residual block of two 3x3 convolutions.
    BasicBlock,
    /// A residual block of 1x1, 3x3 and 1x1 convolutions.
    Bottleneck,
    /// A convolution with a square kernel, without bias.
    Conv2d {
        /// Input and output channels.
        channels: [usize; 2],
        /// Height and width of the kernel.
        kernel: usize,
        /// Stride of both axes.
        stride: usize,
        /// Zeros added on each side of both axes.
        padding: usize,
        /// Spacing of the kernel's taps on both axes.
        dilation: usize,
        /// Number of groups of channels that are convolved separately.
        groups: usize,
    },
    /// Batch norm.
    BatchNorm2d {
        /// Channels.
        channels: usize,
    },
    /// Group norm.
    GroupNorm {
        /// Groups of channels.
        groups: usize,
        /// Channels.
        channels: usize,
    },
    /// ReLU, in place as torchvision has it.
    Relu,
    /// Max-pooling.
    MaxPool2d {
        /// Height and width of the window.
        kernel: usize,
        /// Stride of both axes.
        stride: usize,
        /// Padding of both axes.
        padding: usize,
    },
    /// Averages of 2x2 pixels with stride 2.
    AvgPool2d {
        /// True if averages at an odd edge are of the pixels that there are.
        ceil_mode: bool,
    },
    /// A blur of stride 2.
    BlurPool2d {
        /// Channels.
        channels: usize,
    },
    /// Squeeze-and-excitation.
    SeModule {
        /// Channels, and those between its two layers.
        channels: [usize; 2],
    },
    /// Efficient channel attention.
    EcaModule {
        /// Size of the kernel along the channels.
        kernel: usize,
    },
    /// The identity.
    Identity,
    /// The parameter-free shortcut of the paper's CIFAR networks: strided sampling, missing channels are zero.
    PaddedShortcut {
        /// Input and output channels.
        channels: [usize; 2],
        /// Stride of both axes.
        stride: usize,
    },
    /// Average pooling to 1x1.
    AdaptiveAvgPool2d,
    /// The classifier, with bias.
    Linear {
        /// Input and output features.
        features: [usize; 2],
    },
}

impl ModuleKind {
    /// Returns the class name in PyTorch.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::ResNet => "ResNet",
            Self::Sequential => "Sequential",
            Self::BasicBlock => "BasicBlock",
            Self::Bottleneck => "Bottleneck",
            Self::Conv2d { .. } => "Conv2d",
            Self::BatchNorm2d { .. } => "BatchNorm2d",
            Self::GroupNorm { .. } => "GroupNorm",
            Self::Relu => "ReLU",
            Self::MaxPool2d { .. } => "MaxPool2d",
            Self::AvgPool2d { .. } => "AvgPool2d",
            Self::BlurPool2d { .. } => "BlurPool2d",
            Self::SeModule { .. } => "SEModule",
            Self::EcaModule { .. } => "EcaModule",
            Self::Identity => "Identity",
            Self::PaddedShortcut { .. } => "PaddedShortcut",
            Self::AdaptiveAvgPool2d => "AdaptiveAvgPool2d",
            Self::Linear { .. } => "Linear",
        }
    }

    /// Returns the number of trainable parameters of the module itself, without its children.
    pub fn parameters(self) -> usize {
        match self {
            Self::Conv2d {
                channels: [input, output],
                kernel,
                groups,
                ..
            } => input / groups * output * kernel * kernel,
            Self::BatchNorm2d { channels } | Self::GroupNorm { channels, .. } => 2 * channels,
            Self::SeModule {
                channels: [outer, inner],
            } => (outer + 1) * inner + (inner + 1) * outer,
            Self::EcaModule { kernel } => kernel,
            Self::Linear {
                features: [input, output],
            } => (input + 1) * output,
            _ => 0,
        }
    }
}

/// A module and its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Dotted path, as in the state dict: `layer1.0.conv1`; empty for the network itself.
    pub path: String,
    /// Kind of the module.
    pub kind: ModuleKind,
    /// Children, in PyTorch's order of definition (the order of `print(model)`).
    pub children: Vec<Module>,
}

/// One call of a module in a forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleCall {
    /// Dotted path of the called module. A ReLU is called two or three times per block under one path.
    pub path: String,
    /// Kind of the module.
    pub kind: ModuleKind,
    /// Shape of the input, batch first.
    pub input: Vec<usize>,
    /// Shape of the output, batch first.
    pub output: Vec<usize>,
}

impl ModuleCall {
    /// Returns the shapes of a convolution; `None` for other modules.
    pub fn convolution(&self) -> Option<ConvGeometry> {
        let ModuleKind::Conv2d {
            channels: [in_channels, out_channels],
            kernel,
            stride,
            padding,
            dilation,
            groups,
        } = self.kind
        else {
            return None;
        };
        Some(ConvGeometry {
            batch: self.input[0],
            in_channels,
            out_channels,
            groups,
            height: self.input[2],
            width: self.input[3],
            kernel,
            stride,
            padding,
            dilation,
        })
    }

    /// Returns the number of multiplications of the call over the whole batch: convolutions and linear layers.
    pub fn mult_adds(&self) -> u64 {
        let outputs: usize = self.output.iter().product();
        match self.kind {
            ModuleKind::Conv2d {
                channels: [input, _],
                kernel,
                groups,
                ..
            } => (outputs * kernel * kernel * (input / groups)) as u64,
            ModuleKind::Linear {
                features: [input, _],
            } => (outputs * input) as u64,
            _ => 0,
        }
    }
}

/// A network at one input shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Name in the family, such as `resnet50`, or `resnet` for a network without one.
    pub name: String,
    /// Shape of the input, batch first: `[N, C, H, W]`.
    pub input: [usize; 4],
    /// The network and all its modules.
    pub root: Module,
    /// Every call of a forward pass in the order in which the calls return (a block after the modules it calls, the
    /// network last), the order of torchsummary's rows.
    pub calls: Vec<ModuleCall>,
}
