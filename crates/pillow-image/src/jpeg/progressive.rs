//! Progressive scans (T.81, G.1.2): some bits of some coefficients, added to those of earlier scans.

use std::ops::Range;

use super::block::{Block, COEFFICIENTS};
use super::coefficients::{BlockDecoder, Coefficients};
use super::entropy::{BitReader, Carry, Entropy};
use super::error::{Result, damaged};
use super::frame::{Frame, Scan};
use super::huffman::{Table, Use};
use super::markers::{Markers, ZIGZAG};

/// The most low bits that may be left out.
const MAX_LOW: u32 = 13;

/// Decodes a scan into `coefficients`. Returns the last row of MCUs that has data.
///
/// # Errors
/// When the file is truncated, the scan is invalid, or a table is missing or impossible.
#[inline(always)]
pub fn decode(
    scan: &Scan,
    frame: &Frame,
    markers: &mut Markers,
    coefficients: &mut Coefficients,
) -> Result<usize> {
    let (first, last, low) = (scan.first, scan.last, scan.low);
    let is_dc = first == 0;
    let band_is_right = if is_dc {
        last == 0
    } else {
        first <= last && last < COEFFICIENTS && scan.members.len() == 1
    };
    if !band_is_right || low > MAX_LOW || (scan.high != 0 && low + 1 != scan.high) {
        return Err(damaged(format!(
            "a progressive scan has coefficients {first} to {last}, bits {} to {low}",
            scan.high
        )));
    }
    match (is_dc, scan.high) {
        (true, 0) => {
            let tables = scan.members.iter().map(|member| {
                let definition = markers.dc_table(member.dc)?;
                Table::new(definition, Use::Dc)
            });
            let tables = tables.collect::<Result<Vec<_>>>()?;
            let decoder = DcFirst { tables, low };
            coefficients.decode(scan, frame, Entropy::new(markers)?, &decoder)
        }
        (true, _) => {
            let decoder = DcRefinement { bit: 1 << low };
            coefficients.decode(scan, frame, Entropy::new(markers)?, &decoder)
        }
        (false, 0) => {
            let table = Table::new(markers.ac_table(scan.members[0].ac)?, Use::Ac)?;
            let band = first..last + 1;
            let decoder = AcFirst { table, band, low };
            coefficients.decode(scan, frame, Entropy::new(markers)?, &decoder)
        }
        (false, _) => {
            let table = Table::new(markers.ac_table(scan.members[0].ac)?, Use::Refinement)?;
            let (band, bit) = (first..last + 1, 1 << low);
            let decoder = AcRefinement { table, band, bit };
            coefficients.decode(scan, frame, Entropy::new(markers)?, &decoder)
        }
    }
}

/// The high bits of the coefficient of index 0.
struct DcFirst {
    /// Per component of the scan.
    tables: Vec<Table>,
    low: u32,
}

impl BlockDecoder for DcFirst {
    #[inline(always)]
    fn decode(&self, member: usize, reader: &mut BitReader, carry: &mut Carry, block: &mut Block) {
        let last_dc = &mut carry.dc[member & 3];
        reader.refill();
        let entry = self.tables[member].next(reader);
        let difference = if entry.is_complete() {
            i32::from(entry.coefficient())
        } else if entry.size() > 0 {
            reader.take_signed(entry.size())
        } else {
            0
        };
        *last_dc = last_dc.wrapping_add(difference);
        block[0] = (*last_dc << self.low) as i16;
    }
}

/// One more bit of the coefficient of index 0.
struct DcRefinement {
    bit: i16,
}

impl BlockDecoder for DcRefinement {
    #[inline(always)]
    fn decode(&self, _: usize, reader: &mut BitReader, _: &mut Carry, block: &mut Block) {
        if reader.take_bit() {
            block[0] |= self.bit;
        }
    }
}

/// The high bits of the coefficients of a band.
struct AcFirst {
    table: Table,
    band: Range<usize>,
    low: u32,
}

impl BlockDecoder for AcFirst {
    #[inline(always)]
    fn decode(&self, _: usize, reader: &mut BitReader, carry: &mut Carry, block: &mut Block) {
        if carry.eob_run > 0 {
            carry.eob_run -= 1;
            return;
        }
        let mut index = self.band.start;
        while index < self.band.end {
            reader.refill();
            let entry = self.table.next(reader);
            let coefficient = if entry.is_complete() {
                i32::from(entry.coefficient())
            } else if entry.size() > 0 {
                reader.take_signed(entry.size())
            } else if entry.run() == 15 {
                index += 16;
                continue;
            } else {
                carry.eob_run = end_of_band(entry.run(), reader) - 1;
                break;
            };
            index += entry.run();
            block[usize::from(ZIGZAG[index & 127]) & 63] = (coefficient << self.low) as i16;
            index += 1;
        }
    }
}

/// One more bit of the nonzero coefficients of a band, and of those that become nonzero.
struct AcRefinement {
    table: Table,
    band: Range<usize>,
    bit: i16,
}

impl BlockDecoder for AcRefinement {
    #[inline(always)]
    fn decode(&self, _: usize, reader: &mut BitReader, carry: &mut Carry, block: &mut Block) {
        let (band, bit) = (&self.band, self.bit);
        let mut index = band.start;
        if carry.eob_run == 0 {
            while index < band.end {
                reader.refill();
                let entry = self.table.next(reader);
                let mut zeros = entry.run();
                let mut new = 0;
                if entry.size() > 0 {
                    new = if reader.take(1) == 1 { bit } else { -bit };
                } else if zeros != 15 {
                    carry.eob_run = end_of_band(zeros, reader);
                    break;
                }
                // Past the zeros of the run and the coefficients between them, to the zero that becomes the new coefficient.
                while index < band.end {
                    let coefficient = &mut block[usize::from(ZIGZAG[index & 127]) & 63];
                    if *coefficient != 0 {
                        refine(coefficient, bit, reader);
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    index += 1;
                }
                if new != 0 {
                    block[usize::from(ZIGZAG[index & 127]) & 63] = new;
                }
                index += 1;
            }
        }
        if carry.eob_run > 0 {
            for &position in ZIGZAG.get(index..band.end).unwrap_or_default() {
                let coefficient = &mut block[usize::from(position) & 63];
                if *coefficient != 0 {
                    refine(coefficient, bit, reader);
                }
            }
            carry.eob_run -= 1;
        }
    }
}

/// Moves a coefficient away from zero by `bit` if its next bit is set.
#[inline(always)]
fn refine(coefficient: &mut i16, bit: i16, reader: &mut BitReader) {
    if reader.take_bit() && *coefficient & bit == 0 {
        let step = if *coefficient >= 0 { bit } else { -bit };
        *coefficient = coefficient.wrapping_add(step);
    }
}

/// Returns the number of blocks without new coefficients, this one included.
#[inline(always)]
fn end_of_band(size: usize, reader: &mut BitReader) -> u32 {
    let more = if size > 0 {
        reader.take(size as u32)
    } else {
        0
    };
    (1 << size) + more as u32
}
