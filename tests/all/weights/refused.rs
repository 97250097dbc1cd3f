//! Tests that models outside the family and incomplete models are rejected by name, with a hint.

use super::*;

#[test]
fn saved_objects_other_than_state_dicts_are_rejected_by_name() {
    for (file, message) in [
        (
            "torchscript.pt",
            "it is a TorchScript archive, a program with its weights",
        ),
        (
            "whole_module.pth",
            "it holds a whole pickled object `__main__.Narrow`, which is a program, not weights",
        ),
        (
            "whole_module_wrapped.pth",
            "it holds a whole pickled object `__main__.Narrow`, which is a program, not weights",
        ),
        (
            "two_nets.pth",
            "it holds several state dicts, including `generator` and `discriminator`",
        ),
        ("no_state_dict.pth", "it holds no state dict"),
        ("one_tensor.pth", "it holds no state dict"),
        ("quantised.pth", "tensor `fc.weight`: it is quantized"),
        (
            "transformers_backbone",
            "the classifier (`fc.weight` and `fc.bias`) is missing",
        ),
    ] {
        let (refused, hint) = refusal(&fixture(file));
        let refused = refused
            .strip_prefix("cannot load weights `FILE/model.safetensors`: ")
            .unwrap_or(&refused);
        assert_eq!(refused, message, "{file}");
        assert!(!hint.is_empty(), "{file}");
    }
}

fn renamed(from: &str, to: &str) -> Vec<u8> {
    changed(|tensors| {
        for (name, _) in tensors {
            if let Some(rest) = name.strip_prefix(from) {
                *name = format!("{to}{rest}");
            }
        }
    })
}

fn added(name: &str, shape: &[usize]) -> Vec<u8> {
    changed(|tensors| tensors.push((name.to_owned(), Zeros(Dtype::F32, shape.to_vec()))))
}

fn only(names: &[&str]) -> Vec<u8> {
    let tensors = names
        .iter()
        .map(|name| ((*name).to_owned(), Zeros(Dtype::F32, vec![2])));
    serialized(&tensors.collect())
}

/// Sets the shape and type of the tensor `name`.
fn reshaped(name: &str, dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    changed(|tensors| {
        let tensor = tensors.iter_mut().find(|(other, _)| other == name).unwrap();
        tensor.1 = Zeros(dtype, shape.to_vec());
    })
}

fn without(ending: &str) -> Vec<u8> {
    changed(|tensors| tensors.retain(|(name, _)| !name.ends_with(ending)))
}

/// Returns a safetensors file with that header and one f32.
fn with_header(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    bytes
}

fn tar() -> Vec<u8> {
    let mut bytes = vec![b'x'; 512];
    bytes[257..262].copy_from_slice(b"ustar");
    bytes
}

