//! The entropy-coded data of a scan, MCU by MCU, and its restarts.
//!
//! Damaged data is treated as in libjpeg (`jdhuff.c`, `jdmarker.c`), so that the pixels are the same: when a segment has no
//! more bits, the current MCU reads zeros and the others up to the next restart stay as they are; a restart marker out of
//! order is taken, skipped or waited for.

use std::ops::Range;

use super::bits::{BitPosition, Segment};
use super::error::{JpegError, Result};
use super::markers::Markers;

pub use super::bits::BitReader;

/// The state between MCUs; zero after a restart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carry {
    /// The last coefficient of index 0 of each component of the scan.
    pub dc: [i32; 4],
    /// The number of next blocks without new coefficients in a progressive scan.
    pub eob_run: u32,
}

/// The data of one scan.
#[derive(Debug)]
pub struct Entropy<'m, 'a> {
    markers: &'m mut Markers<'a>,
    segment: Segment,
    position: BitPosition,
    state: EntropyState,
    /// MCUs up to the next restart.
    to_restart: usize,
    /// The number of the next restart.
    next_restart: u8,
}

/// The state of a scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntropyState {
    carry: Carry,
    /// True if there are no more bits up to the next restart.
    is_over: bool,
}

/// MCUs without a restart between them.
#[derive(Debug)]
pub struct Run<'s> {
    pub mcus: Range<usize>,
    reader: BitReader<'s>,
    state: EntropyState,
}

impl<'s> Run<'s> {
    /// Returns the bits of the next block, unless there are none.
    #[inline(always)]
    pub fn data(&mut self) -> Option<(&mut BitReader<'s>, &mut Carry)> {
        (!self.state.is_over).then_some((&mut self.reader, &mut self.state.carry))
    }

    /// Ends an MCU.
    #[inline(always)]
    pub fn end_mcu(&mut self) {
        self.state.is_over |= self.reader.ran_out();
    }

    /// Returns the argument of [`Entropy::resume_at`].
    #[inline(always)]
    pub fn end(&self) -> (BitPosition, EntropyState) {
        (self.reader.position(), self.state)
    }
}

impl<'m, 'a> Entropy<'m, 'a> {
    /// Returns the data after the scan header that `markers` has just read.
    ///
    /// # Errors
    /// When the file is truncated.
    pub fn new(markers: &'m mut Markers<'a>) -> Result<Self> {
        let mut entropy = Self {
            to_restart: markers.restart_interval,
            markers,
            segment: Segment::default(),
            position: BitPosition::default(),
            state: EntropyState::default(),
            next_restart: 0,
        };
        entropy.load()?;
        Ok(entropy)
    }

    /// Returns the MCUs of `mcus` up to the next restart; processes a restart first if one is due.
    ///
    /// # Errors
    /// When the file is truncated.
    #[inline(always)]
    pub fn run(&mut self, mcus: Range<usize>) -> Result<Run<'_>> {
        let mut end = mcus.end;
        if self.markers.restart_interval > 0 {
            if self.to_restart == 0 {
                self.restart()?;
            }
            end = end.min(mcus.start + self.to_restart);
            self.to_restart -= end - mcus.start;
        }
        Ok(Run {
            mcus: mcus.start..end,
            reader: self.segment.reader(self.position),
            state: self.state,
        })
    }

    /// Takes over the state at the end of a run of MCUs.
    #[inline(always)]
    pub fn resume_at(&mut self, (position, state): (BitPosition, EntropyState)) {
        self.position = position;
        self.state = state;
    }

    /// Returns whether there is no more data, so that the rest of the scan can be skipped.
    pub fn is_over(&self) -> bool {
        self.state.is_over && self.markers.restart_interval == 0
    }

    /// Reads the segment up to the next marker.
    fn load(&mut self) -> Result<()> {
        let (marker, length) = self
            .segment
            .fill(self.markers.rest())
            .ok_or(JpegError::Truncated)?;
        self.markers.advance_to(marker, length);
        self.position = BitPosition::default();
        Ok(())
    }

    /// Continues after the next restart marker (libjpeg's `process_restart` and `jpeg_resync_to_restart`).
    fn restart(&mut self) -> Result<()> {
        let expected = self.next_restart;
        self.next_restart = (expected + 1) & 7;
        self.to_restart = self.markers.restart_interval;
        self.state.carry = Carry::default();
        loop {
            let marker = self.markers.next_marker()?;
            // Its distance from the expected one in the cycle of eight.
            let ahead = marker.wrapping_sub(0xd0).wrapping_sub(expected) & 7;
            match (marker, ahead) {
                (0xd0..=0xd7, 1 | 2) | (0xc0..=0xcf | 0xd8..=0xff, _) => {
                    // The expected one is missing: nothing is read up to this marker's turn.
                    self.markers.advance_to(marker, 0);
                    self.segment.clear();
                    self.position = BitPosition::default();
                    return Ok(());
                }
                (0xd0..=0xd7, 0 | 3..=5) => {
                    self.state.is_over = false;
                    return self.load();
                }
                // An earlier marker, or an invalid one: try the next.
                _ => {}
            }
        }
    }
}
