//! Memory whose channel blocks do not straddle cache lines, in huge pages if the system has them.
//!
//! Batches of activations are read and written sequentially. Pages of 2 MB instead of 4 KB need fewer lookups, and
//! which lines share a set of the L2 cache no longer depends on where the system finds its pages.

use crate::simd::{ChannelBlock, LANES};
use std::ops::{Deref, DerefMut};

/// Channel blocks in memory that starts at a cache line.
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Buffer {
    /// Allocates `count` channel blocks of zeros.
    pub fn zeros(count: usize) -> Self {
        // Zeros of a large allocation are pages that the system provides when they are first touched.
        let values = vec![0.0; (count + 1) * LANES - 1];
        ask_for_huge_pages(&values);
        let start = values.as_ptr().align_offset(size_of::<ChannelBlock>());
        // The offset is in elements; an allocator that returns odd addresses would only cost speed.
        let start = if start < LANES { start } else { 0 };
        Self {
            values,
            start,
            count,
        }
    }

    /// Makes room for at least `count` channel blocks; their contents may be lost.
    pub fn reserve(&mut self, count: usize) {
        if self.count < count {
            *self = Self::zeros(count);
        }
    }
}

/// Asks the system for huge pages for `values`, most of which have not been touched yet. The system may decline.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(values: &[f32]) {
    // No smaller allocation can hold a huge page, on x86-64 and mostly elsewhere.
    const HUGE_PAGE: usize = 2 << 20;
    if size_of_val(values) >= HUGE_PAGE {
        // Without huge pages it is slower, nothing else.
        let _ = advise_huge_pages(values);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system call takes addresses")]
fn advise_huge_pages(values: &[f32]) -> rustix::io::Result<()> {
    use rustix::mm::{Advice, madvise};
    let start = values.as_ptr().cast_mut().cast::<u8>();
    let into_page = start.addr() % rustix::param::page_size();
    let start = start.wrapping_sub(into_page);
    let bytes = into_page + size_of_val(values);
    // SAFETY: `MADV_HUGEPAGE` says how the system should keep these pages, of which the first and the last may hold other
    // values, too. It neither maps, unmaps nor changes a byte; addresses that are not mapped are an error that it returns.
    unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage) }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: &[f32]) {}

impl Deref for Buffer {
    type Target = [ChannelBlock];

    #[inline]
    fn deref(&self) -> &[ChannelBlock] {
        if self.count == 0 {
            return &[];
        }
        &self.values[self.start..].as_chunks().0[..self.count]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [ChannelBlock] {
        if self.count == 0 {
            return &mut [];
        }
        &mut self.values[self.start..].as_chunks_mut().0[..self.count]
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_may_have_huge_pages() {
        // Not every kernel has them.
        if !std::fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap_or(false) {
            return;
        }
        advise_huge_pages(&vec![0.0; 4 << 20]).unwrap();
        let buffer = Buffer::zeros(1 << 18);
        let flags = flags_at(buffer.as_ptr().addr() + (8 << 20));
        assert!(flags.split(' ').any(|flag| flag == "hg"), "{flags}");
    }

    /// Returns the flags of the mapping that contains an address.
    fn flags_at(address: usize) -> String {
        let mappings = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let mut inside = false;
        for line in mappings.lines() {
            if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                return flags.to_owned();
            }
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
            if let Some((start, end)) = range
                && let (Some(start), Some(end)) = (hexadecimal(start), hexadecimal(end))
            {
                inside = (start..end).contains(&address);
            }
        }
        String::new()
    }
}
