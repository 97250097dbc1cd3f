//! The calls of a connection by MPI, whatever the types of its handles.

use crate::distributed::AbortHandle;
use anyhow::{Context, Result, ensure};
use std::ffi::c_int;
use std::time::Duration;

/// A message about a failed process: its number and a hash of its error.
pub type Failure = [u8; 16];

/// The processes that a launcher started, connected by MPI. Parts are given by their lengths in bytes.
pub trait World: Send {
    /// Returns the number of this process and the number of processes.
    fn place(&self) -> (usize, usize);
    /// Exchanges a part with each process.
    fn all_to_all(
        &mut self,
        send: &[u8],
        sent: &[c_int],
        receive: &mut [u8],
        received: &[c_int],
    ) -> Result<()>;
    /// Gathers a part of each process.
    fn all_gather(&mut self, send: &[u8], receive: &mut [u8], lengths: &[c_int]) -> Result<()>;
    /// Fills `bytes` with those of process `root`.
    fn broadcast(&mut self, bytes: &mut [u8], root: usize) -> Result<()>;
    /// Waits for all processes.
    fn barrier(&mut self) -> Result<()>;
    /// Sends `own` failure to all processes but the first one, and returns those that others send within `wait`.
    fn exchange_failures(&mut self, own: Failure, wait: Duration) -> Result<Vec<Failure>>;
    /// Returns a handle that ends all processes.
    fn abort_handle(&self) -> AbortHandle;
}

/// Fails if an MPI function did.
pub fn check(status: c_int, function: &str) -> Result<()> {
    ensure!(status == 0, "{function} fails with MPI's error {status}");
    Ok(())
}

/// Returns where each part begins, after checking that the parts are as long as `bytes`.
pub fn displacements(lengths: &[c_int], size: usize, bytes: usize) -> Result<Vec<c_int>> {
    ensure!(lengths.len() == size, "one part for each process");
    let mut end: c_int = 0;
    let mut starts = Vec::with_capacity(size);
    for length in lengths {
        ensure!(*length >= 0, "a negative length");
        starts.push(end);
        end = end
            .checked_add(*length)
            .context("parts of more than 2 GiB")?;
    }
    ensure!(
        usize::try_from(end)? == bytes,
        "parts of other lengths than the bytes"
    );
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_the_bytes_are_refused() {
        assert_eq!(displacements(&[2, 0, 3], 3, 5).unwrap(), [0, 2, 2]);
        for (lengths, size, bytes) in [
            (vec![2, 3], 3, 5),
            (vec![2, 3], 2, 6),
            (vec![-1, 6], 2, 5),
            (vec![c_int::MAX, 1], 2, 1 << 31),
        ] {
            assert!(displacements(&lengths, size, bytes).is_err(), "{lengths:?}");
        }
    }
}