#[test]
fn malformed_and_foreign_files_are_rejected_by_name() {
    let whole_file = serialized(&whole());
    let length = whole_file.len();
    let header = u64::from_le_bytes(whole_file[..8].try_into().unwrap());
    let cases: Vec<(&str, Vec<u8>, String)> = vec![
        ("empty", vec![], "it is empty".into()),
        ("short", b"abc".to_vec(), "it is neither a safetensors file nor a checkpoint of `torch.save`".into()),
        ("text", b"these are not the weights you want".to_vec(), "it is neither a safetensors file nor a checkpoint of `torch.save`".into()),
        ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec(), "it is a git-lfs pointer, not the weights it stands for".into()),
        ("html", b"\n<!DOCTYPE html><html>Sign in</html>".to_vec(), "it is a web page saved as weights".into()),
        ("html, no doctype", b"<HTML><body>404</body></HTML>".to_vec(), "it is a web page saved as weights".into()),
        ("xml", b"<?xml version=\"1.0\"?><Error/>".to_vec(), "it is a web page saved as weights".into()),
        ("tar", tar(), "it is a tar archive, or PyTorch's oldest format".into()),
        ("pickle", b"\x80\x04}.".to_vec(), "it is a plain pickle, not written by `torch.save`".into()),
        ("gzip", b"\x1f\x8b\x08\0".to_vec(), "it is compressed with gzip".into()),
        ("hdf5", b"\x89HDF\r\n".to_vec(), "it is an HDF5 file (Keras), which is not supported".into()),
        ("gguf", b"GGUF\x03\0\0\0".to_vec(), "it is a GGUF file, which is not supported".into()),
        ("numpy", b"\x93NUMPY\x01\0".to_vec(), "it is a NumPy array, which is not supported".into()),
        ("empty zip", b"PK\x05\x06\0\0\0\0".to_vec(), "it is an empty or split zip archive".into()),
        ("zip", zipped(&[("word/document.xml", b"<x/>")]), "it is a zip archive without `data.pkl`, so it was not written by `torch.save`".into()),
        ("big-endian", zipped(&[("a/data.pkl", b"\x80\x02}."), ("a/byteorder", b"big")]), "its numbers are big-endian".into()),
        ("no dictionary", zipped(&[("a/data.pkl", b"\x80\x02K\x01.")]), "it holds no state dict".into()),
        ("empty dictionary", zipped(&[("a/data.pkl", b"\x80\x02}.")]), "it holds no state dict".into()),
        ("damaged pickle", zipped(&[("a/data.pkl", b"\x80\x02\xff")]), "the pickle is damaged at byte 2: unknown instruction 0xff".into()),
        ("short pickle", zipped(&[("a/data.pkl", b"\x80\x02}q")]), "the pickle is damaged at byte 3: the pickle ends too early".into()),
        ("dictionary in itself", zipped(&[("a/data.pkl", b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.")]), "it holds no state dict".into()),
        ("header beyond the file", with_header("{}")[..9].to_vec(), "its header claims 2 bytes, and the file has 9".into()),
        ("header longer than any", [(u64::MAX).to_le_bytes().as_slice(), b"{}"].concat(), "its header claims 18446744073709551615 bytes, and the file has 10".into()),
        ("header no JSON", with_header("{\"a\""), "its header is not the JSON of a safetensors file: EOF while parsing an object at line 1 column 4".into()),
        ("header of something else", with_header("[]"), "its header is not the JSON of a safetensors file: invalid type: sequence, expected a map at line 1 column 0".into()),
        ("truncated", whole_file[..length - 1].to_vec(), format!("its header describes {length} bytes, and the file has {}", length - 1)),
        ("truncated header", whole_file[..20].to_vec(), format!("its header claims {header} bytes, and the file has 20")),
        ("hole", with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[2,4]}}"), "its header is invalid: invalid offset for tensor `a`".into()),
        ("shape against data", with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,4]}}"), "its header is invalid: invalid shape, data type, or offset for tensor".into()),
        ("unknown type", with_header("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}"), "its header is invalid: invalid JSON in header: unknown variant `F31`, expected one of `BOOL`, `F4`, `F6_E2M3`, `F6_E3M2`, `U8`, `I8`, `F8_E5M2`, `F8_E4M3`, `F8_E8M0`, `F8_E4M3FNUZ`, `F8_E5M2FNUZ`, `I16`, `U16`, `F16`, `BF16`, `I32`, `U32`, `F32`, `C64`, `F64`, `I64`, `U64` at line 1 column 53".into()),
        ("longer than described", [whole_file.as_slice(), b"more"].concat(), "its header is invalid: incomplete metadata, file not fully covered".into()),
        ("no tensors", with_header("{}")[..10].to_vec(), "it holds no tensors".into()),
        ("a third of a deep stem", renamed("conv1.weight", "conv1.0.weight"), "it is not a known ResNet: it has `bn1.bias` and no `conv1.weight`".into()),
        ("Res2Net", added("layer1.0.convs.0.weight", &[4]), "it is a Res2Net, whose blocks split their channels (`layer1.0.convs.0.weight`), which is not supported".into()),
        ("ShuffleNet", only(&["conv1.0.weight", "stage2.0.branch1.0.weight"]), "it is not a known ResNet: it has `conv1.0.weight` and no `conv1.weight`".into()),
        ("attention", added("layer1.0.se.fc1.weight", &[4]), "tensor `layer1.0.se.fc1.weight` has shape [4]: it must have 4 axes".into()),
        ("anti-aliasing", added("layer2.0.conv2.1.filt", &[4]), "it has anti-aliased strides (`layer2.0.conv2.1.filt`), which are not supported".into()),
        ("HRNet", changed(|tensors| {
            tensors.retain(|(name, _)| !name.starts_with("fc"));
            for name in ["conv2.weight", "stage2.0.branches.0.0.conv1.weight", "transition1.0.0.weight"] {
                tensors.push((name.into(), Zeros(Dtype::F32, vec![4])));
            }
        }), "it is an HRNet, with branches at several resolutions (`stage2.0.branches.0.0.conv1.weight`), which is not supported".into()),
        ("group norm", changed(|tensors| tensors.retain(|(name, _)| !name.contains("running_"))), "group norm divides channels into 32 groups, which 8 cannot be".into()),
        ("no classifier", changed(|tensors| tensors.retain(|(name, _)| !name.starts_with("fc"))), "the classifier (`fc.weight` and `fc.bias`) is missing".into()),
        ("VGG", only(&["features.0.weight", "classifier.0.weight"]), "it is not a ResNet: it has `features.0.weight`, like VGG or AlexNet, and no `conv1.weight`".into()),
        ("MobileNet", only(&["features.0.0.weight"]), "it is not a ResNet: it has `features.0.0.weight`, like MobileNet or EfficientNet, and no `conv1.weight`".into()),
        ("vision transformer", only(&["blocks.0.norm1.weight", "patch_embed.proj.weight"]), "it is not a ResNet: it has `patch_embed.proj.weight`, like a vision transformer, and no `conv1.weight`".into()),
        ("ResNet of version 2", only(&["stem.conv.weight"]), "it is not a ResNet: it has `stem.conv.weight`, like RegNet, or a ResNet of version 2 (norms before convolutions), and no `conv1.weight`".into()),
        ("another", only(&["encoder.weight", "x"]), "it is not a known ResNet: it has `encoder.weight` and no `conv1.weight`".into()),
        ("one missing", without("layer1.0.conv2.weight"), "tensor `layer1.0.conv2.weight` is missing".into()),
        ("one statistic missing", without("layer1.0.bn2.running_var"), "tensor `layer1.0.bn2.running_var` is missing".into()),
        ("many missing", without("running_var"), "tensors `bn1.running_var`, `layer1.0.bn1.running_var`, `layer1.0.bn2.running_var`, `layer2.0.bn1.running_var`, `layer2.0.bn2.running_var` and 1 more are missing".into()),
        ("no shortcuts", changed(|tensors| tensors.retain(|(name, _)| !name.contains("downsample"))), "it has no projection shortcuts (`layer2.0.downsample.0.weight`), and the tensors do not show whether it has padded shortcuts or none".into()),
        ("a stage missing", renamed("layer1.", "layer3."), "tensors of `layer1` are missing".into()),
        ("a block far away", added("layer1.999999999999.bn1.weight", &[8]), "tensors `layer1.1.conv1.weight`, `layer1.1.bn1.weight`, `layer1.1.bn1.bias`, `layer1.1.bn1.running_mean`, `layer1.1.bn1.running_var` and 5 more are missing; tensor `layer1.999999999999.bn1.weight` is not part of the model".into()),
        ("misshapen", reshaped("layer2.0.conv1.weight", Dtype::F32, &[12, 7, 3, 3]), "tensor `layer2.0.conv1.weight` is [12, 7, 3, 3] and must be [12, 8, 3, 3]".into()),
        ("stem of 5x5", reshaped("conv1.weight", Dtype::F32, &[8, 3, 5, 5]), "`conv1.weight` is a 5x5 convolution: a stem must be 7x7 or 3x3".into()),
        ("axes", reshaped("conv1.weight", Dtype::F32, &[8, 3]), "tensor `conv1.weight` has shape [8, 3]: it must have 4 axes".into()),
        ("no channels", reshaped("conv1.weight", Dtype::F32, &[8, 0, 7, 7]), "channels, classes, groups and widths must be at least 1".into()),
        ("a counter of nothing", added("x.num_batches_tracked", &[1]), "tensor `x.num_batches_tracked` is not part of the model".into()),
        ("a counter with many elements", reshaped("bn1.num_batches_tracked", Dtype::I64, &[1 << 12]), "tensor `bn1.num_batches_tracked` is not part of the model".into()),
        ("unexpected", added("extra.weight", &[1]), "tensor `extra.weight` is not part of the model".into()),
        ("named twice", added("module.conv1.weight", &[8, 3, 7, 7]), "tensors `conv1.weight` and `module.conv1.weight` would both be `conv1.weight`".into()),
        ("integers", reshaped("fc.weight", Dtype::I8, &[3, 12]), "tensor `fc.weight` has elements of type `i8`: weights must be f16, bf16, f32 or f64".into()),
        ("8-bit floats", reshaped("fc.weight", Dtype::F8_E4M3, &[3, 12]), "tensor `fc.weight` has elements of type `f8_e4m3`: weights must be f16, bf16, f32 or f64".into()),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (what, bytes, message) in cases {
        let path = folder.path().join(format!("{what}.pth"));
        fs::write(&path, bytes).unwrap();
        let (refused, hint) = refusal(&path);
        assert_eq!(refused, message, "{what}");
        assert!(!hint.is_empty() && !hint.contains("FILE"), "{what}: {hint}");
    }
}

#[test]
fn a_configuration_that_contradicts_the_tensors_is_rejected_with_both_values() {
    let own = |key: &str, value: Value| {
        let info = open(&fixture("expected/basic.safetensors")).unwrap().info;
        let mut json = info.to_json();
        json["resnet"][key] = value;
        json
    };
    let timm = |architecture: &str| json!({"architecture": architecture, "num_classes": 3});
    let cases = [
        (
            timm("resnet18"),
            "config.json and the tensors disagree on blocks per stage: [2, 2, 2, 2] versus [1, 1]",
        ),
        (
            own("classes", json!(10)),
            "config.json and the tensors disagree on classes: 10 versus 3",
        ),
        (
            own("in_channels", json!(1)),
            "config.json and the tensors disagree on input channels: 1 versus 3",
        ),
        (
            own("planes", json!([8, 16])),
            "config.json and the tensors disagree on planes per stage: [8, 16] versus [8, 12]",
        ),
        (
            own("stem", json!("cifar")),
            "config.json and the tensors disagree on stem: cifar versus imagenet",
        ),
        (
            own("block", json!("bottleneck")),
            "config.json and the tensors disagree on block: bottleneck versus basic",
        ),
        (
            own("shortcut", json!("padded")),
            "tensors `layer2.0.downsample.0.weight`, `layer2.0.downsample.1.bias`, `layer2.0.downsample.1.num_batches_tracked`, `layer2.0.downsample.1.running_mean`, `layer2.0.downsample.1.running_var` and 1 more are not part of the model",
        ),
        (
            json!({"resnet": null, "num_classes": 7}),
            "config.json and the tensors disagree on classes: 7 versus 3",
        ),
        (
            json!({"resnet": null, "label_names": ["a", "b"]}),
            "config.json names 2 classes, and the model has 3",
        ),
    ];
    for (config, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs::copy(fixture("expected/basic.safetensors"), &path).unwrap();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let (refused, hint) = refusal(&path);
        assert_eq!(refused, message);
        assert!(!hint.is_empty());
    }
}

#[test]
fn unusable_configurations_are_rejected_and_foreign_ones_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let config = folder.path().join("config.json");
    fs::copy(fixture("expected/basic.safetensors"), &path).unwrap();
    let refused = |text: &str| {
        fs::write(&config, text).unwrap();
        let (message, hint) = refusal(&path);
        assert!(!hint.is_empty(), "{message}");
        message.replace(config.to_str().unwrap(), "CONFIG")
    };
    assert_eq!(
        refused("{"),
        "cannot read `CONFIG`: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        refused("{\"architecture\": \"resnest50d\"}"),
        "cannot use `CONFIG`: architecture `resnest50d` is not one of the family"
    );
    assert_eq!(
        refused("{\"model_type\": \"vit\"}"),
        "cannot use `CONFIG`: it is the configuration of a `vit`, not of a ResNet"
    );
    assert_eq!(
        refused("{\"architecture\": \"resnet50\", \"pretrained_cfg\": {\"crop_pct\": 0}}"),
        "cannot use `CONFIG`: `crop_pct` is 0: it must be in (0, 1]"
    );
    for (text, message) in [
        (
            "{\"architecture\": 7}",
            "cannot use `CONFIG`: invalid type: integer `7`, expected a string",
        ),
        (
            "{\"architecture\": \"resnet50\", \"model_args\": {\"stem_width\": 32}}",
            "cannot use `CONFIG`: `model_args` has `stem_width`, with which timm builds an unsupported model",
        ),
        (
            "{\"architecture\": \"resnet50\", \"pretrained_cfg\": {\"crop_mode\": \"x\"}}",
            "cannot use `CONFIG`: `crop_mode` is `x`: it must be center, squash or border",
        ),
        (
            "{\"architecture\": \"resnet50\", \"num_classes\": 0}",
            "cannot use `CONFIG`: `num_classes` is 0: the model has no classifier",
        ),
        (
            "{\"model_type\": \"resnet\", \"embedding_size\": 0}",
            "cannot use `CONFIG`: channels, classes, groups and widths must be at least 1",
        ),
        (
            "{\"model_type\": \"resnet\", \"depths\": \"x\"}",
            "cannot use `CONFIG`: invalid type: string \"x\", expected a sequence",
        ),
    ] {
        assert_eq!(refused(text), message);
    }
    fs::write(&config, "{\"learning_rate\": 0.1}").unwrap();
    assert_equals(&open(&path).unwrap(), "basic", "a foreign config.json");
}

