//! PNG files: the chunks that hold the pixels, and the orientation.
//!
//! Pillow reads the pixels, whatever is around them: a wrong checksum of the pixels' chunks, unknown chunks, a
//! missing palette or a missing end are no errors. So the decoder gets a file of the header, the palette and the pixels
//! alone. Profiles and texts are never unpacked, except for a text that may have the orientation.

mod text;

use std::io;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::format::Format;

pub use text::Metadata;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Bytes of the header's content.
const HEADER: usize = 13;
/// The color types of gray, and of indices into a palette.
const GRAY: u8 = 0;
const INDEXED: u8 = 3;

/// The parts of a PNG file that make its pixels.
#[derive(Debug)]
pub struct Png<'a> {
    header: &'a [u8; HEADER],
    palette: Option<&'a [u8]>,
    /// The compressed pixels, in parts.
    pixels: Vec<&'a [u8]>,
    /// True if the file ends before its end mark.
    pub is_cut: bool,
    /// True if the checksum of a part of the pixels is wrong.
    is_suspect: bool,
    /// The metadata that may have the orientation.
    pub metadata: Metadata<'a>,
}

/// A chunk of a PNG file. Its data ends early if the file does.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
    /// The checksum as stored; `None` if the file ends before it.
    checksum: Option<u32>,
}

impl<'a> Chunk<'a> {
    /// Splits the first chunk off `bytes`; `None` when not even its kind is there.
    fn split_off(bytes: &mut &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (data, rest) = rest.split_at(length.min(rest.len()));
        let (checksum, rest) = match rest.split_first_chunk::<4>() {
            Some((checksum, rest)) => (Some(u32::from_be_bytes(*checksum)), rest),
            None => (None, &[][..]),
        };
        *bytes = rest;
        Some(Self {
            kind,
            data,
            checksum,
        })
    }

    /// Returns the data if it is what was written.
    fn verified(&self) -> Result<&'a [u8]> {
        let checksum = self.checksum.ok_or(Error::Truncated)?;
        if checksum == checksum_of(*self.kind, self.data) {
            return Ok(self.data);
        }
        let name = self.kind.escape_ascii();
        Err(damaged(format!("the checksum of its {name} is wrong")))
    }

    /// Returns true if the data is another than what was written.
    fn is_suspect(&self) -> bool {
        self.checksum
            .is_some_and(|checksum| checksum != checksum_of(*self.kind, self.data))
    }

    /// Returns whether the kind consists of letters, digits and underscores.
    fn is_named(&self) -> bool {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        self.kind.iter().all(is_word)
    }
}

