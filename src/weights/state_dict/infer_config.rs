//! Inference of the architecture from the names and shapes of the tensors.
//!
//! They determine all but three things, for which the usual choice is assumed: strides placed as in v1.5, no dilation,
//! and a first stage without stride. Shortcuts without parameters leave no trace: whether a network has padded
//! shortcuts or none, and how they pad, cannot be seen. Without a configuration such a model is rejected rather than
//! guessed.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::rename::NamedTensors;
use crate::{
    error::{error_with_hint, without_backtrace},
    model::{BlockKind, ModelConfig, ShortcutKind, StemKind, StridePlacement},
    weights::{
        config::checks::{deserialize, ensure_buildable},
        hints::DAMAGED,
    },
};

const INCOMPLETE: &str = "a complete model is needed: save the model's whole state dict";

/// Returns the architecture of the model with the weights `tensors`, with the keys of it that are `known` from
/// elsewhere.
pub fn infer_with_known(tensors: &NamedTensors, known: &Map<String, Value>) -> Result<ModelConfig> {
    if known.is_empty() {
        return infer(tensors);
    }
    let inferred = infer_assuming_projections(tensors)?;
    if !known.contains_key("shortcut") {
        ensure_known_shortcuts(&inferred, tensors)?;
    }
    let mut keys = json!(inferred);
    for (key, value) in known {
        keys[key] = value.clone();
    }
    let config: ModelConfig = deserialize(&keys).context("key `resnet`")?;
    ensure_buildable(&config).context("key `resnet`")?;
    Ok(config)
}

/// Returns the architecture of the model with the weights `tensors`.
pub fn infer(tensors: &NamedTensors) -> Result<ModelConfig> {
    let config = infer_assuming_projections(tensors)?;
    ensure_known_shortcuts(&config, tensors)?;
    Ok(config)
}

/// Returns the architecture shown by the tensors, assuming projection shortcuts.
fn infer_assuming_projections(tensors: &NamedTensors) -> Result<ModelConfig> {
    let [stem_channels, in_channels, kernel, _] = shape_of::<4>(tensors, "conv1.weight")?;
    let stem = match kernel {
        7 => StemKind::Imagenet,
        3 => StemKind::Cifar,
        other => {
            return Err(error_with_hint(
                format!(
                    "`{}` is a {other}x{other} convolution: a stem must be 7x7 or 3x3",
                    tensors["conv1.weight"].raw
                ),
                "pass a model with the ImageNet stem or the CIFAR stem",
            ));
        }
    };
    let [classes, _] = shape_of::<2>(tensors, "fc.weight")?;
    let blocks = count_blocks(tensors)?;
    let bottleneck = tensors.contains_key("layer1.0.conv3.weight");
    let mut config = ModelConfig {
        block: if bottleneck {
            BlockKind::Bottleneck
        } else {
            BlockKind::Basic
        },
        planes: Vec::with_capacity(blocks.len()),
        dilated: vec![false; blocks.len()],
        blocks,
        stem,
        stem_channels,
        in_channels,
        groups: 1,
        width_per_group: 64,
        stride_placement: StridePlacement::V15,
        shortcut: ShortcutKind::Projection,
        first_stage_stride: 1,
        classes,
    };
    let mut widths = Vec::new();
    for stage in 1..=config.blocks.len() {
        let name = |convolution| format!("layer{stage}.0.{convolution}.weight");
        let [width, group_width, ..] = shape_of::<4>(tensors, &name("conv2"))?;
        if bottleneck {
            let [channels, ..] = shape_of::<4>(tensors, &name("conv3"))?;
            if channels % 4 != 0 {
                return Err(error_with_hint(
                    format!(
                        "`{}` has {channels} output channels: those of a bottleneck must be a multiple of 4",
                        tensors[&name("conv3")].raw
                    ),
                    "pass a model whose bottlenecks have four times as many output channels as planes",
                ));
            }
            config.planes.push(channels / 4);
            widths.push([width, group_width]);
        } else {
            config.planes.push(width);
        }
    }
    if bottleneck {
        (config.groups, config.width_per_group) = infer_groups(&config.planes, &widths)?;
    }
    config
        .validate()
        .map_err(|error| error_with_hint(without_backtrace(&error), DAMAGED))?;
    Ok(config)
}

