//! The coefficients of a whole picture, which several scans contribute to.

use super::entropy::{BitReader, Carry, Entropy};
use super::error::Result;
use super::frame::{Frame, Scan};
use super::scan::Block;

/// The blocks of one component, row by row, up to whole MCUs.
#[derive(Debug)]
struct Plane {
    blocks: Vec<Block>,
    stride: usize,
}

/// The blocks of every component.
#[derive(Debug)]
pub struct Coefficients {
    planes: Vec<Plane>,
}

impl Coefficients {
    /// All zeros.
    pub fn new(frame: &Frame) -> Self {
        let planes = frame.components.iter().map(|component| {
            let stride = frame.mcus_wide() * component.h;
            let rows = frame.mcus_high() * component.v;
            Plane {
                blocks: vec![[0; 64]; stride * rows],
                stride,
            }
        });
        Self {
            planes: planes.collect(),
        }
    }

    /// A row of blocks of a component.
    pub fn row(&self, component: usize, row: usize) -> &[Block] {
        let plane = &self.planes[component];
        &plane.blocks[row * plane.stride..][..plane.stride]
    }

    /// Calls `decode` with each block of a scan and the place of its component in the scan, as long as there are
    /// data.
    ///
    /// # Errors
    /// A truncated file.
    #[inline(always)]
    pub fn decode(
        &mut self,
        scan: &Scan,
        frame: &Frame,
        mut entropy: Entropy,
        mut decode: impl FnMut(usize, &mut BitReader, &mut Carry, &mut Block),
    ) -> Result<()> {
        if let [member] = scan.members[..] {
            let component = &frame.components[member.component];
            let plane = &mut self.planes[member.component];
            let rows = plane.blocks.chunks_exact_mut(plane.stride);
            for row in rows.take(component.blocks_high) {
                let blocks = &mut row[..component.blocks_wide];
                entropy.for_each_mcu(component.blocks_wide, |mcu, reader, carry| {
                    if let Some(reader) = reader {
                        decode(0, reader, carry, &mut blocks[mcu]);
                    }
                })?;
                if entropy.is_over() {
                    break;
                }
            }
            return Ok(());
        }
        for mcu_row in 0..frame.mcus_high() {
            entropy.for_each_mcu(frame.mcus_wide(), |mcu, reader, carry| {
                let Some(reader) = reader else { return };
                for (place, member) in scan.members.iter().enumerate() {
                    let component = &frame.components[member.component];
                    let plane = &mut self.planes[member.component];
                    for row in 0..component.v {
                        let start = (mcu_row * component.v + row) * plane.stride;
                        let blocks = &mut plane.blocks[start + mcu * component.h..][..component.h];
                        for block in blocks {
                            decode(place, reader, carry, block);
                        }
                    }
                }
            })?;
            if entropy.is_over() {
                break;
            }
        }
        Ok(())
    }
}
