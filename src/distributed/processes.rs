//! The handle of a process on its group.

use crate::distributed::host::name_of;
use crate::distributed::patience::Patience;
use crate::distributed::pending::{Pending, ready};
use crate::distributed::sum::{Element, NodeSum, Scratch, sum};
use crate::distributed::tensor_sum::TensorExchange;
use crate::distributed::transport::{AbortHandle, Transport};
use crate::distributed::tree::Shards;
use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The time in which the thread of a transport answers beyond that of its call.
const ANSWER: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce(&mut dyn Transport, &mut Resources) + Send>;

/// The memory and the connection that the thread of the transport keeps from call to call.
#[derive(Default)]
pub(super) struct Resources {
    scratch: Scratch,
    /// The connection between the devices of the processes, if there is one. NCCL's belongs to the thread that makes it.
    pub exchange: Option<Box<dyn TensorExchange>>,
}

/// The processes that work on a task, of which this is one. All make the same calls in the same order.
///
/// One thread owns the [`Transport`] and makes all calls, so that a sum can run beside a computation and an MPI library sees a single
/// thread.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    group: Option<Arc<Group>>,
    is_on_one_machine: bool,
    /// The machines of the processes; empty if they are not known.
    hosts: Arc<[String]>,
    patience: Option<Arc<Patience>>,
    local_rank: usize,
}

#[derive(Debug)]
struct Group {
    rank: usize,
    size: usize,
    abort: AbortHandle,
    /// True if the sums of tensors stay on the devices.
    has_connected_devices: AtomicBool,
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
        let endless = Patience::new(Duration::MAX, || ());
        endless.end();
        Self::with_patience(make, &endless)
    }

    /// Starts the thread of the transport, as [`Processes::new`], with a `patience` for the making of it.
    ///
    /// # Errors
    /// Those of [`Processes::new`].
    pub fn with_patience(
        make: impl FnOnce() -> Result<Box<dyn Transport>> + Send + 'static,
        patience: &Patience,
    ) -> Result<Self> {
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
                let mut resources = Resources::default();
                for job in queue {
                    job(&mut *transport, &mut resources);
                }
            })
            .context("cannot start a thread that exchanges values with other processes")?;
        let facts = patience.wait(&facts);
        let (rank, size, abort) =
            facts.map_err(|_| anyhow!("the connection to the other processes has failed"))??;
        let group = Group {
            rank,
            size,
            abort,
            has_connected_devices: AtomicBool::new(false),
            jobs: Some(jobs),
            thread: Some(thread),
        };
        Ok(Self {
            group: Some(Arc::new(group)),
            ..Self::default()
        })
    }

    /// Sets the patience of the calls up to the first sum.
    #[must_use]
    pub fn patient(self, patience: Patience) -> Self {
        Self {
            patience: Some(Arc::new(patience)),
            ..self
        }
    }

    /// Sets the machines of all processes.
    #[must_use]
    pub fn on_hosts(self, hosts: Vec<String>) -> Self {
        Self {
            hosts: hosts.into(),
            ..self
        }
    }

    /// Returns the name of a process, with its machine if that is known.
    pub fn name_of(&self, rank: usize) -> String {
        name_of(rank, self.hosts.get(rank).map_or("", String::as_str))
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

    /// Sets the number of this process among those of its machine.
    #[must_use]
    pub fn with_local_rank(self, local_rank: usize) -> Self {
        Self { local_rank, ..self }
    }

    /// Returns the number of this process among those of its machine, from 0.
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// Returns true if the sums of tensors stay on the devices of the processes.
    pub(super) fn has_connected_devices(&self) -> bool {
        let group = self.group.as_ref();
        group.is_some_and(|group| group.has_connected_devices.load(Ordering::Relaxed))
    }

    /// Sets whether the sums of tensors stay on the devices of the processes.
    pub(super) fn set_connected_devices(&self, are_connected: bool) {
        if let Some(group) = &self.group {
            group
                .has_connected_devices
                .store(are_connected, Ordering::Relaxed);
        }
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
        let patience = self.patience.clone();
        self.start_with(move |transport, resources| {
            let scratch = &mut resources.scratch;
            let sum = sum(transport, scratch, shards, used, own, length);
            if let Some(patience) = patience {
                patience.end();
            }
            sum
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

    /// Tells the other processes that this one fails, by a hash of its error, and waits for the failures of others. Returns the numbers of
    /// those that fail alike, with this one, in order.
    pub fn failed_alike(&self, failure: u64, wait: Duration) -> Vec<usize> {
        let mut alike = vec![self.rank()];
        if self.group.is_some() {
            let pending = self.start(move |transport| transport.exchange_failures(failure, wait));
            // The thread may be in a call that never ends.
            let others = pending.wait_for(wait + ANSWER);
            let others = others.ok().and_then(Result::ok).unwrap_or_default();
            let others = others.into_iter().filter(|(_, other)| *other == failure);
            alike.extend(others.map(|(rank, _)| rank));
        }
        alike.sort_unstable();
        alike
    }

    /// Lets the thread of the transport do `work`.
    fn start<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transport) -> Result<R> + Send + 'static,
    ) -> Pending<R> {
        self.start_with(move |transport, _| work(transport))
    }

    /// Lets the thread of the transport do `work` with what it keeps.
    pub(super) fn start_with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Transport, &mut Resources) -> Result<R> + Send + 'static,
    ) -> Pending<R> {
        let (done, result) = channel();
        let jobs = self.group.as_ref().and_then(|group| group.jobs.as_ref());
        if let Some(jobs) = jobs {
            let job: Job = Box::new(move |transport, resources| {
                // Nobody may wait any more.
                let _ = done.send(work(transport, resources));
            });
            // If the thread has failed, the result says so.
            let _ = jobs.send(job);
        }
        Pending::new(result, self.patience.clone())
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
mod tests;
