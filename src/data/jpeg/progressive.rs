//! Progressive scans (T.81, G.1.2): some bits of some coefficients, added to what earlier scans have given.

use super::coefficients::Coefficients;
use super::entropy::{BitReader, Carry, Entropy};
use super::error::{Result, damaged};
use super::frame::{COEFFICIENTS, Frame, Scan};
use super::huffman::{Table, Use};
use super::markers::{Markers, ZIGZAG};
use super::scan::Block;

/// The most low bits that may be left out.
const MAX_LOW: u32 = 13;

/// Decodes a scan into `coefficients`.
///
/// # Errors
/// A truncated file, scans that the format does not have, and tables that are missing or impossible.
pub fn decode(
    scan: &Scan,
    frame: &Frame,
    markers: &mut Markers,
    coefficients: &mut Coefficients,
) -> Result<()> {
    let (first, last, low) = (scan.first, scan.last, scan.low);
    let is_dc = first == 0;
    let band_is_right = if is_dc {
        last == 0
    } else {
        first <= last && last < COEFFICIENTS && scan.members.len() == 1
    };
    if !band_is_right || low > MAX_LOW || (scan.high != 0 && low + 1 != scan.high) {
        return Err(damaged(format!(
            "a progressive scan is of coefficients {first} to {last}, bits {} to {low}",
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
            let entropy = Entropy::new(markers)?;
            coefficients.decode(scan, frame, entropy, |member, reader, carry, block| {
                dc_first(
                    &tables[member],
                    low,
                    reader,
                    &mut carry.dc[member & 3],
                    block,
                );
            })
        }
        (true, _) => {
            let entropy = Entropy::new(markers)?;
            coefficients.decode(scan, frame, entropy, |_, reader, _, block| {
                block[0] |= i16::from(reader.take_bit()) << low;
            })
        }
        (false, 0) => {
            let table = Table::new(markers.ac_table(scan.members[0].ac)?, Use::Ac)?;
            let entropy = Entropy::new(markers)?;
            coefficients.decode(scan, frame, entropy, |_, reader, carry, block| {
                ac_first(&table, first..last + 1, low, reader, carry, block);
            })
        }
        (false, _) => {
            let table = Table::new(markers.ac_table(scan.members[0].ac)?, Use::Refinement)?;
            let entropy = Entropy::new(markers)?;
            coefficients.decode(scan, frame, entropy, |_, reader, carry, block| {
                ac_refine(&table, first..last + 1, 1 << low, reader, carry, block);
            })
        }
    }
}

/// The high bits of the coefficient of index 0.
#[inline(always)]
fn dc_first(table: &Table, low: u32, reader: &mut BitReader, last_dc: &mut i32, block: &mut Block) {
    reader.refill();
    let entry = table.next(reader);
    let difference = if entry.is_whole() {
        i32::from(entry.coefficient())
    } else if entry.size() > 0 {
        reader.take_signed(entry.size())
    } else {
        0
    };
    *last_dc = last_dc.wrapping_add(difference);
    block[0] = (*last_dc << low) as i16;
}

/// The high bits of the coefficients of a band.
#[inline(always)]
fn ac_first(
    table: &Table,
    band: std::ops::Range<usize>,
    low: u32,
    reader: &mut BitReader,
    carry: &mut Carry,
    block: &mut Block,
) {
    if carry.ended_blocks > 0 {
        carry.ended_blocks -= 1;
        return;
    }
    let mut index = band.start;
    while index < band.end {
        reader.refill();
        let entry = table.next(reader);
        let coefficient = if entry.is_whole() {
            i32::from(entry.coefficient())
        } else if entry.size() > 0 {
            reader.take_signed(entry.size())
        } else if entry.run() == 15 {
            index += 16;
            continue;
        } else {
            carry.ended_blocks = end_of_band(entry.run(), reader) - 1;
            break;
        };
        index += entry.run();
        block[usize::from(ZIGZAG[index & 127]) & 63] = (coefficient << low) as i16;
        index += 1;
    }
}

/// One more bit of the coefficients of a band that are not zero, and those that become so with it.
#[inline(always)]
fn ac_refine(
    table: &Table,
    band: std::ops::Range<usize>,
    bit: i16,
    reader: &mut BitReader,
    carry: &mut Carry,
    block: &mut Block,
) {
    let mut index = band.start;
    if carry.ended_blocks == 0 {
        while index < band.end {
            reader.refill();
            let entry = table.next(reader);
            let mut zeros = entry.run();
            let mut new = 0;
            if entry.size() > 0 {
                new = if reader.take(1) == 1 { bit } else { -bit };
            } else if zeros != 15 {
                carry.ended_blocks = end_of_band(zeros, reader);
                break;
            }
            // Past the zeros of the run, and the coefficients between them, to the zero that becomes the new one.
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
    if carry.ended_blocks > 0 {
        for &place in ZIGZAG.get(index..band.end).unwrap_or_default() {
            let coefficient = &mut block[usize::from(place) & 63];
            if *coefficient != 0 {
                refine(coefficient, bit, reader);
            }
        }
        carry.ended_blocks -= 1;
    }
}

/// Moves a coefficient away from zero by `bit`, if its next bit says so.
#[inline(always)]
fn refine(coefficient: &mut i16, bit: i16, reader: &mut BitReader) {
    if reader.take_bit() && *coefficient & bit == 0 {
        let step = if *coefficient >= 0 { bit } else { -bit };
        *coefficient = coefficient.wrapping_add(step);
    }
}

/// How many blocks have no more new coefficients, this one included.
#[inline(always)]
fn end_of_band(size: usize, reader: &mut BitReader) -> u32 {
    let more = if size > 0 {
        reader.take(size as u32)
    } else {
        0
    };
    (1 << size) + more as u32
}
