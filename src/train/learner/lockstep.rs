//! The shards of a process in lock step: a thread for each, and sums over the shards of all processes in which they wait for each other.

use crate::distributed::Processes;
use crate::distributed::tree::{Shards, TreeSum};
use crate::ops::shared_statistics::ShardGroup;
use anyhow::{Context, Result, ensure};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of a thread's stack: those of the main thread, as autograd follows a network from layer to layer by recursion.
const STACK: usize = 8 << 20;

/// The part of a thread in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has the images of a shard.
    Shard(usize),
    /// It has the place of a shard, none of whose images is readable: its values count for nothing.
    Unreadable(usize),
    /// The process has no shard of this batch, and keeps step.
    Spare,
}

/// The sums of the threads of a process.
#[derive(Debug)]
pub(super) struct Lockstep {
    shards: Shards,
    processes: Processes,
    state: Mutex<LockstepState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LockstepState {
    /// Shards into which the batch is cut.
    used: usize,
    roles: Vec<Role>,
    /// The values of each thread that waits for a sum.
    given: Vec<Option<Vec<f64>>>,
    /// Number of sums.
    sums: u64,
    /// The last sum. The next one needs all threads, so each has read it by then.
    total: Vec<f64>,
    has_failed: bool,
    /// The first error.
    error: Option<anyhow::Error>,
}

impl Lockstep {
    pub fn new(shards: Shards, processes: Processes) -> Self {
        Self {
            shards,
            processes,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Starts a batch that is cut into `used` shards. Each thread has a role; the shards are in order.
    pub fn begin(&self, used: usize, roles: &[Role]) {
        *self.lock() = LockstepState {
            used,
            roles: roles.to_vec(),
            given: vec![None; roles.len()],
            ..LockstepState::default()
        };
    }

    /// Runs `work` for each of `parts`, one per role, in a thread of its own, and returns the results in order.
    ///
    /// # Errors
    /// The first error, which also ends the sums that others wait for.
    pub fn run<P: Send, R: Send>(
        &self,
        parts: impl IntoIterator<Item = P>,
        work: impl Fn(P) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let one = |part| {
            let mut guard = Guard(Some(self));
            match work(part) {
                Ok(result) => {
                    guard.0 = None;
                    Some(result)
                }
                Err(error) => {
                    self.lock().fail(error);
                    None
                }
            }
        };
        let one = &one;
        let results: Vec<_> = thread::scope(|scope| {
            let start = |(index, part)| {
                let thread = thread::Builder::new()
                    .name(format!("shard {index}"))
                    .stack_size(STACK);
                let started = thread.spawn_scoped(scope, move || one(part));
                let started = started.context("cannot start a thread for a shard");
                started.map_err(|error| {
                    self.lock().fail(error);
                    self.changed.notify_all();
                })
            };
            let threads: Vec<_> = parts.into_iter().enumerate().map(start).collect();
            let results = threads.into_iter().map(|thread| match thread {
                Ok(thread) => thread.join(),
                Err(()) => Ok(None),
            });
            results.collect()
        });
        let mut done = Vec::with_capacity(results.len());
        for result in results {
            match result {
                Ok(result) => done.extend(result),
                Err(panic) => resume_unwind(panic),
            }
        }
        match self.lock().error.take() {
            Some(error) => Err(error),
            None => Ok(done),
        }
    }

    /// Returns the sums over the shards of all processes; `values` are those of thread `index`.
    ///
    /// # Errors
    /// If another shard has failed, or another process is gone.
    pub fn sum(&self, index: usize, values: Vec<f64>) -> Result<Vec<f64>> {
        let length = values.len();
        let mut state = self.lock();
        let sums = state.sums;
        state.given[index] = Some(values);
        if state.given.iter().all(Option::is_some) && !state.has_failed {
            let (used, own) = (state.used, state.own_nodes(length)?);
            // The others wait for a change of the state, which this thread alone makes.
            drop(state);
            let sum = self.processes.start_sum(self.shards, used, own, length);
            let total = sum.wait()?;
            let mut state = self.lock();
            state.total.clone_from(&total);
            state.sums += 1;
            self.changed.notify_all();
            return Ok(total);
        }
        let waits = |state: &mut LockstepState| state.sums == sums && !state.has_failed;
        let state = self.changed.wait_while(state, waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        ensure!(state.sums != sums, "another shard has failed");
        Ok(state.total.clone())
    }

    fn lock(&self) -> MutexGuard<'_, LockstepState> {
        // No code panics while it has the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LockstepState {
    /// Ends the sums; the first error is the one that is reported.
    fn fail(&mut self, error: anyhow::Error) {
        if !self.has_failed {
            self.error = Some(error);
        }
        self.has_failed = true;
    }

    /// Takes the values of all threads, added as far as the tree of the shards allows.
    fn own_nodes(&mut self, length: usize) -> Result<Vec<(Range<usize>, Vec<f64>)>> {
        let mut sum = TreeSum::new(self.used);
        for (role, given) in self.roles.iter().zip(&mut self.given) {
            let values = given.take().unwrap_or_default();
            ensure!(
                values.len() == length,
                "shards share {length} and {} values",
                values.len()
            );
            match *role {
                Role::Shard(number) => sum.add(number..number + 1, values),
                Role::Unreadable(number) => sum.add(number..number + 1, vec![0.0; length]),
                Role::Spare => {}
            }
        }
        Ok(sum.into_nodes())
    }
}

/// Ends the sums of the other threads if its own ends without a result.
struct Guard<'a>(Option<&'a Lockstep>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(lockstep) = self.0 {
            lockstep.lock().has_failed = true;
            lockstep.changed.notify_all();
        }
    }
}

/// A thread of a [`Lockstep`], as batch norm sees it.
#[derive(Debug)]
pub(super) struct Member {
    pub lockstep: Arc<Lockstep>,
    pub index: usize,
}

impl ShardGroup for Member {
    fn sum(&self, values: Vec<f64>) -> candle_core::Result<Vec<f64>> {
        let sum = self.lockstep.sum(self.index, values);
        sum.map_err(|error| candle_core::Error::Msg(format!("{error:#}")))
    }

