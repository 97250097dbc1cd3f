//! Tensor names as torchvision's, whatever wrote them.
//!
//! timm's names are torchvision's. Transformers', and the `shortcut` and `linear` of
//! [kuangliu/pytorch-cifar](https://github.com/kuangliu/pytorch-cifar), are translated; the prefixes that wrapping a model
//! leaves (`module.` of data parallelism, `_orig_mod.` of `torch.compile`, `timm_model.` of timm's models in transformers, the
//! attribute of a surrounding module) go.

use std::collections::BTreeMap;

use anyhow::Result;

use super::file::Info;
use crate::error::hinted;

/// Prefixes that say nothing of the net.
const PREFIXES: [&str; 8] = [
    "module.",
    "_orig_mod.",
    "model.",
    "timm_model.",
    "net.",
    "network.",
    "backbone.",
    "resnet.",
];

/// A tensor and what its file calls it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The name in the file.
    pub raw: String,
    /// Its shape and type.
    pub info: Info,
}

/// Tensors by torchvision's names.
pub type Tensors = BTreeMap<String, Named>;

/// The tensors of a file by torchvision's names; those that are unknown keep theirs.
pub fn canonical(infos: &BTreeMap<String, Info>) -> Result<Tensors> {
    let mut tensors = Tensors::new();
    for (raw, info) in infos {
        let name = translate(raw);
        let named = Named {
            raw: raw.clone(),
            info: info.clone(),
        };
        if let Some(other) = tensors.insert(name.clone(), named) {
            return Err(hinted(
                format!("tensors `{}` and `{raw}` would both be `{name}`", other.raw),
                "save one net alone: `torch.save(model.state_dict(), \"weights.pth\")`",
            ));
        }
    }
    Ok(tensors)
}

/// torchvision's name of the tensor that a file calls `raw`.
fn translate(raw: &str) -> String {
    let mut name = raw;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    let name = name.replace("._orig_mod.", ".");
    from_transformers(&name)
        .or_else(|| from_kuangliu(&name))
        .unwrap_or(name)
}

/// `encoder.stages.S.layers.L.layer.B.convolution.weight` and its like, without the prefix `resnet.`.
fn from_transformers(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("classifier.1.") {
        return Some(format!("fc.{rest}"));
    }
    if let Some(rest) = name.strip_prefix("embedder.embedder.") {
        return match rest.split_once('.')? {
            ("convolution", rest) => Some(format!("conv1.{rest}")),
            ("normalization", rest) => Some(format!("bn1.{rest}")),
            _ => None,
        };
    }
    let parts: Vec<&str> = name.strip_prefix("encoder.stages.")?.split('.').collect();
    let stage = parts.first()?.parse::<usize>().ok()?.checked_add(1)?;
    match parts[1..] {
        ["layers", layer, "shortcut", module, tensor] => {
            let index = match module {
                "convolution" => 0,
                "normalization" => 1,
                _ => return None,
            };
            Some(format!("layer{stage}.{layer}.downsample.{index}.{tensor}"))
        }
        ["layers", layer, "layer", index, module, tensor] => {
            let index = index.parse::<usize>().ok()?.checked_add(1)?;
            let module = match module {
                "convolution" => "conv",
                "normalization" => "bn",
                _ => return None,
            };
            Some(format!("layer{stage}.{layer}.{module}{index}.{tensor}"))
        }
        _ => None,
    }
}

/// `layer2.0.shortcut.0.weight` and `linear.weight`.
fn from_kuangliu(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("linear.") {
        return Some(format!("fc.{rest}"));
    }
    match name.split('.').collect::<Vec<_>>()[..] {
        [stage, block, "shortcut", index, tensor] if stage.starts_with("layer") => {
            Some(format!("{stage}.{block}.downsample.{index}.{tensor}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::file::Element;

    #[test]
    fn every_naming_becomes_torchvisions() {
        for (raw, name) in [
            ("layer1.0.conv1.weight", "layer1.0.conv1.weight"),
            ("module.bn1.running_var", "bn1.running_var"),
            ("timm_model.layer1.0.bn1.bias", "layer1.0.bn1.bias"),
            ("module._orig_mod.model.fc.bias", "fc.bias"),
            ("layer1._orig_mod.0.conv1.weight", "layer1.0.conv1.weight"),
            (
                "resnet.embedder.embedder.convolution.weight",
                "conv1.weight",
            ),
            (
                "embedder.embedder.normalization.running_mean",
                "bn1.running_mean",
            ),
            (
                "resnet.encoder.stages.0.layers.2.layer.1.convolution.weight",
                "layer1.2.conv2.weight",
            ),
            (
                "resnet.encoder.stages.3.layers.0.layer.2.normalization.num_batches_tracked",
                "layer4.0.bn3.num_batches_tracked",
            ),
            (
                "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight",
                "layer2.0.downsample.0.weight",
            ),
            (
                "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias",
                "layer2.0.downsample.1.bias",
            ),
            ("classifier.1.weight", "fc.weight"),
            (
                "module.layer3.0.shortcut.1.weight",
                "layer3.0.downsample.1.weight",
            ),
            ("module.linear.bias", "fc.bias"),
            ("features.0.weight", "features.0.weight"),
            ("encoder.stages.x.layers.0", "encoder.stages.x.layers.0"),
            (
                "encoder.stages.18446744073709551615.layers.0.shortcut.convolution.weight",
                "encoder.stages.18446744073709551615.layers.0.shortcut.convolution.weight",
            ),
        ] {
            assert_eq!(translate(raw), name);
        }
    }

    #[test]
    fn two_tensors_of_one_name_are_refused() {
        let info = Info {
            shape: vec![1],
            element: Element::Float(candle_core::DType::F32),
        };
        let infos =
            ["conv1.weight", "module.conv1.weight"].map(|name| (name.to_owned(), info.clone()));
        assert_eq!(
            canonical(&infos.into()).unwrap_err().to_string(),
            "tensors `conv1.weight` and `module.conv1.weight` would both be `conv1.weight`"
        );
    }
}
