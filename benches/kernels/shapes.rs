//! The convolutions of the family.

use anyhow::{Context, Result};
use resnet::model::description::ModuleCall;
use resnet::model::{ModelConfig, describe};
use resnet_kernels::ConvGeometry;
use std::str::FromStr;

/// A batch of square images.
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

/// Returns every shape after the stem of `ResNet-18` and `ResNet-50`, and of the paper's `ResNet-20` for small images;
/// the deeper networks repeat them.
pub fn of(case: Case) -> Result<Vec<ConvGeometry>> {
    let mut shapes: Vec<ConvGeometry> = Vec::new();
    let small = (case.side <= 32).then_some("resnet20");
    for name in ["resnet18", "resnet50"].into_iter().chain(small) {
        let config = ModelConfig::named(name).context("a network of the family")?;
        let calls = describe(&config, [case.batch, 3, case.side, case.side])?.calls;
        for shape in calls.iter().filter_map(ModuleCall::convolution) {
            if shape.in_channels > 3 && !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
    }
    Ok(shapes)
}

/// Returns the name of a shape, such as `256->512 28 px k3 s2`.
pub fn name(shape: &ConvGeometry) -> String {
    format!(
        "{}->{} {} px k{} s{}",
        shape.in_channels, shape.out_channels, shape.height, shape.kernel, shape.stride
    )
}
