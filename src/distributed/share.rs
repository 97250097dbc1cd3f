//! Work on the items of a list, such as images, that processes share out: each computes whole batches in turn, and all receive the
//! results of all batches, in order.
//!
//! The batches are those of one process, so that results do not depend on the number of processes. After each round, in which every
//! process computes one batch, the results are exchanged, so that they appear as they come and take bounded memory.

use super::processes::{Processes, values_of};
use crate::error::{SentError, error_with_hint};
use crate::text::pluralize;
use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The error that stops the work before its end: in the process that wants to, and then in all others.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// The results of a batch: of each item a fact or an error, and values of all items together.
#[derive(Debug)]
pub struct Batch<T> {
    /// Facts of the items, in order.
    pub items: Vec<Result<T>>,
    /// Values, whose bits are kept.
    pub values: Vec<f64>,
}

/// The division of a list into batches, and of these among processes: the first batch is that of process 0, the second that of
/// process 1, and so on in turn.
#[derive(Debug, Clone)]
pub struct Share {
    items: usize,
    batch: usize,
    /// A hash of the items' names, if it is known.
    names: String,
    processes: Processes,
}

/// The message of a process in a round.
#[derive(Debug, Serialize, Deserialize)]
enum Sent<T> {
    /// The facts of its batch.
    Batch(Vec<Result<T, SentError>>),
    /// It has no batch in this round.
    Nothing,
    /// Its batch cannot be computed.
    Failed(SentError),
    /// It has ended.
    Left,
}

impl Share {
    /// Divides `items` items into batches of `batch`, of which the last may be smaller.
    pub fn new(items: usize, batch: usize, processes: &Processes) -> Self {
        Self {
            items,
            batch: batch.max(1),
            names: String::new(),
            processes: processes.clone(),
        }
    }

    /// Adds a hash of the items' names, so that processes with others are refused. A single process needs none.
    #[must_use]
    pub fn with_names(mut self, hash: impl FnOnce() -> String) -> Self {
        if self.processes.size() > 1 {
            self.names = hash();
        }
        self
    }

    /// Returns the items of the batches of this process, in order.
    pub fn own(&self) -> Vec<usize> {
        let batches = (self.processes.rank()..self.batches()).step_by(self.processes.size());
        batches.flat_map(|number| self.range(number)).collect()
    }

    /// Computes the batches: `compute` returns the results of a batch of this process, given its items, and `each` receives those of all
    /// batches in order, in all processes.
    ///
    /// # Errors
    /// The first one of `compute` in the order of the batches, in all processes; those of `each`, while the other processes receive
    /// [`Stopped`]; if another process has another list, or is gone.
    pub fn run<T: Serialize + DeserializeOwned>(
        &self,
        mut compute: impl FnMut(Range<usize>) -> Result<Batch<T>>,
        mut each: impl FnMut(Range<usize>, Batch<T>) -> Result<()>,
    ) -> Result<()> {
        let (rank, size) = (self.processes.rank(), self.processes.size());
        if size == 1 {
            return (0..self.batches()).try_for_each(|number| {
                let items = self.range(number);
                each(items.clone(), compute(items)?)
            });
        }
        self.ensure_same()?;
        let mut ended: Result<()> = Ok(());
        // The last round has no batch: it tells the others of an end in the one before.
        for first in (0..self.batches() + size).step_by(size) {
            let number = first + rank;
            let sent = match &ended {
                Err(_) => packed::<T>(&Sent::Left, &[]),
                Ok(()) if number < self.batches() => pack(compute(self.range(number))),
                Ok(()) => packed::<T>(&Sent::Nothing, &[]),
            };
            let all = self.processes.gather(sent?)?;
            ended?;
            let all: Vec<(Sent<T>, Vec<f64>)> = all
                .iter()
                .map(|sent| unpacked(sent))
                .collect::<Result<_>>()?;
            if all.iter().any(|(sent, _)| matches!(sent, Sent::Left)) {
                return Err(Stopped.into());
            }
            ended = Ok(());
            for (number, (sent, values)) in (first..).zip(all) {
                match sent {
                    Sent::Batch(items) if ended.is_ok() => {
                        let items = items.into_iter();
                        let items = items.map(|item| item.map_err(SentError::into_error));
                        let batch = Batch {
                            items: items.collect(),
                            values,
                        };
                        ended = each(self.range(number), batch);
                    }
                    // All processes end here.
                    Sent::Failed(error) => return ended.and(Err(error.into_error())),
                    _ => {}
                }
            }
        }
        ended
    }