    fn updates_running(&self) -> bool {
        // The threads of a process share the running statistics.
        self.index == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn alone(roles: &[Role]) -> Lockstep {
        let lockstep = Lockstep::new(Shards::new(4, 1), Processes::alone());
        let shards = roles.iter().filter(|role| **role != Role::Spare);
        lockstep.begin(shards.count(), roles);
        lockstep
    }

    #[test]
    fn threads_get_the_sum_over_the_shards_with_images_in_many_rounds() {
        let lockstep = alone(&[
            Role::Shard(0),
            Role::Unreadable(1),
            Role::Shard(2),
            Role::Spare,
        ]);
        let results = lockstep.run(0..4, |index| {
            let mut totals = Vec::new();
            for round in 0..100 {
                totals.push(lockstep.sum(index, vec![index as f64 + 1.0, f64::from(round)])?);
            }
            Ok(totals)
        });
        let expected: Vec<Vec<f64>> = (0..100)
            .map(|round| vec![4.0, f64::from(2 * round)])
            .collect();
        assert_eq!(results.unwrap(), vec![expected; 4]);
    }

    #[test]
    fn the_first_error_of_a_shard_ends_all_and_is_the_one_reported() {
        let lockstep = alone(&[0, 1, 2].map(Role::Shard));
        let released = AtomicUsize::new(0);
        let result = lockstep.run(0..3, |index| {
            for round in 0..10 {
                if (index, round) == (1, 5) {
                    bail!("no memory");
                }
                let sum = lockstep.sum(index, vec![1.0]);
                if sum.is_err() {
                    released.fetch_add(1, Ordering::Relaxed);
                }
                sum?;
            }
            Ok(())
        });
        assert_eq!(result.unwrap_err().to_string(), "no memory");
        assert_eq!(released.into_inner(), 2);
    }

    #[test]
    fn a_panic_of_a_shard_ends_all_and_remains_a_panic() {
        let lockstep = alone(&[0, 1].map(Role::Shard));
        let run = || {
            lockstep.run(0..2, |index| {
                assert_eq!(index, 0, "a shard panics");
                lockstep.sum(index, vec![1.0])
            })
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("a shard panics"), "{message}");
    }

    #[test]
    fn shards_that_share_other_numbers_of_values_are_an_error() {
        let lockstep = alone(&[0, 1].map(Role::Shard));
        let result = lockstep.run(0..2, |index| lockstep.sum(index, vec![1.0; index + 1]));
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("shards share "), "{error}");
    }
}
