//! Weights in every form that people save: what is read equals what PyTorch saved, and what is not a whole net of the family is
//! refused by name. The fixtures are made by `tests/fixtures/weights/make.py`.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use resnet::{
    error::{hint_of, one_line},
    model::{BlockKind, CropMode, Interpolation, ModelConfig, StemKind, StridePlacement},
    weights::{Card, Checkpoint, Fetch},
};
use safetensors::{SafeTensors, View, tensor::Dtype};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

/// A hub whose repositories are folders; remembers what was asked for.
struct Folders {
    root: PathBuf,
    asked: RefCell<Vec<String>>,
}

impl Folders {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            asked: RefCell::default(),
        }
    }
}

impl Fetch for Folders {
    fn file(&self, repository: &str, revision: Option<&str>, file: &str) -> Result<PathBuf> {
        self.optional_file(repository, revision, file)?
            .ok_or_else(|| anyhow::anyhow!("`{repository}` has no `{file}`"))
    }

    fn optional_file(
        &self,
        repository: &str,
        revision: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>> {
        let revision = revision.map_or(String::new(), |revision| format!("@{revision}"));
        self.asked
            .borrow_mut()
            .push(format!("{repository}{revision} {file}"));
        let name = repository.rsplit('/').next().unwrap();
        let path = self.root.join(name).join(file);
        Ok(path.exists().then_some(path))
    }
}

/// A hub that must not be asked.
struct Offline;

impl Fetch for Offline {
    fn file(&self, repository: &str, _: Option<&str>, file: &str) -> Result<PathBuf> {
        panic!("`{file}` of `{repository}` was asked for");
    }

    fn optional_file(
        &self,
        repository: &str,
        _: Option<&str>,
        file: &str,
    ) -> Result<Option<PathBuf>> {
        panic!("`{file}` of `{repository}` was asked for");
    }
}

fn open(path: &Path) -> Result<Checkpoint> {
    Checkpoint::open(path.to_str().unwrap(), &Offline)
}

/// The message, with the path of the weights left out, and the hint.
fn refusal(path: &Path) -> (String, String) {
    let error = open(path)
        .err()
        .unwrap_or_else(|| panic!("`{}` was read", path.display()));
    let message = one_line(&error).replace(path.to_str().unwrap(), "FILE");
    let message = message
        .strip_prefix("cannot load weights `FILE`: ")
        .unwrap_or(&message);
    (
        message.to_owned(),
        hint_of(&error).unwrap_or_default().to_owned(),
    )
}

/// Every element as f64, so that all types are compared exactly.
fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

/// Asserts that the checkpoint holds exactly what `expected/NAME.safetensors` does, counters aside.
fn assert_equals(checkpoint: &Checkpoint, name: &str, what: &str) {
    let path = fixture("expected").join(format!("{name}.safetensors"));
    let mut expected = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    expected.retain(|name, _| !name.ends_with("num_batches_tracked"));
    let read = checkpoint.tensors(DType::F64, &Device::Cpu).unwrap();
    assert_eq!(read.len(), expected.len(), "{what}");
    for (name, expected) in expected {
        assert_eq!(read[&name].dims(), expected.dims(), "{what}: {name}");
        assert_eq!(numbers(&read[&name]), numbers(&expected), "{what}: {name}");
    }
}

#[test]
fn every_form_of_torch_save_gives_the_tensors_that_were_saved() {
    for (file, expected) in [
        ("basic.pth", "basic"),
        ("protocol_5.pth", "basic"),
        ("imagenet_example.pth", "basic"),
        ("torchvision_reference.pth", "basic"),
        ("compiled.pth", "basic"),
        ("lightning.pth", "basic"),
        ("untracked.pth", "basic"),
        ("parameters.pth", "basic"),
        ("channels_last.pth", "basic"),
        ("one_storage.pth", "basic"),
        ("tied.pth", "tied"),
        ("float16.pth", "float16"),
        ("bfloat16.pth", "bfloat16"),
        ("float16.safetensors", "float16"),
        ("bfloat16.safetensors", "bfloat16"),
        ("kuangliu.pth", "kuangliu"),
        ("legacy.pth", "basic"),
        ("legacy_protocol_4.pth", "basic"),
        ("legacy_tied.pth", "tied"),
    ] {
        let checkpoint = open(&fixture(file)).unwrap();
        assert_equals(&checkpoint, expected, file);
        let config = &checkpoint.card.config;
        assert_eq!(config.planes, [8, 12], "{file}");
        assert_eq!(config.classes, 3, "{file}");
        assert!(checkpoint.card.labels.is_empty(), "{file}");
    }
}

#[test]
fn half_precision_stays_until_another_type_is_asked_for() {
    for (name, dtype) in [("float16", DType::F16), ("bfloat16", DType::BF16)] {
        let checkpoint = open(&fixture(&format!("{name}.safetensors"))).unwrap();
        assert!(checkpoint.infos().all(|(_, _, stored)| stored == dtype));
        for asked in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            let tensors = checkpoint.tensors(asked, &Device::Cpu).unwrap();
            assert!(tensors.values().all(|tensor| tensor.dtype() == asked));
        }
    }
}

