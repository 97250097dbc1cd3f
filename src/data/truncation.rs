//! Whether a WebP file is all there. Its decoder fills up what is missing and says nothing.

/// Whether a WebP file is as long as its RIFF header says.
pub fn webp_is_whole(bytes: &[u8]) -> bool {
    let Some(length) = bytes.get(4..).and_then(<[u8]>::first_chunk) else {
        return false;
    };
    bytes.len() as u64 >= u64::from(u32::from_le_bytes(*length)) + 8
}
