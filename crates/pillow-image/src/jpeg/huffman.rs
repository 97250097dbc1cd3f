//! Huffman tables, as stored in a file and as used for decoding.
//!
//! A table indexed by the next [`LOOKAHEAD`] bits gives the symbol and the length of its code, and the coefficient itself if
//! the code and the bits of the coefficient fit. Longer codes are searched by length (T.81, figure F.16).

use super::bits::BitReader;
use super::error::{Result, damaged};

/// Bits that are looked up at once.
const LOOKAHEAD: u32 = 10;
/// In an entry: the coefficient is in it.
const COMPLETE: u32 = 0x80;

/// A table as a file defines it.
#[derive(Debug, Clone)]
pub struct TableDefinition {
    /// The number of codes of 1 to 16 bits.
    pub counts: [u8; 16],
    /// The symbols in the order of their codes, then zeros.
    pub symbols: [u8; 256],
}

/// The data that follows a table's symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The difference of a coefficient of index 0.
    Dc,
    /// Another coefficient.
    Ac,
    /// One bit, whatever the symbol's size: no entry is complete.
    Refinement,
}

/// The meaning of the next bits.
#[derive(Debug, Clone, Copy)]
pub struct Entry(u32);

impl Entry {
    /// Returns whether the coefficient is in the entry; else its bits follow the code, if it has any.
    #[inline(always)]
    pub fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    /// Returns the number of bits to skip.
    #[inline(always)]
    fn length(self) -> u32 {
        self.0 & 0x3f
    }

    /// Returns the number of bits of the coefficient.
    #[inline(always)]
    pub fn size(self) -> u32 {
        (self.0 >> 8) & 15
    }

    /// Returns the number of zeros before the coefficient.
    #[inline(always)]
    pub fn run(self) -> usize {
        (self.0 >> 12) as usize & 15
    }

    /// Returns the coefficient of a complete entry.
    #[inline(always)]
    pub fn coefficient(self) -> i16 {
        (self.0 >> 16) as i16
    }

    fn of(symbol: u8, length: u32) -> Self {
        Self(u32::from(symbol) << 8 | length)
    }
}

/// A decoding table.
#[derive(Debug, Clone)]
pub struct Table {
    lookup: [Entry; 1 << LOOKAHEAD],
    /// By length: one more than the last code, 0 when there is none.
    ends: [u32; 17],
    /// By length: the offset from a code to the index of its symbol.
    offsets: [i32; 17],
    symbols: [u8; 256],
}

impl Table {
    /// Creates the table of `definition`, for the decoding of `use_of`.
    ///
    /// # Errors
    /// When the counts are impossible, or, for coefficients of index 0, a size is above 15.
    pub fn new(definition: &TableDefinition, use_of: Use) -> Result<Self> {
        let wrong = || damaged("a Huffman table is impossible");
        let mut table = Self {
            lookup: [Entry(0); 1 << LOOKAHEAD],
            ends: [0; 17],
            offsets: [0; 17],
            symbols: definition.symbols,
        };
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1..=16_u32).zip(&definition.counts) {
            let count = usize::from(count);
            let symbols = definition.symbols.get(index..index + count);
            let symbols = symbols.ok_or_else(wrong)?;
            if use_of == Use::Dc && symbols.iter().any(|&symbol| symbol > 15) {
                return Err(wrong());
            }
            table.offsets[length as usize] = index as i32 - code as i32;
            if length <= LOOKAHEAD {
                table
                    .fill(code, length, symbols, use_of)
                    .ok_or_else(wrong)?;
            }
            code += count as u32;
            index += count;
            // No code is all ones.
            if code >= 1 << length {
                return Err(wrong());
            }
            table.ends[length as usize] = if count > 0 { code } else { 0 };
            code <<= 1;
        }
        Ok(table)
    }

    /// Adds the codes from `code` on, all of one length.
    fn fill(&mut self, code: u32, length: u32, symbols: &[u8], use_of: Use) -> Option<()> {
        let rest = LOOKAHEAD - length;
        for (code, &symbol) in (code..).zip(symbols) {
            let start = (code << rest) as usize;
            let size = u32::from(symbol & 15);
            let entries = self.lookup.get_mut(start..start + (1 << rest))?;
            for (behind, entry) in (0_u32..).zip(entries) {
                *entry = Entry::of(symbol, length);
                if use_of != Use::Refinement && (1..=rest).contains(&size) {
                    let bits = (behind >> (rest - size)) as i32;
                    let is_negative = bits < 1 << (size - 1);
                    let value = if is_negative {
                        bits + (-1 << size) + 1
                    } else {
                        bits
                    };
                    let run = u32::from(symbol >> 4) << 12;
                    *entry = Entry((value as u32) << 16 | run | COMPLETE | (length + size));
                }
            }
        }
        Some(())
    }

    /// Skips the next code, and its coefficient if the entry is complete. Takes at most 17 bits.
    #[inline(always)]
    pub fn next(&self, reader: &mut BitReader) -> Entry {
        let entry = self.lookup[reader.peek::<LOOKAHEAD>()];
        if entry.0 == 0 {
            // By value, so that the reader can stay in registers.
            let (entry, length) = self.find_long(reader.peek::<16>() as u32);
            reader.skip(length);
            return entry;
        }
        reader.skip(entry.length());
        entry
    }

    /// Returns the symbol and length of a code longer than the lookup, the first of `bits`, which are 16. An invalid
    /// one counts as 0, as in libjpeg.
    #[cold]
    #[inline(never)]
    fn find_long(&self, bits: u32) -> (Entry, u32) {
        for length in LOOKAHEAD + 1..=16 {
            let code = bits >> (16 - length);
            if code < self.ends[length as usize] {
                let index = code as i32 + self.offsets[length as usize];
                return (Entry::of(self.symbols[index as usize & 255], 0), length);
            }
        }
        (Entry::of(0, 0), 17)
    }
}

