//! The entropy-coded data of a scan, MCU by MCU, and its restarts.
//!
//! What libjpeg does with damaged data (`jdhuff.c`, `jdmarker.c`) is done here, so that the pixels are the same:
//! where a segment has no more bits, the MCU begun reads zeros and the others up to the next restart are left as
//! they are; a restart marker that is not the next one in turn is taken, skipped or waited for.

use super::bits::{Place, Segment};
use super::error::{JpegError, Result};
use super::markers::Markers;

pub use super::bits::BitReader;

/// What one MCU leaves to the next; zero after a restart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carry {
    /// The last coefficient of index 0 of each component of the scan.
    pub dc: [i32; 4],
    /// How many blocks to come have no more new coefficients in a progressive scan.
    pub ended_blocks: u32,
}

/// The data of one scan.
#[derive(Debug)]
pub struct Entropy<'m, 'a> {
    markers: &'m mut Markers<'a>,
    segment: Segment,
    place: Place,
    carry: Carry,
    /// MCUs up to the next restart.
    to_restart: usize,
    /// The number of the next restart.
    next_restart: u8,
    has_run_out: bool,
}

impl<'m, 'a> Entropy<'m, 'a> {
    /// The data that stand behind the scan header that `markers` has just read.
    ///
    /// # Errors
    /// A truncated file.
    pub fn new(markers: &'m mut Markers<'a>) -> Result<Self> {
        let mut entropy = Self {
            to_restart: markers.restart_interval,
            markers,
            segment: Segment::default(),
            place: Place::default(),
            carry: Carry::default(),
            next_restart: 0,
            has_run_out: false,
        };
        entropy.load()?;
        Ok(entropy)
    }

    /// Decodes `count` MCUs: calls `decode` with the number of each and a reader, or none where its data are missing.
    ///
    /// # Errors
    /// A truncated file.
    #[inline(always)]
    pub fn for_each_mcu(
        &mut self,
        count: usize,
        mut decode: impl FnMut(usize, Option<&mut BitReader>, &mut Carry),
    ) -> Result<()> {
        let mut done = 0;
        while done < count {
            let end = if self.markers.restart_interval == 0 {
                count
            } else {
                if self.to_restart == 0 {
                    self.restart()?;
                }
                count.min(done + self.to_restart)
            };
            self.to_restart = self.to_restart.saturating_sub(end - done);
            let mut reader = self.segment.reader(self.place);
            let mut carry = self.carry;
            for mcu in done..end {
                if self.has_run_out {
                    decode(mcu, None, &mut carry);
                } else {
                    decode(mcu, Some(&mut reader), &mut carry);
                    self.has_run_out = reader.ran_out();
                }
            }
            self.place = reader.place();
            self.carry = carry;
            done = end;
        }
        Ok(())
    }

    /// Whether nothing more comes, so that the rest of the scan can be passed over.
    pub fn is_over(&self) -> bool {
        self.has_run_out && self.markers.restart_interval == 0
    }

    /// Reads the segment up to the next marker.
    fn load(&mut self) -> Result<()> {
        let (marker, length) = self
            .segment
            .fill(self.markers.rest())
            .ok_or(JpegError::Truncated)?;
        self.markers.advance_to(marker, length);
        self.place = Place::default();
        Ok(())
    }

    /// Goes on behind the next restart marker (libjpeg's `process_restart` and `jpeg_resync_to_restart`).
    fn restart(&mut self) -> Result<()> {
        let expected = self.next_restart;
        self.next_restart = (expected + 1) & 7;
        self.to_restart = self.markers.restart_interval;
        self.carry = Carry::default();
        loop {
            let marker = self.markers.next_marker()?;
            // How far behind the expected one it stands in the cycle of eight.
            let ahead = marker.wrapping_sub(0xd0).wrapping_sub(expected) & 7;
            match (marker, ahead) {
                (0xd0..=0xd7, 1 | 2) | (0xc0..=0xcf | 0xd8..=0xff, _) => {
                    // What was expected is missing: nothing is read up to this marker's turn.
                    self.markers.advance_to(marker, 0);
                    self.segment.clear();
                    self.place = Place::default();
                    return Ok(());
                }
                (0xd0..=0xd7, 0 | 3..=5) => {
                    self.has_run_out = false;
                    return self.load();
                }
                // One that has been, or no marker that there is: the next may be better.
                _ => {}
            }
        }
    }
}
