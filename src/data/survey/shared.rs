//! Work on images that threads and processes share out.

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::data::loader::parallel::ordered_map;
use crate::distributed::{BatchResults, Processes, Share};

/// Rounds in which processes exchange results, if the images are not too many: enough for an even division.
const ROUNDS: usize = 16;

/// The most images of a process in a round.
const MOST: usize = 4096;

/// Computes `work(0)`, `work(1)`, … up to `count` of them on `workers` threads of each process, and lets `each` have the results of all, in
/// order, in all processes. Images that follow each other are the same process's, as they may be in one page of a table.
///
/// # Errors
/// When the system gives no thread; the first one of `work`; when another process has another `count`, or is gone.
pub fn shared_map<T: Serialize + DeserializeOwned + Send + 'static>(
    count: usize,
    workers: usize,
    processes: &Processes,
    work: impl Fn(usize) -> Result<T> + Send + Sync + 'static,
    mut each: impl FnMut(T),
) -> Result<()> {
    let batch = match processes.size() {
        // One by one, as they come.
        1 => 1,
        size => count.div_ceil(ROUNDS * size).min(MOST),
    };
    let share = Share::new(count, batch, processes);
    let own = share.own();
    let mut results = ordered_map(own.len(), workers, move |item| work(own[item]))?;
    share.run(
        |items| {
            let items = results.by_ref().take(items.len()).collect();
            let values = Vec::new();
            Ok(BatchResults { items, values })
        },
        |_, batch| {
            let mut items = batch.items.into_iter();
            items.try_for_each(|item| item.map(&mut each))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::threads::in_processes;
    use anyhow::bail;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn processes_share_out_the_work_and_have_the_results_in_order() {
        for (count, size) in [(0, 2), (1, 3), (100, 1), (100, 3), (1000, 4)] {
            let all = in_processes(size, |processes| {
                let calls = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&calls);
                let work = move |item| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok(item * item)
                };
                let mut results = Vec::new();
                shared_map(count, 2, processes, work, |result| results.push(result)).unwrap();
                (results, calls.load(Ordering::Relaxed))
            });
            let all = all.unwrap();
            for (results, calls) in &all {
                assert!(
                    results
                        .iter()
                        .copied()
                        .eq((0..count).map(|item| item * item))
                );
                assert!(*calls <= count.div_ceil(size) + count.div_ceil(ROUNDS * size));
            }
            let calls: usize = all.iter().map(|(_, calls)| calls).sum();
            assert_eq!(calls, count);
        }
    }

    #[test]
    fn the_first_failure_ends_all_processes() {
        let all = in_processes(3, |processes| {
            let work = |item| match item {
                40 | 70 => bail!("cannot do {item}"),
                item => Ok(item),
            };
            let mut results = Vec::new();
            let done = shared_map(100, 2, processes, work, |result: usize| {
                results.push(result);
            });
            // The calls of all match.
            processes.barrier().unwrap();
            (results, done.unwrap_err().to_string())
        });
        for (results, error) in all.unwrap() {
            assert!(results.into_iter().eq(0..40));
            assert_eq!(error, "cannot do 40");
        }
    }
}
