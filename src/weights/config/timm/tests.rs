//! Tests of timm's configurations.

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
