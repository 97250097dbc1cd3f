//! The coefficients of a whole image, to which several scans contribute.

use super::block::Block;
use super::entropy::{BitReader, Carry, Entropy};
use super::error::Result;
use super::frame::{Frame, Scan};

/// A decoder of the blocks of one kind of scan.
pub trait BlockDecoder {
    /// Adds the data of the scan to `block`, of the scan's component number `member`.
    fn decode(&self, member: usize, reader: &mut BitReader, carry: &mut Carry, block: &mut Block);
}

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
    /// Creates coefficients of zero.
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

    /// Returns a row of blocks of a component.
    pub fn row(&self, component: usize, row: usize) -> &[Block] {
        let plane = &self.planes[component];
        &plane.blocks[row * plane.stride..][..plane.stride]
    }

    /// Decodes each block of a scan, as long as there is data. Returns the last row of MCUs with data.
    ///
    /// # Errors
    /// When the file is truncated.
    #[inline(always)]
    pub fn decode(
        &mut self,
        scan: &Scan,
        frame: &Frame,
        mut entropy: Entropy,
        decoder: &impl BlockDecoder,
    ) -> Result<usize> {
        // A scan of one component has one block per MCU, and none beyond its edges.
        let alone = match scan.members[..] {
            [member] => Some(&frame.components[member.component]),
            _ => None,
        };
        let (rows, mcus) = alone.map_or((frame.mcus_high(), frame.mcus_wide()), |component| {
            (component.blocks_high, component.blocks_wide)
        });
        let mut last_row = 0;
        for mcu_row in 0..rows {
            let mut next = 0;
            while next < mcus {
                let mut run = entropy.run(next..mcus)?;
                for mcu in run.mcus.clone() {
                    if run.data().is_some() {
                        last_row = mcu_row;
                    }
                    for (index, member) in scan.members.iter().enumerate() {
                        let component = &frame.components[member.component];
                        let plane = &mut self.planes[member.component];
                        let (h, v) = alone.map_or((component.h, component.v), |_| (1, 1));
                        for row in 0..v {
                            let start = (mcu_row * v + row) * plane.stride;
                            for block in &mut plane.blocks[start + mcu * h..][..h] {
                                if let Some((reader, carry)) = run.data() {
                                    decoder.decode(index, reader, carry, block);
                                }
                            }
                        }
                    }
                    run.end_mcu();
                }
                next = run.mcus.end;
                let end = run.end();
                entropy.resume_at(end);
            }
            if entropy.is_over() {
                break;
            }
        }
        Ok(last_row / alone.map_or(1, |component| component.v))
    }
}
