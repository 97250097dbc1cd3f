//! The bits of one entropy-coded segment: the bytes between two markers, without their stuffing.
//!
//! A segment is copied once without the zero that follows each `0xff`, so that the reader refills itself eight bytes
//! at a time and never looks for a marker. After its end come infinitely many zeros, as in libjpeg, which counts those
//! that are read as missing data.

/// Zeros after the bytes, so that the last bytes can be read eight at a time.
const PADDING: usize = 8;

/// The bytes of a segment without stuffing, followed by [`PADDING`] zeros.
#[derive(Debug, Default)]
pub struct Segment {
    bytes: Vec<u8>,
}

impl Segment {
    /// Replaces the segment by the start of `bytes`, up to the first marker. Returns the marker and the number of bytes of
    /// the segment with the marker, or `None` when no marker follows.
    pub fn fill(&mut self, bytes: &[u8]) -> Option<(u8, usize)> {
        self.bytes.clear();
        let mut position = 0;
        loop {
            let run = find_ff(&bytes[position..])?;
            self.bytes
                .extend_from_slice(&bytes[position..position + run]);
            position += run;
            // Several 0xff count as one before a zero, and as none before a marker.
            let after = bytes[position..].iter().position(|&byte| byte != 0xff)?;
            position += after + 1;
            match bytes[position - 1] {
                0 => self.bytes.push(0xff),
                marker => {
                    self.bytes.extend_from_slice(&[0; PADDING]);
                    return Some((marker, position));
                }
            }
        }
    }

    /// Clears the segment.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Returns a reader that continues at `position`.
    pub fn reader(&self, position: BitPosition) -> BitReader<'_> {
        BitReader {
            bytes: &self.bytes,
            position,
        }
    }
}

/// The position of a reader in a segment; by default its start.
#[derive(Debug, Clone, Copy, Default)]
pub struct BitPosition {
    /// The number of bytes that have gone into `bits`, in part or whole.
    next_byte: usize,
    /// The next bits, from the highest down.
    bits: u64,
    /// The number of valid bits.
    count: u32,
}

/// Returns the position of the first `0xff`.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let (words, _) = bytes.as_chunks::<8>();
    // A byte of the inverse is zero if that of the word is 0xff.
    let whole = words
        .iter()
        .position(|word| {
            let inverse = !u64::from_ne_bytes(*word);
            inverse.wrapping_sub(LOW) & !inverse & (LOW << 7) != 0
        })
        .unwrap_or(words.len());
    let start = whole * 8;
    let found = bytes[start..].iter().position(|&byte| byte == 0xff)?;
    Some(start + found)
}

/// Reads a [`Segment`] from its first bit to its last, and then zeros.
#[derive(Debug, Clone, Copy)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    position: BitPosition,
}

impl BitReader<'_> {
    /// Returns the position at which to continue later.
    pub fn position(&self) -> BitPosition {
        self.position
    }

    /// Refills to at least 56 bits.
    #[inline(always)]
    pub fn refill(&mut self) {
        if let Some(next) =
            self.bytes[self.position.next_byte.min(self.bytes.len())..].first_chunk::<8>()
        {
            self.position.bits |= u64::from_be_bytes(*next) >> self.position.count;
        }
        self.position.next_byte += ((63 - self.position.count) >> 3) as usize;
        // At least 56: whole bytes were added.
        self.position.count |= 0b11_1000;
    }

    /// Returns the next `N` bits without taking them.
    #[inline(always)]
    pub fn peek<const N: u32>(&self) -> usize {
        (self.position.bits >> (64 - N)) as usize
    }

    /// Drops `length` of the bits of the last refill.
    #[inline(always)]
    pub fn skip(&mut self, length: u32) {
        self.position.bits <<= length & 63;
        self.position.count = self.position.count.wrapping_sub(length);
    }

    /// Takes `length` bits, at least one, of those of the last refill.
    #[inline(always)]
    pub fn take(&mut self, length: u32) -> i32 {
        let value = (self.position.bits >> ((64 - length) & 63)) as i32;
        self.skip(length);
        value
    }

    /// Takes a coefficient of `length` bits, at least one: numbers without a leading one are negative (T.81, F.12).
    #[inline(always)]
    pub fn take_signed(&mut self, length: u32) -> i32 {
        // All ones if the first bit is zero.
        let negative = !((self.position.bits as i64) >> 63) as i32;
        self.take(length) + (negative & ((-1 << length) + 1))
    }

    /// Takes one bit, and refills first if there is none.
    #[inline(always)]
    pub fn take_bit(&mut self) -> bool {
        if self.position.count == 0 {
            self.refill();
        }
        let bit = (self.position.bits as i64) < 0;
        self.skip(1);
        bit
    }

    /// Returns whether more bits were taken than the segment has.
    #[inline(always)]
    pub fn ran_out(&self) -> bool {
        let there = self.bytes.len().saturating_sub(PADDING) * 8;
        self.position.next_byte * 8 - self.position.count as usize > there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_is_dropped_and_the_marker_found() {
        let mut segment = Segment::default();
        let bytes = b"abcdefghij\xff\0k\xff\xff\0\xff\xff\xd9rest";
        assert_eq!(segment.fill(bytes), Some((0xd9, 19)));
        assert_eq!(segment.bytes, b"abcdefghij\xffk\xff\0\0\0\0\0\0\0\0");
        assert_eq!(segment.fill(b"\xff\xd0"), Some((0xd0, 2)));
        for cut in [&b""[..], b"abc", b"abc\xff", b"abc\xff\0"] {
            assert_eq!(segment.fill(cut), None);
        }
    }

    #[test]
    fn bits_come_from_the_highest_down_and_zeros_behind_the_last() {
        let mut segment = Segment::default();
        segment.fill(b"\xa5\x0f\x12\x34\x56\x78\x9a\xbc\xde\xf0\xff\xd9");
        let mut reader = segment.reader(BitPosition::default());
        let mut taken = String::new();
        for _ in 0..80 {
            assert!(!reader.ran_out());
            taken.push(if reader.take_bit() { '1' } else { '0' });
        }
        let expected = [
            0xa5_u8, 0x0f, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
        ];
        assert_eq!(taken, expected.map(|byte| format!("{byte:08b}")).concat());
        assert!(!reader.ran_out());
        for _ in 0..200 {
            assert!(!reader.take_bit());
            assert!(reader.ran_out());
        }
    }

    #[test]
    fn signed_numbers_follow_the_standard() {
        let mut segment = Segment::default();
        segment.fill(b"\x6c\x80\xff\xd9");
        let mut reader = segment.reader(BitPosition::default());
        reader.refill();
        // 0 | 1 | 10 | 110 | 010...
        assert_eq!(reader.take_signed(1), -1);
        assert_eq!(reader.take_signed(1), 1);
        assert_eq!(reader.take_signed(2), 2);
        assert_eq!(reader.take_signed(3), 6);
        assert_eq!(reader.take_signed(3), -5);
    }
}
