//! timm's `config.json`: `pretrained_cfg`, the older flat form, and the form that `resnet` writes, which adds the key
//! `resnet` with the whole [`ModelConfig`], or with the keys of it that the tensors do not determine.

mod architecture;
mod pretrained;
mod write;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Configuration,
    checks::{deserialize, ensure_buildable, parse_problem_type},
    labels,
};
use crate::{
    error::error_with_hint, model::ModelConfig, weights::provenance::KEY as PROVENANCE_KEY,
};
pub use architecture::timm_architecture;
use architecture::{apply_output_stride, check_arguments, unknown_architecture};
use pretrained::{PretrainedConfig, parse_preprocess};
pub use write::write;

#[derive(Debug, Deserialize)]
struct TimmConfig {
    architecture: Option<String>,
    num_classes: Option<usize>,
    global_pool: Option<String>,
    model_args: Option<Map<String, Value>>,
    pretrained_cfg: Option<PretrainedConfig>,
    resnet: Option<Map<String, Value>>,
    resnet_run: Option<Value>,
    resnet_exif: Option<bool>,
    problem_type: Option<String>,
    #[serde(flatten)]
    flat: PretrainedConfig,
}

/// Returns true if the JSON is a model configuration in timm's form.
pub fn recognizes(value: &Value) -> bool {
    ["architecture", "pretrained_cfg", "resnet"]
        .iter()
        .any(|key| value.get(key).is_some())
}

/// Reads the configuration, found in `source`.
pub fn read(source: &str, value: &Value) -> Result<Configuration> {
    let timm: TimmConfig = deserialize(value)?;
    let arguments = timm.model_args.clone().unwrap_or_default();
    let number = |key: &str| arguments.get(key).and_then(Value::as_u64);
    let mut classes = timm
        .num_classes
        .or(number("num_classes").map(|n| n as usize));
    if classes == Some(0) {
        return Err(error_with_hint(
            "`num_classes` is 0: the model has no classifier",
            "pass a model that was saved with its classifier",
        ));
    }
    let mut knows_in_channels = true;
    let own = timm.resnet.map(parse_own_keys).transpose()?;
    let (config, known) = match own {
        Some(OwnKeys::Whole(config)) => {
            classes = Some(config.classes);
            (Some(config), None)
        }
        Some(OwnKeys::Partial(known)) => (None, Some(known)),
        None => (None, None),
    };
    let config = if let (None, None, Some(name)) = (&config, &known, &timm.architecture) {
        let mut config = timm_architecture(name).ok_or_else(|| unknown_architecture(name))?;
        check_arguments(&arguments, timm.global_pool.as_deref())?;
        if let Some(classes) = classes {
            config.classes = classes;
        }
        knows_in_channels = number("in_chans").is_some();
        config.in_channels = number("in_chans").map_or(3, |channels| channels as usize);
        apply_output_stride(&mut config, number("output_stride"))?;
        ensure_buildable(&config)?;
        Some(config)
    } else {
        config
    };
    let provenance = timm.resnet_run.as_ref().map(deserialize).transpose();
    let provenance = provenance.with_context(|| format!("key `{PROVENANCE_KEY}`"))?;
    let (labels, label_names) = read_labels(value)?;
    let mut notes = Vec::new();
    let mut preprocess = parse_preprocess(timm.pretrained_cfg.unwrap_or(timm.flat), &mut notes)?;
    preprocess.exif = timm.resnet_exif.unwrap_or(true);
    Ok(Configuration {
        source: source.to_owned(),
        config,
        known: known.unwrap_or_default(),
        knows_in_channels,
        classes,
        labels,
        label_names,
        problem: parse_problem_type(timm.problem_type.as_deref())?,
        preprocess,
        provenance,
        notes,
    })
}

/// The content of the key `resnet`.
enum OwnKeys {
    /// All keys of an architecture.
    Whole(ModelConfig),
    /// Some of them; the rest follows from the tensors.
    Partial(Map<String, Value>),
}

/// The keys of an architecture that are written only if they are unusual.
const OPTIONAL_KEYS: [&str; 8] = [
    "stem_pool",
    "projection_kernel",
    "first_reduction",
    "attention",
    "anti_aliasing",
    "norm",
    "stage_kinds",
    "pruned",
];

fn parse_own_keys(given: Map<String, Value>) -> Result<OwnKeys> {
    let any = ModelConfig::named("resnet18").map(|config| json!(config));
    let keys: Vec<&str> = any
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys().map(String::as_str))
        .collect();
    let is_known = |key: &str| keys.contains(&key) || OPTIONAL_KEYS.contains(&key);
    if let Some(unknown) = given.keys().find(|key| !is_known(key)) {
        let known = keys.iter().chain(&OPTIONAL_KEYS);
        let known: Vec<_> = known.map(|key| format!("`{key}`")).collect();
        return Err(error_with_hint(
            format!("key `resnet` has the unknown entry `{unknown}`"),
            format!("the known entries are {}", known.join(", ")),
        ));
    }
    if !keys.iter().all(|key| given.contains_key(*key)) {
        return Ok(OwnKeys::Partial(given));
    }
    let config: ModelConfig = deserialize(&Value::Object(given)).context("key `resnet`")?;
    ensure_buildable(&config).context("key `resnet`")?;
    Ok(OwnKeys::Whole(config))
}