impl<'a> Png<'a> {
    /// Reads the chunks of a file that starts with PNG's signature.
    ///
    /// # Errors
    /// When there are no pixels, or what comes before them is truncated or damaged.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = &bytes[SIGNATURE.len()..];
        let (mut header, mut palette) = (None, None);
        let mut metadata = Metadata::default();
        let first = loop {
            let chunk = Chunk::split_off(&mut rest).ok_or(Error::Truncated)?;
            if !chunk.is_named() {
                return Err(damaged("it has bytes that are no chunk"));
            }
            match chunk.kind {
                b"IHDR" => header = Some(header_of(&chunk)?),
                b"PLTE" => palette = Some(chunk.verified()?),
                b"IDAT" => break chunk,
                b"IEND" => return Err(damaged("it has no pixels")),
                _ if chunk.checksum.is_none() => return Err(Error::Truncated),
                kind => metadata.read(*kind, chunk.data),
            }
        };
        let header = header.ok_or_else(|| damaged("it has no header"))?;
        let mut is_suspect = first.is_suspect();
        let mut pixels = vec![first.data];
        let mut is_cut = first.checksum.is_none();
        // Pixels in a chunk behind another one are not read, nor are the frames of an animation.
        let mut are_pixels_over = false;
        let end = loop {
            let Some(chunk) = Chunk::split_off(&mut rest) else {
                break ControlFlow::Break(());
            };
            match chunk.kind {
                b"IDAT" if !are_pixels_over => {
                    pixels.push(chunk.data);
                    is_suspect |= chunk.is_suspect();
                    is_cut = chunk.checksum.is_none();
                }
                b"IEND" | b"fcTL" => break ControlFlow::Continue(()),
                _ if !chunk.is_named() => break ControlFlow::Continue(()),
                kind => {
                    are_pixels_over = true;
                    metadata.read(*kind, chunk.data);
                }
            }
        };
        is_cut |= end.is_break();
        Ok(Self {
            header,
            palette: palette.filter(|_| header[9] == INDEXED),
            pixels,
            is_cut,
            is_suspect,
            metadata,
        })
    }

    /// Returns the file with what its pixels need alone.
    ///
    /// # Errors
    /// If a checksum of the pixels' chunks is wrong, and that of the pixels inside is, too: then it is not the frame that is damaged.
    pub fn pixels_alone(&self) -> Result<Vec<u8>> {
        let data = self.pixels.concat();
        if self.is_suspect && !is_whole(&data) {
            return Err(damaged("the checksum of its pixels is wrong"));
        }
        let mut file = Vec::with_capacity(data.len() + 1024);
        file.extend(SIGNATURE);
        append(&mut file, *b"IHDR", self.header);
        if self.header[9] == INDEXED {
            let colors = 1 << self.header[8].min(8);
            // What is missing is black.
            let palette = self.palette.unwrap_or_default();
            let mut palette = palette[..palette.len() / 3 * 3].to_vec();
            palette.resize(3 * colors, 0);
            append(&mut file, *b"PLTE", &palette);
        }
        append(&mut file, *b"IDAT", &data);
        append(&mut file, *b"IEND", b"");
        Ok(file)
    }
}

/// Returns true if compressed data unpacks to what it was made of, as its own checksum tells; data that is cut is whole as far as it goes.
fn is_whole(data: &[u8]) -> bool {
    let mut unpacked = flate2::read::ZlibDecoder::new(data);
    match io::copy(&mut unpacked, &mut io::sink()) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
    }
}

/// Returns the width and height by the header of a PNG file; `None` when it is damaged or truncated.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = find_header(bytes)?;
    let number = |at: usize| header[at..].first_chunk().copied().map(u32::from_be_bytes);
    Some((number(0)?, number(4)?))
}

/// Returns whether the header tells that samples are gray, without alpha, and have 16 bits.
pub fn is_16_bit_gray(bytes: &[u8]) -> bool {
    find_header(bytes).is_some_and(|header| header[8..10] == [16, GRAY])
}

/// Returns the content of the header.
fn find_header(bytes: &[u8]) -> Option<&[u8; HEADER]> {
    let mut rest = bytes.get(SIGNATURE.len()..)?;
    loop {
        let chunk = Chunk::split_off(&mut rest)?;
        match chunk.kind {
            b"IHDR" => return header_of(&chunk).ok(),
            b"IDAT" | b"IEND" => return None,
            _ => {}
        }
    }
}

/// Returns the content of the header.
fn header_of<'a>(chunk: &Chunk<'a>) -> Result<&'a [u8; HEADER]> {
    let header = chunk.verified()?.first_chunk();
    header.ok_or_else(|| damaged("its header is too short"))
}

/// Appends a chunk to `file`.
fn append(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(checksum_of(kind, data).to_be_bytes());
}

fn checksum_of(kind: [u8; 4], data: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&kind);
    hasher.update(data);
    hasher.finalize()
}

fn damaged(reason: impl Into<String>) -> Error {
    Error::Damaged {
        format: Format::Png,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cut_anywhere_has_no_size() {
        let mut file = SIGNATURE.to_vec();
        append(&mut file, *b"CgBI", b"\0\0\0\0");
        append(
            &mut file,
            *b"IHDR",
            &[0, 0, 0, 31, 0, 0, 0, 7, 8, 2, 0, 0, 0],
        );
        for length in SIGNATURE.len()..file.len() {
            assert_eq!(dimensions(&file[..length]), None, "{length} bytes");
            assert!(matches!(Png::open(&file[..length]), Err(Error::Truncated)));
        }
        assert_eq!(dimensions(&file), Some((31, 7)));
        file[40] ^= 1;
        assert_eq!(dimensions(&file), None);
    }
}