/// Returns an error if the tensors do not determine the shortcuts of a model of `config`.
fn ensure_known_shortcuts(config: &ModelConfig, tensors: &NamedTensors) -> Result<()> {
    let needed = config.blocks.len() > 1 || config.stem_channels != config.stage_channels(0);
    if needed && !tensors.keys().any(|name| name.contains(".downsample.")) {
        return Err(error_with_hint(
            "it has no projection shortcuts (`layer2.0.downsample.0.weight`), and the tensors do not show whether it has padded shortcuts or none",
            "put a `config.json` beside it that specifies them: {\"resnet\": {\"shortcut\": \"padded\"}}, or \"none\"",
        ));
    }
    Ok(())
}

/// Returns the number of blocks per stage: how many different `layerS.B` there are.
fn count_blocks(tensors: &NamedTensors) -> Result<Vec<usize>> {
    let mut stages: Vec<BTreeSet<usize>> = Vec::new();
    let places: BTreeSet<(usize, usize)> = tensors
        .keys()
        .filter_map(|name| {
            let mut parts = name.strip_prefix("layer")?.split('.');
            let stage = parts.next()?.parse().ok().filter(|stage| *stage > 0)?;
            Some((stage, parts.next()?.parse().ok()?))
        })
        .collect();
    for (stage, block) in places {
        if stage == stages.len() + 1 {
            stages.push(BTreeSet::new());
        }
        if stage != stages.len() {
            return Err(missing_stage_error(stages.len() + 1));
        }
        stages[stage - 1].insert(block);
    }
    if stages.is_empty() {
        return Err(missing_stage_error(1));
    }
    Ok(stages.iter().map(BTreeSet::len).collect())
}

fn missing_stage_error(stage: usize) -> anyhow::Error {
    error_with_hint(format!("tensors of `layer{stage}` are missing"), INCOMPLETE)
}

/// Returns groups and width per group of bottlenecks of `planes`, whose 3x3 convolutions have `widths`: output
/// channels, and channels per group. If several widths per group give the same model, 64 is preferred, else the
/// smallest.
fn infer_groups(planes: &[usize], widths: &[[usize; 2]]) -> Result<(usize, usize)> {
    let fit = || {
        let [width, group_width] = *widths.first()?;
        let groups = width.checked_div(group_width)?;
        let (mut least, mut most) = (1, usize::MAX);
        for (&planes, &[width, _]) in planes.iter().zip(widths) {
            // width = floor(planes * width_per_group / 64) * groups
            let a_group = width.checked_div(groups)?;
            least = least.max(a_group.checked_mul(64)?.div_ceil(planes.max(1)));
            most = most.min(((a_group + 1).checked_mul(64)? - 1) / planes.max(1));
            if width % groups != 0 {
                return None;
            }
        }
        let width_per_group = if (least..=most).contains(&64) {
            64
        } else {
            least
        };
        (least <= most).then_some((groups, width_per_group))
    };
    fit().ok_or_else(|| {
        let widths: Vec<usize> = widths.iter().map(|[width, _]| *width).collect();
        error_with_hint(
            format!(
                "bottlenecks of widths {widths:?} with {planes:?} planes per stage have no common width per group"
            ),
            "pass a model whose stages share one width per group, such as a ResNeXt or a wide ResNet",
        )
    })
}

/// Returns the shape of the tensor `name`, which must have `N` axes.
fn shape_of<const N: usize>(tensors: &NamedTensors, name: &str) -> Result<[usize; N]> {
    let named = tensors
        .get(name)
        .ok_or_else(|| error_with_hint(format!("tensor `{name}` is missing"), INCOMPLETE))?;
    let shape = &named.info.shape;
    shape.as_slice().try_into().map_err(|_| {
        error_with_hint(
            format!(
                "tensor `{}` has shape {shape:?}: it must have {N} axes",
                named.raw
            ),
            INCOMPLETE,
        )
    })
}