    /// Rejects lists of different lengths, whose processes would wait for each other in different rounds, and of different items.
    fn ensure_same(&self) -> Result<()> {
        let own = (self.items, self.batch, &self.names);
        let all: Vec<(usize, usize, String)> =
            values_of(&self.processes.gather(serde_json::to_vec(&own)?)?)?;
        let Some(rank) = all.iter().position(|list| *list != all[0]) else {
            return Ok(());
        };
        let [first, other] = [&all[0], &all[rank]].map(|(items, batch, _)| {
            format!("{} in batches of {batch}", pluralize(*items, "image"))
        });
        let differs = if first == other {
            format!("process {rank} has images of other names or classes than process 0")
        } else {
            format!("process {rank} has {other}, process 0 has {first}")
        };
        Err(error_with_hint(
            differs,
            "give every process the same files and the same options",
        ))
    }

    /// Returns the number of batches.
    fn batches(&self) -> usize {
        self.items.div_ceil(self.batch)
    }

    /// Returns the items of a batch.
    fn range(&self, number: usize) -> Range<usize> {
        let first = number * self.batch;
        first..(first + self.batch).min(self.items)
    }
}

impl Processes {
    /// Returns `result` if it is no error in any process; otherwise the own error or the first one of the others.
    ///
    /// # Errors
    /// Those of the results; if another process is gone.
    pub fn all_ok<T>(&self, result: Result<T>) -> Result<T> {
        if self.size() == 1 {
            return result;
        }
        let all = self.gather_values(&result.as_ref().err().map(SentError::from))?;
        let first = all.into_iter().flatten().next();
        match (result, first) {
            (Ok(_), Some(error)) => Err(error.into_error()),
            (result, _) => result,
        }
    }
}

/// Returns the results of a batch, or the error, as bytes.
fn pack<T: Serialize>(computed: Result<Batch<T>>) -> Result<Vec<u8>> {
    match computed {
        Ok(Batch { items, values }) => {
            let items = items.into_iter();
            let items = items.map(|item| item.map_err(|error| SentError::from(&error)));
            packed(&Sent::Batch(items.collect()), &values)
        }
        Err(error) => packed::<T>(&Sent::Failed(SentError::from(&error)), &[]),
    }
}

