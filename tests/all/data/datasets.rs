//! Tests of datasets from every source: the same images in both formats, compared with candle-datasets, and damaged
//! ones.

mod damaged;
mod fetched;
mod folders;
mod labels_csv;

use std::fs;
use std::path::{Path, PathBuf};

use resnet::data::DecodeOptions;
use resnet::data::dataset::{BuiltinDataset, Dataset, DatasetName, open};
use resnet::data::dataset::{DatasetKind, Split, cifar, idx, parquet};
use resnet::data::image::large_images::LargeImageGate;
use resnet::error::hint_of;
use resnet::hub::Silent;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/datasets")
        .join(name)
}

/// Copies the files of a fixture, which the test may damage.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn tables(folder: &Path, known: BuiltinDataset) -> anyhow::Result<Dataset> {
    parquet::read(
        &folder.join("train.parquet"),
        &folder.join("test.parquet"),
        known,
    )
}

fn opened(written: &str) -> anyhow::Result<Dataset> {
    open(&DatasetName::parse(written)?, written, &Silent)
}

/// Returns the samples of an image as decoded, `[height, width, 3]`.
fn samples(split: &Split, index: usize) -> Vec<u8> {
    let image = split.with_image(
        index,
        &DecodeOptions::default(),
        &LargeImageGate::default(),
        |image| Ok(image.as_raw().clone()),
    );
    image.unwrap()
}

fn all_samples(split: &Split) -> Vec<Vec<u8>> {
    (0..split.len())
        .map(|index| samples(split, index))
        .collect()
}

fn assert_same(a: &Dataset, b: &Dataset) {
    assert_eq!(a.labels, b.labels);
    for (a, b) in [(&a.train, &b.train), (&a.test, &b.test)] {
        let (a, b) = (a.as_ref().unwrap(), b.as_ref().unwrap());
        assert_eq!(a.classes(), b.classes());
        assert!(all_samples(a) == all_samples(b), "the images differ");
    }
}

/// Returns the whole message and its hint.
fn failure(result: anyhow::Result<Dataset>) -> (String, String) {
    let error = result.expect_err("an error");
    let hint = hint_of(&error).map_or(String::new(), ToString::to_string);
    (format!("{error:#}"), hint)
}

#[test]
fn the_tables_of_the_hub_hold_the_images_of_the_original_files() {
    let folder = fixture("cifar10");
    let original = cifar::read(&folder, BuiltinDataset::Cifar10).unwrap();
    assert_eq!(
        original.train.as_ref().unwrap().classes(),
        [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    );
    assert_same(
        &tables(&folder, BuiltinDataset::Cifar10).unwrap(),
        &original,
    );

    let folder = fixture("cifar100");
    let original = cifar::read(&folder, BuiltinDataset::Cifar100).unwrap();
    assert_eq!(
        original.train.as_ref().unwrap().classes(),
        [19, 29, 0, 11, 99]
    );
    assert_eq!(original.labels[19], "cattle");
    assert_same(
        &tables(&folder, BuiltinDataset::Cifar100).unwrap(),
        &original,
    );

    let folder = fixture("fashion_mnist");
    let original = idx::read(&folder, BuiltinDataset::FashionMnist).unwrap();
    assert_same(
        &tables(&folder, BuiltinDataset::FashionMnist).unwrap(),
        &original,
    );
}

/// The first image of the fixture is the top left corner of the cat.
#[test]
fn images_come_out_upright() {
    let cat = image::open("assets/images/cat.png").unwrap().into_rgb8();
    let corner = image::imageops::crop_imm(&cat, 0, 0, 32, 32).to_image();
    for data in [
        cifar::read(&fixture("cifar10"), BuiltinDataset::Cifar10).unwrap(),
        tables(&fixture("cifar10"), BuiltinDataset::Cifar10).unwrap(),
    ] {
        assert_eq!(samples(&data.train.unwrap(), 0), *corner.as_raw());
        assert_eq!(
            (data.kind, data.preprocess.size),
            (DatasetKind::Small, [32, 32])
        );
    }
}

#[test]
fn cifar_equals_candle_datasets() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = crate::support::hostile::random(7);
    let mut bytes = vec![0; 10_000 * 3073];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = (random() % if index % 3073 == 0 { 10 } else { 256 }) as u8;
    }
    for batch in 1..=5 {
        bytes.rotate_left(3073 * batch);
        fs::write(
            folder.path().join(format!("data_batch_{batch}.bin")),
            &bytes,
        )
        .unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), &bytes).unwrap();

    let ours = cifar::read(folder.path(), BuiltinDataset::Cifar10).unwrap();
    assert!(ours.notes.is_empty(), "{:?}", ours.notes);
    assert_eq!(ours.train.as_ref().unwrap().len(), 50_000);
    let theirs = candle_datasets::vision::cifar::load_dir(folder.path()).unwrap();
    let theirs = Dataset::from_candle("x", ours.kind, Some(ours.labels.clone()), &theirs).unwrap();
    assert_eq!(
        (theirs.kind, theirs.preprocess.size),
        (DatasetKind::Small, [32, 32])
    );
    assert_same(&ours, &theirs);
}

