//! Files of every format and kind of samples against Pillow's pixels.

use anyhow::Result;
use pillow_image::{DecodeOptions, Error, decode, open};

use crate::damage::{damage, png_header, random};
use crate::fixture::{difference, files, path, pixels};

/// Returns the message of the error of decoding `bytes`.
fn error_of(bytes: &[u8]) -> String {
    match decode(bytes, &DecodeOptions::default()) {
        Ok(image) => format!("decoded to {:?}", image.dimensions()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_kind_of_file_decodes_to_pillows_pixels() -> Result<()> {
    let mut different = Vec::new();
    for folder in ["decode", "jpeg", "unusual"] {
        let expected = pixels(&format!("pillow/{folder}.safetensors"))?;
        let mut compared = 0;
        for (name, bytes) in files(&format!("pillow/{folder}"))? {
            for apply_exif in [false, true] {
                let options = DecodeOptions {
                    apply_exif,
                    ..DecodeOptions::default()
                };
                let upright = expected
                    .get(&format!("upright/{name}"))
                    .filter(|_| apply_exif);
                let difference = match decode(&bytes, &options) {
                    Ok(image) => difference(&image.into(), upright.unwrap_or(&expected[&name])),
                    Err(error) => Some(error.to_string()),
                };
                different.extend(difference.map(|difference| format!("{name}: {difference}")));
                compared += usize::from(upright.is_some() || !apply_exif);
            }
        }
        assert_eq!(compared, expected.len());
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
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
        let bytes = std::fs::read(path("pillow/decode").join(name))?;
        for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
            let error = error_of(&bytes[..length]);
            assert_eq!(
                error, "the file is truncated",
                "{name} cut to {length} bytes"
            );
        }
    }
    for (name, bytes) in files("pillow/jpeg")? {
        for length in [20, bytes.len() / 2, bytes.len() - 1] {
            assert_eq!(
                error_of(&bytes[..length]),
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
    let files = ["decode", "jpeg", "unusual"].map(|folder| files(&format!("pillow/{folder}")));
    let files = files.into_iter().collect::<Result<Vec<_>>>()?;
    for (name, bytes) in files.into_iter().flatten() {
        for _ in 0..12 {
            let mut bytes = bytes.clone();
            damage(&mut bytes, &mut random);
            bytes.truncate(bytes.len() - random() % 3);
            let result = std::panic::catch_unwind(|| decode(&bytes, &options));
            failed += usize::from(result.expect(&name).is_err());
        }
    }
    assert!(failed > 0);
    Ok(())
}

#[test]
fn a_decompression_bomb_is_rejected_by_its_header() {
    assert_eq!(
        error_of(&png_header(60_000, 60_000)),
        "it has 60000x60000 pixels, more than the limit of 178956970"
    );
    let error = error_of(&png_header(2_000_000, 1));
    assert!(error.contains("an edge longer than 1048576"), "{error}");
    assert_eq!(error_of(&png_header(5, 5)), "the file is truncated");

    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    gif.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;");
    assert!(error_of(&gif).contains("65535x65535 pixels"));
    // A small image whose frame claims to reach far out of it.
    gif[6..10].copy_from_slice(&[2, 0, 2, 0]);
    gif[24..28].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert!(error_of(&gif).contains("65535x65535 pixels"));

    let bmp = b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\0\0\xff\xff\0\0\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert!(error_of(bmp).contains("65535x65535 pixels"));
}

#[test]
fn paths_that_are_not_images_say_what_they_are() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let error = |name: &str, content: &[u8]| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, content)?;
        Ok(open(&path, &DecodeOptions::default())
            .unwrap_err()
            .to_string())
    };
    assert_eq!(error("empty.png", b"")?, "the file is empty");
    assert_eq!(
        error("page.jpg", b"<!doctype html>\n<p>404")?,
        "it is an HTML page, not an image"
    );
    assert_eq!(
        error("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1")?,
        "it is an AVIF image, which is not supported"
    );
    let missing = open(folder.path().join("missing.png"), &DecodeOptions::default());
    assert!(matches!(missing, Err(Error::Io(_))));
    let folder = open(folder.path(), &DecodeOptions::default());
    assert!(matches!(folder, Err(Error::Folder)));
    Ok(())
}
