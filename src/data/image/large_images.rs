//! Decodes large images one at a time, so that memory does not grow with the number of threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Pixels above which an image waits for its turn: decoded at 16 bits and four channels, with its RGB copy, it takes about
/// 350 MB.
const LARGE: u64 = 30_000_000;

/// The gate that large images pass one at a time.
#[derive(Debug, Default)]
pub struct LargeImageGate(Mutex<()>);

impl LargeImageGate {
    /// Waits until no other large image is in progress, when an image of `pixels` is large; the turn ends when the guard is
    /// dropped. The holder of a turn never waits, so there is no deadlock.
    pub fn wait(&self, pixels: u64) -> Option<MutexGuard<'_, ()>> {
        // The lock guards no data that a panic could leave inconsistent.
        (pixels > LARGE).then(|| self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::loader::parallel::ordered_map;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn large_items_take_turns_while_small_ones_continue_beside_them_in_order() {
        let gate = LargeImageGate::default();
        // In progress now, and the most at once: small, large.
        let (now, most) = (
            Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]),
            Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]),
        );
        let seen = Arc::clone(&most);
        let items = ordered_map(60, 4, move |item| {
            let large = usize::from(item % 3 == 0);
            let _guard = gate.wait([LARGE, LARGE + 1][large]);
            let running = now[large].fetch_add(1, Ordering::SeqCst) + 1;
            most[large].fetch_max(running, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(2));
            now[large].fetch_sub(1, Ordering::SeqCst);
            assert!(item != 30, "an item that panics gives its turn back");
            Ok(item)
        });
        let items: Vec<_> = items.unwrap().collect();
        for (item, result) in items.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value, item),
                Err(_) => assert_eq!(item, 30),
            }
        }
        assert_eq!(seen[1].load(Ordering::SeqCst), 1);
        assert!(seen[0].load(Ordering::SeqCst) > 1);
    }
}
