//! A word on a long wait for other processes, as these may never come.

use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError};
use std::time::Duration;

/// The time in which other processes are expected, and a function that tells of the first wait that is longer.
pub struct Patience {
    time: Duration,
    tell: Box<dyn Fn() + Send + Sync>,
    is_over: AtomicBool,
}

impl Patience {
    /// Creates a patience of this `time`; `tell` is called once at most, while the wait continues.
    pub fn new(time: Duration, tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            time,
            tell: Box::new(tell),
            is_over: AtomicBool::new(false),
        }
    }

    /// Lets later waits take any time.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Waits for a value, and tells if that takes long.
    ///
    /// # Errors
    /// If the sender is gone.
    pub(super) fn wait<T>(&self, values: &Receiver<T>) -> Result<T, RecvError> {
        if self.is_over.load(Ordering::Relaxed) {
            return values.recv();
        }
        match values.recv_timeout(self.time) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Disconnected) => Err(RecvError),
            Err(RecvTimeoutError::Timeout) => {
                if !self.is_over.swap(true, Ordering::Relaxed) {
                    (self.tell)();
                }
                values.recv()
            }
        }
    }
}

impl Debug for Patience {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Patience").field(&self.time).finish()
    }
}
