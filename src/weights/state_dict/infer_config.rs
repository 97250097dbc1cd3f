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
    model::{
        BlockKind, ModelConfig, ShortcutKind, StemKind,
        config::{Attention, NormKind, PrunedChannels, StemPool},
    },
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
    let [classes, _] = shape_of::<2>(tensors, "fc.weight")?;
    let blocks = count_blocks(tensors)?;
    let kinds = (1..=blocks.len()).map(|stage| kind_of(tensors, stage));
    let kinds: Vec<BlockKind> = kinds.collect();
    let mut config = ModelConfig {
        classes,
        ..ModelConfig::imagenet(kinds[0], &blocks)
    };
    infer_stem(tensors, &mut config)?;
    if kinds.iter().any(|kind| *kind != kinds[0]) {
        config.stage_kinds = kinds;
    }
    config.pruned = pruned_channels(tensors, &config);
    if config.pruned.is_none() {
        infer_widths(tensors, &mut config)?;
    }
    infer_options(tensors, &mut config)?;
    config
        .validate()
        .map_err(|error| error_with_hint(without_backtrace(&error), DAMAGED))?;
    Ok(config)
}

/// Returns the kind of the blocks of a stage, counted from 1.
fn kind_of(tensors: &NamedTensors, stage: usize) -> BlockKind {
    if tensors.contains_key(&format!("layer{stage}.0.conv3.weight")) {
        BlockKind::Bottleneck
    } else {
        BlockKind::Basic
    }
}

