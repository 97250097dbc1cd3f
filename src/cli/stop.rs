//! Ctrl-C and SIGTERM: the first asks the run to save and end, the second ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whether the person or the system wants the program to end.
#[derive(Debug, Default)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system lets nobody listen.
    pub fn listen(&self) -> Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let listen = || {
                // In this order: the first signal arms what the second one meets.
                flag::register_conditional_shutdown(signal, status(signal), Arc::clone(&again))?;
                flag::register(signal, Arc::clone(&again))?;
                flag::register_usize(signal, Arc::clone(&self.signal), signal as usize)
            };
            listen().context("cannot listen for Ctrl-C")?;
        }
        Ok(())
    }

    /// Whether a signal came.
    pub fn is_wanted(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The exit status of the signal that came.
    pub fn status(&self) -> Option<u8> {
        let signal = self.signal.load(Ordering::Relaxed);
        (signal != 0).then(|| status(signal as i32) as u8)
    }
}

/// The exit status by which a shell knows that a signal ended a program.
fn status(signal: i32) -> i32 {
    128 + signal
}
