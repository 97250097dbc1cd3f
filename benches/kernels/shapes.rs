//! The convolutions of the family.

use anyhow::{Context, Result};
use resnet::kernels::ConvGeometry;
use resnet::model::description::ModuleKind;
use resnet::model::{ModelConfig, describe};
use std::str::FromStr;

/// A batch of pictures of one side.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub batch: usize,
    pub side: usize,
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (batch, side) = text.split_once('x').context("BATCHxSIDE")?;
        Ok(Self {
            batch: batch.parse()?,
            side: side.parse()?,
        })
    }
}

/// Every shape after the stem that `ResNet-18` and `ResNet-50` have: the deeper ones repeat them.
pub fn of(case: Case) -> Result<Vec<ConvGeometry>> {
    let mut shapes: Vec<ConvGeometry> = Vec::new();
    for name in ["resnet18", "resnet50"] {
        let config = ModelConfig::named(name).context("a net of the family")?;
        for call in describe(&config, [case.batch, 3, case.side, case.side])?.calls {
            let ModuleKind::Conv2d {
                channels,
                kernel,
                stride,
                padding,
                dilation,
                groups,
            } = call.kind
            else {
                continue;
            };
            let shape = ConvGeometry {
                batch: case.batch,
                in_channels: channels[0],
                out_channels: channels[1],
                groups,
                height: call.input[2],
                width: call.input[3],
                kernel,
                stride,
                padding,
                dilation,
            };
            if channels[0] > 3 && !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
    }
    Ok(shapes)
}

/// `256->512 28 px k3 s2`
pub fn name(shape: &ConvGeometry) -> String {
    format!(
        "{}->{} {} px k{} s{}",
        shape.in_channels, shape.out_channels, shape.height, shape.kernel, shape.stride
    )
}
