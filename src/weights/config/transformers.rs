//! transformers' `config.json` of a `ResNet`.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Configuration,
    checks::{self, deserialize, ensure_buildable},
    labels,
};
use crate::{
    error::error_with_hint,
    model::{BlockKind, ModelConfig, Preprocess, StemKind, StridePlacement},
    weights::hints::CORRECT,
};

/// `ResNetConfig`, with its defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct TransformersConfig {
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
    problem_type: Option<String>,
}

impl Default for TransformersConfig {
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
            problem_type: None,
        }
    }
}

/// Returns true if the JSON is a model configuration in transformers' form; timm's models in transformers have timm's
/// form.
pub fn recognizes(value: &Value) -> bool {
    let holds = |key| value.get(key).is_some();
    let timm = value.get("model_type").and_then(Value::as_str) == Some("timm_wrapper");
    !timm && (holds("model_type") || holds("architectures"))
}

/// Reads the configuration; the preprocessing is the default one.
pub fn read(value: &Value) -> Result<Configuration> {
    match value.get("model_type").and_then(Value::as_str) {
        None | Some("resnet") => {}
        Some(other) => {
            return Err(error_with_hint(
                format!("it is the configuration of a `{other}`, not of a ResNet"),
                "pass a model of type `resnet`, such as `microsoft/resnet-50`",
            ));
        }
    }
    let given: TransformersConfig = deserialize(value)?;
    if given
        .architectures
        .iter()
        .flatten()
        .any(|name| name == "ResNetModel")
    {
        return Err(error_with_hint(
            "it is the configuration of `ResNetModel`, a backbone without a classifier",
            "save transformers' `ResNetForImageClassification`",
        ));
    }
    let (classes, names) = read_classes(&given)?;
    let labels = labels::describe_labels(&names, None);
    let label_names = if labels == names { Vec::new() } else { names };
    let config = convert_config(&given, classes)?;
    let problem = checks::parse_problem_type(given.problem_type.as_deref())?;
    Ok(Configuration {
        source: "config.json".to_owned(),
        config: Some(config),
        known: Map::new(),
        knows_in_channels: true,
        classes: Some(classes),
        labels,
        label_names,
        problem,
        preprocess: Preprocess::default(),
        provenance: None,
        notes: Vec::new(),
    })
}

fn convert_config(given: &TransformersConfig, classes: usize) -> Result<ModelConfig> {
    if given.hidden_act != "relu" {
        return Err(error_with_hint(
            format!(
                "`hidden_act` is `{}`: only `relu` is supported",
                given.hidden_act
            ),
            "pass a model with ReLU activations, such as `microsoft/resnet-50`",
        ));
    }
    let block = match given.layer_type.as_str() {
        "basic" => BlockKind::Basic,
        "bottleneck" => BlockKind::Bottleneck,
        other => {
            return Err(error_with_hint(
                format!("`layer_type` is `{other}`: it must be basic or bottleneck"),
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
        return Err(error_with_hint(
            format!(
                "`hidden_sizes` has {size}: the channels of a bottleneck must be a multiple of {expansion}"
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
        stem: StemKind::Imagenet,
        stem_channels: given.embedding_size,
        in_channels: given.num_channels,
        stride_placement: if given.downsample_in_bottleneck {
            StridePlacement::V1
        } else {
            StridePlacement::V15
        },
        first_stage_stride: if given.downsample_in_first_stage {
            2
        } else {
            1
        },
        classes,
        ..ModelConfig::imagenet(block, &given.depths)
    };
    ensure_buildable(&config)?;
    Ok(config)
}

/// Returns number and names of the classes.
fn read_classes(given: &TransformersConfig) -> Result<(usize, Vec<String>)> {
    let Some(named) = &given.id2label else {
        // transformers leaves out two unnamed labels, its default.
        return Ok((given.num_labels.unwrap_or(2), Vec::new()));
    };
    Ok((
        named.len(),
        labels::parse_labels("id2label", &Value::Object(named.clone()))?,
    ))
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
                stride_placement: StridePlacement::V1,
                first_stage_stride: 2,
                classes: 3,
                ..ModelConfig::imagenet(BlockKind::Basic, &[1, 1, 2, 1])
            }
        );
    }

    #[test]
    fn unsupported_configurations_are_rejected_by_key() {
        for (key, given, message) in [
            (
                "hidden_act",
                json!("gelu"),
                "`hidden_act` is `gelu`: only `relu` is supported",
            ),
            (
                "layer_type",
                json!("x"),
                "`layer_type` is `x`: it must be basic or bottleneck",
            ),
            (
                "hidden_sizes",
                json!([10, 20, 30, 40]),
                "`hidden_sizes` has 10: the channels of a bottleneck must be a multiple of 4",
            ),
            (
                "problem_type",
                json!("ranking"),
                "`problem_type` is `ranking`: it must be single_label_classification, multi_label_classification or regression",
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
                "`id2label` has 2 labels, but their classes are not 0 to 1",
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
}
