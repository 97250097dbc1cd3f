//! Processes that are threads of this one, so that what several processes compute is tested without MPI.

#[cfg(test)]
pub(crate) mod tensors;

use super::processes::Processes;
use super::transport::{AbortHandle, Transport, check_parts, ranges};
use anyhow::{Context, Result, bail, ensure};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Returns the connections of `size` processes, in their order; each is for a thread of its own.
///
/// A call waits for the calls of all others. It fails if another connection was dropped or aborted.
pub fn group(size: usize) -> Vec<ThreadTransport> {
    let exchange = Arc::new(Exchange {
        state: Mutex::new(ExchangeState {
            calls: vec![None; size],
            made: 0,
            last: Arc::default(),
            gone: None,
            failures: Vec::new(),
        }),
        changed: Condvar::new(),
    });
    let connect = |rank| ThreadTransport {
        rank,
        size,
        exchange: Arc::clone(&exchange),
    };
    (0..size).map(connect).collect()
}

/// Runs `work` in `size` processes, which are threads, and returns their results in the order of the processes.
///
/// # Errors
/// If no thread can be started.
pub fn in_processes<R: Send>(size: usize, work: impl Fn(&Processes) -> R + Sync) -> Result<Vec<R>> {
    thread::scope(|scope| {
        let start = |transport| {
            let work = &work;
            scope.spawn(move || {
                let processes = Processes::new(move || Ok(Box::new(transport)))?;
                Ok(work(&processes))
            })
        };
        let running: Vec<_> = group(size).into_iter().map(start).collect();
        let results = running.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        });
        results.collect()
    })
}

/// The connection of a thread that stands for a process.
#[derive(Debug)]
pub struct ThreadTransport {
    rank: usize,
    size: usize,
    exchange: Arc<Exchange>,
}

/// The place where the calls of all threads meet.
#[derive(Debug)]
struct Exchange {
    state: Mutex<ExchangeState>,
    changed: Condvar,
}

#[derive(Debug)]
struct ExchangeState {
    /// The call that each thread waits in.
    calls: Vec<Option<Call>>,
    /// Number of calls that all threads made.
    made: u64,
    /// The last call that all threads made, of each. It stays until all have made another one, and so have read it.
    last: Arc<Vec<Call>>,
    /// Why no other call will be made.
    gone: Option<String>,
    /// The failures that threads exchange, each with its thread.
    failures: Vec<(usize, u64)>,
}

/// A call of one thread.
#[derive(Debug, Clone)]
struct Call {
    name: &'static str,
    bytes: Vec<u8>,
    /// Lengths of the parts of `bytes` for each thread.
    lengths: Vec<usize>,
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, ExchangeState> {
        // No code panics while it has the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes calls fail from now on, if it is the first reason.
    fn leave(&self, why: String) {
        self.state().gone.get_or_insert(why);
        self.changed.notify_all();
    }
}

impl ThreadTransport {
    /// Brings a call and returns the calls of all threads, in their order.
    fn meet(
        &self,
        name: &'static str,
        bytes: Vec<u8>,
        lengths: &[usize],
    ) -> Result<Arc<Vec<Call>>> {
        let mut state = self.exchange.state();
        if let Some(why) = &state.gone {
            bail!("{why}");
        }
        let made = state.made;
        state.calls[self.rank] = Some(Call {
            name,
            bytes,
            lengths: lengths.to_vec(),
        });
        if state.calls.iter().all(Option::is_some) {
            let calls = state.calls.iter_mut().filter_map(Option::take);
            state.last = Arc::new(calls.collect());
            state.made += 1;
            self.exchange.changed.notify_all();
        }
        let waits = |state: &mut ExchangeState| state.made == made && state.gone.is_none();
        let state = self.exchange.changed.wait_while(state, waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(why)) = (state.made == made, &state.gone) {
            bail!("{why}");
        }
        let calls = Arc::clone(&state.last);
        let other = calls.iter().position(|call| call.name != name);
        if let Some(other) = other {
            bail!(
                "process {} calls {name} while process {other} calls {}",
                self.rank,
                calls[other].name
            );
        }
        Ok(calls)
    }
}

impl Transport for ThreadTransport {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_to_all(
        &mut self,
        send: &[u8],
        send_lengths: &[usize],
        receive: &mut [u8],
        receive_lengths: &[usize],
    ) -> Result<()> {
        check_parts(send_lengths, send.len(), self.size)?;
        check_parts(receive_lengths, receive.len(), self.size)?;
        let calls = self.meet("all_to_all", send.to_vec(), send_lengths)?;
        for (call, range) in calls.iter().zip(ranges(receive_lengths)) {
            let part = ranges(&call.lengths).nth(self.rank);
            let part = part.context("no part for this process")?;
            fill(&mut receive[range], &call.bytes[part])?;
        }
        Ok(())
    }

    fn all_gather(&mut self, send: &[u8], receive: &mut [u8], lengths: &[usize]) -> Result<()> {
        check_parts(lengths, receive.len(), self.size)?;
        let calls = self.meet("all_gather", send.to_vec(), &[])?;
        for (call, range) in calls.iter().zip(ranges(lengths)) {
            fill(&mut receive[range], &call.bytes)?;
        }
        Ok(())
    }

