//! Work on the items of a list, such as images, that processes share out: each computes whole batches in turn, and all receive the
//! results of all batches, in order.
//!
//! The batches are those of one process, so that results do not depend on the number of processes. After each round, in which every
//! process computes one batch, the results are exchanged, so that they appear as they come and take bounded memory.

use super::processes::Processes;
use crate::error::{SentError, error_with_hint};
use crate::text::pluralize;
use anyhow::{Context, Error, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The error that stops the work before its end: in the process that wants to, and then in all others.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

/// The results of a batch: of each item a fact or an error, and values of all items together.
#[derive(Debug)]
pub struct BatchResults<T> {
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
    /// The names and hashes of inputs that all processes must have in common.
    common: Vec<(String, String)>,
    processes: Processes,
}

/// The message of a process in a round.
#[derive(Debug, Serialize, Deserialize)]
enum RoundMessage<T> {
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
            common: Vec::new(),
            processes: processes.clone(),
        }
    }

    /// Adds a `hash` of `inputs` that all processes must have in common; those that differ are refused. A single process needs none.
    ///
    /// # Errors
    /// Those of `hash`.
    pub fn with_common(
        mut self,
        inputs: &str,
        hash: impl FnOnce() -> Result<String>,
    ) -> Result<Self> {
        if self.processes.size() > 1 {
            self.common.push((inputs.to_owned(), hash()?));
        }
        Ok(self)
    }

    /// Returns the items of the batches of this process, in order.
    pub fn own(&self) -> Vec<usize> {
        let batches = (self.processes.rank()..self.batches()).step_by(self.processes.size());
        batches.flat_map(|number| self.range(number)).collect()
    }

    /// Returns the `error` of an item in the words of the first process: with the name of the process that computed the item, if the first
    /// one `succeeds` with it.
    pub fn name(&self, item: usize, error: Error, succeeds: impl FnOnce() -> bool) -> Error {
        let rank = item / self.batch % self.processes.size();
        self.processes.name_failed(rank, error, succeeds)
    }

    /// Computes the batches: `compute` returns the results of a batch of this process, given its items, and `each` receives those of all
    /// batches in order, in all processes.
    ///
    /// # Errors
    /// The first one of `compute` in the order of the batches, in all processes; those of `each`, while the other processes receive
    /// [`Stopped`]; if another process has another list, or is gone.
    pub fn run<T: Serialize + DeserializeOwned>(
        &self,
        mut compute: impl FnMut(Range<usize>) -> Result<BatchResults<T>>,
        mut each: impl FnMut(Range<usize>, BatchResults<T>) -> Result<()>,
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
                Err(_) => packed::<T>(&RoundMessage::Left, &[]),
                Ok(()) if number < self.batches() => pack(compute(self.range(number))),
                Ok(()) => packed::<T>(&RoundMessage::Nothing, &[]),
            };
            let all = self.processes.gather(sent?)?;
            ended?;
            let all: Vec<(RoundMessage<T>, Vec<f64>)> = all
                .iter()
                .map(|sent| unpacked(sent))
                .collect::<Result<_>>()?;
            if all
                .iter()
                .any(|(sent, _)| matches!(sent, RoundMessage::Left))
            {
                return Err(Stopped.into());
            }
            ended = Ok(());
            for (number, (sent, values)) in (first..).zip(all) {
                match sent {
                    RoundMessage::Batch(items) if ended.is_ok() => {
                        let items = items.into_iter();
                        let items = items.map(|item| item.map_err(SentError::into_error));
                        let batch = BatchResults {
                            items: items.collect(),
                            values,
                        };
                        ended = each(self.range(number), batch);
                    }
                    // All processes end here.
                    RoundMessage::Failed(error) => return ended.and(Err(error.into_error())),
                    _ => {}
                }
            }
        }
        ended
    }

    /// Rejects lists of different lengths, whose processes would wait for each other in different rounds, and of different items.
    fn ensure_same(&self) -> Result<()> {
        type List = (usize, usize, Vec<(String, String)>);
        let own: List = (self.items, self.batch, self.common.clone());
        let all = self.processes.gather_values(&own)?;
        let Some(rank) = all.iter().position(|list| *list != all[0]) else {
            return Ok(());
        };
        let [first, other] = [&all[0], &all[rank]].map(|(items, batch, _)| {
            format!("{} in batches of {batch}", pluralize(*items, "image"))
        });
        let mut common = all[0].2.iter().zip(&all[rank].2);
        let differs = match common.find(|(first, other)| first != other) {
            Some(((inputs, _), _)) if first == other => {
                format!("process {rank} has other {inputs} than process 0")
            }
            _ => format!("process {rank} has {other}, process 0 has {first}"),
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
    /// Returns the `error` of process `rank` in the words of the first process: with the name of that process, if the first one `succeeds` in
    /// what failed there.
    pub fn name_failed(&self, rank: usize, error: Error, succeeds: impl FnOnce() -> bool) -> Error {
        if self.is_first() && rank != 0 && succeeds() {
            error.context(self.name_of(rank))
        } else {
            error
        }
    }

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
fn pack<T: Serialize>(computed: Result<BatchResults<T>>) -> Result<Vec<u8>> {
    match computed {
        Ok(BatchResults { items, values }) => {
            let items = items.into_iter();
            let items = items.map(|item| item.map_err(|error| SentError::from(&error)));
            packed(&RoundMessage::Batch(items.collect()), &values)
        }
        Err(error) => packed::<T>(&RoundMessage::Failed(SentError::from(&error)), &[]),
    }
}

/// Returns the length of the JSON of `sent`, the JSON and the bits of `values`.
fn packed<T: Serialize>(sent: &RoundMessage<T>, values: &[f64]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(sent)?;
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// Returns what [`packed`] made bytes of.
fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> Result<(RoundMessage<T>, Vec<f64>)> {
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
mod tests;
