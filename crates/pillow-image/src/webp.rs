//! The first frame of an animated WebP file.

use std::borrow::Cow;

/// The offset of the first chunk.
const CHUNKS: usize = 12;
/// The offset of the flags in the data of a frame, and the flag of a frame that replaces what is under it.
const FLAGS: usize = 15;
const DO_NOT_BLEND: u8 = 2;

/// Returns the file of `bytes` with a first frame that replaces the canvas, if it is an animation.
///
/// The canvas is transparent before the first frame, so libwebp copies that frame, whatever its flag says. A decoder that
/// blends it rounds its colors, and loses those of transparent pixels.
pub fn with_first_frame_copied(bytes: &[u8]) -> Cow<'_, [u8]> {
    match flags_of_first_frame(bytes) {
        Some(at) if bytes[at] & DO_NOT_BLEND == 0 => {
            let mut file = bytes.to_vec();
            file[at] |= DO_NOT_BLEND;
            file.into()
        }
        _ => bytes.into(),
    }
}

/// Returns the offset of the flags of the first frame.
fn flags_of_first_frame(bytes: &[u8]) -> Option<usize> {
    let mut at = CHUNKS;
    loop {
        let (kind, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let data = at + 8;
        if kind == b"ANMF" {
            let flags = data + FLAGS;
            return (length > FLAGS && flags < bytes.len()).then_some(flags);
        }
        // Chunks have an even length.
        at = data.checked_add(length)?.checked_add(length % 2)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flags_of_the_first_frame_change() {
        let mut file = b"RIFF\0\0\0\0WEBPVP8X\x03\0\0\0abc\0".to_vec();
        let first = file.len() + 8 + FLAGS;
        for _ in 0..2 {
            file.extend(b"ANMF\x10\0\0\0");
            file.extend([0; 16]);
        }
        let copied = with_first_frame_copied(&file);
        let changed = (0..file.len()).filter(|&at| file[at] != copied[at]);
        assert_eq!(changed.collect::<Vec<_>>(), [first]);
        assert_eq!(copied[first], DO_NOT_BLEND);
        assert!(matches!(with_first_frame_copied(&copied), Cow::Borrowed(_)));
        for length in 0..=first {
            let cut = with_first_frame_copied(&file[..length]);
            assert_eq!(*cut, file[..length], "{length} bytes");
        }
    }
}
