//! A net described without running it: its modules as PyTorch names and nests them, and every call of one forward
//! pass with its shapes. [`crate::report`] prints it, the inference plan names its steps by it.

use crate::kernels::ConvGeometry;

/// What a module is, with what PyTorch prints of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// The net itself.
    ResNet,
    /// A list of modules run in turn: a stage, or a projection shortcut.
    Sequential,
    /// A residual block of two 3x3 convolutions.
    BasicBlock,
    /// A residual block of 1x1, 3x3 and 1x1 convolutions.
    Bottleneck,
    /// A convolution of square kernel, without bias.
    Conv2d {
        /// Channels in and out.
        channels: [usize; 2],
        /// Height and width of the kernel.
        kernel: usize,
        /// Stride of both axes.
        stride: usize,
        /// Zeros added on each side of both axes.
        padding: usize,
        /// Distance of the kernel's taps on both axes.
        dilation: usize,
        /// Groups of channels convolved apart.
        groups: usize,
    },
    /// Batch norm over that many channels.
    BatchNorm2d {
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
    /// The parameter-free shortcut of the paper's CIFAR nets: stride by sampling, missing channels are zero.
    PaddedShortcut {
        /// Channels in and out.
        channels: [usize; 2],
        /// Stride of both axes.
        stride: usize,
    },
    /// Average pooling to 1x1.
    AdaptiveAvgPool2d,
    /// The classifier, with bias.
    Linear {
        /// Features in and out.
        features: [usize; 2],
    },
}

impl ModuleKind {
    /// The class name that PyTorch gives it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::ResNet => "ResNet",
            Self::Sequential => "Sequential",
            Self::BasicBlock => "BasicBlock",
            Self::Bottleneck => "Bottleneck",
            Self::Conv2d { .. } => "Conv2d",
            Self::BatchNorm2d { .. } => "BatchNorm2d",
            Self::Relu => "ReLU",
            Self::MaxPool2d { .. } => "MaxPool2d",
            Self::PaddedShortcut { .. } => "PaddedShortcut",
            Self::AdaptiveAvgPool2d => "AdaptiveAvgPool2d",
            Self::Linear { .. } => "Linear",
        }
    }

    /// Learned numbers of the module itself, its children's not counted.
    pub fn parameters(self) -> usize {
        match self {
            Self::Conv2d {
                channels: [input, output],
                kernel,
                groups,
                ..
            } => input / groups * output * kernel * kernel,
            Self::BatchNorm2d { channels } => 2 * channels,
            Self::Linear {
                features: [input, output],
            } => (input + 1) * output,
            _ => 0,
        }
    }
}

/// A module and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Dotted path, as in the state dict: `layer1.0.conv1`; empty for the net itself.
    pub path: String,
    /// What it is.
    pub kind: ModuleKind,
    /// The modules it holds, in PyTorch's order of definition (the order of `print(model)`).
    pub children: Vec<Module>,
}

/// One call of a module in a forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Dotted path of the module called. A ReLU is called two or three times a block under one path.
    pub path: String,
    /// What it is.
    pub kind: ModuleKind,
    /// Shape of the input, batch first.
    pub input: Vec<usize>,
    /// Shape of the output, batch first.
    pub output: Vec<usize>,
}

impl Call {
    /// The shapes of a convolution; nothing of other modules.
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

    /// Multiplications of the call: convolutions and linear layers, the whole batch.
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

/// A net at one input shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The family's name, as `resnet50`, or `resnet` for a net without one.
    pub name: String,
    /// Shape of the input, batch first: `[N, C, H, W]`.
    pub input: [usize; 4],
    /// The net and all it holds.
    pub net: Module,
    /// Every call of a forward pass in the order in which the calls return (a block after what it calls, the net last),
    /// the order of torchsummary's rows.
    pub calls: Vec<Call>,
}
