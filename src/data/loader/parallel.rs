//! Work on many threads whose results are returned in order, with a bounded number of them waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use crate::data::panic::catch_panic;

/// Default look-ahead: items per worker that may be in progress, or done and not yet taken.
const AHEAD_PER_WORKER: usize = 4;

/// Starts computing `work(0)`, `work(1)`, … up to `count` of them on `workers` threads (at least one, and at most one per
/// item), with a look-ahead of four items per worker.
///
/// # Errors
/// When the system gives no thread.
pub fn ordered_map<T: Send + 'static>(
    count: usize,
    workers: usize,
    work: impl Fn(usize) -> Result<T> + Send + Sync + 'static,
) -> Result<OrderedMap<T>> {
    let ahead = workers.max(1).saturating_mul(AHEAD_PER_WORKER);
    ordered_map_with_look_ahead(count, workers, ahead, work)
}

/// Like [`ordered_map`], with `ahead` items (at least one) in progress, or done and not yet taken.
///
/// # Errors
/// When the system gives no thread.
pub fn ordered_map_with_look_ahead<T: Send + 'static>(
    count: usize,
    workers: usize,
    ahead: usize,
    work: impl Fn(usize) -> Result<T> + Send + Sync + 'static,
) -> Result<OrderedMap<T>> {
    let workers = workers.max(1).min(count);
    let shared = Arc::new(Queue {
        state: Mutex::new(QueueState {
            next: 0,
            taken: 0,
            results: BTreeMap::new(),
            stopped: false,
        }),
        done: Condvar::new(),
        room: Condvar::new(),
        count,
        ahead: ahead.max(1),
    });
    let work = Arc::new(work);
    let mut ordered = OrderedMap {
        shared,
        workers: Vec::with_capacity(workers),
    };
    for worker in 0..workers {
        let (shared, work) = (Arc::clone(&ordered.shared), Arc::clone(&work));
        let thread = thread::Builder::new()
            .name(format!("loader-{worker}"))
            .spawn(move || shared.run(work.as_ref()));
        match thread {
            Ok(thread) => ordered.workers.push(thread),
            // Fewer threads than asked for do the same work.
            Err(error) if worker == 0 => {
                return Err(error).context("cannot start a thread to load images");
            }
            Err(_) => break,
        }
    }
    Ok(ordered)
}

/// An iterator over `work(0)`, `work(1)`, … up to `count` of them, each computed on one of several threads.
///
/// The number of items ahead of the next one to be taken is bounded, and so is memory. A panic of `work` becomes the error
/// of its item. Dropping the iterator waits for the items in progress and ends the threads.
pub struct OrderedMap<T> {
    shared: Arc<Queue<T>>,
    workers: Vec<JoinHandle<()>>,
}

/// The state that the threads share.
struct Queue<T> {
    state: Mutex<QueueState<T>>,
    /// Notified when a result is available.
    done: Condvar,
    /// Notified when there is room for more items, or at the end.
    room: Condvar,
    count: usize,
    ahead: usize,
}

/// The progress: `taken <= next <= count`.
struct QueueState<T> {
    /// The next item to start.
    next: usize,
    /// Results that were taken.
    taken: usize,
    /// Results that wait, by item.
    results: BTreeMap<usize, Result<T>>,
    /// True if no more items may start.
    stopped: bool,
}

impl<T> Queue<T> {
    /// Locks the state. No thread panics while it holds the lock, so a poisoned one is sound.
    fn state(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a worker: takes items until none is left.
    fn run(&self, work: &impl Fn(usize) -> Result<T>) {
        while let Some(item) = self.begin() {
            let result = catch_panic(|| work(item));
            self.state().results.insert(item, result);
            self.done.notify_one();
        }
    }

    /// Returns the next item once there is room for it; `None` at the end.
    fn begin(&self) -> Option<usize> {
        let mut state = self
            .room
            .wait_while(self.state(), |state| {
                !state.stopped && state.next < self.count && state.next >= state.taken + self.ahead
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopped || state.next == self.count {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }
}

impl<T> Iterator for OrderedMap<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let mut state = self.shared.state();
        let item = state.taken;
        if item == self.shared.count {
            return None;
        }
        let result = loop {
            if let Some(result) = state.results.remove(&item) {
                break result;
            }
            let waited = self.shared.done.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        };
        state.taken += 1;
        drop(state);
        self.shared.room.notify_one();
        Some(result)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.shared.count - self.shared.state().taken;
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for OrderedMap<T> {}

impl<T> Drop for OrderedMap<T> {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.room.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its items; there is nothing left to report.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        for workers in [0, 1, 3, 16] {
            let squares = ordered_map(40, workers, |item| {
                thread::sleep(Duration::from_micros(((item * 7) % 5) as u64 * 300));
                Ok(item * item)
            });
            let squares = squares.unwrap().map(Result::unwrap);
            assert!(squares.eq((0..40).map(|item| item * item)));
        }
        assert_eq!(ordered_map(0, 4, Ok).unwrap().count(), 0);
    }

    #[test]
    fn a_panic_is_the_error_of_its_item_alone() {
        let ordered = ordered_map(5, 2, |item| {
            assert!(item != 3, "item three");
            Ok(item)
        });
        let results: Vec<_> = ordered.unwrap().collect();
        assert_eq!(results.len(), 5);
        for (item, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value, item),
                Err(error) => {
                    assert_eq!(item, 3);
                    assert!(error.to_string().contains("item three"), "{error}");
                }
            }
        }
    }

    #[test]
    fn work_never_runs_further_ahead_than_the_bound() {
        let (begun, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let most = Arc::new(AtomicUsize::new(0));
        let work = {
            let (begun, taken, most) = (begun.clone(), taken.clone(), most.clone());
            move |item| {
                let ahead = begun.fetch_add(1, Ordering::SeqCst) + 1 - taken.load(Ordering::SeqCst);
                most.fetch_max(ahead, Ordering::SeqCst);
                Ok(item)
            }
        };
        for _ in ordered_map(300, 2, work).unwrap() {
            taken.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_micros(100));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 300);
        // One more: an item is out of the window a moment before it is counted as taken here.
        assert!(most.load(Ordering::SeqCst) <= 2 * AHEAD_PER_WORKER + 1);
    }

    #[test]
    fn the_look_ahead_is_what_was_asked_for() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = begun.clone();
        let work = move |item| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(item)
        };
        let mut ordered = ordered_map_with_look_ahead(1000, 3, 50, work).unwrap();
        assert_eq!(ordered.next().unwrap().unwrap(), 0);
        while begun.load(Ordering::SeqCst) < 51 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        assert_eq!(begun.load(Ordering::SeqCst), 51);
    }

    #[test]
    fn dropping_early_ends_the_threads_and_begins_no_more() {
        let begun = Arc::new(AtomicUsize::new(0));
        let work = {
            let begun = begun.clone();
            move |item| {
                begun.fetch_add(1, Ordering::SeqCst);
                Ok(item)
            }
        };
        let mut ordered = ordered_map(1_000_000, 3, work).unwrap();
        assert_eq!(ordered.next().unwrap().unwrap(), 0);
        drop(ordered);
        assert!(begun.load(Ordering::SeqCst) <= 3 * AHEAD_PER_WORKER + 1);
        // The work is dropped with the last thread.
        assert_eq!(Arc::strong_count(&begun), 1);
    }
}
