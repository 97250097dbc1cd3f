//! Detection of truncated files.

use crate::format::Format;

/// Returns whether a WebP file is as long as its RIFF header says. Its decoder fills in what is missing without an error.
pub fn webp_is_complete(bytes: &[u8]) -> bool {
    is_as_long_as_riff_says(bytes, bytes.len() as u64)
}

/// Returns whether a file of `length` bytes ends as its format does; `ends` are its first bytes, at least 12, followed by
/// its last bytes, so that the whole file need not be read.
///
/// `false` is a suspicion only: other bytes may follow an image. `true` is no proof, either, and TIFF has no end mark at
/// all.
pub fn looks_complete(ends: &[u8], length: u64, format: Format) -> bool {
    let zeros = ends.iter().rev().take_while(|&&byte| byte == 0).count();
    let end = &ends[..ends.len() - zeros];
    match format {
        Format::Jpeg => end.ends_with(b"\xff\xd9"),
        Format::Png => ends.ends_with(b"IEND\xae\x42\x60\x82"),
        Format::Gif => end.ends_with(b";"),
        Format::WebP => is_as_long_as_riff_says(ends, length),
        Format::Bmp => number(ends, 2).is_none_or(|whole| length >= whole),
        _ => true,
    }
}

fn is_as_long_as_riff_says(bytes: &[u8], length: u64) -> bool {
    number(bytes, 4).is_some_and(|riff| length >= riff + 8)
}

/// Returns the 32-bit number at `at`, least significant byte first.
fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk)?;
    Some(u32::from_le_bytes(*bytes).into())
}