#[test]
fn a_moving_average_beside_the_weights_is_noted() {
    let notes = open(&fixture("torchvision_reference.pth"))
        .unwrap()
        .card
        .notes;
    assert_eq!(
        notes,
        [
            "the checkpoint holds `model`, which is read, and `model_ema`, which is not; to read that: `torch.save(torch.load(file)[\"model_ema\"], \"average.pth\")`"
        ]
    );
    assert!(open(&fixture("basic.pth")).unwrap().card.notes.is_empty());
}

#[test]
fn the_architecture_is_read_from_the_tensors() {
    let basic = |planes: &[usize]| ModelConfig {
        blocks: vec![1, 1],
        planes: planes.to_vec(),
        stem_channels: 8,
        dilated: vec![false; 2],
        classes: 3,
        ..ModelConfig::from_depth(18).unwrap()
    };
    let bottleneck = |planes: &[usize]| ModelConfig {
        block: BlockKind::Bottleneck,
        ..basic(planes)
    };
    for (name, config) in [
        (
            "grey",
            ModelConfig {
                in_channels: 1,
                ..basic(&[8, 12])
            },
        ),
        (
            "five_channels",
            ModelConfig {
                in_channels: 5,
                ..basic(&[8, 12])
            },
        ),
        (
            "bottleneck",
            ModelConfig {
                blocks: vec![2, 1],
                ..bottleneck(&[4, 6])
            },
        ),
        (
            "resnext",
            ModelConfig {
                groups: 2,
                width_per_group: 8,
                ..bottleneck(&[16, 24])
            },
        ),
        (
            "wide",
            ModelConfig {
                width_per_group: 128,
                ..bottleneck(&[2, 4])
            },
        ),
        (
            "four_stages",
            ModelConfig {
                blocks: vec![1, 2, 1, 1],
                stem_channels: 4,
                dilated: vec![false; 4],
                classes: 1000,
                ..basic(&[4, 6, 8, 10])
            },
        ),
        (
            "one_stage",
            ModelConfig {
                blocks: vec![2],
                dilated: vec![false],
                ..basic(&[8])
            },
        ),
    ] {
        let checkpoint = open(&fixture(&format!("{name}.safetensors"))).unwrap();
        assert_eq!(checkpoint.card.config, config, "{name}");
        let card = Card::open(
            fixture(&format!("{name}.safetensors")).to_str().unwrap(),
            &Offline,
        );
        assert_eq!(card.unwrap(), checkpoint.card, "{name}");
    }
    let cifar = open(&fixture("kuangliu.pth")).unwrap();
    assert_eq!(cifar.card.config.stem, StemKind::Cifar);
    let notes = cifar.card.notes;
    assert!(
        notes.len() == 1 && notes[0].contains("`--image-size 32 "),
        "{notes:?}"
    );
}

#[test]
fn a_thousand_unnamed_classes_are_imagenets() {
    let card = open(&fixture("four_stages.safetensors")).unwrap().card;
    assert_eq!(card.labels[281], "tabby, tabby cat");
}

#[test]
fn other_numbers_of_channels_get_a_mean_for_each_and_a_note() {
    let card = open(&fixture("five_channels.safetensors")).unwrap().card;
    assert_eq!(card.preprocess.mean.len(), 5);
    assert_eq!(card.notes.len(), 1);
}

