//! `TFRecord` framing: each record is preceded by its length and followed by its checksum.
//!
//! | bytes | |
//! |---|---|
//! | 8 | length of the record, little-endian |
//! | 4 | masked CRC-32C of these 8 bytes |
//! | length | the record |
//! | 4 | masked CRC-32C of the record |
//!
//! The format: <https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details>.

use std::io::{self, Write};

/// Castagnoli's polynomial, from the lowest power of x.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The effect of each byte on the remainder.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = remainder & 1;
            remainder >>= 1;
            if carry == 1 {
                remainder ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};

/// Returns the CRC-32C of `bytes`, whose polynomial differs from that of zip and PNG.
fn checksum(bytes: &[u8]) -> u32 {
    let remainder = bytes.iter().fold(u32::MAX, |remainder, &byte| {
        let low = remainder.to_le_bytes()[0];
        (remainder >> 8) ^ TABLE[usize::from(low ^ byte)]
    });
    !remainder
}

/// Returns the masked checksum of records: rotated and offset, as the checksum of bytes that contain their own is weak.
fn masked(bytes: &[u8]) -> u32 {
    checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes `record` with its frame.
///
/// # Errors
/// Those of `file`.
pub fn write_record(file: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let length = (record.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked(&length).to_le_bytes())?;
    file.write_all(record)?;
    file.write_all(&masked(record).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_known_ones() {
        // The check value of CRC-32C, and those of RFC 3720, B.4.
        assert_eq!(checksum(b"123456789"), 0xe306_9283);
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(checksum(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn a_record_stands_in_its_frame() {
        // What TensorFlow writes for the version that starts each event file at time 0.
        let record = b"\x09\0\0\0\0\0\0\0\0\x1a\x0dbrain.Event:2";
        let mut file = Vec::new();
        write_record(&mut file, record).unwrap();
        assert_eq!(file[..8], [24, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(file[8..12], masked(&file[..8]).to_le_bytes());
        assert_eq!(file[12..36], *record);
        assert_eq!(file.len(), 40);
        // The mask of TensorFlow's crc32c.h.
        let crc = checksum(record);
        let turned = (crc / (1 << 15)) | crc.wrapping_mul(1 << 17);
        assert_eq!(file[36..], turned.wrapping_add(0xa282_ead8).to_le_bytes());
    }
}
