//! Tests of weights in all usual formats: what is read equals what PyTorch saved. The fixtures are made by
//! `tests/fixtures/weights/make.py`.

mod configured;
mod damaged;
mod located;
mod on_demand;
mod refused;

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use resnet::{
    error::{hint_of, one_line},
    infer::Workload,
    model::{
        BlockKind, CropMode, Interpolation, ModelConfig, StemKind, StridePlacement, parameters,
    },
    pipeline::{load, prepare},
    weights::{Checkpoint, Fetch, ModelInfo},
};
use safetensors::{SafeTensors, View, tensor::Dtype};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

/// A hub whose repositories are folders; records the requests.
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

/// A hub that must not receive any request.
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

/// Opens weights and reads all of them.
fn read(path: &Path) -> Result<Checkpoint> {
    let checkpoint = open(path)?;
    checkpoint.tensors(DType::F32, &Device::Cpu)?;
    Ok(checkpoint)
}

/// Returns the message, without the path of the weights, and the hint.
fn refusal(path: &Path) -> (String, String) {
    let error = read(path)
        .err()
        .unwrap_or_else(|| panic!("`{}` was read", path.display()));
    let message = one_line(&error).replace(path.to_str().unwrap(), "FILE");
    let message = message
        .strip_prefix("cannot load weights `FILE`: ")
        .unwrap_or(&message);
    (
        message.to_owned(),
        hint_of(&error).map_or(String::new(), ToString::to_string),
    )
}

/// Returns every element as f64, so that all types are compared exactly.
fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

/// Asserts that the checkpoint holds exactly the tensors of `expected/NAME.safetensors`, except counters.
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
        let config = &checkpoint.info.config;
        assert_eq!(config.planes, [8, 12], "{file}");
        assert_eq!(config.classes, 3, "{file}");
        assert!(checkpoint.info.labels.is_empty(), "{file}");
    }
}

#[test]
fn half_precision_is_kept_until_another_type_is_requested() {
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
        .info
        .notes;
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "the checkpoint holds `model`, which is loaded, and `model_ema`, which is not; to load `model_ema`: `torch.save(torch.load(file)[\"model_ema\"], \"average.pth\")`"
        ]
    );
    assert!(open(&fixture("basic.pth")).unwrap().info.notes.is_empty());
}

#[test]
fn the_architecture_is_inferred_from_the_tensors() {
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
        assert_eq!(checkpoint.info.config, config, "{name}");
        let info = ModelInfo::open(
            fixture(&format!("{name}.safetensors")).to_str().unwrap(),
            &Offline,
        );
        assert_eq!(info.unwrap(), checkpoint.info, "{name}");
    }
    let cifar = open(&fixture("kuangliu.pth")).unwrap();
    assert_eq!(cifar.info.config.stem, StemKind::Cifar);
    let notes = cifar.info.notes;
    assert!(
        notes.len() == 1 && notes[0].to_string().contains("`image-size = 32 "),
        "{notes:?}"
    );
}

#[test]
fn a_thousand_unnamed_classes_are_imagenets() {
    let info = open(&fixture("four_stages.safetensors")).unwrap().info;
    assert_eq!(info.labels[281], "tabby, tabby cat");
}

#[test]
fn other_numbers_of_channels_get_a_mean_for_each_and_a_note() {
    let info = open(&fixture("five_channels.safetensors")).unwrap().info;
    assert_eq!(info.preprocess.mean.len(), 5);
    assert_eq!(info.notes.len(), 1);
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
        assert_eq!(saved.info.config, checkpoint.info.config);
        assert_eq!(saved.info.labels, checkpoint.info.labels);
        assert_eq!(saved.info.preprocess, checkpoint.info.preprocess);
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
        // Saving over the file that is open leaves the open one whole.
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

/// A tensor of zeros for a file written by the test.
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

/// Returns the tensors of a complete narrow model.
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

fn serialized(tensors: &Shapes) -> Vec<u8> {
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    safetensors::serialize(views, None).unwrap()
}

fn changed(change: impl FnOnce(&mut Shapes)) -> Vec<u8> {
    let mut tensors = whole();
    change(&mut tensors);
    serialized(&tensors)
}

/// Returns a zip archive of uncompressed entries.
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
