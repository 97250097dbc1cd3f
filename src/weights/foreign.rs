//! Nets that look like a `ResNet` and are none of ours, and nets that are none at all: refused by what gives them away.
//!
//! What leaves no trace in the tensors (timm's `resnetblur50`, whose filters are constants) only a configuration's
//! `architecture` gives away: [`super::timm`] refuses it there.

use anyhow::Result;

use super::names::Tensors;
use crate::error::hinted;

/// Other networks: the beginning of a tensor's name that gives each away.
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
    ("stem.", "ConvNeXt or another net with a `stem`"),
];

/// Refuses tensors that are of another net than the family's.
pub fn refuse(tensors: &Tensors) -> Result<()> {
    let has_blocks = tensors.contains_key("layer1.0.conv1.weight");
    if let (true, Some(named)) = (has_blocks, tensors.get("conv1.0.weight")) {
        return Err(hinted(
            format!(
                "it is a ResNet-C or ResNet-D, whose stem is three convolutions (`{}`); only the 7x7 and the 3x3 stem are built",
                named.raw
            ),
            "pass the plain net, `resnet50` rather than `resnet50d`",
        ));
    }
    if !tensors.contains_key("conv1.weight") {
        return Err(another_network(tensors));
    }
    for (name, named) in tensors {
        let raw = &named.raw;
        if name.ends_with(".downsample.1.weight") && named.info.shape.len() == 4 {
            return Err(hinted(
                format!(
                    "it is a ResNet-D, whose shortcuts pool before they convolve (`{raw}` has four dimensions)"
                ),
                "pass the plain net, `resnet50` rather than `resnet50d`",
            ));
        }
        if name.contains(".se.") || name.contains(".se_module.") || name.contains(".attn") {
            return Err(hinted(
                format!(
                    "it has blocks with attention, as SE and ECA nets (`{raw}`), which are not built"
                ),
                "pass the plain net, `resnet50` rather than `seresnet50` or `ecaresnet50d`",
            ));
        }
        if name.contains(".convs.") {
            return Err(hinted(
                format!(
                    "it is a Res2Net, whose blocks split their channels (`{raw}`), which are not built"
                ),
                "pass the plain net, `resnet50` rather than `res2net50_26w_4s`",
            ));
        }
        if name.rsplit('.').next() == Some("filt") || name.contains(".aa.") {
            return Err(hinted(
                format!("it has anti-aliased strides (`{raw}`), which are not built"),
                "pass the plain net, `resnet50` rather than `resnetblur50`",
            ));
        }
    }
    let normalised = tensors.keys().any(|name| name.ends_with(".running_mean"));
    if !normalised && tensors.contains_key("bn1.weight") {
        return Err(hinted(
            "it has no running statistics (`bn1.running_mean`): its norm is GroupNorm or another, and only batch norm is built",
            "pass a net with batch norm, `resnet50` rather than `resnet50_gn`",
        ));
    }
    let branches = |name: &&String| name.starts_with("stage2.") || name.starts_with("transition1.");
    if let (true, Some(name)) = (
        tensors.contains_key("conv2.weight"),
        tensors.keys().find(branches),
    ) {
        return Err(hinted(
            format!(
                "it is an HRNet, whose branches keep several sizes (`{name}`), which are not built"
            ),
            "pass a plain net, `resnet50` rather than `hrnet_w18`",
        ));
    }
    if !tensors.contains_key("fc.weight") {
        let bare = tensors["conv1.weight"].raw.contains("embedder");
        return Err(hinted(
            "the classifier (`fc.weight` and `fc.bias`) is missing",
            if bare {
                "it is a bare backbone; save transformers' `ResNetForImageClassification`, not `ResNetModel`"
            } else {
                "save the whole model; if the classifier has another name, rename it to `fc`"
            },
        ));
    }
    Ok(())
}

fn another_network(tensors: &Tensors) -> anyhow::Error {
    let Some(first) = tensors.values().next() else {
        return hinted(
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
            format!("it is not a ResNet: it has `{raw}`, as {network}, and no `conv1.weight`")
        }
        None => format!(
            "it is not a ResNet that is known: it has `{}` and no `conv1.weight`",
            first.raw
        ),
    };
    hinted(
        message,
        "pass weights with torchvision's, timm's or transformers' ResNet names",
    )
}

/// Refuses tensors whose elements are not floating point; counters may be.
pub fn refuse_types(tensors: &Tensors) -> Result<()> {
    use super::file::Element;
    for (name, named) in tensors {
        if let (Element::Other(other), false) =
            (&named.info.element, name.ends_with("num_batches_tracked"))
        {
            let message = format!(
                "tensor `{}` has elements of type `{other}`: weights must be f16, bf16, f32 or f64",
                named.raw
            );
            let quantised = other.starts_with('q') || matches!(other.as_str(), "i8" | "u8");
            return Err(hinted(
                message,
                if quantised {
                    "pass the weights from before quantisation"
                } else {
                    "save the weights in one of these: `model.float().state_dict()`"
                },
            ));
        }
    }
    Ok(())
}