#[test]
fn idx_equals_candle_datasets() {
    let ours = idx::read(&fixture("fashion_mnist"), BuiltinDataset::FashionMnist).unwrap();
    let mut theirs = candle_datasets::vision::mnist::load_dir(fixture("fashion_mnist")).unwrap();
    let taken = Dataset::from_candle("x", DatasetKind::SmallGray, None, &theirs).unwrap();
    assert_eq!(
        (taken.kind, taken.preprocess.size),
        (DatasetKind::SmallGray, [28, 28])
    );
    assert_eq!(taken.labels[9], "9");
    let named = Dataset::from_candle("x", ours.kind, Some(ours.labels.clone()), &theirs).unwrap();
    assert_same(&ours, &named);

    // Images that are normalized, of no square, or of classes beyond the last are refused.
    let too_few = Dataset::from_candle(
        "x",
        DatasetKind::SmallGray,
        Some(vec!["a".to_owned()]),
        &theirs,
    );
    assert!(failure(too_few).0.contains("and there are 1"));
    let images = theirs.train_images.clone();
    for (images, message) in [
        ((&images - 0.5).unwrap(), "no 8-bit one in 0..=1"),
        ((&images * 0.99).unwrap(), "no 8-bit one in 0..=1"),
        (images.narrow(1, 0, 783).unwrap(), "holds no images"),
        (images.narrow(0, 0, 8).unwrap(), "for 8 images"),
    ] {
        theirs.train_images = images;
        let (error, _) = failure(Dataset::from_candle(
            "x",
            DatasetKind::SmallGray,
            None,
            &theirs,
        ));
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn original_files_are_found_where_archives_and_torchvision_put_them() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = folder.path().join("cifar-10-batches-bin");
    fs::rename(copy("cifar10").keep(), &unpacked).unwrap();
    let names = "plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    fs::write(unpacked.join("batches.meta.txt"), names).unwrap();
    let written = format!("cifar10:{}", folder.path().display());
    let data = opened(&written).unwrap();
    assert_eq!(
        (data.name.as_str(), data.labels[0].as_str()),
        (written.as_str(), "plane")
    );
    assert_eq!(data.notes.len(), 6, "{:?}", data.notes);
    assert_eq!(
        data.notes[0].to_string(),
        "`data_batch_1.bin` holds 2 images, the original holds 10000"
    );
    assert_eq!(data.train.unwrap().name(3), "cifar10 train 3");

    // Packed, and in torchvision's folder.
    let raw = folder.path().join("FashionMNIST/raw");
    fs::create_dir_all(&raw).unwrap();
    for name in [
        "train-images-idx3",
        "train-labels-idx1",
        "t10k-images-idx3",
        "t10k-labels-idx1",
    ] {
        let bytes = fs::read(fixture("fashion_mnist").join(format!("{name}-ubyte"))).unwrap();
        fs::write(
            raw.join(format!("{name}-ubyte.gz")),
            damaged::packed(&bytes),
        )
        .unwrap();
    }
    let data = opened(&format!("fashion-mnist:{}", folder.path().display())).unwrap();
    let plain = idx::read(&fixture("fashion_mnist"), BuiltinDataset::FashionMnist).unwrap();
    assert_same(&data, &plain);
    assert_eq!(
        (data.kind, data.preprocess.size),
        (DatasetKind::SmallGray, [28, 28])
    );

    // As some archives call them.
    for name in ["train-images-idx3", "t10k-labels-idx1"] {
        let dotted = name.replace("-idx", ".idx");
        fs::rename(
            raw.join(format!("{name}-ubyte.gz")),
            raw.join(format!("{dotted}-ubyte.gz")),
        )
        .unwrap();
    }
    assert_same(
        &opened(&format!("mnist:{}", folder.path().display()))
            .map(|mut data| {
                data.labels.clone_from(&plain.labels);
                data
            })
            .unwrap(),
        &plain,
    );
}

#[test]
fn the_sample_is_balanced_real_and_credited() {
    let data = opened("sample").unwrap();
    assert_eq!(data.name, "sample");
    assert_eq!(data.labels[9], "Ankle boot");
    assert_eq!(
        (data.kind, data.preprocess.size),
        (DatasetKind::SmallGray, [28, 28])
    );
    assert!(data.val.is_none() && data.notes.is_empty());
    let credit = fs::read_to_string("assets/sample/README.md").unwrap();
    assert!(credit.contains("Copyright © 2017 Zalando SE") && credit.contains("MIT"));
    for (split, each) in [(data.train.unwrap(), 600), (data.test.unwrap(), 100)] {
        assert_eq!(split.len(), 10 * each);
        assert!(
            split
                .classes()
                .iter()
                .copied()
                .eq((0..10).cycle().take(10 * each))
        );
        // What the script said of the original files.
        let gray: Vec<u8> = all_samples(&split)
            .concat()
            .into_iter()
            .step_by(3)
            .collect();
        let checksum = format!("`{:08x}`", crc32fast::hash(&gray));
        assert!(credit.contains(&checksum), "{checksum}");
    }
}

#[test]
fn a_held_out_part_is_balanced_and_the_same_for_a_seed() {
    let mut data = opened("sample").unwrap();
    data.hold_out(0.1, 42).unwrap();
    let (train, val) = (data.train.as_ref().unwrap(), data.val.as_ref().unwrap());
    assert_eq!(
        (train.len(), val.len(), data.test.as_ref().unwrap().len()),
        (5400, 600, 1000)
    );
    for class in 0..10 {
        let count = val
            .classes()
            .iter()
            .filter(|&&other| other == class)
            .count();
        assert_eq!(count, 60);
    }
    let names: Vec<String> = (0..600).map(|index| val.name(index)).collect();
    let again = |seed| {
        let mut data = opened("sample").unwrap();
        data.hold_out(0.1, seed).unwrap();
        let val = data.val.unwrap();
        (0..600).map(|index| val.name(index)).collect::<Vec<_>>()
    };
    assert_eq!(again(42), names);
    assert_ne!(again(43), names);

    for fraction in [0.0, -0.1, 1.0, 7.0, f64::NAN, f64::INFINITY] {
        let error = data.hold_out(fraction, 0).unwrap_err();
        assert!(resnet::error::is_usage_error(&error), "{error}");
        assert!(
            hint_of(&error)
                .unwrap()
                .to_string()
                .contains("above 0 and below 1")
        );
    }
    data.train = data.train.map(|train| train.select(&[0, 1, 2]));
    let error = data.hold_out(0.5, 0).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no class of `sample` has two images"),
        "{error}"
    );
    data.train = None;
    assert!(data.hold_out(0.5, 0).is_err());
}

#[test]
fn noise_is_made_for_training_alone() {
    let (message, _) = failure(opened("fake:8"));
    assert!(
        message.contains("random inputs are for training only"),
        "{message}"
    );
    let data = resnet::data::dataset::fake(8, 3, [3, 16, 16], 0).unwrap();
    let train = data.train.unwrap();
    assert_eq!((train.len(), train.input(7).unwrap().len()), (8, 768));
    assert!(data.val.is_none() && data.test.is_none());
    assert_eq!(data.kind, DatasetKind::Noise);
}
