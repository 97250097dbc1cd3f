//! Recognizes a file by its first bytes: an image that can be decoded, or the name of what it is instead.

use crate::error::{Error, Result};
use crate::format::Format;

/// The most bytes of a file that [`detect`] looks at.
pub const HEAD_BYTES: usize = 1024;

/// Supported formats, by their first bytes.
const DECODED: [(&[u8], Format); 8] = [
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"GIF87a", Format::Gif),
    (b"GIF89a", Format::Gif),
    (b"BM", Format::Bmp),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    (b"II+\0", Format::Tiff),
];

/// Unsupported image formats, by their first bytes.
const OTHER_IMAGES: [(&[u8], &str); 17] = [
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"\0\0\x01\0", "a Windows icon"),
    (b"DDS ", "a DDS texture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"qoif", "a QOI image"),
    (b"gimp xcf", "a GIMP project"),
    (b"MM\0+", "a big-endian BigTIFF image"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"farbfeld", "a farbfeld image"),
    (b"FLIF", "a FLIF image"),
    (b"\x8bJNG", "a JNG image"),
];

/// Returns the format of an image file by its first bytes, of which it looks at [`HEAD_BYTES`] at most.
///
/// # Errors
/// When the file is empty, of an unsupported format, or not an image; the error names what it is, if known.
pub fn detect(bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if let Some((_, format)) = DECODED.iter().find(|(magic, _)| starts(magic)) {
        return Ok(*format);
    }
    if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(Format::WebP);
    }
    if let Some(kind) = other_image(bytes) {
        return Err(Error::UnsupportedFormat { kind });
    }
    let kind = kind_of_file(bytes);
    Err(Error::NotAnImage { kind })
}

/// Returns the name of an unsupported image format.
fn other_image(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = OTHER_IMAGES
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic))
    {
        return Some(name);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12)? {
            b"avif" | b"avis" => Some("an AVIF image"),
            b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
                Some("a HEIC image")
            }
            _ => None,
        };
    }
    if let [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..] = bytes {
        return Some("a PNM image");
    }
    contains(bytes, "<svg").then_some("an SVG drawing")
}

/// Returns the kind of a file that is not an image.
fn kind_of_file(bytes: &[u8]) -> &'static str {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if contains(bytes, "<html") || contains(bytes, "<!doctype html") {
        "an HTML page"
    } else if starts(b"version https://git-lfs") {
        "a Git LFS pointer"
    } else if bytes.get(4..8) == Some(b"ftyp") {
        "a video"
    } else if starts(b"PK\x03\x04") || starts(b"\x1f\x8b") || starts(b"7z\xbc\xaf") {
        "an archive"
    } else if bytes.iter().all(|&byte| byte == 0) {
        "a file of zeros"
    } else if is_text(bytes) {
        "a text file"
    } else {
        "a file of an unknown kind"
    }
}

/// Returns whether the first bytes hold `text`, upper or lower case.
fn contains(bytes: &[u8], text: &str) -> bool {
    head(bytes)
        .windows(text.len())
        .any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// Returns whether the first bytes are UTF-8 without control characters (a last character may be cut in two).
fn is_text(bytes: &[u8]) -> bool {
    let head = head(bytes);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.chars().all(|c| !c.is_control() || c.is_whitespace())
}

fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(HEAD_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_kind_of_file_is_named() {
        for (bytes, expected) in [
            (&b"\0\0\0\x1cftypavif\0\0\0\0"[..], "AVIF"),
            (b"\0\0\0\x1cftypheic\0\0\0\0", "HEIC"),
            (b"\0\0\0\x1cftypisom\0\0\0\0", "a video, not an image"),
            (b"8BPS\0\x01", "Photoshop"),
            (b"<?xml version=\"1.0\"?>\n<SVG xmlns=\"\">", "SVG"),
            (b"<!DOCTYPE html><html>", "an HTML page, not an image"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "LFS pointer",
            ),
            (b"P6\n2 2\n255\n", "PNM"),
            (b"%PDF-1.7", "PDF"),
            (b"PK\x03\x04", "an archive"),
            (b"hello, w\xc3\xb6rld \xc3", "a text file"),
            (&[0; 64], "zeros"),
            (b"\x7fELF\x02\x01\0", "unknown kind"),
        ] {
            let error = detect(bytes).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(detect(b"").unwrap_err().to_string(), "the file is empty");
    }
}
