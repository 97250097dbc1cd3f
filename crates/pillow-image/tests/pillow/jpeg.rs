//! JPEG files of all kinds against Pillow's pixels: see `tests/fixtures/jpeg/make.py`.

use std::panic::catch_unwind;
use std::path::Path;

use anyhow::{Context, Result};
use pillow_image::{DecodeOptions, decode};

use crate::damage::{damage, random};
use crate::fixture::{files, path};

/// Returns the names and contents of the JPEG files of the fixtures, sorted.
fn jpegs() -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = files("jpeg")?;
    files.retain(|(name, _)| {
        Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "jpg")
    });
    Ok(files)
}

fn read(name: &str) -> Result<Vec<u8>> {
    std::fs::read(path("jpeg").join(name)).with_context(|| name.to_owned())
}

/// Returns the message of the error of decoding `bytes`.
fn error_of(bytes: &[u8]) -> String {
    match decode(bytes, &DecodeOptions::default()) {
        Ok(image) => format!("decoded to {:?}", image.dimensions()),
        Err(error) => error.to_string(),
    }
}

/// Returns the position of the first marker in `bytes` after `start`.
fn find(bytes: &[u8], marker: u8, start: usize) -> usize {
    let found = bytes[start..]
        .windows(2)
        .position(|pair| pair == [0xff, marker]);
    start + found.expect("the file has the marker")
}

#[test]
fn every_file_decodes_to_pillows_pixels_bit_for_bit() -> Result<()> {
    let jpegs = jpegs()?;
    assert!(jpegs.len() >= 80, "{}", jpegs.len());
    for (name, bytes) in jpegs {
        let image = decode(&bytes, &DecodeOptions::default()).context(name.clone())?;
        let png = read(&name.replace(".jpg", ".png"))?;
        let expected = decode(&png, &DecodeOptions::default())?;
        assert_eq!(image.dimensions(), expected.dimensions(), "{name}");
        let mut pixels = image.enumerate_pixels().zip(expected.pixels());
        if let Some(((x, y, actual), expected)) = pixels.find(|((.., a), b)| a != b) {
            panic!("{name}: column {x}, row {y}: {actual:?} instead of {expected:?}");
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
            assert_eq!(
                error_of(&bytes[..length]),
                "the file is truncated",
                "{name} cut to {length} bytes"
            );
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
    for (name, whole) in jpegs()? {
        for _ in 0..40 {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut random);
            let outcome = catch_unwind(|| decode(&bytes, &options));
            assert!(outcome.is_ok(), "{name} with {bytes:?}");
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
                let result = catch_unwind(|| decode(&bytes, &options).is_ok());
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
        assert_eq!(error_of(&bytes), error);
    }
    let mut bytes = whole.clone();
    bytes[frame + 4] = 12;
    let error = error_of(&bytes);
    assert!(error.ends_with("samples that are not 8 bits"), "{error}");
    Ok(())
}

#[test]
fn a_large_image_is_rejected_by_its_header() -> Result<()> {
    let mut bytes = read("420-7x9.jpg")?;
    let frame = find(&bytes, 0xc0, 2);
    bytes[frame + 5..frame + 9].fill(0xff);
    let error = error_of(&bytes);
    assert!(error.starts_with("it has 65535x65535 pixels"), "{error}");
    Ok(())
}

#[test]
fn scans_without_number_are_rejected() -> Result<()> {
    let bytes = read("grey-progressive.jpg")?;
    let start = find(&bytes, 0xda, 2);
    // A refinement that changes nothing, again and again.
    let scan = &bytes[start..find(&bytes, 0xc4, start)];
    let file = [&bytes[..start], &scan.repeat(1001), b"\xff\xd9"].concat();
    assert_eq!(
        error_of(&file),
        "the JPEG is damaged: it has more than 1000 scans"
    );
    let file = [&bytes[..start], &scan.repeat(50), b"\xff\xd9"].concat();
    assert!(decode(&file, &DecodeOptions::default()).is_ok());
    Ok(())
}
