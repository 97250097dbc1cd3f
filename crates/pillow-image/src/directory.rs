//! The first directory of a TIFF file: a table of numbered tags with values. EXIF data has the same form.

/// Tag numbers.
pub mod tag {
    pub const IMAGE_WIDTH: u16 = 256;
    pub const IMAGE_HEIGHT: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
    pub const PLANAR_CONFIGURATION: u16 = 284;
    pub const GROUP_3_OPTIONS: u16 = 292;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const YCBCR_COEFFICIENTS: u16 = 529;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const XMP: u16 = 700;
}

/// The first directory of a TIFF file or of EXIF data.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// True for `BigTIFF`, whose counts and offsets have 64 bits.
    is_big: bool,
    /// The offset of the first entry, and the number of entries.
    entries: usize,
    count: usize,
}

/// A tag's value.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    /// The type of its elements, and its bytes.
    kind: u16,
    data: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Finds the first directory of a file of `bytes`; `None` when its header or the number of entries is damaged.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..2)? {
            b"II" => false,
            b"MM" => true,
            _ => return None,
        };
        let mut directory = Self {
            bytes,
            big_endian,
            is_big: false,
            entries: 0,
            count: 0,
        };
        // Some writers swap the bytes of 42, and Pillow reads their files.
        let start = match bytes.get(2..4)? {
            [42, 0] | [0, 42] => directory.number_at(4, 4)?,
            [43, 0] | [0, 43] => {
                directory.is_big = true;
                directory.number_at(8, 8)?
            }
            _ => return None,
        };
        let start = usize::try_from(start).ok()?;
        let width = if directory.is_big { 8 } else { 2 };
        directory.count = usize::try_from(directory.number_at(start, width)?).ok()?;
        directory.entries = start + width;
        Some(directory)
    }

    /// Returns whether all of its entries lie within the file.
    pub fn is_whole(&self) -> bool {
        let rest = self.bytes.len().checked_sub(self.entries);
        rest.is_some_and(|rest| rest / self.entry_length() >= self.count)
    }

    /// Returns whether there is a value of `tag`.
    pub fn contains(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// Returns the bytes of the value of `tag`.
    pub fn data(&self, tag: u16) -> Option<&'a [u8]> {
        Some(self.entry(tag)?.data)
    }

    /// Returns the first of the whole numbers of `tag`.
    pub fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag)?.first().copied()
    }

    /// Returns the whole numbers of `tag`; `None` when it is absent or has other values. Single bytes are text to Pillow.
    pub fn numbers(&self, tag: u16) -> Option<Vec<u64>> {
        let entry = self.entry(tag)?;
        let width = match entry.kind {
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return None,
        };
        let numbers = entry.data.chunks_exact(width);
        Some(numbers.map(|bytes| self.number_of(bytes)).collect())
    }

    /// Returns the fractions of `tag`; `None` when it is absent or has other values.
    pub fn fractions(&self, tag: u16) -> Option<Vec<f32>> {
        let entry = self.entry(tag)?;
        let half = |bytes: &[u8]| self.number_of(bytes) as f32;
        let fractions = entry.data.chunks_exact(8);
        (entry.kind == 5).then(|| {
            fractions
                .map(|pair| half(&pair[..4]) / half(&pair[4..]))
                .collect()
        })
    }

    /// Returns the offset in the file of the value of `tag`.
    pub fn offset_of(&self, tag: u16) -> Option<usize> {
        let data = self.entry(tag)?.data;
        Some(data.as_ptr() as usize - self.bytes.as_ptr() as usize)
    }

    /// Returns the bytes of a 16-bit number in the file's order.
    pub fn short(&self, number: u16) -> [u8; 2] {
        if self.big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    }

    /// Returns the last entry of `tag` whose value lies within the file.
    fn entry(&self, tag: u16) -> Option<Entry<'a>> {
        let length = self.entry_length();
        let within = self.bytes.len().saturating_sub(self.entries) / length;
        let entries = (0..self.count.min(within)).rev();
        entries
            .map(|index| self.entries + index * length)
            .filter(|&at| self.number_at(at, 2) == Some(tag.into()))
            .find_map(|at| self.entry_at(at))
    }

    fn entry_length(&self) -> usize {
        if self.is_big { 20 } else { 12 }
    }

    fn entry_at(&self, at: usize) -> Option<Entry<'a>> {
        let kind = self.number_at(at + 2, 2)? as u16;
        let element = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => return None,
        };
        let word = if self.is_big { 8 } else { 4 };
        let count = usize::try_from(self.number_at(at + 4, word)?).ok()?;
        let length = count.checked_mul(element)?;
        let value = at + 4 + word;
        let start = if length <= word {
            value
        } else {
            usize::try_from(self.number_at(value, word)?).ok()?
        };
        let data = self.bytes.get(start..start.checked_add(length)?)?;
        Some(Entry { kind, data })
    }

    fn number_at(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        Some(self.number_of(bytes))
    }

    /// Returns the number of up to 8 bytes.
    fn number_of(&self, bytes: &[u8]) -> u64 {
        let append = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.big_endian {
            bytes.iter().fold(0, append)
        } else {
            bytes.iter().rev().fold(0, append)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with one entry.
    fn with_entry(tag: u16, kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0\x01\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value);
        bytes
    }

    #[test]
    fn whole_numbers_of_every_width_are_read_and_other_values_are_not() {
        for (kind, count, value, expected) in [
            (3, 1, [6, 0, 9, 9], Some(vec![6])),
            (3, 2, [6, 0, 1, 2], Some(vec![6, 513])),
            (4, 1, [6, 0, 0, 1], Some(vec![0x0100_0006])),
            (1, 1, [6, 0, 0, 0], None),
            (2, 1, *b"6\0\0\0", None),
            (99, 1, [6; 4], None),
            // Beyond the end of the file.
            (4, 2, [20, 0, 0, 0], None),
            (4, u32::MAX, [6, 0, 0, 0], None),
        ] {
            let bytes = with_entry(tag::ORIENTATION, kind, count, value);
            let directory = Directory::first(&bytes).unwrap();
            assert_eq!(
                directory.numbers(tag::ORIENTATION),
                expected,
                "{kind} {count}"
            );
            assert_eq!(directory.numbers(tag::COMPRESSION), None);
        }
    }

    #[test]
    fn a_directory_cut_anywhere_has_no_values() {
        let bytes = with_entry(tag::ORIENTATION, 3, 1, [6, 0, 0, 0]);
        for length in 0..bytes.len() {
            let directory = Directory::first(&bytes[..length]);
            assert!(!directory.is_some_and(|directory| directory.contains(tag::ORIENTATION)));
        }
        assert!(
            Directory::first(&bytes).is_some_and(|directory| directory.contains(tag::ORIENTATION))
        );
    }
}
