//! Reports for people.
//!
//! - A described model as text and as data: torchsummary's table, torchinfo's tree, PyTorch's `print(model)`, JSON. Each style is
//!   one function from a [`Description`] to the printed text, final newline included. Models that torchvision lacks (CIFAR stems,
//!   padded shortcuts, plain networks) come out in the same layouts.
//! - Runs and evaluations as plots (`plot`) and as a page ([`page`]).

pub(crate) mod comparison;
pub(crate) mod csv;
pub(crate) mod date;
pub(crate) mod environment;
pub(crate) mod evaluation_dir;
pub mod evaluation_report;
pub mod json;
pub mod page;
pub(crate) mod plot;
mod selection;
pub(crate) mod thumbnail;
pub mod torchinfo;
pub mod torchsummary;
pub mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fs::write_whole;
use crate::model::Description;
use crate::model::description::{ModuleCall, ModuleKind};
use page::Page;
use page::comparison::ComparisonPage;

/// The file name of the page of a run or an evaluation.
pub const REPORT: &str = "report.html";
/// The file name of the page of a comparison.
pub const COMPARISON_PAGE: &str = "comparison.html";
/// The name of the folder of its plots.
pub const PLOTS: &str = "plots";

/// Writes `report.html` into `folder`, and the plots of the evaluation into `plots/` in it.
///
/// # Errors
/// If a file cannot be written.
pub fn write_page(folder: &Path, page: &Page) -> Result<()> {
    let html = page.html()?;
    write_whole(&folder.join(REPORT), |file| {
        Ok(file.write_all(html.as_bytes())?)
    })?;
    // The page does without them.
    if let Some(evaluation_report) = page.evaluation_report {
        let plots = plots_in(folder)?;
        let subtitle = format!("{}: {}", page.heading.name, page.headline.on);
        for (name, figure) in evaluation_report.figures(&subtitle)? {
            figure.save(&plots, name)?;
        }
    }
    Ok(())
}

/// Writes `comparison.html` into `folder`.
///
/// # Errors
/// If it cannot be written.
pub fn write_comparison(folder: &Path, page: &ComparisonPage) -> Result<()> {
    let html = page.html()?;
    write_whole(&folder.join(COMPARISON_PAGE), |file| {
        Ok(file.write_all(html.as_bytes())?)
    })
}

/// Returns the folder of plots in `folder`, which is created if it does not exist.
///
/// # Errors
/// If it cannot be created.
pub(crate) fn plots_in(folder: &Path) -> Result<PathBuf> {
    let plots = folder.join(PLOTS);
    fs::create_dir_all(&plots)
        .with_context(|| format!("cannot make folder `{}`", plots.display()))?;
    Ok(plots)
}

/// The batch in torchsummary's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryBatch {
    /// As -1, with the sizes of one image: torchsummary's default.
    Any,
    /// As the number of images in the description's input, with the sizes of all of them.
    Given,
}

/// Returns the calls that torchsummary gives a row: all but the network itself and the lists of modules.
fn rows(description: &Description) -> impl Iterator<Item = &ModuleCall> {
    description
        .calls
        .iter()
        .filter(|call| !matches!(call.kind, ModuleKind::ResNet | ModuleKind::Sequential))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::description::Module;
    use crate::text::thousands;

    /// Returns a network of a stem, one basic block with a projection and a head; not a `ResNet` of the table, but all its parts.
    pub(super) fn tiny(batch: usize) -> Description {
        let convolution = |input, output, kernel, stride| ModuleKind::Conv2d {
            channels: [input, output],
            kernel,
            stride,
            padding: kernel / 2,
            dilation: 1,
            groups: 1,
        };
        let norm = |channels| ModuleKind::BatchNorm2d { channels };
        let module = |path: &str, kind, children| Module {
            path: path.to_owned(),
            kind,
            children,
        };
        let leaf = |path: &str, kind| module(path, kind, vec![]);
        let pool = ModuleKind::MaxPool2d {
            kernel: 3,
            stride: 2,
            padding: 1,
        };
        let linear = ModuleKind::Linear { features: [8, 10] };
        let downsample = module(
            "layer1.0.downsample",
            ModuleKind::Sequential,
            vec![
                leaf("layer1.0.downsample.0", convolution(4, 8, 1, 2)),
                leaf("layer1.0.downsample.1", norm(8)),
            ],
        );
        let block = module(
            "layer1.0",
            ModuleKind::BasicBlock,
            vec![
                leaf("layer1.0.conv1", convolution(4, 8, 3, 2)),
                leaf("layer1.0.relu", ModuleKind::Relu),
                downsample,
            ],
        );
        let network = module(
            "",
            ModuleKind::ResNet,
            vec![
                leaf("conv1", convolution(3, 4, 7, 2)),
                leaf("maxpool", pool),
                module("layer1", ModuleKind::Sequential, vec![block]),
                leaf("avgpool", ModuleKind::AdaptiveAvgPool2d),
                leaf("fc", linear),
            ],
        );
        let call = |path: &str, kind, input: &[usize], output: &[usize]| ModuleCall {
            path: path.to_owned(),
            kind,
            input: [&[batch], input].concat(),
            output: [&[batch], output].concat(),
        };
        let (whole, half) = ([4, 8, 8], [8, 4, 4]);
        let calls = vec![
            call("conv1", convolution(3, 4, 7, 2), &[3, 32, 32], &[4, 16, 16]),
            call("maxpool", pool, &[4, 16, 16], &whole),
            call("layer1.0.conv1", convolution(4, 8, 3, 2), &whole, &half),
            call("layer1.0.relu", ModuleKind::Relu, &half, &half),
            call(
                "layer1.0.downsample.0",
                convolution(4, 8, 1, 2),
                &whole,
                &half,
            ),
            call("layer1.0.downsample.1", norm(8), &half, &half),
            call("layer1.0.downsample", ModuleKind::Sequential, &whole, &half),
            call("layer1.0.relu", ModuleKind::Relu, &half, &half),
            call("layer1.0", ModuleKind::BasicBlock, &whole, &half),
            call("layer1", ModuleKind::Sequential, &whole, &half),
            call("avgpool", ModuleKind::AdaptiveAvgPool2d, &half, &[8, 1, 1]),
            call("fc", linear, &[8], &[10]),
            call("", ModuleKind::ResNet, &[3, 32, 32], &[10]),
        ];
        Description {
            name: "resnet".to_owned(),
            input: [batch, 3, 32, 32],
            root: network,
            calls,
        }
    }

    #[test]
    fn thousands_are_separated_as_in_python() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (25_557_032, "25,557,032"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn numbers_halfway_are_rounded_to_even_as_in_python() {
        // Sizes in 1024 x 1024 bytes are multiples of a power of two, so that a third digit of 5 does end some.
        for (number, text) in [
            (0.125, "0.12"),
            (0.375, "0.38"),
            (0.625, "0.62"),
            (2.5, "2.50"),
        ] {
            assert_eq!(format!("{number:.2}"), text);
        }
    }
}
