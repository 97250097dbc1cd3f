//! Rejection of models that resemble a supported `ResNet`, and of other networks, by characteristic tensors.
//!
//! Variants that leave no trace in the tensors (timm's `resnetblur50`, whose filters are constants) are revealed only
//! by the `architecture` of a configuration: [`crate::weights::config::timm`] rejects them there.

use anyhow::Result;

use super::rename::NamedTensors;
use crate::error::error_with_hint;
use crate::model::StemKind;
use crate::weights::format::tensor_info::ElementType;

/// Other networks, each with the prefix of a tensor name that identifies it.
const NETWORKS: [(&str, &str); 17] = [
    ("features.conv0.", "DenseNet"),
    ("features.0.0.", "MobileNet or EfficientNet"),
    ("features.0.", "VGG or AlexNet"),
    ("conv_stem.", "EfficientNet or MobileNet"),
    (
        "stem.conv.",
        "RegNet, or a ResNet of version 2 (norms before convolutions)",
    ),
    ("patch_embed.", "a vision transformer"),
    ("cls_token", "a vision transformer"),
    ("class_token", "a vision transformer"),
    ("conv_proj.", "a vision transformer"),
    ("vit.", "a vision transformer"),
    ("deit.", "a vision transformer"),
    ("swin.", "a vision transformer"),
    ("visual.", "CLIP"),
    ("vision_model.", "CLIP"),
    ("downsample_layers.", "ConvNeXt"),
    ("convnext.", "ConvNeXt"),
    ("stem.", "ConvNeXt or another network with a `stem`"),
];

/// Returns an error if the tensors belong to a network outside the supported family.
pub fn ensure_supported(tensors: &NamedTensors) -> Result<()> {
    let stem = StemKind::Deep.layer_names().iter();
    let is_deep = stem.map(|[conv, _]| format!("{conv}.weight"));
    let is_deep = is_deep.into_iter().all(|name| tensors.contains_key(&name));
    if !is_deep && !tensors.contains_key("conv1.weight") {
        return Err(other_network_error(tensors));
    }
    for (name, named) in tensors {
        let raw = &named.raw;
        if name.contains(".convs.") {
            return Err(error_with_hint(
                format!(
                    "it is a Res2Net, whose blocks split their channels (`{raw}`), which is not supported"
                ),
                "pass a plain ResNet, such as `resnet50` instead of `res2net50_26w_4s`",
            ));
        }
        if name.rsplit('.').next() == Some("filt") || name.contains(".aa.") {
            return Err(error_with_hint(
                format!("it has anti-aliased strides (`{raw}`), which are not supported"),
                "pass a plain ResNet, such as `resnet50` instead of `resnetblur50`",
            ));
        }
    }
    let branches = |name: &&String| name.starts_with("stage2.") || name.starts_with("transition1.");
    if let (true, Some(name)) = (
        tensors.contains_key("conv2.weight"),
        tensors.keys().find(branches),
    ) {
        return Err(error_with_hint(
            format!(
                "it is an HRNet, with branches at several resolutions (`{name}`), which is not supported"
            ),
            "pass a plain ResNet, such as `resnet50` instead of `hrnet_w18`",
        ));
    }
    if !tensors.contains_key("fc.weight") {
        let stem = tensors.get("conv1.weight");
        let bare = stem.is_some_and(|stem| stem.raw.contains("embedder"));
        return Err(error_with_hint(
            "the classifier (`fc.weight` and `fc.bias`) is missing",
            if bare {
                "it is a backbone without a classifier; save transformers' `ResNetForImageClassification`, not `ResNetModel`"
            } else {
                "save the whole model; if the classifier has another name, rename it to `fc`"
            },
        ));
    }
    Ok(())
}

fn other_network_error(tensors: &NamedTensors) -> anyhow::Error {
    let Some(first) = tensors.values().next() else {
        return error_with_hint(
            "it holds no tensors",
            "pass the file that holds the weights",
        );
    };
    let known = NETWORKS.iter().find_map(|(prefix, network)| {
        let named = tensors.iter().find(|(name, _)| name.starts_with(prefix))?;
        Some((&named.1.raw, *network))
    });
    let message = match known {
        Some((raw, network)) => {
            format!("it is not a ResNet: it has `{raw}`, like {network}, and no `conv1.weight`")
        }
        None => format!(
            "it is not a known ResNet: it has `{}` and no `conv1.weight`",
            first.raw
        ),
    };
    error_with_hint(
        message,
        "pass ResNet weights with torchvision's, timm's or transformers' names",
    )
}

/// Returns an error if a tensor does not hold floating-point values; counters are allowed to.
pub fn ensure_float_types(tensors: &NamedTensors) -> Result<()> {
    for (name, named) in tensors {
        if let (ElementType::Other(other), false) =
            (&named.info.element, name.ends_with("num_batches_tracked"))
        {
            let message = format!(
                "tensor `{}` has elements of type `{other}`: weights must be f16, bf16, f32 or f64",
                named.raw
            );
            let is_quantized = other.starts_with('q') || matches!(other.as_str(), "i8" | "u8");
            return Err(error_with_hint(
                message,
                if is_quantized {
                    "pass the weights from before quantization"
                } else {
                    "save the weights in one of these types: `model.float().state_dict()`"
                },
            ));
        }
    }
    Ok(())
}
