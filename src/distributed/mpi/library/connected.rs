//! The calls of a connection by the functions of an MPI library.

use crate::distributed::AbortHandle;
use crate::distributed::mpi::functions::{Functions, Handle};
use crate::distributed::mpi::wait::Wait;
use crate::distributed::mpi::world::{Failure, World, check, displacements};
use anyhow::{Result, ensure};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// The tag of messages about failures; no other message has a tag.
const FAILURE_TAG: c_int = 1;
/// The pause between two looks for such a message.
const BETWEEN_PROBES: Duration = Duration::from_millis(1);

/// Returns the address of bytes for MPI. That of an empty slice can be 1, which is `MPI_IN_PLACE` in two of the interfaces.
fn address(bytes: &[u8]) -> *const c_void {
    if bytes.is_empty() {
        ptr::null()
    } else {
        bytes.as_ptr().cast()
    }
}

/// Returns the address of bytes to write to, as [`address`].
fn address_mut(bytes: &mut [u8]) -> *mut c_void {
    if bytes.is_empty() {
        ptr::null_mut()
    } else {
        bytes.as_mut_ptr().cast()
    }
}

/// The connection by the functions of a library.
pub(super) struct Connected<H: Handle> {
    rank: usize,
    size: usize,
    is_on_one_machine: bool,
    /// The thread that initialized MPI, which must finalize it.
    thread: ThreadId,
    shared: Arc<Shared<H>>,
}

/// The parts that the connection and its abort handles share.
struct Shared<H> {
    functions: Functions<H>,
    /// Held by the thread that calls MPI; true once MPI is finalized.
    is_finalized: Mutex<bool>,
    /// The exit status that an abort handle wants; 0 if none does.
    aborted: AtomicI32,
}

// SAFETY: the pointers are handles, which no thread dereferences.
unsafe impl<H: Handle> Send for Shared<H> {}
// SAFETY: MPI was initialized with MPI_THREAD_SERIALIZED at least: any thread may call it, one at a time. Every call is made by
// the thread that has the lock.
unsafe impl<H: Handle> Sync for Shared<H> {}

impl<H: Handle> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, bool> {
        // A panic leaves nothing half done here.
        self.is_finalized
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all processes by the thread that has the lock.
    fn abort(&self, is_finalized: &MutexGuard<'_, bool>, status: i32) -> ! {
        if !**is_finalized {
            // SAFETY: MPI is initialized and not finalized, and this thread alone calls it, as it has the lock.
            unsafe { (self.functions.abort)(self.functions.constants.world, status) };
        }
        // MPI may return, and has told the launcher.
        std::process::exit(status)
    }
}

impl<H: Handle> Connected<H> {
    /// Wraps the functions of a library that this thread has initialized.
    pub fn new(functions: Functions<H>, rank: usize, size: usize, is_on_one_machine: bool) -> Self {
        Self {
            rank,
            size,
            is_on_one_machine,
            thread: thread::current().id(),
            shared: Arc::new(Shared {
                functions,
                is_finalized: Mutex::new(false),
                aborted: AtomicI32::new(0),
            }),
        }
    }

    /// Waits for an operation that `begin` starts and that moves `bytes`. Its buffers are borrowed until then; if it cannot end, the process does.
    fn complete(
        &mut self,
        name: &str,
        bytes: usize,
        begin: impl FnOnce(&Functions<H>, *mut H) -> c_int,
    ) -> Result<()> {
        let (shared, lock) = (&self.shared, self.shared.lock());
        let mut request = H::UNSET;
        check(begin(&shared.functions, &raw mut request), name)?;
        let mut wait = Wait::new(bytes, self.is_on_one_machine);
        loop {
            let mut done = 0;
            let test = shared.functions.test;
            let status_ignore = shared.functions.constants.status_ignore;
            // SAFETY: `begin` set the request, and MPI sets it to null when it is done, which ends this loop.
            let status = unsafe { test(&raw mut request, &raw mut done, status_ignore) };
            let wanted = shared.aborted.load(Ordering::Relaxed);
            if status != 0 || wanted != 0 {
                // The operation may still have the buffers, so this must not return.
                shared.abort(&lock, wanted.max(1));
            }
            if done != 0 {
                return Ok(());
            }
            wait.pause();
        }
    }
}

impl<H: Handle> World for Connected<H> {
    fn place(&self) -> (usize, usize) {
        (self.rank, self.size)
    }

    fn all_to_all(
        &mut self,
        send: &[u8],
        sent: &[c_int],
        receive: &mut [u8],
        received: &[c_int],
    ) -> Result<()> {
        let from = displacements(sent, self.size, send.len())?;
        let to = displacements(received, self.size, receive.len())?;
        let bytes = send.len() + receive.len();
        self.complete("MPI_Ialltoallv", bytes, |mpi, request| {
            // SAFETY: `displacements` checked that all parts are inside the buffers, which are borrowed until `complete` returns,
            // as are the lengths.
            unsafe {
                (mpi.all_to_all)(
                    address(send),
                    sent.as_ptr(),
                    from.as_ptr(),
                    mpi.constants.byte,
                    address_mut(receive),
                    received.as_ptr(),
                    to.as_ptr(),
                    mpi.constants.byte,
                    mpi.constants.world,
                    request,
                )
            }
        })
    }

