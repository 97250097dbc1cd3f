//! Files of unusual form that are rejected, and the words that tell why.

use anyhow::Result;
use pillow_image::{DecodeOptions, decode, dimensions, is_16_bit_gray};

use crate::fixture::{files, path};

/// Returns the message of the error of decoding `bytes`.
fn error_of(bytes: &[u8]) -> String {
    match decode(bytes, &DecodeOptions::default()) {
        Ok(image) => format!("decoded to {:?}", image.dimensions()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_kind_of_tiff_that_is_not_supported_is_named() -> Result<()> {
    let words = [
        ("camera.tiff", "raw samples of a camera"),
        ("different-bits.tiff", "samples of different sizes"),
        ("grey-alpha16.tiff", "2 samples of 16 bits per pixel"),
        (
            "group3-two-dimensions.tiff",
            "CCITT group 3 compression in two dimensions",
        ),
        ("integers.tiff", "signed samples"),
        ("lab.tiff", "CIELab colors"),
        ("lzma.tiff", "LZMA compression"),
        ("old-jpeg.tiff", "JPEG compression of the old style"),
        (
            "subsampled.tiff",
            "chroma of a lower resolution without JPEG",
        ),
        ("twelve-bits.tiff", "samples of 12 bits"),
        ("unknown-compression.tiff", "compression number 4711"),
        ("unsigned32.tiff", "samples of 32 bits"),
        ("zstd.tiff", "Zstandard compression"),
    ];
    let files = files("pillow/unsupported")?;
    assert_eq!(files.len(), words.len() + 1);
    for (name, bytes) in files {
        let words = words.iter().find(|(file, _)| *file == name);
        let expected = words.map_or_else(
            || "its samples are floating-point numbers".to_owned(),
            |(_, words)| format!("this kind of TIFF is not supported: {words}"),
        );
        assert_eq!(error_of(&bytes), expected, "{name}");
        assert!(dimensions(&bytes).is_some(), "{name}");
    }
    Ok(())
}

/// Returns a BMP of 2x2 pixels that consists of `runs`.
fn run_length_bmp(runs: &[u8]) -> Vec<u8> {
    let mut file =
        b"BM\0\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x02\0\0\0\x02\0\0\0\x01\0\x08\0\x01\0\0\0"
            .to_vec();
    file.extend([0; 12]);
    file.extend([2, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0]);
    file.extend(runs);
    file
}

#[test]
fn run_lengths_that_do_not_reach_the_last_pixel_are_an_error_as_in_pillow() {
    assert_eq!(
        error_of(&run_length_bmp(&[2, 1, 0, 0, 2, 0])),
        "decoded to (2, 2)"
    );
    let early = "the BMP is damaged: its runs end before the last pixel";
    for (runs, expected) in [
        (&[0, 1][..], early),
        (&[2, 1, 0, 0, 0, 1], early),
        (&[0, 2, 1, 1, 0, 1], early),
        (&[2, 1, 0, 0], "the file is truncated"),
        (&[2, 1, 2], "the file is truncated"),
        (&[0, 4, 1, 1], "the file is truncated"),
        // A second row without the mark between.
        (&[2, 1, 2, 1], "the file is truncated"),
    ] {
        assert_eq!(error_of(&run_length_bmp(runs)), expected, "{runs:?}");
    }
}

#[test]
fn a_png_whose_header_or_palette_is_damaged_says_so() -> Result<()> {
    let png = std::fs::read(path("pillow/decode/palette.png"))?;
    let damaged = |kind: &[u8]| {
        let at = png.windows(4).position(|window| window == kind);
        let mut file = png.clone();
        file[at.expect("the chunk") + 4] ^= 1;
        error_of(&file)
    };
    assert_eq!(
        damaged(b"IHDR"),
        "the PNG is damaged: the checksum of its IHDR is wrong"
    );
    assert_eq!(
        damaged(b"PLTE"),
        "the PNG is damaged: the checksum of its PLTE is wrong"
    );
    let mut file = png.clone();
    file.truncate(33);
    file.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    assert_eq!(error_of(&file), "the PNG is damaged: it has no pixels");
    Ok(())
}

#[test]
fn gray_of_16_bits_is_told_by_the_header() -> Result<()> {
    let files = [files("pillow/decode")?, files("pillow/unusual")?].concat();
    let gray = files.into_iter().filter(|(_, bytes)| is_16_bit_gray(bytes));
    let names: Vec<String> = gray.map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["grey16-transparent.png", "grey16.png", "grey16.tiff"]
    );
    Ok(())
}
