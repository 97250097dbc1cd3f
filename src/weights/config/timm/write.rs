//! Writing of a model's configuration in timm's form.

use serde_json::{Value, json};

use crate::{
    model::{ModelConfig, OutputFunction, Preprocess, StemKind},
    weights::provenance::{KEY, TrainingProvenance},
};

/// Returns a model's description in timm's form, so that timm loads the architectures that it has, with the key `resnet` for
/// all of them. `labels` is empty if the model names no classes; `problem_type` is
/// transformers' key, for a function that the number of classes does not tell.
pub fn write(
    config: &ModelConfig,
    preprocess: &Preprocess,
    labels: &[String],
    function: OutputFunction,
    provenance: Option<&TrainingProvenance>,
) -> Value {
    let Preprocess {
        size,
        crop_pct,
        crop_mode,
        interpolation,
        mean,
        std,
        test_size,
        test_crop_pct,
        exif,
    } = preprocess;
    let sized = |[height, width]: &[usize; 2]| json!([config.in_channels, height, width]);
    let mut pretrained = json!({
        "input_size": sized(size),
        "interpolation": interpolation,
        "crop_pct": crop_pct,
        "crop_mode": crop_mode,
        "mean": decimals(mean),
        "std": decimals(std),
        "num_classes": config.classes,
        "pool_size": [7, 7],
        "first_conv": config.stem.layer_names()[0][0],
        "classifier": "fc",
    });
    if let Some(size) = test_size {
        pretrained["test_input_size"] = sized(size);
    }
    if let Some(crop) = test_crop_pct {
        pretrained["test_crop_pct"] = json!(crop);
    }
    let mut value = json!({
        "architecture": architecture_name(config),
        "num_classes": config.classes,
        "num_features": config.features(),
        "global_pool": "avg",
    });
    if config.in_channels != 3 {
        value["model_args"] = json!({ "in_chans": config.in_channels });
    }
    if !labels.is_empty() {
        value["label_names"] = json!(labels);
    }
    if let Some(problem) = function.problem_type(config.classes) {
        value["problem_type"] = json!(problem);
    }
    value["pretrained_cfg"] = pretrained;
    value["resnet"] = json!(config);
    if !exif {
        value["resnet_exif"] = json!(false);
    }
    if let Some(provenance) = provenance {
        value[KEY] = json!(provenance);
    }
    value
}

/// Returns the shortest decimals that stand for the same numbers: 0.485 rather than 0.48500001430511475.
fn decimals(values: &[f32]) -> Vec<f64> {
    let decimal = |value: &f32| value.to_string().parse().unwrap_or(f64::from(*value));
    values.iter().map(decimal).collect()
}

/// Returns timm's name of the architecture; if timm lacks it, a name of our own, which timm does not know.
fn architecture_name(config: &ModelConfig) -> String {
    let Some(name) = config.name() else {
        return format!("resnet{}_custom", config.depth());
    };
    let usual = ModelConfig::named(name).is_some_and(|named| named.stem == config.stem);
    match config.stem {
        _ if usual => name.to_owned(),
        StemKind::Cifar => format!("{name}_cifar"),
        StemKind::Imagenet | StemKind::Deep | StemKind::DeepTiered => format!("{name}_imagenet"),
    }
}
