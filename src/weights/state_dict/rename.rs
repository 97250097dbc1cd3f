//! Translation of tensor names to torchvision's, whatever program wrote them.
//!
//! timm's names are torchvision's. Transformers' names, and the `shortcut` and `linear` of
//! [kuangliu/pytorch-cifar](https://github.com/kuangliu/pytorch-cifar), are translated. Prefixes left by wrappers are
//! removed: `module.` of data parallelism, `_orig_mod.` of `torch.compile`, `timm_model.` of timm's models in
//! transformers, and the attribute of a surrounding module.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::error::error_with_hint;
use crate::weights::format::tensor_info::TensorInfo;

/// Prefixes without information about the model.
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

/// A tensor and its name in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name in the file.
    pub raw: String,
    /// Shape and type.
    pub info: TensorInfo,
}

/// Tensors by torchvision's names.
pub type NamedTensors = BTreeMap<String, NamedTensor>;

/// Returns the tensors of a file by torchvision's names, unknown ones under their own, and notes on what was skipped.
pub fn to_torchvision_names(
    infos: &BTreeMap<String, TensorInfo>,
) -> Result<(NamedTensors, Vec<String>)> {
    let mut tensors = NamedTensors::new();
    let mut notes = Vec::new();
    let openmmlab = infos.keys().any(|name| name.starts_with("backbone."));
    let head = single_linear_layer(infos);
    for (raw, info) in infos {
        if raw.starts_with("criterion.") && infos.len() > 1 {
            notes.push(format!("`{raw}`, part of a loss, is ignored"));
            continue;
        }
        // How many models PyTorch's `AveragedModel` averaged.
        if raw == "n_averaged" && info.shape.is_empty() {
            continue;
        }
        let mut name = translate(raw);
        if let Some(rest) = name.strip_prefix("head.fc.").filter(|_| openmmlab) {
            name = format!("fc.{rest}");
        }
        if let Some(rest) = head.as_ref().and_then(|head| name.strip_prefix(head)) {
            name = format!("fc.{rest}");
        }
        let named = NamedTensor {
            raw: raw.clone(),
            info: info.clone(),
        };
        if let Some(other) = tensors.insert(name.clone(), named) {
            return Err(error_with_hint(
                format!("tensors `{}` and `{raw}` would both be `{name}`", other.raw),
                "save a single model: `torch.save(model.state_dict(), \"weights.pth\")`",
            ));
        }
    }
    if openmmlab && tensors.contains_key("layer1.0.conv3.weight") {
        notes.push(
            "its tensor names are OpenMMLab's: if its style is `caffe`, put a `config.json` beside it, {\"resnet\": {\"stride_placement\": \"v1\"}}".to_owned(),
        );
    }
    Ok((tensors, notes))
}

/// Returns `fc.1.` if that is the only linear layer of a multi-part classifier, such as `Sequential(Dropout, Linear)`.
fn single_linear_layer(infos: &BTreeMap<String, TensorInfo>) -> Option<String> {
    let mut linear = infos.iter().filter_map(|(raw, info)| {
        let name = translate(raw);
        let number = name.strip_prefix("fc.")?.strip_suffix(".weight")?;
        number
            .parse::<usize>()
            .ok()
            .filter(|_| info.shape.len() == 2)?;
        Some(format!("fc.{number}."))
    });
    linear.next().filter(|_| linear.next().is_none())
}

/// Returns torchvision's name of the tensor that a file calls `raw`.
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

/// Translates `encoder.stages.S.layers.L.layer.B.convolution.weight` and similar names, without the prefix `resnet.`.
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

/// Translates `layer2.0.shortcut.0.weight` and `linear.weight`.
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
    use crate::weights::format::tensor_info::ElementType;

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

    fn names_of(shapes: &[(&str, &[usize])]) -> (Vec<String>, Vec<String>) {
        let infos = shapes.iter().map(|&(name, shape)| {
            let info = TensorInfo {
                shape: shape.to_vec(),
                element: ElementType::Float(candle_core::DType::F32),
            };
            (name.to_owned(), info)
        });
        let (tensors, notes) = to_torchvision_names(&infos.collect()).unwrap();
        (tensors.into_keys().collect(), notes)
    }

    #[test]
    fn a_classifier_of_one_linear_layer_is_that_layer() {
        let (names, notes) =
            names_of(&[("module.fc.1.weight", &[3, 8]), ("module.fc.1.bias", &[3])]);
        assert_eq!(names, ["fc.bias", "fc.weight"]);
        assert!(notes.is_empty());
        let (names, _) = names_of(&[("fc.0.weight", &[8, 8]), ("fc.2.weight", &[3, 8])]);
        assert_eq!(names, ["fc.0.weight", "fc.2.weight"]);
        let (names, _) = names_of(&[("fc.0.weight", &[8]), ("fc.1.weight", &[3, 8])]);
        assert_eq!(names, ["fc.0.weight", "fc.weight"]);
    }

    #[test]
    fn openmmlabs_head_is_the_classifier_and_its_style_is_noted() {
        let (names, notes) = names_of(&[
            ("backbone.conv1.weight", &[1]),
            ("backbone.layer1.0.conv3.weight", &[1]),
            ("head.fc.weight", &[3, 8]),
        ]);
        assert_eq!(
            names,
            ["conv1.weight", "fc.weight", "layer1.0.conv3.weight"]
        );
        assert!(notes.len() == 1 && notes[0].contains("caffe"), "{notes:?}");
        assert_eq!(
            names_of(&[("head.fc.weight", &[3, 8])]).0,
            ["head.fc.weight"]
        );
    }

    #[test]
    fn a_loss_and_the_count_of_an_average_are_skipped() {
        let (names, notes) = names_of(&[
            ("criterion.weight", &[3]),
            ("model.conv1.weight", &[1]),
            ("n_averaged", &[]),
        ]);
        assert_eq!(names, ["conv1.weight"]);
        assert_eq!(notes, ["`criterion.weight`, part of a loss, is ignored"]);
    }

    #[test]
    fn two_tensors_of_one_name_are_rejected() {
        let info = TensorInfo {
            shape: vec![1],
            element: ElementType::Float(candle_core::DType::F32),
        };
        let infos =
            ["conv1.weight", "module.conv1.weight"].map(|name| (name.to_owned(), info.clone()));
        assert_eq!(
            to_torchvision_names(&infos.into()).unwrap_err().to_string(),
            "tensors `conv1.weight` and `module.conv1.weight` would both be `conv1.weight`"
        );
    }
}