    fn broadcast(&mut self, bytes: &mut [u8], root: usize) -> Result<()> {
        let sent = if self.rank == root {
            bytes.to_vec()
        } else {
            Vec::new()
        };
        let calls = self.meet("broadcast", sent, &[root])?;
        ensure!(
            calls.iter().all(|call| call.lengths == [root]),
            "processes name different roots"
        );
        fill(bytes, &calls[root].bytes)
    }

    fn barrier(&mut self) -> Result<()> {
        self.meet("barrier", Vec::new(), &[]).map(|_| ())
    }

    fn exchange_failures(&mut self, failure: u64, wait: Duration) -> Result<Vec<(usize, u64)>> {
        self.exchange.state().failures.push((self.rank, failure));
        thread::sleep(wait);
        let failures = self.exchange.state().failures.clone().into_iter();
        Ok(failures.filter(|(rank, _)| *rank != self.rank).collect())
    }

    fn abort_handle(&self) -> AbortHandle {
        let (rank, exchange) = (self.rank, Arc::clone(&self.exchange));
        AbortHandle::new(move |status| {
            exchange.leave(format!("process {rank} aborted with exit status {status}"));
        })
    }
}

impl Drop for ThreadTransport {
    fn drop(&mut self) {
        self.exchange
            .leave(format!("process {} has ended", self.rank));
    }
}

/// Copies the part that a process sent to where it is expected.
fn fill(expected: &mut [u8], sent: &[u8]) -> Result<()> {
    ensure!(
        expected.len() == sent.len(),
        "{} bytes were sent where {} are expected",
        sent.len(),
        expected.len()
    );
    expected.copy_from_slice(sent);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `process` in a thread for each of `size` processes and returns what each returns.
    fn run<T: Send>(size: usize, process: impl Fn(ThreadTransport) -> T + Sync) -> Vec<T> {
        thread::scope(|scope| {
            let start = |transport| scope.spawn(|| process(transport));
            let threads: Vec<_> = group(size).into_iter().map(start).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        })
    }

    #[test]
    fn each_process_gets_its_part_of_every_other_in_many_calls() {
        for size in [1, 2, 3, 4, 7] {
            run(size, |mut transport| {
                let rank = transport.rank();
                for call in 0..50 {
                    // From `a` to `b` go `(a + 2 b + call) % 5` bytes.
                    let length = |a: usize, b: usize| (a + 2 * b + call) % 5;
                    let part = |a, b| vec![(10 * a + b) as u8; length(a, b)];
                    let send: Vec<u8> = (0..size).flat_map(|to| part(rank, to)).collect();
                    let expected: Vec<u8> = (0..size).flat_map(|from| part(from, rank)).collect();
                    let sent: Vec<usize> = (0..size).map(|to| length(rank, to)).collect();
                    let got: Vec<usize> = (0..size).map(|from| length(from, rank)).collect();
                    let mut receive = vec![0; expected.len()];
                    transport
                        .all_to_all(&send, &sent, &mut receive, &got)
                        .unwrap();
                    assert_eq!(receive, expected);
                }
            });
        }
    }

    #[test]
    fn processes_gather_and_broadcast() {
        run(3, |mut transport| {
            let rank = transport.rank();
            let mut all = [0; 6];
            let own = vec![rank as u8; rank + 1];
            transport.all_gather(&own, &mut all, &[1, 2, 3]).unwrap();
            assert_eq!(all, [0, 1, 1, 2, 2, 2]);
            transport.barrier().unwrap();
            for root in 0..3 {
                let mut bytes = [rank as u8; 4];
                transport.broadcast(&mut bytes, root).unwrap();
                assert_eq!(bytes, [root as u8; 4]);
            }
        });
    }

    #[test]
    fn a_process_that_ends_or_aborts_ends_the_calls_of_the_others() {
        let errors = run(3, |mut transport| match transport.rank() {
            1 => None,
            _ => Some(transport.barrier().unwrap_err().to_string()),
        });
        let expected = Some("process 1 has ended");
        assert_eq!([errors[0].as_deref(), errors[2].as_deref()], [expected; 2]);
        let errors = run(3, |mut transport| {
            if transport.rank() == 2 {
                transport.abort(7);
            }
            transport.barrier().unwrap_err().to_string()
        });
        assert_eq!(errors, ["process 2 aborted with exit status 7"; 3]);
    }

    #[test]
    fn a_handle_aborts_a_call_that_waits() {
        let mut transports = group(2);
        let mut first = transports.remove(0);
        let handle = first.abort_handle();
        let error = thread::scope(|scope| {
            let waiting = scope.spawn(|| first.barrier().unwrap_err().to_string());
            handle.abort(1);
            waiting.join().unwrap()
        });
        assert_eq!(error, "process 0 aborted with exit status 1");
    }

    #[test]
    fn calls_and_lengths_that_do_not_match_are_errors() {
        let errors = run(2, |mut transport| match transport.rank() {
            0 => transport.barrier().unwrap_err().to_string(),
            _ => transport.broadcast(&mut [0], 0).unwrap_err().to_string(),
        });
        assert_eq!(
            errors,
            [
                "process 0 calls barrier while process 1 calls broadcast",
                "process 1 calls broadcast while process 0 calls barrier"
            ]
        );
        let errors = run(2, |mut transport| {
            let own = vec![0; transport.rank() + 1];
            let mut all = [0; 2];
            transport
                .all_gather(&own, &mut all, &[1, 1])
                .unwrap_err()
                .to_string()
        });
        assert_eq!(errors, ["2 bytes were sent where 1 are expected"; 2]);
    }
}
