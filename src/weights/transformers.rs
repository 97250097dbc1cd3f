//! transformers' `config.json` of a `ResNet` and its `preprocessor_config.json`.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    configuration::{CORRECT, Configuration, buildable, typed, validate},
    labels,
};
use crate::{
    error::hinted,
    model::{
        BlockKind, CropMode, Interpolation, ModelConfig, Preprocess, ShortcutKind, StemKind,
        StridePlacement,
    },
};

/// `ResNetConfig`, with its defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    num_channels: usize,
    embedding_size: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    layer_type: String,
    hidden_act: String,
    downsample_in_first_stage: bool,
    downsample_in_bottleneck: bool,
    id2label: Option<Map<String, Value>>,
    num_labels: Option<usize>,
    architectures: Option<Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_channels: 3,
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 6, 3],
            layer_type: "bottleneck".to_owned(),
            hidden_act: "relu".to_owned(),
            downsample_in_first_stage: false,
            downsample_in_bottleneck: false,
            id2label: None,
            num_labels: None,
            architectures: None,
        }
    }
}

/// Whether the JSON is a model's configuration in transformers' form; that of timm's models in transformers is in timm's.
pub fn recognises(value: &Value) -> bool {
    let holds = |key| value.get(key).is_some();
    let timm = value.get("model_type").and_then(Value::as_str) == Some("timm_wrapper");
    !timm && (holds("model_type") || holds("architectures"))
}

/// Reads the configuration; the preprocessing is the usual one.
pub fn read(value: &Value) -> Result<Configuration> {
    match value.get("model_type").and_then(Value::as_str) {
        None | Some("resnet") => {}
        Some(other) => {
            return Err(hinted(
                format!("it is the configuration of a `{other}`, not of a ResNet"),
                "pass a model of type `resnet`, as `microsoft/resnet-50`",
            ));
        }
    }
    let given: Config = typed(value)?;
    if given
        .architectures
        .iter()
        .flatten()
        .any(|name| name == "ResNetModel")
    {
        return Err(hinted(
            "it is the configuration of `ResNetModel`, a backbone without a classifier",
            "save transformers' `ResNetForImageClassification`",
        ));
    }
    let (classes, labels) = classes(&given)?;
    let config = architecture(given, classes)?;
    Ok(Configuration {
        source: "config.json".to_owned(),
        config: Some(config),
        known: Map::new(),
        knows_in_channels: true,
        classes: Some(classes),
        labels,
        preprocess: Preprocess::default(),
        notes: Vec::new(),
    })
}

fn architecture(given: Config, classes: usize) -> Result<ModelConfig> {
    if given.hidden_act != "relu" {
        return Err(hinted(
            format!(
                "`hidden_act` is `{}`: only `relu` is built",
                given.hidden_act
            ),
            "pass a model whose activation is ReLU, as `microsoft/resnet-50`",
        ));
    }
    let block = match given.layer_type.as_str() {
        "basic" => BlockKind::Basic,
        "bottleneck" => BlockKind::Bottleneck,
        other => {
            return Err(hinted(
                format!("`layer_type` is `{other}`: it is basic or bottleneck"),
                CORRECT,
            ));
        }
    };
    let expansion = block.expansion();
    if let Some(size) = given
        .hidden_sizes
        .iter()
        .find(|size| *size % expansion != 0)
    {
        return Err(hinted(
            format!(
                "`hidden_sizes` has {size}: a bottleneck's channels are a multiple of {expansion}"
            ),
            CORRECT,
        ));
    }
    let config = ModelConfig {
        block,
        planes: given
            .hidden_sizes
            .iter()
            .map(|size| size / expansion)
            .collect(),
        dilated: vec![false; given.depths.len()],
        blocks: given.depths,
        stem: StemKind::Imagenet,
        stem_channels: given.embedding_size,
        in_channels: given.num_channels,
        groups: 1,
        width_per_group: 64,
        stride_placement: if given.downsample_in_bottleneck {
            StridePlacement::V1
        } else {
            StridePlacement::V15
        },
        shortcut: ShortcutKind::Projection,
        first_stage_stride: if given.downsample_in_first_stage {
            2
        } else {
            1
        },
        classes,
    };
    buildable(&config)?;
    Ok(config)
}