/// Returns the standard tables of T.81, K.3, by number, for files without tables, such as the frames of motion JPEG.
pub fn standard(is_dc: bool, number: usize) -> Option<TableDefinition> {
    let (counts, symbols): (_, &[u8]) = match (is_dc, number) {
        (true, 0) => (
            [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
            &DC_SYMBOLS,
        ),
        (true, 1) => (
            [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
            &DC_SYMBOLS,
        ),
        (false, 0) => (
            [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
            &LUMA_SYMBOLS,
        ),
        (false, 1) => (
            [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
            &CHROMA_SYMBOLS,
        ),
        _ => return None,
    };
    let mut definition = TableDefinition {
        counts,
        symbols: [0; 256],
    };
    definition.symbols[..symbols.len()].copy_from_slice(symbols);
    Some(definition)
}

const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[rustfmt::skip]
const LUMA_SYMBOLS: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32,
    0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16,
    0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
    0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
    0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8,
    0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[rustfmt::skip]
const CHROMA_SYMBOLS: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81,
    0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34,
    0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92,
    0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
    0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6,
    0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::super::bits::{BitPosition, Segment};
    use super::*;

    #[test]
    fn codes_of_every_length_give_their_symbols() -> Result<()> {
        // One code of each length: 0, 10, 110...; the symbol of length n names n - 1 further bits.
        let mut definition = TableDefinition {
            counts: [1; 16],
            symbols: [0; 256],
        };
        for (index, symbol) in definition.symbols[..16].iter_mut().enumerate() {
            *symbol = index as u8;
        }
        for use_of in [Use::Dc, Use::Ac, Use::Refinement] {
            let table = Table::new(&definition, use_of)?;
            for length in 1..=16 {
                let size = length - 1;
                // Ones, a zero, and a coefficient whose first bit is one and whose others are zero.
                let code = (1_u32 << length) - 2;
                let coded = u64::from(code) << (64 - length) | (1 << 63) >> length;
                let mut bytes = coded.to_be_bytes().to_vec();
                for at in (0..8).rev() {
                    if bytes[at] == 0xff {
                        bytes.insert(at + 1, 0);
                    }
                }
                bytes.extend(b"\xff\xd9");
                let mut segment = Segment::default();
                segment.fill(&bytes);
                let mut reader = segment.reader(BitPosition::default());
                reader.refill();
                let entry = table.next(&mut reader);
                if entry.is_complete() {
                    assert!(use_of != Use::Refinement && 2 * length - 1 <= LOOKAHEAD);
                    assert_eq!(i32::from(entry.coefficient()), 1 << (size - 1));
                } else {
                    assert_eq!(entry.size(), size);
                    if size > 0 {
                        assert_eq!(reader.take_signed(size), 1 << (size - 1));
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn impossible_tables_are_refused_and_missing_codes_are_zero() -> Result<()> {
        let mut definition = TableDefinition {
            counts: [0; 16],
            symbols: [7; 256],
        };
        definition.counts[0] = 2;
        assert!(Table::new(&definition, Use::Ac).is_err());
        definition.counts = [16; 16];
        assert!(Table::new(&definition, Use::Ac).is_err());
        definition.counts = [0; 16];
        definition.counts[15] = 2;
        let table = Table::new(&definition, Use::Dc)?;
        let mut segment = Segment::default();
        segment.fill(b"\xf0\0\0\0\0\0\0\0\xff\xd9");
        let mut reader = segment.reader(BitPosition::default());
        reader.refill();
        assert_eq!(table.next(&mut reader).size(), 0);
        definition.symbols = [16; 256];
        assert!(Table::new(&definition, Use::Dc).is_err());
        Ok(())
    }

    #[test]
    fn the_standard_tables_are_possible() {
        for (is_dc, number, count) in [
            (true, 0, 12),
            (true, 1, 12),
            (false, 0, 162),
            (false, 1, 162),
        ] {
            let definition = standard(is_dc, number).unwrap();
            let codes: u32 = definition
                .counts
                .iter()
                .map(|&count| u32::from(count))
                .sum();
            assert_eq!(codes, count);
            assert!(Table::new(&definition, Use::Ac).is_ok());
        }
    }
}
