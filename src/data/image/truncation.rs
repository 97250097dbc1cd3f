//! Detection of truncated files.

use image::ImageFormat;

/// Returns whether a WebP file is as long as its RIFF header says. Its decoder fills in what is missing without an error.
pub fn webp_is_whole(bytes: &[u8]) -> bool {
    is_as_long_as_riff_says(bytes, bytes.len() as u64)
}

/// Returns whether a file of `length` bytes ends as its format does; `ends` are its beginning and its end.
///
/// `false` is a suspicion only: bytes may follow an image. `true` is no proof, either, and TIFF has no end mark at all.
pub fn looks_whole(ends: &[u8], length: u64, format: ImageFormat) -> bool {
    let zeros = ends.iter().rev().take_while(|&&byte| byte == 0).count();
    let end = &ends[..ends.len() - zeros];
    match format {
        ImageFormat::Jpeg => end.ends_with(b"\xff\xd9"),
        ImageFormat::Png => ends.ends_with(b"IEND\xae\x42\x60\x82"),
        ImageFormat::Gif => end.ends_with(b";"),
        ImageFormat::WebP => is_as_long_as_riff_says(ends, length),
        ImageFormat::Bmp => number(ends, 2).is_none_or(|whole| length >= whole),
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
