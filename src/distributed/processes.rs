//! The handle of a process on its group.

use crate::distributed::sum::{Element, NodeSum, Scratch, sum};
use crate::distributed::transport::{AbortHandle, Transport};
use crate::distributed::tree::Shards;
use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce(&mut dyn Transport, &mut Scratch) + Send>;

/// The processes that work on a task, of which this is one. All make the same calls in the same order.
///
/// One thread owns the [`Transport`] and makes all calls, so that a sum can run beside a computation and an MPI library sees a single
/// thread.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    group: Option<Arc<Group>>,
    is_on_one_machine: bool,
}

#[derive(Debug)]
struct Group {
    rank: usize,
    size: usize,
    abort: AbortHandle,
    /// `None` once the thread is to end.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where its result was awaited.
            let _ = thread.join();
        }
    }
}

/// The result of a call that is under way.
#[derive(Debug)]
pub struct Pending<R>(Receiver<Result<R>>);

impl<R> Pending<R> {
    /// Waits for the result.
    ///
    /// # Errors
    /// Those of the call.
    pub fn wait(self) -> Result<R> {
        let result = self.0.recv();
        result.map_err(|_| {
            anyhow!("the thread that exchanges values with other processes has failed")
        })?
    }
}

impl Processes {
    /// Returns a single process, which has nobody to call.
    pub fn alone() -> Self {
        Self::default()
    }

    /// Starts the thread of the transport, which `make` creates there.
    ///
    /// # Errors
    /// Those of `make`; if no thread can be started.
    pub fn new(make: impl FnOnce() -> Result<Box<dyn Transport>> + Send + 'static) -> Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (made, facts) = channel();
        let thread = thread::Builder::new()
            .name("processes".to_owned())
            .spawn(move || {
                let mut transport = match make() {
                    Ok(transport) => transport,
                    Err(error) => {
                        let _ = made.send(Err(error));
                        return;
                    }
                };
                let (rank, size) = (transport.rank(), transport.size());
                let _ = made.send(Ok((rank, size, transport.abort_handle())));
                let mut scratch = Scratch::default();
                for job in queue {
                    job(&mut *transport, &mut scratch);
                }
            })
            .context("cannot start a thread that exchanges values with other processes")?;
        let facts = facts.recv();
        let (rank, size, abort) =
            facts.map_err(|_| anyhow!("the connection to the other processes has failed"))??;
        let group = Group {
            rank,
            size,
            abort,
            jobs: Some(jobs),
            thread: Some(thread),
        };
        Ok(Self {
            group: Some(Arc::new(group)),
            is_on_one_machine: false,
        })
    }

    /// Sets whether all processes are on one machine.
    #[must_use]
    pub fn on_one_machine(self, is_on_one_machine: bool) -> Self {
        Self {
            is_on_one_machine,
            ..self
        }
    }

    /// Returns true if all processes are known to be on one machine.
    pub fn is_on_one_machine(&self) -> bool {
        self.is_on_one_machine
    }

    /// Returns the number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.group.as_ref().map_or(0, |group| group.rank)
    }

    /// Returns the number of processes.
    pub fn size(&self) -> usize {
        self.group.as_ref().map_or(1, |group| group.size)
    }

    /// Returns true for the process that writes and prints.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Starts the sum over the first `used` of `shards`; `own` has this process's nodes, each of `length` values.
    pub fn start_sum<T: Element>(
        &self,
        shards: Shards,
        used: usize,
        own: Vec<NodeSum<T>>,
        length: usize,
    ) -> Pending<Vec<T>> {
        if self.group.is_none() {
            let total = own.into_iter().next().map(|(_, values)| values);
            return ready(Ok(total.unwrap_or_else(|| vec![T::zeroed(); length])));
        }
        self.start_with(move |transport, scratch| {
            sum(transport, scratch, shards, used, own, length)
        })
    }

    /// Returns the bytes of every process, in the order of the processes.
    ///
    /// # Errors
    /// If another process is gone.
    pub fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.start_gather(bytes).wait()
    }

    /// Starts a [`Processes::gather`].
    pub fn start_gather(&self, bytes: Vec<u8>) -> Pending<Vec<Vec<u8>>> {
        if self.group.is_none() {
            return ready(Ok(vec![bytes]));
        }
        self.start(move |transport| gather(transport, &bytes))
    }

    /// Returns the values of every process, in the order of the processes. They travel as JSON.
    ///
    /// # Errors
    /// If another process is gone.
    pub fn gather_values<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<Vec<T>> {
        values_of(&self.gather(serde_json::to_vec(value)?)?)
    }

    /// Returns the bytes of the first process; those of the others are not used.
    ///
    /// # Errors
    /// If another process is gone.
    pub fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        if self.group.is_none() {
            return Ok(bytes);
        }
        self.start(move |transport| {
            let mut length = (bytes.len() as u64).to_le_bytes();
            transport.broadcast(&mut length, 0)?;
            let mut bytes = bytes;
            bytes.resize(usize::try_from(u64::from_le_bytes(length))?, 0);
            transport.broadcast(&mut bytes, 0)?;
            Ok(bytes)
        })
        .wait()
    }

    /// Waits until all processes are here.
    ///
    /// # Errors
    /// If another process is gone.
    pub fn barrier(&self) -> Result<()> {
        if self.group.is_none() {
            return Ok(());
        }
        self.start(|transport| transport.barrier()).wait()
    }

    /// Ends all processes with an exit status, as this one has failed. A single process is left alone.
    pub fn abort(&self, status: i32) {
        if let Some(group) = &self.group {
            group.abort.abort(status);
        }
    }

    /// Lets the thread of the transport do `work`.
    fn start<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transport) -> Result<R> + Send + 'static,
    ) -> Pending<R> {
        self.start_with(move |transport, _| work(transport))
    }

    /// Lets the thread of the transport do `work` with its memory for sums.
    fn start_with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transport, &mut Scratch) -> Result<R> + Send + 'static,
    ) -> Pending<R> {
        let (done, result) = channel();
        let jobs = self.group.as_ref().and_then(|group| group.jobs.as_ref());
        if let Some(jobs) = jobs {
            let job: Job = Box::new(move |transport, scratch| {
                // Nobody may wait any more.
                let _ = done.send(work(transport, scratch));
            });
            // If the thread has failed, the result says so.
            let _ = jobs.send(job);
        }
        Pending(result)
    }
}