/// Returns the length of the JSON of `sent`, the JSON and the bits of `values`.
fn packed<T: Serialize>(sent: &Sent<T>, values: &[f64]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(sent)?;
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// Returns what [`packed`] made bytes of.
fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> Result<(Sent<T>, Vec<f64>)> {
    let (length, rest) = bytes
        .split_first_chunk()
        .context("a process sent too few bytes")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    let parts = rest.split_at_checked(length);
    let (json, values) = parts.context("a process sent too few bytes")?;
    let (values, others) = values.as_chunks();
    ensure!(others.is_empty(), "a process sent a part of a number");
    let values = values.iter().map(|value| f64::from_le_bytes(*value));
    Ok((serde_json::from_slice(json)?, values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads;
    use crate::error::hint_of;
    use anyhow::{anyhow, bail};
    use std::thread;

    /// Runs `work` in `size` processes, which are threads, and returns their results. One that ends with an error stays, as a program
    /// does until it has printed it.
    fn in_processes<R: Send + 'static>(
        size: usize,
        work: impl Fn(&Processes) -> R + Send + Clone + 'static,
    ) -> Vec<R> {
        let running = threads::group(size).into_iter().map(|transport| {
            let work = work.clone();
            thread::spawn(move || {
                let processes = Processes::new(move || Ok(Box::new(transport))).unwrap();
                let result = work(&processes);
                // The calls of all match, and nobody waits for another one.
                processes.barrier().unwrap();
                result
            })
        });
        let running: Vec<_> = running.collect();
        let results = running.into_iter().map(|thread| thread.join().unwrap());
        results.collect()
    }

    /// Returns values whose bits a text would lose.
    fn values(items: Range<usize>) -> Vec<f64> {
        items
            .map(|item| match item % 4 {
                0 => -0.0,
                1 => f64::NAN,
                2 => f64::NEG_INFINITY,
                _ => (item as f64).sin() * 1e-300,
            })
            .collect()
    }

    /// Works on `items` items in batches of 3, of which 4 cannot be read; returns what `each` received.
    fn worked(items: usize, processes: &Processes) -> Vec<(Range<usize>, Vec<String>, Vec<u64>)> {
        let share = Share::new(items, 3, processes);
        let mut own = share.own().into_iter();
        let mut received = Vec::new();
        share
            .run(
                |batch| {
                    assert!(own.by_ref().take(batch.len()).eq(batch.clone()));
                    let item = |item: usize| match item {
                        4 => Err(error_with_hint("it is empty", "copy it").context("cannot read")),
                        item => Ok(10 * item),
                    };
                    Ok(Batch {
                        items: batch.clone().map(item).collect(),
                        values: values(batch),
                    })
                },
                |batch, results| {
                    let shown = results.items.iter().map(|item| match item {
                        Ok(fact) => fact.to_string(),
                        Err(error) => format!("{error:#}; {}", hint_of(error).unwrap()),
                    });
                    let bits = results.values.iter().map(|value| value.to_bits());
                    received.push((batch, shown.collect(), bits.collect()));
                    Ok(())
                },
            )
            .unwrap();
        assert_eq!(own.next(), None);
        received
    }

    #[test]
    fn all_processes_receive_the_batches_of_one_process_in_order() {
        for items in [0, 1, 3, 7, 12, 25] {
            let alone = worked(items, &Processes::alone());
            assert_eq!(alone.len(), items.div_ceil(3));
            for size in 1..=4 {
                let all = in_processes(size, move |processes| worked(items, processes));
                assert_eq!(all, vec![alone.clone(); size], "{items} on {size}");
            }
        }
    }

    /// Works on 11 batches of one item; the batches in `failing` cannot be computed, and process `leaver` stops after `stop`. Returns the
    /// batches that `each` received, and the error.
    fn ended(
        processes: &Processes,
        failing: &[usize],
        leaver: usize,
        stop: usize,
    ) -> (Vec<usize>, Option<String>) {
        let mut received = Vec::new();
        let done = Share::new(11, 1, processes).run(
            |batch| {
                if failing.contains(&batch.start) {
                    bail!("cannot compute {}", batch.start);
                }
                Ok(Batch {
                    items: vec![Ok(())],
                    values: Vec::new(),
                })
            },
            |batch, _| {
                received.push(batch.start);
                if processes.rank() == leaver && batch.start == stop {
                    return Err(anyhow!("full"));
                }
                Ok(())
            },
        );
        (received, done.err().map(|error| error.to_string()))
    }

    #[test]
    fn the_first_error_in_the_order_of_the_batches_ends_all_processes() {
        let alone = ended(&Processes::alone(), &[5, 6], 9, 0);
        assert_eq!(alone.0, [0, 1, 2, 3, 4]);
        assert_eq!(alone.1.as_deref(), Some("cannot compute 5"));
        for size in 1..=4 {
            let all = in_processes(size, |processes| ended(processes, &[6, 5], 9, 0));
            assert_eq!(all, vec![alone.clone(); size]);
        }
    }

    #[test]
    fn a_process_that_stops_stops_the_others_in_the_next_round_even_after_the_last_batch() {
        for size in 2..=4 {
            for stop in [0, 4, 7, 10] {
                for leaver in 0..size {
                    let all =
                        in_processes(size, move |processes| ended(processes, &[], leaver, stop));
                    for (rank, (received, error)) in all.into_iter().enumerate() {
                        let (last, message) = if rank == leaver {
                            (stop, "full")
                        } else {
                            (((stop / size + 1) * size - 1).min(10), "stopped")
                        };
                        assert!(received.into_iter().eq(0..=last));
                        assert_eq!(error.as_deref(), Some(message), "{leaver} of {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_process_that_stops_in_the_round_of_an_error_ends_with_its_own() {
        let all = in_processes(3, |processes| ended(processes, &[5], 0, 3));
        let errors: Vec<_> = all.iter().map(|(_, error)| error.as_deref()).collect();
        let other = Some("cannot compute 5");
        assert_eq!(errors, [Some("full"), other, other]);
    }

    #[test]
    fn lists_of_different_lengths_are_an_error_of_all_processes() {
        let errors = in_processes(3, |processes| {
            let items = if processes.rank() == 2 { 40 } else { 7 };
            let nothing = |_| bail!("computes");
            let done = Share::new(items, 3, processes).run::<()>(nothing, |_, _| Ok(()));
            done.unwrap_err().to_string()
        });
        let expected =
            "process 2 has 40 images in batches of 3, process 0 has 7 images in batches of 3";
        assert_eq!(errors, [expected; 3]);
    }

    #[test]
    fn lists_of_other_names_are_an_error_of_all_processes() {
        let errors = in_processes(2, |processes| {
            let hash = || format!("hash {}", processes.rank());
            let nothing = |_| bail!("computes");
            let share = Share::new(7, 3, processes).with_names(hash);
            let done = share.run::<()>(nothing, |_, _| Ok(()));
            done.unwrap_err().to_string()
        });
        let expected = "process 1 has images of other names or classes than process 0";
        assert_eq!(errors, [expected; 2]);
    }

    #[test]
    fn a_result_is_ok_if_it_is_in_all_processes() {
        let results = in_processes(3, |processes| {
            let fine = processes.all_ok(Ok(processes.rank())).unwrap();
            let failed = match processes.rank() {
                0 => Ok(()),
                rank => Err(anyhow!("process {rank} lacks memory")),
            };
            let error = processes.all_ok(failed).unwrap_err();
            (fine, error.to_string())
        });
        let texts: Vec<&str> = results.iter().map(|(_, error)| error.as_str()).collect();
        assert_eq!(
            texts,
            [
                "process 1 lacks memory",
                "process 1 lacks memory",
                "process 2 lacks memory"
            ]
        );
        assert!(results.iter().map(|(fine, _)| *fine).eq(0..3));
    }
}
