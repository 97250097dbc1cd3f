//! Tests of preprocessing against Pillow, torchvision and timm: see `tests/fixtures/preprocess/make.py`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::RgbImage;
use resnet::data::transform::resize;
use resnet::data::{DecodeOptions, Loader, Picture, Transform, decode, decode_bytes};
use resnet::error::hint_of;
use resnet::model::{CropMode, Interpolation, Preprocess};
use safetensors::{Dtype, SafeTensors};

use crate::support::hostile::{png_header, random};

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
fn assert_same_pixels(case: &str, actual: &Picture, expected: &Array<u8>) {
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

/// Returns the files of a fixture folder, sorted.
fn files(folder: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(fixtures().join(folder))? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .ok()
            .context("a name in UTF-8")?;
        files.push((name, std::fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}

#[test]
fn every_kind_of_file_decodes_to_pillows_pixels() -> Result<()> {
    for folder in ["decode", "jpeg"] {
        let expected = read(&format!("{folder}.safetensors"))?.pixels;
        let mut compared = 0;
        for (name, bytes) in files(folder)? {
            for apply_exif in [false, true] {
                let options = DecodeOptions {
                    apply_exif,
                    ..DecodeOptions::default()
                };
                let picture = Picture::from(decode_bytes(&bytes, &options).context(name.clone())?);
                let upright = expected
                    .get(&format!("upright/{name}"))
                    .filter(|_| apply_exif);
                assert_same_pixels(&name, &picture, upright.unwrap_or(&expected[&name]));
                compared += usize::from(upright.is_some() || !apply_exif);
            }
        }
        assert_eq!(compared, expected.len());
    }
    Ok(())
}

#[test]
fn resizing_gives_pillows_bits() -> Result<()> {
    let expected = read("resize.safetensors")?.pixels;
    let cat = cat()?;
    assert!(expected.len() >= 60);
    for (case, expected) in &expected {
        let [filter, bounds, size] = case.split('/').collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let filter = match filter {
            "bilinear" => Interpolation::Bilinear,
            _ => Interpolation::Bicubic,
        };
        let bounds: Vec<u32> = bounds
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let (width, height) = size.split_once('x').context("a size")?;
        let part = Picture::from(crop(&cat, bounds[..].try_into()?));
        let resized = resize::resize(&part, [height.parse()?, width.parse()?], filter);
        assert_same_pixels(case, &resized, expected);
    }
    Ok(())
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
    let mut normalised = 0;
    for (number, case) in cases.iter().enumerate() {
        let name = format!("{number}: {:?} {:?}", case.r#box, case.preprocess);
        let transform = Transform::new(&case.preprocess)?;
        let picture = transform.apply(&crop(&cat, case.r#box))?;
        assert_same_pixels(&name, &picture, &pixels[&format!("{number}/pixels")]);
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
        transform.normalise_into(&picture, &mut input);
        assert!(
            input
                .iter()
                .zip(&expected.values)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{name}"
        );
        normalised += 1;
    }
    assert_eq!(normalised, inputs.len());
    Ok(())
}

#[test]
fn every_value_is_normalised_to_torchvisions_bits() -> Result<()> {
    let expected = read("normalise.safetensors")?.inputs;
    let transform = Transform::new(&Preprocess {
        size: [1, 256],
        ..Preprocess::default()
    })?;
    let samples = (0..=255).flat_map(|value| [value; 3]).collect();
    let mut input = vec![f32::NAN; transform.input_len()];
    transform.normalise_into(&Picture::new([1, 256], 3, samples), &mut input);
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
    let folder = fixtures().join("decode");
    let (bad, missing) = (
        fixtures().join("transform.json"),
        folder.join("missing.png"),
    );
    let mut paths: Vec<_> = files("decode")?
        .iter()
        .map(|(name, _)| folder.join(name))
        .collect();
    paths.insert(3, bad.clone());
    paths.insert(20, missing.clone());
    let transform = Transform::new(&Preprocess {
        size: [16, 12],
        ..Preprocess::default()
    })?;
    let options = DecodeOptions::default();
    for workers in [1, 4] {
        let loader = Loader::new(paths.clone(), &transform, options, workers)?;
        assert_eq!(loader.len(), paths.len());
        for (path, result) in paths.iter().zip(loader) {
            if [&bad, &missing].contains(&path) {
                let error = format!("{:#}", result.unwrap_err());
                let expected = format!("cannot read image `{}`: ", path.display());
                assert!(error.starts_with(&expected), "{error}");
                continue;
            }
            let mut expected = vec![0.0; transform.input_len()];
            let picture = transform.apply(&decode(path, &options)?)?;
            transform.normalise_into(&picture, &mut expected);
            assert_eq!(result?, expected, "{}", path.display());
        }
    }
    Ok(())
}

/// Returns the error of decoding `bytes`, and its hint.
fn refused(bytes: &[u8]) -> (String, Option<String>) {
    match decode_bytes(bytes, &DecodeOptions::default()) {
        Ok(picture) => (format!("decoded to {:?}", picture.dimensions()), None),
        Err(error) => (
            format!("{error:#}"),
            hint_of(&error).map(ToString::to_string),
        ),
    }
}

#[test]
fn a_file_cut_in_the_middle_is_truncated_whatever_its_format() -> Result<()> {
    for name in [
        "rgb.png",
        "palette.gif",
        "rgb.bmp",
        "rgb.webp",
        "lossy.webp",
        "rgb-raw.tiff",
        "rgb-tiff_lzw.tiff",
    ] {
        let bytes = std::fs::read(fixtures().join("decode").join(name))?;
        for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let (error, hint) = refused(&bytes[..length]);
            assert_eq!(
                error, "the file is truncated",
                "{name} cut to {length} bytes"
            );
            assert!(hint.is_some());
        }
    }
    for (name, bytes) in files("jpeg")? {
        for length in [20, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(
                refused(&bytes[..length]).0,
                "the file is truncated",
                "{name}"
            );
        }
    }
    Ok(())
}

#[test]
fn damaged_files_never_panic() -> Result<()> {
    let mut random = random(7);
    let options = DecodeOptions {
        max_pixels: 1 << 20,
        ..DecodeOptions::default()
    };
    let mut failed = 0;
    for (name, bytes) in files("decode")?.into_iter().chain(files("jpeg")?) {
        for _ in 0..12 {
            let mut bytes = bytes.clone();
            for _ in 0..=random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(bytes.len() - random() % 3);
            let result = std::panic::catch_unwind(|| decode_bytes(&bytes, &options));
            failed += usize::from(result.expect(&name).is_err());
        }
    }
    assert!(failed > 0);
    Ok(())
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let (error, hint) = refused(&png_header(60_000, 60_000));
    assert_eq!(
        error,
        "it has 60000x60000 pixels, more than the limit of 178956970"
    );
    assert!(hint.is_some());
    let (error, _) = refused(&png_header(2_000_000, 1));
    assert!(error.contains("an edge longer than 1048576"), "{error}");
    assert_eq!(refused(&png_header(5, 5)).0, "the file is truncated");

    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    gif.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;");
    assert!(refused(&gif).0.contains("65535x65535 pixels"));
    // A small picture whose frame claims to reach far out of it.
    gif[6..10].copy_from_slice(&[2, 0, 2, 0]);
    gif[24..28].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert!(refused(&gif).0.contains("65535x65535 pixels"));

    let bmp = b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert!(refused(bmp).0.contains("65535x65535 pixels"));
}

#[test]
fn paths_that_are_no_pictures_say_what_they_are() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let error = |name: &str, content: Option<&[u8]>| -> Result<String> {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content)?;
        }
        let error = decode(&path, &DecodeOptions::default()).unwrap_err();
        let message = format!("{error:#}");
        let expected = format!("cannot read image `{}`: ", path.display());
        Ok(message
            .strip_prefix(&expected)
            .context(message.clone())?
            .to_string())
    };
    assert!(!error("missing.png", None)?.is_empty());
    assert_eq!(error("empty.png", Some(b""))?, "the file is empty");
    assert_eq!(
        error("page.jpg", Some(b"<!doctype html>\n<p>404"))?,
        "it is an HTML page, not an image"
    );
    assert_eq!(
        error("a.avif", Some(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"))?,
        "it is an AVIF image, which is not supported"
    );
    let path = folder.path().display().to_string();
    let error = decode(folder.path(), &DecodeOptions::default()).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        format!("cannot read image `{path}`: it is a folder")
    );
    Ok(())
}
