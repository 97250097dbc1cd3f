//! Waiting for other processes without taking the core from the threads that compute.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

/// The time in which a process on the same machine answers if it is in the same call.
const ANSWER: Duration = Duration::from_micros(20);

/// Bytes per second that are expected at least in shared memory. A library moves a few kilobytes through it whenever it is asked, so it must be
/// asked without a pause. Through a network bytes move by themselves, up to the buffers of its connections.
const SLOW: u64 = 500_000_000;

/// The longest pause for bytes in shared memory.
const LONGEST_IN_MEMORY: Duration = Duration::from_micros(100);

/// The longest pause for bytes in a network, whose connections have buffers of a millisecond at 10 Gb/s and more. Each look costs calls of
/// the system, which a thread that computes pays for.
const LONGEST_IN_NETWORK: Duration = Duration::from_millis(1);

/// Pauses between two looks at an operation: none at first, then longer and longer ones.
///
/// None is a `yield`: a thread that yields waits until another's milliseconds are over, while one that wakes runs before one that computes.
#[derive(Debug)]
pub struct Wait {
    busy_until: Instant,
    pause: Duration,
    longest: Duration,
}

impl Wait {
    /// Starts to wait for an operation that moves `bytes`, through shared memory if all processes are on one machine.
    pub fn new(bytes: usize, is_on_one_machine: bool) -> Self {
        let nanoseconds = (bytes as u64).saturating_mul(1_000_000_000) / SLOW;
        let (moving, longest) = if is_on_one_machine {
            (Duration::from_nanos(nanoseconds), LONGEST_IN_MEMORY)
        } else {
            (Duration::ZERO, LONGEST_IN_NETWORK)
        };
        Self {
            busy_until: Instant::now() + ANSWER + moving,
            pause: Duration::ZERO,
            longest,
        }
    }

    /// Pauses.
    pub fn pause(&mut self) {
        if Instant::now() < self.busy_until {
            hint::spin_loop();
        } else {
            self.pause = (self.pause + Duration::from_micros(1)).min(self.longest);
            thread::sleep(self.pause);
        }
    }
}