#[test]
fn a_part_that_is_missing_or_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Vec::new();
    for entry in fs::read_dir(fixture("transformers_parts")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        fs::copy(entry.path(), folder.path().join(&name)).unwrap();
        if name.starts_with("model-") {
            parts.push(name);
        }
    }
    let damaged = |part: &str, message: &str| {
        let (refused, hint) = refusal(folder.path());
        assert!(
            refused.contains(part) && refused.ends_with(message),
            "{refused}"
        );
        assert!(!hint.is_empty());
    };
    fs::write(folder.path().join(&parts[0]), "x").unwrap();
    damaged(
        &parts[0],
        "it is neither a safetensors file nor a checkpoint of `torch.save`",
    );
    fs::remove_file(folder.path().join(&parts[0])).unwrap();
    damaged(&parts[0], " is missing");
    let index = folder.path().join("model.safetensors.index.json");
    for part in ["../x.safetensors", ".x", "c:x.safetensors", "a\\b"] {
        fs::write(&index, json!({"weight_map": {"a": part}}).to_string()).unwrap();
        damaged(part, "which is not beside it");
    }
    fs::File::create(&index).unwrap().set_len(1 << 27).unwrap();
    damaged("index.json", "too many for a configuration");
}

#[test]
fn a_preprocessor_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "config.json"] {
        let from = fixture("transformers_bottleneck").join(name);
        fs::copy(from, folder.path().join(name)).unwrap();
    }
    let preprocessor = folder.path().join("preprocessor_config.json");
    fs::write(&preprocessor, "{\"crop_pct\": -1, \"size\": 224}").unwrap();
    assert_eq!(
        refusal(folder.path()).0,
        format!(
            "cannot use `{}`: `crop_pct` is -1: it must be in (0, 1]",
            preprocessor.display()
        )
        .replace(folder.path().to_str().unwrap(), "FILE")
    );
}

