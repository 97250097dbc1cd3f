//! [`Transport`] by MPI.
//!
//! All calls are the nonblocking ones of MPI: waiting for them neither keeps a core busy, as MPI's own waiting does, nor is deaf
//! to an [`AbortHandle`].

mod functions;
mod library;
mod wait;
mod world;

use super::transport::{AbortHandle, Transport, check_parts, ranges};
use anyhow::{Context, Result, ensure};
pub(super) use library::load;
use std::ffi::c_int;
use std::time::Duration;
use world::World;

/// Most bytes of a process in one call of MPI, whose lengths are 32-bit integers.
const CALL_BYTES: usize = 32 << 20;

/// The connection to the processes that a launcher of MPI started.
pub struct MpiTransport {
    world: Box<dyn World>,
}

impl MpiTransport {
    /// Wraps the connection of a library.
    pub(super) fn new(world: Box<dyn World>) -> Self {
        Self { world }
    }
}

/// Returns lengths as MPI takes them.
fn to_lengths(lengths: &[usize]) -> Result<Vec<c_int>> {
    let total: usize = lengths.iter().sum();
    let lengths = lengths.iter().map(|length| c_int::try_from(*length));
    let lengths = lengths.collect::<Result<Vec<_>, _>>().ok();
    let lengths = lengths.filter(|_| c_int::try_from(total).is_ok());
    lengths.with_context(|| {
        format!("cannot exchange {total} bytes at once: MPI takes at most 2 GiB of a process")
    })
}

impl Transport for MpiTransport {
    fn rank(&self) -> usize {
        self.world.place().0
    }

    fn size(&self) -> usize {
        self.world.place().1
    }

    fn all_to_all(
        &mut self,
        send: &[u8],
        send_lengths: &[usize],
        receive: &mut [u8],
        receive_lengths: &[usize],
    ) -> Result<()> {
        check_parts(send_lengths, send.len(), self.size())?;
        check_parts(receive_lengths, receive.len(), self.size())?;
        let (sent, received) = (to_lengths(send_lengths)?, to_lengths(receive_lengths)?);
        self.world.all_to_all(send, &sent, receive, &received)
    }

    fn all_gather(&mut self, send: &[u8], receive: &mut [u8], lengths: &[usize]) -> Result<()> {
        check_parts(lengths, receive.len(), self.size())?;
        ensure!(
            lengths[self.rank()] == send.len(),
            "this process has another length than it gives"
        );
        // All processes take parts of one length in a call, so that all make the same calls.
        let part = (CALL_BYTES / self.size()).max(1);
        let longest = lengths.iter().copied().max().unwrap_or(0);
        if longest <= part {
            return self.world.all_gather(send, receive, &to_lengths(lengths)?);
        }
        let mut gathered = vec![0; part * self.size()];
        for start in (0..longest).step_by(part) {
            let range_of = |length: usize| start.min(length)..(start + part).min(length);
            let now: Vec<usize> = lengths
                .iter()
                .map(|&length| range_of(length).len())
                .collect();
            let gathered = &mut gathered[..now.iter().sum()];
            let own = &send[range_of(send.len())];
            self.world.all_gather(own, gathered, &to_lengths(&now)?)?;
            for ((whole, &length), from) in ranges(lengths).zip(lengths).zip(ranges(&now)) {
                receive[whole][range_of(length)].copy_from_slice(&gathered[from]);
            }
        }
        Ok(())
    }

    fn broadcast(&mut self, bytes: &mut [u8], root: usize) -> Result<()> {
        let mut parts = bytes.chunks_mut(CALL_BYTES);
        parts.try_for_each(|part| self.world.broadcast(part, root))
    }

    fn barrier(&mut self) -> Result<()> {
        self.world.barrier()
    }

    fn exchange_failures(&mut self, failure: u64, wait: Duration) -> Result<Vec<(usize, u64)>> {
        let mut own = [0; 16];
        own[..8].copy_from_slice(&(self.rank() as u64).to_le_bytes());
        own[8..].copy_from_slice(&failure.to_le_bytes());
        let others = self.world.exchange_failures(own, wait)?;
        let others = others.iter().map(|message| {
            let (words, _) = message.as_chunks();
            let [rank, failure] = [words[0], words[1]].map(u64::from_le_bytes);
            Ok((usize::try_from(rank)?, failure))
        });
        others.collect()
    }

    fn abort_handle(&self) -> AbortHandle {
        self.world.abort_handle()
    }
}
