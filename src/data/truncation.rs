//! Whether a JPEG or WebP file is all there. Decoders fill up what is missing and say nothing.

/// Start of scan, which entropy-coded data follow.
const START_OF_SCAN: u8 = 0xda;
/// End of image.
const END_OF_IMAGE: u8 = 0xd9;

/// Whether a walk over the segments and scans of a JPEG file ends at its end-of-image marker, not at the end of the
/// file. A thumbnail's marker is inside a segment and not met.
pub fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut position = 2;
    loop {
        // Any number of fill bytes may stand before a marker; other bytes are skipped, as libjpeg does.
        let Some(found) = find_marker(&bytes[position.min(bytes.len())..]) else {
            return false;
        };
        let marker = bytes[position + found];
        position += found + 1;
        match marker {
            END_OF_IMAGE => return true,
            // Markers without a segment: temporary, restarts, start of image.
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let Some(length) = bytes.get(position..position + 2) else {
                    return false;
                };
                position += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == START_OF_SCAN {
                    position = end_of_scan(bytes, position);
                }
            }
        }
    }
}

/// Whether a WebP file is as long as its RIFF header says.
pub fn webp_is_whole(bytes: &[u8]) -> bool {
    let Some(length) = bytes.get(4..).and_then(<[u8]>::first_chunk) else {
        return false;
    };
    bytes.len() as u64 >= u64::from(u32::from_le_bytes(*length)) + 8
}

/// Where the byte behind the next `0xff` that makes a marker lies.
fn find_marker(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xff && pair[1] != 0xff && pair[1] != 0)
        .map(|start| start + 1)
}

/// Where the first marker behind the entropy-coded data at `start` lies that is no restart.
fn end_of_scan(bytes: &[u8], start: usize) -> usize {
    let data = bytes.get(start..).unwrap_or_default();
    data.windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
        .map_or(bytes.len(), |end| start + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start of image, an application segment that holds a whole thumbnail, a scan with stuffing and a restart.
    const JPEG: &[u8] =
        b"\xff\xd8\xff\xe1\0\x06\xff\xd8\xff\xd9\xff\xda\0\x03\0\x12\xff\0\xff\xd0\x34\xff\xff\xd9";

    #[test]
    fn a_jpeg_cut_anywhere_is_not_whole() {
        assert!(jpeg_is_whole(JPEG));
        for length in 0..JPEG.len() {
            assert!(!jpeg_is_whole(&JPEG[..length]), "{length} bytes");
        }
    }
}
