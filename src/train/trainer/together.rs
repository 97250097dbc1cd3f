//! Agreement of the processes of a run: on the weights and the state of the first process, and on whether to stop.

use crate::distributed::Processes;
use crate::error::{Message, setting, usage_error};
use crate::message;
use crate::text::pluralize;
use crate::train::checkpoint::layout::SavedModel;
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::checkpoint::state::{RunState, parse};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::context::ExecutionContext;
use crate::train::observe::observer::Observer;
use crate::train::trainer::Trainer;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// Sets the number of shards to that of processes unless the recipe has one.
pub(super) fn share_batches(recipe: &mut Recipe, processes: &Processes) -> Result<()> {
    if recipe.shards.is_none() && processes.size() > 1 {
        recipe.shards = Some(processes.size());
    }
    ensure_shards(recipe.shards.unwrap_or(1), processes)
}

/// Rejects a run whose shards are fewer than the processes.
pub(super) fn ensure_shared(settings: &Settings, processes: &Processes) -> Result<()> {
    ensure_shards(settings.shards, processes)
}

fn ensure_shards(shards: usize, processes: &Processes) -> Result<()> {
    // Zero is refused with the other limits of the settings.
    if shards >= processes.size() || shards == 0 {
        return Ok(());
    }
    Err(usage_error(
        format!(
            "{} cannot be shared by {} processes",
            pluralize(shards, "shard"),
            processes.size()
        ),
        message![
            format!(
                "start at most {}, or begin a run with ",
                pluralize(shards, "process")
            ),
            setting("shards").to(processes.size()),
        ],
    ))
}

/// Lets the processes sum gradients where they compute them, if they can, and notes it if they cannot although the binary was built for it.
pub(super) fn connect_devices(
    context: &ExecutionContext,
    observer: &mut dyn Observer,
) -> Result<()> {
    let failure = context.processes.connect_devices(&context.device)?;
    if let Some(failure) = failure {
        observer.note(&Message::from(failure));
    }
    Ok(())
}

/// Reads the state of the run in `folder`, which the first process alone sees; it sends it to the others, which have no folder.
pub(super) fn read_state(
    folder: &Path,
    context: &ExecutionContext,
) -> Result<(Option<RunFolder>, RunState)> {
    let processes = &context.processes;
    if processes.is_first() {
        let (run_folder, state) = RunFolder::resume(folder, &context.device)?;
        if processes.size() > 1 {
            processes.broadcast(run_folder.state_bytes()?)?;
        }
        return Ok((Some(run_folder), state));
    }
    let bytes = processes.broadcast(Vec::new())?;
    let state = parse(&bytes, folder).context("cannot read the state of process 0")?;
    Ok((None, state.on(&context.device)?))
}

impl Trainer {
    /// Returns true if `yes` is true in all processes.
    pub(super) fn agree(&self, yes: bool) -> Result<bool> {
        let all = self.processes.gather(vec![u8::from(yes)])?;
        Ok(all.iter().all(|answer| answer[..] == [1]))
    }

    /// Returns true if `yes` is true in any process.
    pub(super) fn any(&self, yes: bool) -> Result<bool> {
        Ok(!self.agree(!yes)?)
    }

    /// Returns true if `observer` wants to stop; with several processes, if any process wanted to when they last told each other.
    pub(super) fn should_stop(&self, observer: &dyn Observer) -> bool {
        if self.processes.size() > 1 {
            self.stop
        } else {
            observer.should_stop()
        }
    }

    /// Starts from the weights of the first process.
    pub(super) fn receive_weights(&mut self) -> Result<()> {
        if self.processes.size() == 1 {
            return Ok(());
        }
        let tensors: HashMap<String, Tensor> = if self.processes.is_first() {
            self.learner.state()?.into_iter().collect()
        } else {
            HashMap::new()
        };
        let bytes = safetensors::serialize(&tensors, None)?;
        let bytes = self.processes.broadcast(bytes)?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        self.learner.restore(&tensors, self.progress.step)
    }

    /// Returns the weights of the best epoch; empty if there are none. The first process, which sees the run folder, sends them to
    /// the others if these are to measure them.
    pub(super) fn best_weights(&self) -> Result<HashMap<String, Tensor>> {
        let read = match self.checkpoints.folder() {
            Some(folder) => folder.read_model(SavedModel::Best),
            None => Ok(Vec::new()),
        };
        let read = read.map(|best| best.into_iter().collect());
        if self.processes.size() == 1 || !self.eval.is_to_measure() {
            return read;
        }
        // Also if they cannot be read, as the others wait.
        let packed = read.and_then(|best: HashMap<String, Tensor>| {
            let bytes = match best.len() {
                0 => Vec::new(),
                _ => safetensors::serialize(&best, None)?,
            };
            Ok((best, bytes))
        });
        let (read, bytes) = match packed {
            Ok((best, bytes)) => (Ok(best), bytes),
            Err(error) => (Err(error), Vec::new()),
        };
        let bytes = self.processes.broadcast(bytes)?;
        if self.processes.is_first() || bytes.is_empty() {
            return read;
        }
        Ok(candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?)
    }

    /// Continues from the progress of the first process, which sees the run folder.
    pub(super) fn receive_progress(&mut self) -> Result<()> {
        if self.processes.size() > 1 {
            let sent = self
                .processes
                .broadcast(serde_json::to_vec(&self.progress)?)?;
            self.progress = serde_json::from_slice(&sent)?;
        }
        Ok(())
    }
}
