//! The calls that processes exchange bytes by. All processes make the same calls in the same order.

use anyhow::{Result, ensure};
use std::fmt::{self, Debug, Formatter};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The connection of one process to all processes of a group, which are numbered from 0.
pub trait Transport: Send {
    /// Returns the number of this process.
    fn rank(&self) -> usize;

    /// Returns the number of processes.
    fn size(&self) -> usize;

    /// Sends each process its part of `send` and receives a part from each. The parts are one after the other, in the order of
    /// the processes, of `send_lengths` and `receive_lengths` bytes.
    ///
    /// # Errors
    /// If the lengths are not those of `send` and `receive`, a process has more than 2 GiB to send or to receive, or another
    /// process is gone.
    fn all_to_all(
        &mut self,
        send: &[u8],
        send_lengths: &[usize],
        receive: &mut [u8],
        receive_lengths: &[usize],
    ) -> Result<()>;

    /// Gathers the bytes of all processes, of `lengths`, in every process.
    ///
    /// # Errors
    /// If the lengths are not those of `send` and `receive`, or another process is gone.
    fn all_gather(&mut self, send: &[u8], receive: &mut [u8], lengths: &[usize]) -> Result<()>;

    /// Fills `bytes` with those of process `root`; they are equally many in all processes.
    ///
    /// # Errors
    /// If another process is gone.
    fn broadcast(&mut self, bytes: &mut [u8], root: usize) -> Result<()>;

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// If another process is gone.
    fn barrier(&mut self) -> Result<()>;

    /// Sends the `failure` of this process, which is to end, to the other processes but the first one, and returns those that others send
    /// within `wait`, each with the number of its process. No call but an abort may follow.
    ///
    /// # Errors
    /// If another process is gone.
    fn exchange_failures(&mut self, failure: u64, wait: Duration) -> Result<Vec<(usize, u64)>>;

    /// Ends all processes with an exit status. It may not return.
    fn abort(&mut self, status: i32) {
        self.abort_handle().abort(status);
    }

    /// Returns a handle that aborts a call that is waiting.
    fn abort_handle(&self) -> AbortHandle;
}

/// Ends all processes, as [`Transport::abort`], from any thread, also while a call waits for other processes.
#[derive(Clone)]
pub struct AbortHandle(Arc<dyn Fn(i32) + Send + Sync>);

impl AbortHandle {
    /// Makes a handle that calls `abort` with the exit status.
    pub fn new(abort: impl Fn(i32) + Send + Sync + 'static) -> Self {
        Self(Arc::new(abort))
    }

    /// Ends all processes with an exit status. It may not return.
    pub fn abort(&self, status: i32) {
        (self.0)(status);
    }
}

impl Debug for AbortHandle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("AbortHandle")
    }
}

/// Checks that there is one part for each of `size` processes and that together they are `bytes` long.
///
/// # Errors
/// If they are not.
pub(crate) fn check_parts(lengths: &[usize], bytes: usize, size: usize) -> Result<()> {
    let sum: usize = lengths.iter().sum();
    ensure!(
        lengths.len() == size && sum == bytes,
        "{} parts of {sum} bytes in all for {size} processes and {bytes} bytes",
        lengths.len()
    );
    Ok(())
}

/// Returns where each part is, one after the other.
pub(crate) fn ranges(lengths: &[usize]) -> impl Iterator<Item = Range<usize>> {
    lengths.iter().scan(0, |end, length| {
        let start = *end;
        *end += length;
        Some(start..*end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_one_after_the_other() {
        let found: Vec<_> = ranges(&[2, 0, 3]).collect();
        assert_eq!(found, [0..2, 2..2, 2..5]);
        assert!(check_parts(&[2, 0, 3], 5, 3).is_ok());
        assert!(check_parts(&[2, 0, 3], 6, 3).is_err());
        assert!(check_parts(&[2, 0, 3], 5, 4).is_err());
    }
}