#[test]
fn transformers_folders_give_torchvisions_names() {
    for name in ["basic", "bottleneck", "v1"].map(|name| format!("transformers_{name}")) {
        let checkpoint = open(&fixture(&name)).unwrap();
        assert_equals(&checkpoint, &name, &name);
        assert_eq!(checkpoint.card.labels, ["cat", "dog", "owl"]);
        let placement = checkpoint.card.config.stride_placement;
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
        .card
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
        serialised(&tensors),
    )
    .unwrap();
    let wrapper = json!({"model_type": "timm_wrapper", "architectures": ["TimmWrapperForImageClassification"],
        "label_names": ["a", "b", "c"], "pretrained_cfg": {"input_size": [3, 96, 96]}});
    let card = config(wrapper.clone()).unwrap().card;
    assert_eq!(card.preprocess.size, [96, 96]);
    assert_eq!(card.labels, ["a", "b", "c"]);
    // Without anything of timm's it is timm's all the same, and the wrapper of another net is refused by its name.
    assert!(config(json!({"model_type": "timm_wrapper"})).is_ok());
    let mut other = wrapper;
    other["architecture"] = json!("vit_base_patch16_224");
    let error = config(other).err().unwrap();
    assert!(
        one_line(&error).ends_with("architecture `vit_base_patch16_224` is not one of the family")
    );
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
        "it is neither safetensors nor a checkpoint of `torch.save`",
    );
    fs::remove_file(folder.path().join(&parts[0])).unwrap();
    damaged(&parts[0], " is missing");
    let index = folder.path().join("model.safetensors.index.json");
    for part in ["../x.safetensors", ".x", "c:x.safetensors", "a\\b"] {
        fs::write(&index, json!({"weight_map": {"a": part}}).to_string()).unwrap();
        damaged(part, "which is not beside it");
    }
    fs::File::create(&index).unwrap().set_len(1 << 27).unwrap();
    damaged("index.json", "more than a configuration");
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
fn timms_own_configuration_describes_a_net_without_its_weights() {
    let hub = Folders::new(fixture(""));
    let card = Card::open("timm/timm_resnet50", &hub).unwrap();
    assert_eq!(card.config, ModelConfig::named("resnet50").unwrap());
    assert_eq!(card.preprocess.size, [176, 176]);
    assert_eq!(card.preprocess.test_size, Some([224, 224]));
    assert_eq!(card.labels.len(), 1000);
    let card = Card::open("timm/timm_resnext50_32x4d@v2", &hub).unwrap();
    assert_eq!(card.name, "timm/timm_resnext50_32x4d@v2");
    assert_eq!(card.config.name(), Some("resnext50_32x4d"));
    assert_eq!((card.config.classes, card.config.in_channels), (10, 1));
    assert_eq!(card.preprocess.mean, [0.449]);
    assert!(card.notes.is_empty());
    let asked = hub.asked.borrow();
    assert!(
        asked.iter().all(|asked| asked.ends_with(" config.json")),
        "{asked:?}"
    );
}

#[test]
fn the_hubs_weights_are_found_under_their_usual_names() {
    let hub = Folders::new(fixture(""));
    for name in ["bottleneck", "parts", "binary"] {
        let checkpoint = Checkpoint::open(&format!("org/transformers_{name}@main"), &hub).unwrap();
        assert_equals(&checkpoint, "transformers_bottleneck", name);
        assert_eq!(
            checkpoint.card.name,
            format!("org/transformers_{name}@main")
        );
    }
    let checkpoint = Checkpoint::open("org/expected/tied.safetensors", &hub).unwrap();
    assert_equals(&checkpoint, "tied", "one file");
    // No configuration there: the shapes tell, and the weights are needed for them.
    let card = Card::open("org/expected/tied.safetensors", &hub).unwrap();
    assert_eq!(card, checkpoint.card);
    let error = Checkpoint::open("org/timm_resnet50", &hub).err().unwrap();
    assert_eq!(
        error.to_string(),
        "repository `org/timm_resnet50` has no weights: neither `model.safetensors` nor `pytorch_model.bin`"
    );
}