/// Number and names of the classes.
fn classes(given: &Config) -> Result<(usize, Vec<String>)> {
    let Some(named) = &given.id2label else {
        // transformers leaves out two unnamed labels, its default.
        return Ok((given.num_labels.unwrap_or(2), Vec::new()));
    };
    Ok((
        named.len(),
        labels::listed("id2label", &Value::Object(named.clone()))?,
    ))
}

/// An image processor; transformers writes `null` for what is at its class's default.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Processor {
    crop_pct: Option<f64>,
    image_mean: Option<Statistic>,
    image_std: Option<Statistic>,
    resample: Option<u64>,
    size: Value,
    crop_size: Value,
    do_center_crop: Option<bool>,
    do_normalize: Option<bool>,
}

/// One value for all channels, or one a channel.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Statistic {
    One(f32),
    Each(Vec<f32>),
}

impl Statistic {
    fn values(self) -> Vec<f32> {
        match self {
            Self::One(value) => vec![value],
            Self::Each(values) => values,
        }
    }
}

/// The preprocessing of a `preprocessor_config.json`: that of `ConvNextImageProcessor`, which resnets use (below 384 px the
/// short edge is resized to `size / crop_pct` and the centre cut out, else the picture is warped), and of processors that
/// resize and crop to sizes of their own, or warp to a height and width.
pub fn preprocess(value: &Value, notes: &mut Vec<String>) -> Result<Preprocess> {
    let given: Processor = typed(value)?;
    let usual = Preprocess::default();
    let number = |value: &Value| value.as_u64().map(|number| number as usize);
    let sides = |value: &Value| Some([number(&value["height"])?, number(&value["width"])?]);
    let square = |value: &Value| {
        let edge = number(value).or_else(|| number(&value["shortest_edge"]))?;
        Some([edge, edge])
    };
    let (size, crop_pct, crop_mode) = if let Some(size) = sides(&given.size) {
        (size, 1.0, CropMode::Squash)
    } else {
        let size = match &given.size {
            Value::Null => usual.size,
            size => square(size).ok_or_else(|| anyhow::anyhow!("`size` is {size}"))?,
        };
        let crop = sides(&given.crop_size).or_else(|| square(&given.crop_size));
        match crop.filter(|_| given.do_center_crop == Some(true)) {
            Some(crop) => (
                crop,
                crop[0] as f64 / size[0].max(1) as f64,
                CropMode::Center,
            ),
            None if size[0] < 384 => (size, given.crop_pct.unwrap_or(0.875), CropMode::Center),
            None => (size, 1.0, CropMode::Squash),
        }
    };
    let interpolation = match given.resample {
        None | Some(2) => Interpolation::Bilinear,
        Some(3) => Interpolation::Bicubic,
        Some(other) => {
            notes.push(format!(
                "the model asks for Pillow's filter {other}, which is not built: bicubic is used"
            ));
            Interpolation::Bicubic
        }
    };
    let (mean, std) = if given.do_normalize == Some(false) {
        (vec![0.0], vec![1.0])
    } else {
        (
            given.image_mean.map_or(usual.mean, Statistic::values),
            given.image_std.map_or(usual.std, Statistic::values),
        )
    };
    let preprocess = Preprocess {
        size,
        crop_pct,
        crop_mode,
        interpolation,
        mean,
        std,
        test_size: None,
        test_crop_pct: None,
    };
    validate(&preprocess)?;
    Ok(preprocess)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn transformers_defaults_are_resnet50_of_two_classes() {
        let read = read(&json!({"model_type": "resnet"})).unwrap();
        let config = read.config.unwrap();
        assert_eq!(config.name(), Some("resnet50"));
        assert_eq!(config.classes, 2);
    }

    #[test]
    fn every_key_of_the_architecture_is_used() {
        let value = json!({"model_type": "resnet", "architectures": ["ResNetForImageClassification"], "num_channels": 1,
            "embedding_size": 10, "hidden_sizes": [10, 20, 30, 40], "depths": [1, 1, 2, 1], "layer_type": "basic",
            "downsample_in_first_stage": true, "downsample_in_bottleneck": true, "id2label": {"0": "cat", "1": "dog", "2": "owl"}});
        let read = read(&value).unwrap();
        let config = read.config.unwrap();
        assert_eq!(read.labels, ["cat", "dog", "owl"]);
        assert_eq!(
            config,
            ModelConfig {
                block: BlockKind::Basic,
                blocks: vec![1, 1, 2, 1],
                planes: vec![10, 20, 30, 40],
                stem: StemKind::Imagenet,
                stem_channels: 10,
                in_channels: 1,
                groups: 1,
                width_per_group: 64,
                stride_placement: StridePlacement::V1,
                shortcut: ShortcutKind::Projection,
                dilated: vec![false; 4],
                first_stage_stride: 2,
                classes: 3,
            }
        );
    }

    #[test]
    fn what_cannot_be_built_is_refused_by_name() {
        for (key, given, message) in [
            (
                "hidden_act",
                json!("gelu"),
                "`hidden_act` is `gelu`: only `relu` is built",
            ),
            (
                "layer_type",
                json!("x"),
                "`layer_type` is `x`: it is basic or bottleneck",
            ),
            (
                "hidden_sizes",
                json!([10, 20, 30, 40]),
                "`hidden_sizes` has 10: a bottleneck's channels are a multiple of 4",
            ),
            (
                "model_type",
                json!("vit"),
                "it is the configuration of a `vit`, not of a ResNet",
            ),
            (
                "architectures",
                json!(["ResNetModel"]),
                "it is the configuration of `ResNetModel`, a backbone without a classifier",
            ),
            (
                "id2label",
                json!({"0": "a", "2": "b"}),
                "`id2label` has 2 labels, whose classes are not 0 to 1",
            ),
        ] {
            let mut value = json!({"model_type": "resnet"});
            value[key] = given;
            assert_eq!(read(&value).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn labels_may_be_numbers() {
        let value = json!({"model_type": "resnet", "id2label": {"0": 3, "1": "7"}});
        assert_eq!(read(&value).unwrap().labels, ["3", "7"]);
    }

    #[test]
    fn unnamed_labels_are_counted_and_not_shown() {
        let value = json!({"model_type": "resnet", "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}});
        let read = read(&value).unwrap();
        assert_eq!(read.classes, Some(3));
        assert!(read.labels.is_empty());
    }

    #[test]
    fn preprocessors_of_every_form_are_read() {
        let read = |value: Value| preprocess(&value, &mut Vec::new()).unwrap();
        let old = read(
            json!({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "do_normalize": true}),
        );
        assert_eq!(old.size, [224, 224]);
        assert_eq!(old.interpolation, Interpolation::Bicubic);
        assert_eq!(old.crop_mode, CropMode::Center);
        let large = read(json!({"size": {"shortest_edge": 384}, "crop_pct": 0.875}));
        assert_eq!(
            (large.size, large.crop_mode),
            ([384, 384], CropMode::Squash)
        );
        assert!((large.crop_pct - 1.0).abs() < 1e-9);
        let warped = read(json!({"size": {"height": 200, "width": 100}}));
        assert_eq!(
            (warped.size, warped.crop_mode),
            ([200, 100], CropMode::Squash)
        );
        let cropped = read(
            json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": true}),
        );
        assert_eq!((cropped.size, cropped.crop_pct), ([224, 224], 0.875));
        let plain = read(json!({"do_normalize": false, "size": 32, "image_mean": [9.0, 9.0, 9.0]}));
        assert_eq!((plain.mean, plain.std), (vec![0.0], vec![1.0]));
    }

    #[test]
    fn nulls_are_the_defaults_and_one_number_serves_all_channels() {
        let value = json!({"image_processor_type": "ConvNextImageProcessorFast", "crop_pct": null, "crop_size": null,
            "do_center_crop": null, "do_convert_rgb": null, "do_normalize": null, "do_rescale": null, "do_resize": null,
            "image_mean": null, "image_std": null, "resample": null, "rescale_factor": null, "size": null});
        let read = |value: &Value| preprocess(value, &mut Vec::new()).unwrap();
        assert_eq!(read(&value), Preprocess::default());
        let mut scalar = value;
        scalar["image_mean"] = json!(0.5);
        scalar["image_std"] = json!(0.25);
        let scalar = read(&scalar);
        assert_eq!((scalar.mean, scalar.std), (vec![0.5], vec![0.25]));
    }
}
