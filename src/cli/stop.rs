//! Ctrl-C, SIGTERM and a closed terminal: the first signal lets the run save and end, the second ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signal of a closed terminal, by its number on every Unix.
const SIGHUP: i32 = 1;

/// A request to end the program, by a signal.
#[derive(Debug, Default)]
pub struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Starts to listen for signals.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn listen(&self) -> Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        let hangup = listens_for_hangup().then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
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

    /// Returns true if a signal came.
    pub fn is_wanted(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Returns the exit status of the signal that came, if one did.
    pub fn status(&self) -> Option<u8> {
        let signal = self.signal.load(Ordering::Relaxed);
        (signal != 0).then(|| status(signal as i32) as u8)
    }
}

/// Turns a file that exceeds the user's limit (`ulimit -f`) into a write error, like a full disk, instead of a fatal signal.
pub fn survive_file_limits() {
    #[cfg(unix)]
    {
        // If it fails, the signal stays fatal.
        let _ = flag::register(signal_hook::consts::signal::SIGXFSZ, Arc::default());
    }
}

/// Returns true if a closed terminal should stop the run: not under `nohup`, which ignores the signal, and not if the system
/// does not tell.
fn listens_for_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored & (1 << (SIGHUP - 1)) == 0)
}

/// Returns the exit status that tells a shell that a signal ended a program.
fn status(signal: i32) -> i32 {
    128 + signal
}