#[test]
fn a_checkpoint_saved_as_safetensors_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "transformers_v1",
        "tied.pth",
        "float16.pth",
        "bottleneck.safetensors",
    ] {
        let checkpoint = open(&fixture(name)).unwrap();
        let path = folder.path().join("saved.safetensors");
        checkpoint.save_safetensors(&path).unwrap();
        let saved = open(&path).unwrap();
        assert_eq!(saved.card.config, checkpoint.card.config);
        assert_eq!(saved.card.labels, checkpoint.card.labels);
        assert_eq!(saved.card.preprocess, checkpoint.card.preprocess);
        assert!(saved.infos().eq(checkpoint.infos()));
        let [before, after] =
            [&checkpoint, &saved].map(|c| c.tensors(DType::F64, &Device::Cpu).unwrap());
        for (name, tensor) in before {
            assert_eq!(numbers(&tensor), numbers(&after[&name]), "{name}");
        }
        let bytes = fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let counter = tensors.tensor("bn1.num_batches_tracked").unwrap();
        assert_eq!(counter.dtype(), Dtype::I64);
        // Saving over the file that is mapped leaves the mapped one whole.
        saved.save_safetensors(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let nowhere = folder.path().join("no/such/folder.safetensors");
    let error = open(&fixture("basic.pth"))
        .unwrap()
        .save_safetensors(&nowhere)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write `{}`", nowhere.display())
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_runs_folder_is_its_best_model_and_a_lone_file_needs_no_name() {
    let run = tempfile::tempdir().unwrap();
    for (name, weights) in [("best", "tied"), ("last", "basic")] {
        fs::create_dir(run.path().join(name)).unwrap();
        let from = fixture("expected").join(format!("{weights}.safetensors"));
        fs::copy(from, run.path().join(name).join("model.safetensors")).unwrap();
    }
    fs::write(run.path().join("state.safetensors"), "").unwrap();
    assert_equals(&open(run.path()).unwrap(), "tied", "best");
    fs::remove_dir_all(run.path().join("best")).unwrap();
    assert_equals(&open(run.path()).unwrap(), "basic", "last");

    let folder = tempfile::tempdir().unwrap();
    let (message, hint) = refusal(folder.path());
    assert_eq!(message, "folder `FILE` holds no weights");
    assert!(hint.contains("model.safetensors"));
    fs::copy(fixture("basic.pth"), folder.path().join("a.pth")).unwrap();
    assert_equals(&open(folder.path()).unwrap(), "basic", "a lone file");
    fs::copy(fixture("basic.pth"), folder.path().join("b.pth")).unwrap();
    assert_eq!(
        refusal(folder.path()).0,
        "folder `FILE` holds several files of weights: `a.pth`, `b.pth`"
    );
}

#[test]
fn what_torch_saves_beside_state_dicts_is_refused_by_name() {
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
            "it holds several state dicts, `generator` and `discriminator` among them",
        ),
        ("no_state_dict.pth", "it holds no state dict"),
        ("one_tensor.pth", "it holds no state dict"),
        ("quantised.pth", "tensor `fc.weight`: it is quantised"),
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

/// A tensor of zeros for a file made here.
struct Zeros(Dtype, Vec<usize>);

impl View for &Zeros {
    fn dtype(&self) -> Dtype {
        self.0
    }

    fn shape(&self) -> &[usize] {
        &self.1
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        vec![0; self.data_len()].into()
    }

    fn data_len(&self) -> usize {
        self.1.iter().product::<usize>() * self.0.bitsize() / 8
    }
}

type Shapes = Vec<(String, Zeros)>;

/// The tensors of a whole narrow net.
fn whole() -> Shapes {
    let bytes = fs::read(fixture("expected/basic.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut shapes: Shapes = tensors
        .iter()
        .map(|(name, tensor)| {
            (
                name.to_owned(),
                Zeros(tensor.dtype(), tensor.shape().to_vec()),
            )
        })
        .collect();
    shapes.sort_by(|(a, _), (b, _)| a.cmp(b));
    shapes
}

fn serialised(tensors: &Shapes) -> Vec<u8> {
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    safetensors::serialize(views, None).unwrap()
}

fn changed(change: impl FnOnce(&mut Shapes)) -> Vec<u8> {
    let mut tensors = whole();
    change(&mut tensors);
    serialised(&tensors)
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
    serialised(&tensors.collect())
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

/// A safetensors file with that header and one f32.
fn with_header(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// A zip archive of uncompressed entries.
fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tar() -> Vec<u8> {
    let mut bytes = vec![b'x'; 512];
    bytes[257..262].copy_from_slice(b"ustar");
    bytes
}

#[test]
fn malformed_and_foreign_files_are_refused_by_name() {
    let whole_file = serialised(&whole());
    let length = whole_file.len();
    let header = u64::from_le_bytes(whole_file[..8].try_into().unwrap());
    let cases: Vec<(&str, Vec<u8>, String)> = vec![
        ("empty", vec![], "it is empty".into()),
        ("short", b"abc".to_vec(), "it is neither safetensors nor a checkpoint of `torch.save`".into()),
        ("text", b"these are not the weights you want".to_vec(), "it is neither safetensors nor a checkpoint of `torch.save`".into()),
        ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec(), "it is a git-lfs pointer, not the weights it stands for".into()),
        ("html", b"\n<!DOCTYPE html><html>Sign in</html>".to_vec(), "it is a web page saved as weights".into()),
        ("html, no doctype", b"<HTML><body>404</body></HTML>".to_vec(), "it is a web page saved as weights".into()),
        ("xml", b"<?xml version=\"1.0\"?><Error/>".to_vec(), "it is a web page saved as weights".into()),
        ("tar", tar(), "it is a tar archive: files packed together, or PyTorch's first format".into()),
        ("pickle", b"\x80\x04}.".to_vec(), "it is a plain pickle, not one of `torch.save`".into()),
        ("gzip", b"\x1f\x8b\x08\0".to_vec(), "it is compressed with gzip".into()),
        ("hdf5", b"\x89HDF\r\n".to_vec(), "it is an HDF5 file (Keras), which is not read".into()),
        ("gguf", b"GGUF\x03\0\0\0".to_vec(), "it is a GGUF file, which is not read".into()),
        ("numpy", b"\x93NUMPY\x01\0".to_vec(), "it is a NumPy array, which is not read".into()),
        ("empty zip", b"PK\x05\x06\0\0\0\0".to_vec(), "it is an empty or split zip archive".into()),
        ("zip", zipped(&[("word/document.xml", b"<x/>")]), "it is a zip archive without `data.pkl`, so not one of `torch.save`".into()),
        ("big-endian", zipped(&[("a/data.pkl", b"\x80\x02}."), ("a/byteorder", b"big")]), "its numbers are in big-endian order".into()),
        ("no dictionary", zipped(&[("a/data.pkl", b"\x80\x02K\x01.")]), "it holds no state dict".into()),
        ("empty dictionary", zipped(&[("a/data.pkl", b"\x80\x02}.")]), "it holds no state dict".into()),
        ("damaged pickle", zipped(&[("a/data.pkl", b"\x80\x02\xff")]), "the pickle is damaged at byte 2: unknown instruction 0xff".into()),
        ("short pickle", zipped(&[("a/data.pkl", b"\x80\x02}q")]), "the pickle is damaged at byte 3: the pickle ends too early".into()),
        ("dictionary in itself", zipped(&[("a/data.pkl", b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.")]), "it holds no state dict".into()),
        ("header beyond the file", with_header("{}")[..9].to_vec(), "its header is said to be 2 bytes long, and the file has 9".into()),
        ("header longer than any", [(u64::MAX).to_le_bytes().as_slice(), b"{}"].concat(), "its header is said to be 18446744073709551615 bytes long, and the file has 10".into()),
        ("header no JSON", with_header("{\"a\""), "its header is not the JSON of a safetensors file: EOF while parsing an object at line 1 column 4".into()),
        ("header of something else", with_header("[]"), "its header is not the JSON of a safetensors file: invalid type: sequence, expected a map at line 1 column 0".into()),
        ("truncated", whole_file[..length - 1].to_vec(), format!("its header describes {length} bytes, and the file has {}", length - 1)),
        ("truncated header", whole_file[..20].to_vec(), format!("its header is said to be {header} bytes long, and the file has 20")),
        ("hole", with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[2,4]}}"), "its header is wrong: invalid offset for tensor `a`".into()),
        ("shape against data", with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,4]}}"), "its header is wrong: invalid shape, data type, or offset for tensor".into()),
        ("unknown type", with_header("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}"), "its header is wrong: invalid JSON in header: unknown variant `F31`, expected one of `BOOL`, `F4`, `F6_E2M3`, `F6_E3M2`, `U8`, `I8`, `F8_E5M2`, `F8_E4M3`, `F8_E8M0`, `F8_E4M3FNUZ`, `F8_E5M2FNUZ`, `I16`, `U16`, `F16`, `BF16`, `I32`, `U32`, `F32`, `C64`, `F64`, `I64`, `U64` at line 1 column 53".into()),
        ("longer than described", [whole_file.as_slice(), b"more"].concat(), "its header is wrong: incomplete metadata, file not fully covered".into()),
        ("no tensors", with_header("{}")[..10].to_vec(), "it holds no tensors".into()),
        ("deep stem", renamed("conv1.weight", "conv1.0.weight"), "it is a ResNet-C or ResNet-D, whose stem is three convolutions (`conv1.0.weight`); only the 7x7 and the 3x3 stem are built".into()),
        ("pooled shortcuts", added("layer3.0.downsample.1.weight", &[4, 4, 1, 1]), "it is a ResNet-D, whose shortcuts pool before they convolve (`layer3.0.downsample.1.weight` has four dimensions)".into()),
        ("Res2Net", added("layer1.0.convs.0.weight", &[4]), "it is a Res2Net, whose blocks split their channels (`layer1.0.convs.0.weight`), which are not built".into()),
        ("ShuffleNet", only(&["conv1.0.weight", "stage2.0.branch1.0.weight"]), "it is not a ResNet that is known: it has `conv1.0.weight` and no `conv1.weight`".into()),
        ("attention", added("layer1.0.se.fc1.weight", &[4]), "it has blocks with attention, as SE and ECA nets (`layer1.0.se.fc1.weight`), which are not built".into()),
        ("anti-aliasing", added("layer2.0.conv2.1.filt", &[4]), "it has anti-aliased strides (`layer2.0.conv2.1.filt`), which are not built".into()),
        ("HRNet", changed(|tensors| {
            tensors.retain(|(name, _)| !name.starts_with("fc"));
            for name in ["conv2.weight", "stage2.0.branches.0.0.conv1.weight", "transition1.0.0.weight"] {
                tensors.push((name.into(), Zeros(Dtype::F32, vec![4])));
            }
        }), "it is an HRNet, whose branches keep several sizes (`stage2.0.branches.0.0.conv1.weight`), which are not built".into()),
        ("group norm", changed(|tensors| tensors.retain(|(name, _)| !name.contains("running_"))), "it has no running statistics (`bn1.running_mean`): its norm is GroupNorm or another, and only batch norm is built".into()),
        ("no classifier", changed(|tensors| tensors.retain(|(name, _)| !name.starts_with("fc"))), "the classifier (`fc.weight` and `fc.bias`) is missing".into()),
        ("VGG", only(&["features.0.weight", "classifier.0.weight"]), "it is not a ResNet: it has `features.0.weight`, as VGG or AlexNet, and no `conv1.weight`".into()),
        ("MobileNet", only(&["features.0.0.weight"]), "it is not a ResNet: it has `features.0.0.weight`, as MobileNet or EfficientNet, and no `conv1.weight`".into()),
        ("vision transformer", only(&["blocks.0.norm1.weight", "patch_embed.proj.weight"]), "it is not a ResNet: it has `patch_embed.proj.weight`, as a vision transformer, and no `conv1.weight`".into()),
        ("ResNet of version 2", only(&["stem.conv.weight"]), "it is not a ResNet: it has `stem.conv.weight`, as RegNet, or a ResNet of version 2 (norms before convolutions), and no `conv1.weight`".into()),
        ("another", only(&["encoder.weight", "x"]), "it is not a ResNet that is known: it has `encoder.weight` and no `conv1.weight`".into()),
        ("one missing", without("layer1.0.conv2.weight"), "tensor `layer1.0.conv2.weight` is missing".into()),
        ("one statistic missing", without("layer1.0.bn2.running_var"), "tensor `layer1.0.bn2.running_var` is missing".into()),
        ("many missing", without("running_var"), "tensors `bn1.running_var`, `layer1.0.bn1.running_var`, `layer1.0.bn2.running_var`, `layer2.0.bn1.running_var`, `layer2.0.bn2.running_var` and 1 more are missing".into()),
        ("no shortcuts", changed(|tensors| tensors.retain(|(name, _)| !name.contains("downsample"))), "it has no projection shortcuts (`layer2.0.downsample.0.weight`), and tensors do not tell padded shortcuts from none".into()),
        ("a stage missing", renamed("layer1.", "layer3."), "tensors of `layer1` are missing".into()),
        ("a block far away", added("layer1.999999999999.bn1.weight", &[8]), "tensors `layer1.1.conv1.weight`, `layer1.1.bn1.weight`, `layer1.1.bn1.bias`, `layer1.1.bn1.running_mean`, `layer1.1.bn1.running_var` and 5 more are missing; tensor `layer1.999999999999.bn1.weight` is not part of the net".into()),
        ("misshapen", reshaped("layer2.0.conv1.weight", Dtype::F32, &[12, 7, 3, 3]), "tensor `layer2.0.conv1.weight` is [12, 7, 3, 3] and must be [12, 8, 3, 3]".into()),
        ("stem of 5x5", reshaped("conv1.weight", Dtype::F32, &[8, 3, 5, 5]), "`conv1.weight` is a 5x5 convolution: a stem has 7x7 or 3x3".into()),
        ("axes", reshaped("conv1.weight", Dtype::F32, &[8, 3]), "tensor `conv1.weight` has shape [8, 3]: it must have 4 axes".into()),
        ("no channels", reshaped("conv1.weight", Dtype::F32, &[8, 0, 7, 7]), "channels, classes, groups and widths must be at least 1".into()),
        ("a counter of nothing", added("x.num_batches_tracked", &[1]), "tensor `x.num_batches_tracked` is not part of the net".into()),
        ("a counter with many elements", reshaped("bn1.num_batches_tracked", Dtype::I64, &[1 << 12]), "tensor `bn1.num_batches_tracked` is not part of the net".into()),
        ("unexpected", added("extra.weight", &[1]), "tensor `extra.weight` is not part of the net".into()),
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
fn a_configuration_that_contradicts_the_tensors_is_refused_with_both() {
    let own = |key: &str, value: Value| {
        let card = open(&fixture("expected/basic.safetensors")).unwrap().card;
        let mut json = card.to_json();
        json["resnet"][key] = value;
        json
    };
    let timm = |architecture: &str| json!({"architecture": architecture, "num_classes": 3});
    let cases = [
        (
            timm("resnet18"),
            "config.json and the tensors disagree on blocks a stage: [2, 2, 2, 2] against [1, 1]",
        ),
        (
            own("classes", json!(10)),
            "config.json and the tensors disagree on classes: 10 against 3",
        ),
        (
            own("in_channels", json!(1)),
            "config.json and the tensors disagree on input channels: 1 against 3",
        ),
        (
            own("planes", json!([8, 16])),
            "config.json and the tensors disagree on planes a stage: [8, 16] against [8, 12]",
        ),
        (
            own("stem", json!("cifar")),
            "config.json and the tensors disagree on stem: cifar against imagenet",
        ),
        (
            own("block", json!("bottleneck")),
            "config.json and the tensors disagree on block: bottleneck against basic",
        ),
        (
            own("shortcut", json!("padded")),
            "tensors `layer2.0.downsample.0.weight`, `layer2.0.downsample.1.bias`, `layer2.0.downsample.1.num_batches_tracked`, `layer2.0.downsample.1.running_mean`, `layer2.0.downsample.1.running_var` and 1 more are not part of the net",
        ),
        (
            json!({"resnet": null, "num_classes": 7}),
            "config.json and the tensors disagree on classes: 7 against 3",
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
fn configurations_that_cannot_be_used_are_refused_and_foreign_ones_ignored() {
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
        refused("{\"architecture\": \"resnet50d\"}"),
        "cannot use `CONFIG`: architecture `resnet50d` is not one of the family"
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
            "cannot use `CONFIG`: `model_args` has `stem_width`, under which timm builds a net that is not built here",
        ),
        (
            "{\"architecture\": \"resnet50\", \"pretrained_cfg\": {\"crop_mode\": \"x\"}}",
            "cannot use `CONFIG`: `crop_mode` is `x`: it is center, squash or border",
        ),
        (
            "{\"architecture\": \"resnet50\", \"num_classes\": 0}",
            "cannot use `CONFIG`: `num_classes` is 0: the net has no classifier",
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
fn a_plain_net_and_a_padded_one_are_told_by_their_configuration() {
    let tensors: Shapes = whole()
        .into_iter()
        .filter(|(name, _)| !name.contains("downsample"))
        .collect();
    for shortcut in ["padded", "none"] {
        let folder = tempfile::tempdir().unwrap();
        let mut config = open(&fixture("expected/basic.safetensors"))
            .unwrap()
            .card
            .to_json();
        config["resnet"]["shortcut"] = json!(shortcut);
        fs::write(
            folder.path().join("model.safetensors"),
            serialised(&tensors),
        )
        .unwrap();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let card = open(folder.path()).unwrap().card;
        assert_eq!(json!(card.config.shortcut), shortcut);
        // The tensors tell all the rest.
        let least = json!({"resnet": {"shortcut": shortcut}}).to_string();
        fs::write(folder.path().join("config.json"), least).unwrap();
        assert_eq!(open(folder.path()).unwrap().card.config, card.config);
    }
}

#[test]
fn a_local_file_is_compared_with_the_configuration_beside_it_though_only_described() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let describe = || Card::open(path.to_str().unwrap(), &Offline);
    fs::write(
        folder.path().join("config.json"),
        "{\"architecture\": \"resnet50\"}",
    )
    .unwrap();
    fs::write(&path, "these are not the weights you want").unwrap();
    let junk = one_line(&describe().unwrap_err());
    assert!(junk.contains("it is neither safetensors nor"), "{junk}");
    fs::copy(fixture("expected/basic.safetensors"), &path).unwrap();
    let other = one_line(&describe().unwrap_err());
    assert!(
        other.contains("config.json and the tensors disagree"),
        "{other}"
    );
}

/// A whole narrow net as safetensors with that metadata.
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
        assert_eq!(open(&path).unwrap().card.config.classes, 3, "{foreign}");
    }
    let mut own = open(&path).unwrap().card.to_json();
    own["label_names"] = json!(["a", "b", "c"]);
    for key in ["config", "resnet.config"] {
        fs::write(&path, with_metadata(key, &own.to_string())).unwrap();
        assert_eq!(open(&path).unwrap().card.labels, ["a", "b", "c"], "{key}");
    }
    let config = folder.path().join("config.json");
    fs::write(&config, own.to_string()).unwrap();
    assert!(open(&path).unwrap().card.notes.is_empty());
    for other in [
        "{\"num_classes\": 3, \"label_names\": [\"x\", \"y\", \"z\"], \"resnet\": null}",
        "{\"model_type\": \"vit\"}",
    ] {
        fs::write(&config, other).unwrap();
        let card = open(&path).unwrap().card;
        assert_eq!(card.labels, ["a", "b", "c"]);
        assert_eq!(
            card.notes.len(),
            usize::from(other.contains('x')),
            "{other}"
        );
    }
    fs::write(&path, with_metadata("resnet.config", "{")).unwrap();
    assert!(
        refusal(&path)
            .0
            .starts_with("the file's metadata is no JSON")
    );
}

#[test]
fn numbers_that_are_not_finite_are_noted() {
    let mut bytes = serialised(&whole());
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let data = tensors.tensor("fc.bias").unwrap().data();
    let offset = data.as_ptr() as usize - bytes.as_ptr() as usize;
    bytes[offset..offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.safetensors");
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        open(&path).unwrap().card.notes,
        ["tensor `fc.bias` holds numbers that are infinite or not a number: so will the outputs"]
    );
}

/// Opens each of the files and says how many were refused; none may panic.
fn refused<'a>(files: impl Iterator<Item = std::borrow::Cow<'a, [u8]>>) -> [usize; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    let mut counts = [0, 0];
    for bytes in files {
        fs::write(&path, bytes).unwrap();
        counts[0] += usize::from(open(&path).is_err());
        counts[1] += 1;
    }
    counts
}

/// Every file that differs from `bytes` by one of these changes of one byte.
fn flipped<'a>(bytes: &'a [u8], changes: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    (0..bytes.len()).flat_map(move |position| {
        changes.iter().map(move |change| {
            let mut bytes = bytes.to_vec();
            bytes[position] ^= change;
            bytes
        })
    })
}

#[test]
fn a_pth_cut_off_anywhere_is_refused() {
    for name in ["smallest.pth", "smallest_legacy.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        assert!(open(&fixture(name)).is_ok());
        let [refused, all] = refused((0..bytes.len()).map(|length| bytes[..length].into()));
        assert_eq!(refused, all, "{name}");
    }
}

#[test]
fn a_pth_with_any_byte_changed_does_not_panic() {
    for (name, changes) in [
        // What may change unseen is padding, dates and the entries that are not read.
        ("smallest.pth", &[0x81][..]),
        // Here it is the weights themselves, which have no checksum.
        ("smallest_legacy.pth", &[0x01, 0x10, 0x80, 0xff]),
    ] {
        let bytes = fs::read(fixture(name)).unwrap();
        let [refused, all] = refused(flipped(&bytes, changes).map(Into::into));
        assert!(refused * 3 > all, "{name}: {refused} of {all} were refused");
    }
}

#[test]
fn an_old_checkpoint_whose_storages_are_not_what_its_object_says_is_refused() {
    let bytes = fs::read(fixture("smallest_legacy.pth")).unwrap();
    let last = bytes.len() - 12;
    assert_eq!(
        bytes[last..last + 8],
        1u64.to_le_bytes(),
        "one f32 stands last"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    for (count, message) in [
        (2, " has 2 elements, and 1 are wanted"),
        (
            u64::MAX,
            " has 18446744073709551615 elements, and 1 are wanted",
        ),
    ] {
        let mut changed = bytes.clone();
        changed[last..last + 8].copy_from_slice(&u64::to_le_bytes(count));
        fs::write(&path, changed).unwrap();
        let (refused, hint) = refusal(&path);
        assert!(refused.ends_with(message), "{refused}");
        assert_eq!(
            hint,
            "the file is cut off or damaged: copy or download it again"
        );
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(refusal(&path).0.contains(" reaches beyond the file's "));
}

#[test]
fn a_pickle_with_any_byte_changed_does_not_panic() {
    // The checksums stop most changes before the pickle's reader: here the archive is packed anew around each.
    let bytes = fs::read(fixture("smallest.pth")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    let entries = names.into_iter().map(|name| {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_name(&name).unwrap(), &mut content).unwrap();
        (name, content)
    });
    let (pickles, others): (Vec<_>, Vec<_>) =
        entries.partition(|(name, _)| name.ends_with("data.pkl"));
    let (name, pickle) = &pickles[0];
    let packed = |pickle: &[u8]| {
        let others = others
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()));
        zipped(&others.chain([(name.as_str(), pickle)]).collect::<Vec<_>>())
    };
    assert_eq!(refused([packed(pickle).into()].into_iter()), [0, 1]);
    let [cut, all] = refused((0..pickle.len()).map(|length| packed(&pickle[..length]).into()));
    assert_eq!(cut, all);
    let changes = [0x01, 0x10, 0x80, 0xff];
    let [refused, all] = refused(flipped(pickle, &changes).map(|pickle| packed(&pickle).into()));
    assert!(refused * 3 > all, "{refused} of {all} were refused");
}

#[test]
fn a_pickle_that_names_itself_over_and_over_is_refused_at_once() {
    // A dictionary of ten thousand keys whose every value is that dictionary.
    let mut pickle = b"\x80\x02}q\x00(".to_vec();
    for key in 0..10_000 {
        let key = format!("{key}");
        pickle.push(b'X');
        pickle.extend((key.len() as u32).to_le_bytes());
        pickle.extend(key.as_bytes());
        pickle.extend(b"h\x00");
    }
    pickle.extend(b"u.");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    fs::write(&path, zipped(&[("a/data.pkl", &pickle)])).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(refusal(&path).0, "it holds no state dict");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_changed_weight_in_a_pth_fails_its_checksum() {
    let mut bytes = fs::read(fixture("basic.pth")).unwrap();
    let weights =
        candle_core::safetensors::load(fixture("expected/basic.safetensors"), &Device::Cpu)
            .unwrap();
    let first: Vec<f32> = weights["conv1.weight"]
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let needle: Vec<u8> = first[..4]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let position = bytes
        .windows(16)
        .position(|window| window == needle)
        .unwrap();
    bytes[position] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pth");
    fs::write(&path, bytes).unwrap();
    let (message, hint) = refusal(&path);
    assert_eq!(
        message,
        "entry `basic/data/0` of its archive: its checksum is wrong"
    );
    assert_eq!(
        hint,
        "the file is cut off or damaged: copy or download it again"
    );
}

#[test]
fn the_bundled_model_and_unknown_names_are_said_to_be_missing() {
    for (written, message) in [
        ("sample", "the bundled model `sample` is not there yet"),
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
