//! Tests of preprocessing against Pillow, torchvision and timm: see `tests/fixtures/preprocess/make.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use image::RgbImage;
use pillow_image::Image;
use resnet::data::{DecodeOptions, EvalLoader, EvalTransform, decode};
use resnet::model::{CropMode, Preprocess};
use safetensors::{Dtype, SafeTensors};

/// An array of a fixture: its shape and values.
struct Array<T> {
    shape: Vec<usize>,
    values: Vec<T>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/preprocess")
}

fn cat() -> Result<RgbImage> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/images/cat.png");
    decode(&path, &DecodeOptions::default())
}

/// Returns the part of `image` in the box left, top, right, bottom.
fn crop(image: &RgbImage, [left, top, right, bottom]: [u32; 4]) -> RgbImage {
    image::imageops::crop_imm(image, left, top, right - left, bottom - top).to_image()
}

/// The arrays of a fixture by name.
struct Fixture {
    pixels: HashMap<String, Array<u8>>,
    inputs: HashMap<String, Array<f32>>,
}

fn read(name: &str) -> Result<Fixture> {
    let bytes = std::fs::read(fixtures().join(name))?;
    let (mut pixels, mut inputs) = (HashMap::new(), HashMap::new());
    for (name, view) in SafeTensors::deserialize(&bytes)?.iter() {
        let shape = view.shape().to_vec();
        if view.dtype() == Dtype::U8 {
            let values = view.data().to_vec();
            pixels.insert(name.to_string(), Array { shape, values });
        } else {
            let (numbers, _) = view.data().as_chunks::<4>();
            let values = numbers.iter().copied().map(f32::from_le_bytes).collect();
            inputs.insert(name.to_string(), Array { shape, values });
        }
    }
    Ok(Fixture { pixels, inputs })
}

/// Fails with the first pixel that differs.
fn assert_same_pixels(case: &str, actual: &Image, expected: &Array<u8>) {
    let [height, width] = actual.size();
    assert_eq!(
        vec![height, width, actual.channels()],
        expected.shape,
        "{case}"
    );
    let differs = actual
        .samples()
        .iter()
        .zip(&expected.values)
        .position(|(a, b)| a != b);
    if let Some(at) = differs {
        let pixel = at / actual.channels();
        panic!(
            "{case}: row {}, column {}: {} instead of {}",
            pixel / width,
            pixel % width,
            actual.samples()[at],
            expected.values[at]
        );
    }
}

/// Returns the files of every kind that the decoder's tests have, sorted.
fn image_files() -> Result<Vec<PathBuf>> {
    let folder = "crates/pillow-image/tests/fixtures/pillow/decode";
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// A line of `transform.json`.
#[derive(serde::Deserialize)]
struct Case {
    r#box: [u32; 4],
    #[serde(flatten)]
    preprocess: Preprocess,
}

#[test]
fn transforms_give_the_bits_of_timm_and_torchvision() -> Result<()> {
    let cases: Vec<Case> =
        serde_json::from_str(&std::fs::read_to_string(fixtures().join("transform.json"))?)?;
    let Fixture { pixels, inputs } = read("transform.safetensors")?;
    let cat = cat()?;
    assert_eq!(cases.len(), pixels.len());
    let modes = [CropMode::Center, CropMode::Squash, CropMode::Border];
    assert!(
        modes
            .iter()
            .all(|mode| cases.iter().any(|c| c.preprocess.crop_mode == *mode))
    );
    let mut normalized = 0;
    for (number, case) in cases.iter().enumerate() {
        let name = format!("{number}: {:?} {:?}", case.r#box, case.preprocess);
        let transform = EvalTransform::new(&case.preprocess)?;
        let image = transform.apply(&crop(&cat, case.r#box))?;
        assert_same_pixels(&name, &image, &pixels[&format!("{number}/pixels")]);
        let Some(expected) = inputs.get(&format!("{number}/input")) else {
            continue;
        };
        let [height, width] = transform.size();
        assert_eq!(
            vec![transform.channels(), height, width],
            expected.shape,
            "{name}"
        );
        let mut input = vec![f32::NAN; transform.input_len()];
        transform.normalize_into(&image, &mut input);
        assert!(
            input
                .iter()
                .zip(&expected.values)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{name}"
        );
        normalized += 1;
    }
    assert_eq!(normalized, inputs.len());
    Ok(())
}

#[test]
fn every_value_is_normalized_to_torchvisions_bits() -> Result<()> {
    let expected = read("normalize.safetensors")?.inputs;
    let transform = EvalTransform::new(&Preprocess {
        size: [1, 256],
        ..Preprocess::default()
    })?;
    let samples = (0..=255).flat_map(|value| [value; 3]).collect();
    let mut input = vec![f32::NAN; transform.input_len()];
    transform.normalize_into(&Image::new([1, 256], 3, samples), &mut input);
    let bits = |values: &[f32]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&input), bits(&expected["imagenet"].values));
    Ok(())
}

#[test]
fn a_loader_gives_what_the_steps_give_in_order_and_errors_in_their_place() -> Result<()> {
    let (bad, missing) = (
        fixtures().join("transform.json"),
        fixtures().join("missing.png"),
    );
    let mut paths = image_files()?;
    paths.insert(3, bad.clone());
    paths.insert(20, missing.clone());
    let transform = EvalTransform::new(&Preprocess {
        size: [16, 12],
        ..Preprocess::default()
    })?;
    let options = DecodeOptions::default();
    for workers in [1, 4] {
        let loader = EvalLoader::new(paths.clone(), &transform, options, workers)?;
        assert_eq!(loader.len(), paths.len());
        for (path, result) in paths.iter().zip(loader) {
            if [&bad, &missing].contains(&path) {
                let error = format!("{:#}", result.unwrap_err());
                let expected = format!("cannot read image `{}`: ", path.display());
                assert!(error.starts_with(&expected), "{error}");
                continue;
            }
            let mut expected = vec![0.0; transform.input_len()];
            let image = transform.apply(&decode(path, &options)?)?;
            transform.normalize_into(&image, &mut expected);
            assert_eq!(result?, expected, "{}", path.display());
        }
    }
    Ok(())
}
