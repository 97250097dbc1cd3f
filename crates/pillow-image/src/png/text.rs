//! The chunks of a PNG file that may have the orientation: EXIF, and texts that hold EXIF or XMP.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use flate2::read::ZlibDecoder;

/// The keywords of the texts that are read.
const EXIF: &[u8] = b"exif";
const RAW_EXIF: &[u8] = b"Raw profile type exif";
const XMP: &[u8] = b"XML:com.adobe.xmp";
/// The longest compressed text, in bytes of its content; longer ones are not read (Pillow rejects their files).
const LONGEST_TEXT: u64 = 1 << 20;

/// The metadata that may have the orientation. Of several of a kind, the last counts.
#[derive(Debug, Default)]
pub struct Metadata<'a> {
    exif: Option<&'a [u8]>,
    /// EXIF data in hexadecimal digits, with a heading.
    raw_exif: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Metadata<'a> {
    /// Takes what a chunk has. A plain text with the keyword `exif` is EXIF data as it is.
    pub fn read(&mut self, kind: [u8; 4], data: &'a [u8]) {
        let (keyword, text) = match &kind {
            b"eXIf" => (EXIF, data),
            b"tEXt" | b"zTXt" | b"iTXt" => split(data),
            _ => return,
        };
        let place = match keyword {
            EXIF if matches!(&kind, b"eXIf" | b"tEXt") => {
                self.exif = Some(text);
                return;
            }
            RAW_EXIF => &mut self.raw_exif,
            XMP => &mut self.xmp,
            _ => return,
        };
        let text = match &kind {
            b"tEXt" => Some(text.into()),
            b"zTXt" => compressed(text),
            _ => international(text),
        };
        if text.is_some() {
            *place = text;
        }
    }

    /// Returns the EXIF data.
    pub fn exif(&self) -> Option<Cow<'a, [u8]>> {
        match self.exif {
            Some(exif) => Some(exif.into()),
            None => from_hexadecimal(self.raw_exif.as_deref()?).map(Cow::Owned),
        }
    }

    /// Returns the XMP data.
    pub fn xmp(&self) -> Option<&[u8]> {
        self.xmp.as_deref()
    }
}

/// Splits `bytes` at the first zero byte.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// Returns the text after the compression method.
fn compressed(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    match bytes.split_first() {
        Some((0, data)) => unpacked(data).map(Cow::Owned),
        _ => None,
    }
}

/// Returns the text of an international chunk, after the keyword: a flag and a method of compression, the language and the
/// translated keyword are before it.
fn international(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (&[flag, method], rest) = bytes.split_first_chunk()?;
    let (_, rest) = rest.split_at(rest.iter().position(|&byte| byte == 0)? + 1);
    let (_, text) = rest.split_at(rest.iter().position(|&byte| byte == 0)? + 1);
    match (flag, method) {
        (0, _) => Some(text.into()),
        (_, 0) => unpacked(text).map(Cow::Owned),
        _ => None,
    }
}

/// Returns the content of a zlib stream, also of one that ends early; `None` when it is damaged or too long.
fn unpacked(data: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let mut reader = ZlibDecoder::new(data).take(LONGEST_TEXT + 1);
    match reader.read_to_end(&mut content) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => None,
        _ => (content.len() as u64 <= LONGEST_TEXT).then_some(content),
    }
}

/// Returns the bytes of the hexadecimal digits after the third line; `None` when there are other characters. Of a long text,
/// the first part is read, which has the orientation.
fn from_hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.splitn(4, |&byte| byte == b'\n').nth(3)?;
    let digits = lines.iter().filter(|byte| !byte.is_ascii_whitespace());
    let digits = digits.take(LONGEST_TEXT as usize);
    let digits = digits.map(|&byte| Some(char::from(byte).to_digit(16)? as u8));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::ZlibEncoder;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut encoder = ZlibEncoder::new(content, Compression::best());
        encoder.read_to_end(&mut data).unwrap();
        data
    }

    #[test]
    fn hexadecimal_digits_follow_three_lines_and_may_be_wrapped() {
        assert_eq!(
            from_hexadecimal(b"\nexif\n       3\n4a4B\n00\n").unwrap(),
            [0x4a, 0x4b, 0]
        );
        for broken in ["\nexif\n 1\n4", "\nexif\n 1\n4g", "\nexif\n 1"] {
            assert_eq!(from_hexadecimal(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn a_text_is_unpacked_only_under_a_keyword_that_may_have_the_orientation() {
        let long = packed(&vec![b' '; 1 << 20]);
        assert_eq!(unpacked(&long).unwrap().len(), 1 << 20);
        assert_eq!(unpacked(&packed(&vec![b' '; (1 << 20) + 1])), None);
        assert_eq!(unpacked(b"no stream"), None);

        let text = [&b"Comment\0\0"[..], &long].concat();
        let mut metadata = Metadata::default();
        metadata.read(*b"zTXt", &text);
        assert!(metadata.xmp().is_none() && metadata.exif().is_none());
        let text = [&b"XML:com.adobe.xmp\0\0"[..], &packed(b"<x/>")].concat();
        metadata.read(*b"zTXt", &text);
        assert_eq!(metadata.xmp(), Some(&b"<x/>"[..]));
    }
}
