//! Ctrl-C, SIGTERM and a terminal that goes: the first asks the run to save and end, the second ends it at once.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A terminal that goes, by its number on every Unix.
const SIGHUP: i32 = 1;

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

/// Makes a file that grows beyond the user's limit (`ulimit -f`) an error of its writing, as a full disk is, where the system
/// would end the program.
pub fn survive_file_limits() {
    #[cfg(unix)]
    {
        // Without the handler it is as it was.
        let _ = flag::register(signal_hook::consts::signal::SIGXFSZ, Arc::default());
    }
}

/// Whether a terminal that goes should stop the run: not under `nohup`, which has the signal ignored, and where the system does
/// not tell, it stays as it is.
fn listens_for_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored & (1 << (SIGHUP - 1)) == 0)
}

/// The exit status by which a shell knows that a signal ended a program.
fn status(signal: i32) -> i32 {
    128 + signal
}
