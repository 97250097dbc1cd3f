//! Sequential scans (T.81, F.2.2): all bits of all coefficients of a block at once.

use super::block::{Block, COEFFICIENTS};
use super::coefficients::BlockDecoder;
use super::entropy::{BitReader, Carry};
use super::error::Result;
use super::frame::Scan;
use super::huffman::{Table, Use};
use super::markers::{Markers, ZIGZAG};

/// The decoder of a sequential scan: the tables of each of its components.
#[derive(Debug)]
pub struct Sequential(pub Vec<Tables>);

impl BlockDecoder for Sequential {
    #[inline(always)]
    fn decode(&self, member: usize, reader: &mut BitReader, carry: &mut Carry, block: &mut Block) {
        self.0[member].decode_block(reader, &mut carry.dc[member & 3], block);
    }
}

/// The tables of a component of a scan.
#[derive(Debug)]
pub struct Tables {
    dc: Table,
    ac: Table,
}

impl Tables {
    /// Returns the tables of each component of `scan`.
    ///
    /// # Errors
    /// When a table is missing or impossible.
    pub fn of(scan: &Scan, markers: &Markers) -> Result<Vec<Self>> {
        let tables = scan.members.iter().map(|member| {
            Ok(Self {
                dc: Table::new(markers.dc_table(member.dc)?, Use::Dc)?,
                ac: Table::new(markers.ac_table(member.ac)?, Use::Ac)?,
            })
        });
        tables.collect()
    }

    /// Decodes a block into `block`, which may hold older coefficients. Returns the indices of the new ones, except the first,
    /// or-ed together: 0 if there is only the first.
    #[inline(always)]
    pub fn decode_block(
        &self,
        reader: &mut BitReader,
        last_dc: &mut i32,
        block: &mut Block,
    ) -> usize {
        reader.refill();
        let entry = self.dc.next(reader);
        let difference = if entry.is_complete() {
            i32::from(entry.coefficient())
        } else if entry.size() > 0 {
            reader.take_signed(entry.size())
        } else {
            0
        };
        *last_dc = last_dc.wrapping_add(difference);
        block[0] = *last_dc as i16;
        let mut positions = 0;
        let mut index = 1;
        while index < COEFFICIENTS {
            reader.refill();
            let entry = self.ac.next(reader);
            index += entry.run();
            let coefficient = if entry.is_complete() {
                entry.coefficient()
            } else if entry.size() > 0 {
                reader.take_signed(entry.size()) as i16
            } else if entry.run() == 15 {
                index += 1;
                continue;
            } else {
                break;
            };
            let position = usize::from(ZIGZAG[index & 127]) & 63;
            block[position] = coefficient;
            positions |= position;
            index += 1;
        }
        positions
    }
}
