//! Waiting for other processes without taking the core from the threads that compute.

use std::hint;
use std::thread;
use std::time::Duration;

/// Pauses that only tell the core that it waits: an answer of a process on the same machine comes within microseconds.
const SPINS: u32 = 200;

/// Pauses that let another thread run, if one can.
const YIELDS: u32 = 200;

/// The longest pause.
const LONGEST: Duration = Duration::from_micros(100);

/// Pauses between two looks at an operation, which grow.
#[derive(Debug, Default)]
pub struct Wait {
    pauses: u32,
}

impl Wait {
    /// Pauses.
    pub fn pause(&mut self) {
        self.pauses = self.pauses.saturating_add(1);
        match self.pauses {
            ..=SPINS => hint::spin_loop(),
            pauses if pauses <= SPINS + YIELDS => thread::yield_now(),
            pauses => {
                let micros = u64::from(pauses - SPINS - YIELDS);
                thread::sleep(Duration::from_micros(micros).min(LONGEST));
            }
        }
    }
}
