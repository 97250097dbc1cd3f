//! The result of a call that another thread makes.

use crate::distributed::patience::Patience;
use anyhow::{Result, anyhow};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The result of a call that is under way.
#[derive(Debug)]
pub struct Pending<R> {
    result: Receiver<Result<R>>,
    patience: Option<Arc<Patience>>,
}

impl<R> Pending<R> {
    /// Creates the result of a call that sends it to `result`; `patience` tells of a long wait.
    pub(super) fn new(result: Receiver<Result<R>>, patience: Option<Arc<Patience>>) -> Self {
        Self { result, patience }
    }

    /// Waits for the result for at most `time`.
    ///
    /// # Errors
    /// If there is none by then.
    pub(super) fn wait_for(&self, time: Duration) -> Result<Result<R>, RecvTimeoutError> {
        self.result.recv_timeout(time)
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Those of the call.
    pub fn wait(self) -> Result<R> {
        let result = match &self.patience {
            Some(patience) => patience.wait(&self.result),
            None => self.result.recv(),
        };
        result.map_err(|_| {
            anyhow!("the thread that exchanges values with other processes has failed")
        })?
    }
}

/// Returns a result that is there.
pub(super) fn ready<R>(result: Result<R>) -> Pending<R> {
    let (done, pending) = channel();
    let _ = done.send(result);
    Pending::new(pending, None)
}
