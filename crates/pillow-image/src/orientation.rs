//! The orientation of an image: the tag of EXIF, or of XMP if EXIF has none, as Pillow's `ImageOps.exif_transpose`
//! reads it.

use image::ImageDecoder;
use image::metadata::Orientation;

use crate::format::Format;

/// Returns the orientation of the image of `decoder`, a file of `bytes`. Metadata that cannot be read means no rotation.
pub fn of(decoder: &mut impl ImageDecoder, bytes: &[u8], format: Format) -> Orientation {
    if format == Format::Tiff {
        // The tag is one of the image's own.
        return decoder.orientation().unwrap_or(Orientation::NoTransforms);
    }
    let exif = match format {
        Format::Png => png_exif(bytes).map(<[u8]>::to_vec),
        _ => decoder.exif_metadata().ok().flatten(),
    };
    let xmp = decoder.xmp_metadata().ok().flatten();
    from_metadata(exif.as_deref(), xmp.as_deref())
}

/// Returns the orientation by EXIF, or else by XMP.
pub fn from_metadata(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let from_exif = exif.and_then(|exif| {
        Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
    });
    from_exif
        .or_else(|| from_xmp(xmp?))
        .unwrap_or(Orientation::NoTransforms)
}

/// Returns the `eXIf` chunk of a PNG file. It may follow the pixels, where a decoder that stops at the last pixel misses it.
fn png_exif(mut bytes: &[u8]) -> Option<&[u8]> {
    bytes = bytes.get(8..)?;
    loop {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        if kind == b"eXIf" {
            return rest.get(..length);
        }
        bytes = rest.get(length.checked_add(4)?..)?;
    }
}

/// Returns the value of `tiff:Orientation`, an attribute or an element.
fn from_xmp(xmp: &[u8]) -> Option<Orientation> {
    const TAG: &[u8] = b"tiff:Orientation";
    xmp.windows(TAG.len())
        .enumerate()
        .find_map(|(start, window)| {
            let value = &xmp[start + TAG.len()..];
            let value = value
                .strip_prefix(b"=\"")
                .or_else(|| value.strip_prefix(b">"))?;
            let digit = value.first().filter(|byte| byte.is_ascii_digit())?;
            (window == TAG).then(|| Orientation::from_exif(digit - b'0'))
        })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_of_xmp_is_an_attribute_or_an_element() {
        let attribute = br#"<rdf:Description tiff:Orientation="6" />"#;
        assert_eq!(from_xmp(attribute), Some(Orientation::Rotate90));
        let element = b"<tiff:Orientation>3</tiff:Orientation>";
        assert_eq!(from_xmp(element), Some(Orientation::Rotate180));
        assert_eq!(from_xmp(br#"tiff:Orientation="x" tiff:Orientation"#), None);
        assert_eq!(from_xmp(br#"tiff:Orientation="9""#), None);
    }

    #[test]
    fn a_chunk_that_claims_more_than_the_file_holds_is_no_exif() {
        let mut png = b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIfII".to_vec();
        assert_eq!(png_exif(&png), None);
        png[12..16].copy_from_slice(b"IDAT");
        assert_eq!(png_exif(&png), None);
    }
}
