//! The orientation of an image: the tag of EXIF, or of XMP if EXIF has none, as Pillow's `ImageOps.exif_transpose`
//! reads it.

use image::metadata::Orientation;

use crate::directory::{Directory, tag};

/// Returns the orientation by EXIF data, or else by XMP. A tag of EXIF counts even if its value is none of an orientation.
/// Metadata that cannot be read means no rotation.
pub fn from_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let mut exif = exif.unwrap_or_default();
    while let Some(rest) = exif.strip_prefix(b"Exif\0\0") {
        exif = rest;
    }
    from_directory(Directory::first(exif), xmp)
}

/// Returns the orientation by the directory of EXIF data or of a TIFF file, or else by XMP.
pub fn from_directory(directory: Option<Directory>, xmp: Option<&[u8]>) -> Orientation {
    let value = match directory.filter(|directory| directory.contains(tag::ORIENTATION)) {
        Some(directory) => directory
            .number(tag::ORIENTATION)
            .and_then(|number| u8::try_from(number).ok()),
        None => xmp.and_then(from_xmp),
    };
    value
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

/// Returns the value of `tiff:Orientation`, an attribute or an element.
fn from_xmp(xmp: &[u8]) -> Option<u8> {
    const TAG: &[u8] = b"tiff:Orientation";
    xmp.windows(TAG.len())
        .enumerate()
        .filter(|(_, window)| *window == TAG)
        .find_map(|(start, _)| {
            let value = &xmp[start + TAG.len()..];
            let value = value
                .strip_prefix(b"=\"")
                .or_else(|| value.strip_prefix(b">"))?;
            let digit = value.first().filter(|byte| byte.is_ascii_digit())?;
            Some(digit - b'0')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_of_xmp_is_an_attribute_or_an_element() {
        let attribute = br#"<rdf:Description tiff:Orientation="6" />"#;
        assert_eq!(from_xmp(attribute), Some(6));
        let element = b"<tiff:Orientation>3</tiff:Orientation>";
        assert_eq!(from_xmp(element), Some(3));
        assert_eq!(from_xmp(br#"tiff:Orientation="x" tiff:Orientation"#), None);
        assert_eq!(from_xmp(b"tiff:Orientation='6'"), None);
    }

    #[test]
    fn xmp_counts_only_when_exif_has_no_orientation_whatever_its_value() {
        let exif = |tag: u8, value: u8| {
            let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
            exif.extend([tag, 1, 3, 0, 1, 0, 0, 0, value, 0, 0, 0]);
            exif
        };
        let xmp = Some(&b"tiff:Orientation=\"6\""[..]);
        for (exif, expected) in [
            (exif(0x12, 3), Orientation::Rotate180),
            (exif(0x12, 0), Orientation::NoTransforms),
            (exif(0x12, 9), Orientation::NoTransforms),
            (exif(0x12, 1), Orientation::NoTransforms),
            (exif(0x13, 3), Orientation::Rotate90),
            (b"Exif\0\0no directory".to_vec(), Orientation::Rotate90),
        ] {
            assert_eq!(from_metadata(Some(&exif), xmp), expected);
        }
        assert_eq!(from_metadata(None, xmp), Orientation::Rotate90);
        assert_eq!(from_metadata(None, None), Orientation::NoTransforms);
    }
}
