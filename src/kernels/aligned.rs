//! Memory whose lanes do not straddle cache lines.

use super::simd::{LANES, Lane};
use std::ops::{Deref, DerefMut};

/// Lanes in memory that begins where a cache line does.
#[derive(Debug, Clone, Default)]
pub struct Lanes {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Lanes {
    /// `count` lanes of zeros.
    pub fn zeros(count: usize) -> Self {
        // Zeros of a large allocation are pages that the system hands out when they are touched.
        let values = vec![0.0; (count + 1) * LANES - 1];
        let start = values.as_ptr().align_offset(size_of::<Lane>());
        // The offset is one of elements; an allocator of odd addresses would only cost speed.
        let start = if start < LANES { start } else { 0 };
        Self {
            values,
            start,
            count,
        }
    }

    /// Makes room for `count` lanes at least; what they held may be lost.
    pub fn reserve(&mut self, count: usize) {
        if self.count < count {
            *self = Self::zeros(count);
        }
    }
}

impl Deref for Lanes {
    type Target = [Lane];
    fn deref(&self) -> &[Lane] {
        if self.count == 0 {
            return &[];
        }
        &self.values[self.start..].as_chunks().0[..self.count]
    }
}

impl DerefMut for Lanes {
    fn deref_mut(&mut self) -> &mut [Lane] {
        if self.count == 0 {
            return &mut [];
        }
        &mut self.values[self.start..].as_chunks_mut().0[..self.count]
    }
}
