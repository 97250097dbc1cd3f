//! Tests of the model configuration beside the weights or inside them.

use super::*;

#[test]
fn transformers_folders_give_torchvisions_names() {
    for name in ["basic", "bottleneck", "v1"].map(|name| format!("transformers_{name}")) {
        let checkpoint = open(&fixture(&name)).unwrap();
        assert_equals(&checkpoint, &name, &name);
        assert_eq!(checkpoint.info.labels, ["cat", "dog", "owl"]);
        let placement = checkpoint.info.config.stride_placement;
        assert_eq!(placement == StridePlacement::V1, name.ends_with("v1"));
    }
    for name in ["transformers_parts", "transformers_binary"] {
        assert_equals(
            &open(&fixture(name)).unwrap(),
            "transformers_bottleneck",
            name,
        );
    }
    let file = fixture("transformers_bottleneck/model.safetensors");
    assert_equals(
        &open(&file).unwrap(),
        "transformers_bottleneck",
        "the file itself",
    );
}

#[test]
fn transformers_preprocessing_is_read_from_beside_the_config() {
    let preprocess = open(&fixture("transformers_bottleneck"))
        .unwrap()
        .info
        .preprocess;
    assert_eq!(preprocess.size, [224, 224]);
    assert!((preprocess.crop_pct - 0.9).abs() < 1e-9);
    assert_eq!(preprocess.interpolation, Interpolation::Bicubic);
    assert_eq!(preprocess.crop_mode, CropMode::Center);
}

#[test]
fn timms_models_in_transformers_are_read_as_timms() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = whole()
        .into_iter()
        .map(|(name, tensor)| (format!("timm_model.{name}"), tensor))
        .collect();
    let config = |value: Value| {
        fs::write(folder.path().join("config.json"), value.to_string()).unwrap();
        Checkpoint::open(folder.path().to_str().unwrap(), &Offline)
    };
    fs::write(
        folder.path().join("model.safetensors"),
        serialized(&tensors),
    )
    .unwrap();
    let wrapper = json!({"model_type": "timm_wrapper", "architectures": ["TimmWrapperForImageClassification"],
        "label_names": ["a", "b", "c"], "pretrained_cfg": {"input_size": [3, 96, 96]}});
    let info = config(wrapper.clone()).unwrap().info;
    assert_eq!(info.preprocess.size, [96, 96]);
    assert_eq!(info.labels, ["a", "b", "c"]);
    // Without anything of timm's it is timm's all the same, and the wrapper of another network is refused by its name.
    assert!(config(json!({"model_type": "timm_wrapper"})).is_ok());
    let mut other = wrapper;
    other["architecture"] = json!("vit_base_patch16_224");
    let error = config(other).err().unwrap();
    assert!(
        one_line(&error).ends_with("architecture `vit_base_patch16_224` is not one of the family")
    );
}

#[test]
fn timms_own_configuration_describes_a_model_without_its_weights() {
    let hub = Folders::new(fixture(""));
    let info = ModelInfo::open("timm/timm_resnet50", &hub).unwrap();
    assert_eq!(info.config, ModelConfig::named("resnet50").unwrap());
    assert_eq!(info.preprocess.size, [176, 176]);
    assert_eq!(info.preprocess.test_size, Some([224, 224]));
    assert_eq!(info.labels.len(), 1000);
    let info = ModelInfo::open("timm/timm_resnext50_32x4d@v2", &hub).unwrap();
    assert_eq!(info.name, "timm/timm_resnext50_32x4d@v2");
    assert_eq!(info.config.name(), Some("resnext50_32x4d"));
    assert_eq!((info.config.classes, info.config.in_channels), (10, 1));
    assert_eq!(info.preprocess.mean, [0.449]);
    assert!(info.notes.is_empty());
    let asked = hub.asked.borrow();
    assert!(
        asked.iter().all(|asked| asked.ends_with(" config.json")),
        "{asked:?}"
    );
}

#[test]
fn plain_and_padded_networks_are_distinguished_by_their_configuration() {
    let tensors: Shapes = whole()
        .into_iter()
        .filter(|(name, _)| !name.contains("downsample"))
        .collect();
    for shortcut in ["padded", "none"] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = open(&fixture("expected/basic.safetensors"))
            .unwrap()
            .info
            .to_json();
        config["resnet"]["shortcut"] = json!(shortcut);
        fs::write(
            folder.path().join("model.safetensors"),
            serialized(&tensors),
        )
        .unwrap();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let info = open(folder.path()).unwrap().info;
        assert_eq!(json!(info.config.shortcut), shortcut);
        // The tensors tell all the rest.
        let least = json!({"resnet": {"shortcut": shortcut}}).to_string();
        fs::write(folder.path().join("config.json"), least).unwrap();
        assert_eq!(open(folder.path()).unwrap().info.config, info.config);
    }
}

#[test]
fn describing_a_local_file_compares_it_with_the_configuration_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let describe = || ModelInfo::open(path.to_str().unwrap(), &Offline);
    fs::write(
        folder.path().join("config.json"),
        "{\"architecture\": \"resnet50\"}",
    )
    .unwrap();
    fs::write(&path, "these are not the weights you want").unwrap();
    let junk = one_line(&describe().unwrap_err());
    assert!(
        junk.contains("it is neither a safetensors file nor"),
        "{junk}"
    );
    fs::copy(fixture("expected/basic.safetensors"), &path).unwrap();
    let other = one_line(&describe().unwrap_err());
    assert!(
        other.contains("config.json and the tensors disagree"),
        "{other}"
    );
}

/// Returns a complete narrow model as safetensors with that metadata.
fn with_metadata(key: &str, text: &str) -> Vec<u8> {
    let tensors = whole();
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let metadata = [(key.to_owned(), text.to_owned())];
    safetensors::serialize(views, Some(metadata.into())).unwrap()
}

#[test]
fn metadata_of_other_programs_is_ignored_and_our_own_wins_over_a_config_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for foreign in [
        "not json",
        "{\"architecture\": \"vit\"}",
        "[1]",
        "{\"lr\": 1}",
    ] {
        fs::write(&path, with_metadata("config", foreign)).unwrap();
        assert_eq!(open(&path).unwrap().info.config.classes, 3, "{foreign}");
    }
    let mut own = open(&path).unwrap().info.to_json();
    own["label_names"] = json!(["a", "b", "c"]);
    for key in ["config", "resnet.config"] {
        fs::write(&path, with_metadata(key, &own.to_string())).unwrap();
        assert_eq!(open(&path).unwrap().info.labels, ["a", "b", "c"], "{key}");
    }
    let config = folder.path().join("config.json");
    fs::write(&config, own.to_string()).unwrap();
    assert!(open(&path).unwrap().info.notes.is_empty());
    for other in [
        "{\"num_classes\": 3, \"label_names\": [\"x\", \"y\", \"z\"], \"resnet\": null}",
        "{\"model_type\": \"vit\"}",
    ] {
        fs::write(&config, other).unwrap();
        let info = open(&path).unwrap().info;
        assert_eq!(info.labels, ["a", "b", "c"]);
        assert_eq!(
            info.notes.len(),
            usize::from(other.contains('x')),
            "{other}"
        );
    }
    fs::write(&path, with_metadata("resnet.config", "{")).unwrap();
    assert!(
        refusal(&path)
            .0
            .starts_with("the file's metadata is not JSON")
    );
}
