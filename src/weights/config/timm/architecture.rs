//! The models that timm builds, by name and arguments.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::{
    error::{Error, WithKind, error_with_hint},
    model::{ModelConfig, StemKind},
};

/// Arguments of timm's models that have no effect in evaluation.
const IGNORED_ARGUMENTS: [&str; 10] = [
    "num_classes",
    "in_chans",
    "output_stride",
    "global_pool",
    "drop_rate",
    "drop_path_rate",
    "drop_block_rate",
    "zero_init_last",
    "pretrained",
    "checkpoint_path",
];

/// Returns the architecture that timm builds under `name` (without a tag), if it is of the family.
pub fn timm_architecture(name: &str) -> Option<ModelConfig> {
    // timm has none of the paper's CIFAR networks.
    ModelConfig::named(name.split('.').next()?).filter(|config| config.stem != StemKind::Cifar)
}

/// Returns the error for an architecture that is not supported.
pub fn unknown_architecture(name: &str) -> anyhow::Error {
    let error = error_with_hint(
        format!("architecture `{name}` is not one of the family"),
        "the supported models are those of timm's `models/resnet.py`: resnet50, resnet50d, resnext50_32x4d, wide_resnet50_2, seresnet50, ecaresnet50d, resnetrs50 and their relatives",
    );
    error.with_kind(Error::UnsupportedArchitecture)
}

/// Rejects arguments under which timm builds another network.
pub fn check_arguments(arguments: &Map<String, Value>, global_pool: Option<&str>) -> Result<()> {
    if let Some(key) = arguments
        .keys()
        .find(|key| !IGNORED_ARGUMENTS.contains(&key.as_str()))
    {
        return Err(error_with_hint(
            format!("`model_args` has `{key}`, with which timm builds an unsupported model"),
            "pass a model that timm built with its default arguments",
        ));
    }
    let argument = arguments.get("global_pool").and_then(Value::as_str);
    match argument.or(global_pool) {
        None | Some("avg") => Ok(()),
        Some(other) => Err(error_with_hint(
            format!("`global_pool` is `{other}`: only `avg` is supported"),
            "pass a model with average pooling, timm's default",
        )),
    }
}

/// Replaces strides by dilation, so that features are `output_stride` times smaller than the image.
pub fn apply_output_stride(config: &mut ModelConfig, output_stride: Option<u64>) -> Result<()> {
    match output_stride {
        None | Some(32) => {}
        Some(16) => config.dilated = vec![false, false, false, true],
        Some(8) => config.dilated = vec![false, false, true, true],
        Some(other) => {
            return Err(error_with_hint(
                format!("`output_stride` is {other}: it must be 8, 16 or 32"),
                "pass a model with one of these",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_prefixes_and_tags_are_dropped() {
        for name in [
            "resnext101_32x8d",
            "ig_resnext101_32x8d",
            "resnext101_32x8d.tv_in1k",
        ] {
            assert_eq!(
                timm_architecture(name),
                ModelConfig::named("resnext101_32x8d")
            );
        }
        assert_eq!(
            timm_architecture("resnext101_32x4d")
                .unwrap()
                .width_per_group,
            4
        );
    }
}