/// Returns the values of all processes that [`Processes::gather`] gathered as JSON.
///
/// # Errors
/// If one is of another type.
pub fn values_of<T: DeserializeOwned>(all: &[Vec<u8>]) -> Result<Vec<T>> {
    all.iter()
        .map(|value| Ok(serde_json::from_slice(value)?))
        .collect()
}

/// Returns a result that is there.
fn ready<R>(result: Result<R>) -> Pending<R> {
    let (done, pending) = channel();
    let _ = done.send(result);
    Pending(pending)
}

fn gather(transport: &mut dyn Transport, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let size = transport.size();
    let mut lengths = vec![0_u8; 8 * size];
    let own = (bytes.len() as u64).to_le_bytes();
    transport.all_gather(&own, &mut lengths, &vec![8; size])?;
    let lengths: Vec<usize> = lengths
        .as_chunks()
        .0
        .iter()
        .map(|&length| Ok(usize::try_from(u64::from_le_bytes(length))?))
        .collect::<Result<_>>()?;
    let mut all = vec![0; lengths.iter().sum()];
    transport.all_gather(bytes, &mut all, &lengths)?;
    let mut rest = &all[..];
    let parts = lengths.iter().map(|&length| {
        let (part, others) = rest.split_at(length);
        rest = others;
        part.to_vec()
    });
    Ok(parts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use crate::distributed::tree::TreeSum;

    /// Returns the sum over `used` of `count` shards, whose values need rounding.
    fn total(processes: &Processes, count: usize, used: usize, length: usize) -> Vec<u32> {
        let shards = Shards::new(count, processes.size());
        let mut own = TreeSum::new(used);
        for shard in shards.own(processes.rank(), used) {
            let values =
                (0..length).map(|i| ((shard * 37 + i) as f32).sin() * 10_f32.powi(i as i32 % 9));
            own.add(shard..shard + 1, values.collect::<Vec<f32>>());
        }
        let sum = processes.start_sum(shards, used, own.into_nodes(), length);
        sum.wait().unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn a_sum_over_shards_has_the_same_bits_on_any_number_of_processes() {
        // Few values are gathered, many are summed in chunks.
        let (few, many) = (37, 70_001);
        for (count, used, length) in [
            (1, 1, few),
            (2, 2, few),
            (2, 2, many),
            (3, 3, few),
            (5, 5, many),
            (8, 8, few),
            (8, 5, many),
            (16, 16, few),
            (16, 16, many),
            (16, 3, few),
        ] {
            let alone = total(&Processes::alone(), count, used, length);
            for size in 1..=count {
                let sums =
                    in_processes(size, |processes| total(processes, count, used, length)).unwrap();
                assert!(
                    sums == vec![alone.clone(); size],
                    "{length} values, {used} of {count} shards on {size} processes"
                );
            }
        }
    }

    #[test]
    fn the_first_process_sends_its_bytes_and_all_are_gathered_in_order() {
        for size in [1, 2, 5] {
            let results = in_processes(size, |processes| {
                let rank = processes.rank();
                processes.barrier().unwrap();
                let sent = processes.broadcast(vec![7 + rank as u8; 3 * (rank + 1)]);
                (
                    sent.unwrap(),
                    processes.gather(vec![rank as u8; rank]).unwrap(),
                )
            })
            .unwrap();
            let gathered: Vec<Vec<u8>> = (0..size).map(|rank| vec![rank as u8; rank]).collect();
            assert_eq!(results, vec![(vec![7; 3], gathered); size]);
        }
    }

    #[test]
    fn a_transport_that_cannot_be_made_is_an_error() {
        let error = Processes::new(|| Err(anyhow!("no library"))).unwrap_err();
        assert_eq!(error.to_string(), "no library");
    }
}
