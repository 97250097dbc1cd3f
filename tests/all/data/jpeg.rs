//! Tests of JPEG images against Pillow's pixels: see `tests/fixtures/jpeg/make.py`.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image::RgbImage;
use resnet::data::{DecodeOptions, decode, decode_bytes};
use resnet::error::hint_of;

use crate::support::hostile::random;

/// Returns the JPEG files of the fixtures, sorted.
fn files() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(name: &str) -> Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jpeg");
    std::fs::read(folder.join(name)).with_context(|| name.to_owned())
}

fn decoded(bytes: &[u8]) -> Result<RgbImage> {
    decode_bytes(bytes, &DecodeOptions::default())
}

/// Returns the error of decoding `bytes`, and whether it has a hint.
fn refused(bytes: &[u8]) -> (String, bool) {
    match decoded(bytes) {
        Ok(picture) => (format!("decoded to {:?}", picture.dimensions()), false),
        Err(error) => (format!("{error:#}"), hint_of(&error).is_some()),
    }
}

/// Returns the position of the first marker in `bytes` after `start`.
fn find(bytes: &[u8], marker: u8, start: usize) -> usize {
    let found = bytes[start..]
        .windows(2)
        .position(|pair| pair == [0xff, marker]);
    start + found.unwrap()
}

#[test]
fn every_file_decodes_to_pillows_pixels_bit_for_bit() -> Result<()> {
    let files = files()?;
    assert!(files.len() >= 80, "{}", files.len());
    for path in files {
        let picture = decode(&path, &DecodeOptions::default())?;
        let expected = decode(&path.with_extension("png"), &DecodeOptions::default())?;
        assert_eq!(
            picture.dimensions(),
            expected.dimensions(),
            "{}",
            path.display()
        );
        let mut pixels = picture.enumerate_pixels().zip(expected.pixels());
        if let Some(((x, y, actual), expected)) = pixels.find(|((.., a), b)| a != b) {
            panic!(
                "{}: column {x}, row {y}: {actual:?} instead of {expected:?}",
                path.display()
            );
        }
    }
    Ok(())
}

#[test]
fn a_file_cut_anywhere_is_truncated() -> Result<()> {
    for name in [
        "420-q5.jpg",
        "444-7x9.jpg",
        "422-restarts.jpg",
        "grey-progressive.jpg",
    ] {
        let bytes = read(name)?;
        for length in 3..bytes.len() {
            let (error, has_hint) = refused(&bytes[..length]);
            assert_eq!(
                error, "the file is truncated",
                "{name} cut to {length} bytes"
            );
            assert!(has_hint);
        }
    }
    Ok(())
}

#[test]
fn no_damage_makes_the_decoder_panic() -> Result<()> {
    let mut random = random(11);
    let options = DecodeOptions {
        max_pixels: 1 << 16,
        ..DecodeOptions::default()
    };
    let (mut decoded, mut failed) = (0, 0);
    for path in files()? {
        let whole = std::fs::read(&path)?;
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            let outcome = catch_unwind(|| decode_bytes(&bytes, &options));
            assert!(outcome.is_ok(), "{} with {bytes:?}", path.display());
            if outcome.is_ok_and(|result| result.is_ok()) {
                decoded += 1;
            } else {
                failed += 1;
            }
        }
    }
    assert!(decoded > 100 && failed > 100, "{decoded} {failed}");
    Ok(())
}

#[test]
fn every_byte_of_a_header_may_be_wrong() -> Result<()> {
    let options = DecodeOptions {
        max_pixels: 1 << 16,
        ..DecodeOptions::default()
    };
    for name in ["420-7x9.jpg", "grey-progressive.jpg", "ycck.jpg"] {
        let whole = read(name)?;
        for at in 2..find(&whole, 0xda, 2) + 14 {
            for byte in [
                0,
                1,
                0x11,
                0x7f,
                0xd9,
                0xff,
                whole[at] ^ 1,
                whole[at].wrapping_add(1),
            ] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let result = catch_unwind(|| decode_bytes(&bytes, &options).is_ok());
                assert!(result.is_ok(), "{name}: byte {at} is {byte}");
            }
        }
    }
    Ok(())
}

#[test]
fn kinds_that_are_not_decoded_are_named() -> Result<()> {
    let whole = read("420-7x9.jpg")?;
    let frame = find(&whole, 0xc0, 2);
    for (marker, expected) in [
        (0xc3, "lossless coding"),
        (0xc5, "hierarchical coding"),
        (0xc9, "arithmetic coding"),
    ] {
        let mut bytes = whole.clone();
        bytes[frame + 1] = marker;
        let error = format!("this kind of JPEG is not supported: {expected}");
        assert_eq!(refused(&bytes), (error, true));
    }
    let mut bytes = whole.clone();
    bytes[frame + 4] = 12;
    let (error, _) = refused(&bytes);
    assert!(error.ends_with("samples that are not 8 bits"), "{error}");
    Ok(())
}

#[test]
fn a_large_picture_is_refused_by_its_header() -> Result<()> {
    let mut bytes = read("420-7x9.jpg")?;
    let frame = find(&bytes, 0xc0, 2);
    bytes[frame + 5..frame + 9].fill(0xff);
    let (error, has_hint) = refused(&bytes);
    assert!(error.starts_with("it has 65535x65535 pixels"), "{error}");
    assert!(has_hint);
    Ok(())
}

#[test]
fn scans_without_number_are_refused() -> Result<()> {
    let bytes = read("grey-progressive.jpg")?;
    let start = find(&bytes, 0xda, 2);
    // A refinement that changes nothing, again and again.
    let scan = &bytes[start..find(&bytes, 0xc4, start)];
    let file = [&bytes[..start], &scan.repeat(1001), b"\xff\xd9"].concat();
    let (error, has_hint) = refused(&file);
    assert_eq!(error, "the JPEG is damaged: it has more than 1000 scans");
    assert!(has_hint);
    let file = [&bytes[..start], &scan.repeat(50), b"\xff\xd9"].concat();
    assert!(decoded(&file).is_ok());
    Ok(())
}