/// Returns the labels and the names that they describe, if these are others: from the root, or from `pretrained_cfg`.
fn read_labels(value: &Value) -> Result<(Vec<String>, Vec<String>)> {
    let places = [value, &value["pretrained_cfg"]];
    let given = |key: &str| {
        let found = places
            .iter()
            .find_map(|place| place.get(key).filter(|found| !found.is_null()));
        found.cloned()
    };
    let names = match given("label_names") {
        Some(names) => labels::parse_labels("label_names", &names)?,
        None => match given("labels").filter(|names| names.is_array() || names.is_object()) {
            Some(names) => labels::parse_labels("labels", &names)?,
            None => Vec::new(),
        },
    };
    let labels = labels::describe_labels(&names, given("label_descriptions").as_ref());
    let names = if labels == names { Vec::new() } else { names };
    Ok((labels, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::AntiAliasing;
    use crate::model::{Interpolation, OutputFunction, Preprocess, StemKind};
    use crate::weights::provenance::{HeldOutSplit, Selection, TrainingProvenance};

    fn preprocess() -> Preprocess {
        Preprocess {
            size: [176, 176],
            test_size: Some([224, 224]),
            test_crop_pct: Some(0.965),
            exif: false,
            ..Preprocess::default()
        }
    }

    fn provenance() -> TrainingProvenance {
        TrainingProvenance {
            data: "cifar10".into(),
            held_out: Some(HeldOutSplit {
                fraction: 0.1,
                seed: u64::MAX,
                images: 5000,
                fingerprint: "0123456789abcdef".into(),
            }),
            selection: Some(Selection {
                split: "train".into(),
                images: 5000,
                epoch: 7,
                val_top1: 93.5,
            }),
            from: Some(Box::new(TrainingProvenance {
                data: "cifar100".into(),
                held_out: None,
                selection: None,
                from: None,
            })),
        }
    }

    fn written(config: &ModelConfig) -> Value {
        let labels = vec!["a".to_owned(); config.classes];
        write(
            config,
            &preprocess(),
            &labels,
            OutputFunction::new(None, config.classes),
            Some(&provenance()),
        )
    }

    #[test]
    fn a_written_configuration_is_read_back() {
        for name in crate::model::config::names() {
            let mut config = ModelConfig::named(name).unwrap();
            config.classes = 3;
            let value = written(&config);
            let read = read("config.json", &value).unwrap();
            assert_eq!(read.config.as_ref(), Some(&config));
            assert_eq!(read.labels, ["a"; 3]);
            assert_eq!(read.preprocess, preprocess());
            assert_eq!(read.provenance, Some(provenance()));
            assert_eq!(value["pretrained_cfg"]["std"], json!([0.229, 0.224, 0.225]));
        }
    }

    #[test]
    fn timms_architecture_is_named_only_if_timm_builds_the_same_model() {
        let named = |config: &ModelConfig| written(config)["architecture"].clone();
        let mut config = ModelConfig::named("resnet50").unwrap();
        assert_eq!(named(&config), "resnet50");
        config.stem = StemKind::Cifar;
        assert_eq!(named(&config), "resnet50_cifar");
        assert_eq!(named(&config.with_width(8)), "resnet50_custom");
        assert_eq!(named(&ModelConfig::named("resnet20").unwrap()), "resnet20");
        for name in [
            "resnet26",
            "seresnet50",
            "resnetaa50d",
            "ecaresnet50d_pruned",
        ] {
            assert_eq!(named(&timm_architecture(name).unwrap()), name);
        }
    }

    #[test]
    fn the_pretrained_and_the_flat_form_mean_the_same() {
        let inner = json!({"input_size": [3, 176, 176], "test_input_size": [3, 224, 224], "interpolation": "bilinear",
            "crop_pct": 0.875, "test_crop_pct": 0.965, "crop_mode": "center", "num_classes": 1000, "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5], "first_conv": "conv1", "classifier": "fc", "tag": "tv2_in1k", "url": null});
        let nested = json!({"architecture": "resnet50", "num_classes": 1000, "num_features": 2048, "global_pool": "avg", "pretrained_cfg": inner});
        let mut flat = inner;
        flat["architecture"] = json!("resnet50");
        let [nested, flat] = [nested, flat].map(|value| read("config.json", &value).unwrap());
        assert_eq!(nested, flat);
        assert_eq!(nested.config, ModelConfig::named("resnet50"));
        assert_eq!(nested.preprocess.at_test_size().size, [224, 224]);
    }

    #[test]
    fn absent_preprocessing_is_timms_default() {
        let read = read("config.json", &json!({"architecture": "resnet18"})).unwrap();
        assert_eq!(read.preprocess.interpolation, Interpolation::Bicubic);
        assert!((read.preprocess.crop_pct - 0.875).abs() < 1e-9);
    }

    #[test]
    fn the_form_of_timms_models_in_transformers_is_read() {
        let value = json!({"architecture": "resnet18", "architectures": ["TimmWrapperForImageClassification"],
            "do_pooling": true, "dtype": "float32", "initializer_range": 0.02, "label_names": ["LABEL_0", "LABEL_1", "LABEL_2"],
            "model_args": null, "model_type": "timm_wrapper", "num_classes": 3, "transformers_version": "5.23.0"});
        let read = read("config.json", &value).unwrap();
        assert_eq!(read.config.unwrap().name(), Some("resnet18"));
        assert_eq!(read.classes, Some(3));
        assert!(read.labels.is_empty());
    }

    #[test]
    fn labels_of_every_form_are_read_and_those_at_the_root_win() {
        for (value, expected) in [
            (json!({"label_names": ["a", "b"]}), ["a", "b"]),
            (json!({"labels": ["a", "b"]}), ["a", "b"]),
            (json!({"label_names": {"1": "b", "0": "a"}}), ["a", "b"]),
            (json!({"label_names": [3, 7]}), ["3", "7"]),
            (
                json!({"label_names": null, "pretrained_cfg": {"label_names": ["a", "b"]}}),
                ["a", "b"],
            ),
            (
                json!({"label_names": ["a", "b"], "pretrained_cfg": {"label_names": ["x"]}}),
                ["a", "b"],
            ),
            (
                json!({"label_names": ["n1", "n2"], "label_descriptions": {"n1": "tench"}}),
                ["tench", "n2"],
            ),
            (
                json!({"pretrained_cfg": {"label_names": ["n1", "n2"], "label_descriptions": ["tench", "goldfish"]}}),
                ["tench", "goldfish"],
            ),
        ] {
            let mut value = value;
            value["architecture"] = json!("resnet18");
            assert_eq!(
                read("config.json", &value).unwrap().labels,
                expected,
                "{value}"
            );
        }
        for wrong in [
            json!({"0": "a", "2": "b"}),
            json!([["a"]]),
            json!("a"),
            json!({"cat": 0}),
        ] {
            let value = json!({"architecture": "resnet18", "label_names": wrong});
            let error = read("config.json", &value).unwrap_err();
            assert!(error.to_string().starts_with("`label_names` "), "{error}");
        }
    }

    #[test]
    fn a_model_without_a_classifier_is_rejected() {
        let value = json!({"architecture": "resnet18", "num_classes": 0});
        let error = read("config.json", &value).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`num_classes` is 0: the model has no classifier"
        );
    }

    #[test]
    fn a_partial_resnet_key_is_completed_from_the_tensors() {
        let part = read("config.json", &json!({"resnet": {"shortcut": "padded"}})).unwrap();
        assert_eq!(part.config, None);
        assert_eq!(part.known["shortcut"], "padded");
        let wrong = read("config.json", &json!({"resnet": {"shortcuts": "padded"}})).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "key `resnet` has the unknown entry `shortcuts`"
        );
    }

    #[test]
    fn an_invalid_provenance_is_rejected_by_its_key() {
        let value = json!({"architecture": "resnet18", "resnet_run": {"chosen": null}});
        let error = read("config.json", &value).unwrap_err();
        assert_eq!(error.to_string(), "key `resnet_run`");
        let value = json!({"architecture": "resnet18", "resnet_run": null});
        assert_eq!(read("config.json", &value).unwrap().provenance, None);
    }

    #[test]
    fn architectures_that_tensors_cannot_tell_apart_are_told_apart_by_name() {
        for (name, anti_aliasing) in [
            ("resnetblur50", AntiAliasing::Blur),
            ("resnetaa50", AntiAliasing::Average),
            ("resnet50", AntiAliasing::None),
        ] {
            let read = read("config.json", &json!({"architecture": name})).unwrap();
            assert_eq!(read.config.unwrap().anti_aliasing, anti_aliasing);
        }
    }

    #[test]
    fn architectures_of_other_families_are_rejected_by_name() {
        for name in ["vgg16", "resnetv2_50", "resnest50d", "resnet20"] {
            let error = read("config.json", &json!({"architecture": name})).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("architecture `{name}` is not one of the family")
            );
        }
        let deep = json!({"architecture": "resnet50", "model_args": {"stem_type": "deep"}});
        assert!(
            read("config.json", &deep)
                .unwrap_err()
                .to_string()
                .contains("`stem_type`")
        );
    }

    #[test]
    fn output_stride_dilates_the_last_stages() {
        let value =
            json!({"architecture": "resnet50", "model_args": {"output_stride": 8, "in_chans": 1}});
        let config = read("config.json", &value).unwrap().config.unwrap();
        assert_eq!(config.dilated, [false, false, true, true]);
        assert_eq!(config.in_channels, 1);
    }
}