#[test]
fn unknown_names_are_reported_as_missing() {
    for (written, message) in [
        ("no/such/file.pth", "`no/such` has no `file.pth`"),
        (
            "nothing.pth",
            "cannot load weights `nothing.pth`: no such file or folder",
        ),
        ("resnet19", "there is no model `resnet19`"),
    ] {
        let error = Checkpoint::open(written, &Folders::new(fixture("")))
            .err()
            .unwrap();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn errors_are_classified_by_what_went_wrong() {
    use resnet::Error;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pth");
    fs::write(&empty, "").unwrap();
    let classify = |path: &Path| Error::classify(open(path).err().unwrap(), Error::Other);
    let error = classify(Path::new("nothing.pth"));
    assert!(matches!(error, Error::ModelNotFound(_)), "{error:?}");
    let error = classify(&empty);
    assert!(matches!(error, Error::DamagedWeights(_)), "{error:?}");
    fs::remove_file(empty).unwrap();
    let weights = folder.path().join("model.safetensors");
    fs::copy(fixture("expected/basic.safetensors"), weights).unwrap();
    let config = folder.path().join("config.json");
    fs::write(&config, r#"{"architecture": "vgg16"}"#).unwrap();
    let error = classify(folder.path());
    assert!(
        matches!(error, Error::UnsupportedArchitecture(_)),
        "{error:?}"
    );
    fs::write(&config, "[").unwrap();
    let error = classify(folder.path());
    assert!(matches!(error, Error::InvalidConfiguration(_)), "{error:?}");
}