/// Sets the stem of `config`, and the input channels.
fn infer_stem(tensors: &NamedTensors, config: &mut ModelConfig) -> Result<()> {
    if ["conv1.0.weight", "conv1.3.weight", "conv1.6.weight"]
        .iter()
        .all(|name| tensors.contains_key(*name))
    {
        let [first, in_channels, ..] = shape_of::<4>(tensors, "conv1.0.weight")?;
        let [stem_channels, ..] = shape_of::<4>(tensors, "conv1.6.weight")?;
        let kinds = [StemKind::Deep, StemKind::DeepTiered].into_iter();
        let mut fitting = kinds.filter(|kind| kind.channels(stem_channels)[0] == first);
        config.stem = fitting.next().ok_or_else(|| {
            error_with_hint(
                format!(
                    "`{}` has {first} output channels: those of a deep stem of {stem_channels} must be {} or {}",
                    tensors["conv1.0.weight"].raw,
                    stem_channels / 2,
                    stem_channels / 8 * 3
                ),
                "pass a model with timm's `deep` or `deep_tiered` stem",
            )
        })?;
        (config.stem_channels, config.in_channels) = (stem_channels, in_channels);
        return Ok(());
    }
    let [stem_channels, in_channels, kernel, _] = shape_of::<4>(tensors, "conv1.weight")?;
    config.stem = match kernel {
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
    (config.stem_channels, config.in_channels) = (stem_channels, in_channels);
    Ok(())
}

/// Sets the planes, the groups and the reduction of `config`.
fn infer_widths(tensors: &NamedTensors, config: &mut ModelConfig) -> Result<()> {
    let mut widths = Vec::new();
    let mut planes_of_widths = Vec::new();
    for stage in 0..config.blocks.len() {
        let name = |convolution| format!("layer{}.0.{convolution}.weight", stage + 1);
        let [first, ..] = shape_of::<4>(tensors, &name("conv1"))?;
        let [width, group_width, ..] = shape_of::<4>(tensors, &name("conv2"))?;
        if config.kind_of(stage) == BlockKind::Basic {
            config.planes[stage] = width;
        } else {
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
            config.planes[stage] = channels / 4;
            planes_of_widths.push(channels / 4);
            // The inputs of a group: of a convolution that may have fewer of them than outputs.
            let reduction = width
                .checked_div(first)
                .filter(|ratio| *ratio > 0)
                .unwrap_or(1);
            widths.push([width, group_width * reduction]);
        }
        config.first_reduction = width.checked_div(first).unwrap_or(1).max(1);
    }
    if !widths.is_empty() {
        (config.groups, config.width_per_group) = infer_groups(&planes_of_widths, &widths)?;
    }
    Ok(())
}

/// Returns the channels of a network whose blocks differ within a stage; `None` if they do not, or a convolution is missing.
fn pruned_channels(tensors: &NamedTensors, config: &ModelConfig) -> Option<PrunedChannels> {
    let mut channels = PrunedChannels {
        stages: Vec::new(),
        inner: Vec::new(),
    };
    for (stage, &blocks) in config.blocks.iter().enumerate() {
        let convolutions = match config.kind_of(stage) {
            BlockKind::Basic => 2,
            BlockKind::Bottleneck => 3,
        };
        let output = |block: usize, convolution: usize| {
            let name = format!("layer{}.{block}.conv{convolution}.weight", stage + 1);
            tensors.get(&name)?.info.shape.first().copied()
        };
        channels.stages.push(output(0, convolutions)?);
        let inner = |block| (1..convolutions).map(|i| output(block, i)).collect();
        let inner: Option<Vec<Vec<usize>>> = (0..blocks).map(inner).collect();
        channels.inner.push(inner?);
    }
    let mut stages = channels.inner.iter();
    let differ = stages.any(|blocks| blocks.iter().any(|block| *block != blocks[0]));
    differ.then_some(channels)
}

/// Sets the options of `config` that tensors show: pooling, norm, attention and projections.
fn infer_options(tensors: &NamedTensors, config: &mut ModelConfig) -> Result<()> {
    let has = |name: &str| tensors.contains_key(name);
    if has("maxpool.0.weight") {
        config.stem_pool = StemPool::Convolution;
    }
    if has("bn1.weight") && !tensors.keys().any(|name| name.ends_with(".running_mean")) {
        config.norm = NormKind::Group;
    }
    if has("layer1.0.se.conv.weight") {
        config.attention = Attention::Eca;
    } else if has("layer1.0.se.fc1.weight") {
        config.attention = infer_squeeze(tensors, config)?;
    }
    let first = |stage: usize, index: usize| format!("layer{stage}.0.downsample.{index}.weight");
    let stages = 1..=config.blocks.len();
    let averages = |stage| {
        let named = tensors.get(&first(stage, 1));
        named.is_some_and(|named| named.info.shape.len() == 4)
    };
    if stages.clone().any(averages) {
        config.shortcut = ShortcutKind::AverageProjection;
    } else if config.blocks.len() > 1
        && let Some(named) = tensors.get(&first(2, 0))
        && let [_, _, kernel, _] = named.info.shape[..]
    {
        config.projection_kernel = kernel;
    }
    Ok(())
}

/// Returns squeeze-and-excitation with the reduction that its tensors show; timm's usual one is preferred.
fn infer_squeeze(tensors: &NamedTensors, config: &ModelConfig) -> Result<Attention> {
    let mut sizes = Vec::new();
    for stage in 0..config.blocks.len() {
        let name = format!("layer{}.0.se.fc1.weight", stage + 1);
        let [squeezed, channels, ..] = shape_of::<4>(tensors, &name)?;
        sizes.push([channels, squeezed]);
    }
    let fits = |reduction: &usize| {
        sizes
            .iter()
            .all(|&[channels, squeezed]| Attention::squeezed(channels, *reduction) == squeezed)
    };
    let reduction = [16, 4, 8, 2, 32, 1].into_iter().find(fits);
    reduction
        .map(|reduction| Attention::Se { reduction })
        .ok_or_else(|| {
            error_with_hint(
                format!("squeeze-and-excitation of channels and squeezed channels {sizes:?} has no common reduction"),
                "pass a model whose `se.fc1` has a sixteenth or a quarter of the channels, as timm's",
            )
        })
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