    fn all_gather(&mut self, send: &[u8], receive: &mut [u8], lengths: &[c_int]) -> Result<()> {
        let to = displacements(lengths, self.size, receive.len())?;
        let length = c_int::try_from(send.len())?;
        ensure!(
            lengths[self.rank] == length,
            "this process has another length"
        );
        let bytes = send.len() + receive.len();
        self.complete("MPI_Iallgatherv", bytes, |mpi, request| {
            // SAFETY: as in `all_to_all`; `length` is that of `send`.
            unsafe {
                (mpi.all_gather)(
                    address(send),
                    length,
                    mpi.constants.byte,
                    address_mut(receive),
                    lengths.as_ptr(),
                    to.as_ptr(),
                    mpi.constants.byte,
                    mpi.constants.world,
                    request,
                )
            }
        })
    }

    fn broadcast(&mut self, bytes: &mut [u8], root: usize) -> Result<()> {
        ensure!(root < self.size, "no process {root}");
        let (length, root) = (c_int::try_from(bytes.len())?, root as c_int);
        self.complete("MPI_Ibcast", bytes.len(), |mpi, request| {
            // SAFETY: `bytes` has `length` bytes and is borrowed until `complete` returns.
            unsafe {
                (mpi.broadcast)(
                    address_mut(bytes),
                    length,
                    mpi.constants.byte,
                    root,
                    mpi.constants.world,
                    request,
                )
            }
        })
    }

    fn barrier(&mut self) -> Result<()> {
        self.complete("MPI_Ibarrier", 0, |mpi, request| {
            // SAFETY: it has no buffer.
            unsafe { (mpi.barrier)(mpi.constants.world, request) }
        })
    }

    fn exchange_failures(&mut self, own: Failure, wait: Duration) -> Result<Vec<Failure>> {
        let (shared, lock) = (&self.shared, self.shared.lock());
        let Functions {
            constants,
            send,
            probe,
            receive,
            ..
        } = &shared.functions;
        let length = own.len() as c_int;
        // A process that is well never receives it: the bytes stay where they are until this process ends.
        let sent: &'static Failure = Box::leak(Box::new(own));
        for other in (1..self.size).filter(|&other| other != self.rank) {
            let mut request = H::UNSET;
            // SAFETY: `sent` has `length` bytes, which are never freed nor changed.
            let status = unsafe {
                send(
                    sent.as_ptr().cast(),
                    length,
                    constants.byte,
                    other as c_int,
                    FAILURE_TAG,
                    constants.world,
                    &raw mut request,
                )
            };
            check(status, "MPI_Isend")?;
        }
        let end = Instant::now() + wait;
        let mut received = Vec::new();
        while Instant::now() < end {
            let wanted = shared.aborted.load(Ordering::Relaxed);
            if wanted != 0 {
                shared.abort(&lock, wanted);
            }
            let mut is_there = 0;
            // SAFETY: the function sets a number; MPI allows this status to be ignored.
            let status = unsafe {
                probe(
                    constants.any_source,
                    FAILURE_TAG,
                    constants.world,
                    &raw mut is_there,
                    constants.status_ignore,
                )
            };
            check(status, "MPI_Iprobe")?;
            if is_there == 0 {
                thread::sleep(BETWEEN_PROBES);
                continue;
            }
            let mut failure = Failure::default();
            // SAFETY: `failure` has `length` bytes, as have all messages with this tag, and no other thread receives one.
            let status = unsafe {
                receive(
                    failure.as_mut_ptr().cast(),
                    length,
                    constants.byte,
                    constants.any_source,
                    FAILURE_TAG,
                    constants.world,
                    constants.status_ignore,
                )
            };
            check(status, "MPI_Recv")?;
            received.push(failure);
        }
        Ok(received)
    }

    fn abort_handle(&self) -> AbortHandle {
        let shared = Arc::clone(&self.shared);
        AbortHandle::new(move |status| {
            // A call that waits sees this, and ends the process; else the lock is free.
            shared.aborted.store(status.max(1), Ordering::Relaxed);
            shared.abort(&shared.lock(), status.max(1))
        })
    }
}

impl<H: Handle> Drop for Connected<H> {
    fn drop(&mut self) {
        let shared = &self.shared;
        if thread::panicking() || self.thread != thread::current().id() {
            return;
        }
        let mut is_finalized = shared.lock();
        if shared.aborted.load(Ordering::Relaxed) == 0 {
            // SAFETY: MPI is initialized, this is the thread that did it, and nothing calls MPI later.
            unsafe { (shared.functions.finalize)() };
            *is_finalized = true;
        }
    }
}
