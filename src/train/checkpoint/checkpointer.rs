//! The files of a run: the state first, and those that follow from it.

use crate::data::DatasetSurvey;
use crate::train::checkpoint::layout::SavedModel;
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::checkpoint::state::RunIdentity;
use crate::weights::ModelInfo;
use crate::weights::provenance::Selection;
use anyhow::Result;
use candle_core::Tensor;
use std::collections::HashMap;

/// The prefix of the best weights of the finished epochs in the state of a run that ended inside a later epoch.
pub(in crate::train) const BEST: &str = "best.";

/// Saves a run. In a dry run, which has no folder, it saves nothing.
#[derive(Debug)]
pub struct Checkpointer {
    folder: Option<RunFolder>,
    identity: RunIdentity,
    /// The model information in `best/` and `last/`.
    info: ModelInfo,
    /// The best weights of the finished epochs, if the run ended inside a later epoch that replaced `best/`.
    earlier_best: Vec<(String, Tensor)>,
}

/// The files that a run folder has before the first step.
#[derive(Debug)]
pub(in crate::train) struct FirstFiles<'a> {
    /// The text of `config.toml`.
    pub config: String,
    /// The inspection of a folder of images.
    pub survey: Option<&'a DatasetSurvey>,
    /// The tensors of the state.
    pub state: Vec<(String, Tensor)>,
    /// The weights of a model, whose size is that of `best/` and of `last/`.
    pub weights: Vec<(String, Tensor)>,
}

impl Checkpointer {
    /// Creates the checkpointer of a dry run.
    pub(in crate::train) fn new(identity: RunIdentity, info: ModelInfo) -> Self {
        Self {
            folder: None,
            identity,
            info,
            earlier_best: Vec::new(),
        }
    }

    /// Writes the `first` files of a new run to `folder`, so that it can be resumed from then on.
    ///
    /// # Errors
    /// If the disk is full or the files cannot be written; the folder is removed then.
    pub(in crate::train) fn begin(
        &mut self,
        folder: RunFolder,
        progress: &TrainProgress,
        first: &FirstFiles<'_>,
    ) -> Result<()> {
        let written = self.write_first(&folder, progress, first);
        if written.is_err() {
            folder.abandon();
        } else {
            self.folder = Some(folder);
        }
        written
    }

    fn write_first(
        &self,
        folder: &RunFolder,
        progress: &TrainProgress,
        first: &FirstFiles<'_>,
    ) -> Result<()> {
        folder.ensure_room(bytes(&first.state), bytes(&first.weights))?;
        // The state first: a folder that has one can be resumed, and one that has none counts as empty.
        folder.write_state(&self.identity, progress, &first.state)?;
        if let Some(survey) = first.survey {
            folder.write_survey(survey)?;
        }
        folder.write_config(&first.config)
    }

    /// Continues the run in `folder`, whose state had the best weights of the finished epochs if it ended inside a later one.
    pub(in crate::train) fn resume(
        &mut self,
        folder: RunFolder,
        earlier_best: HashMap<String, Tensor>,
    ) {
        self.folder = Some(folder);
        self.earlier_best = earlier_best.into_iter().collect();
    }

    /// Returns the run folder; `None` in a dry run.
    pub(in crate::train) fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }

    /// Returns the identity of the run.
    pub(in crate::train) fn identity(&self) -> &RunIdentity {
        &self.identity
    }

    /// Returns the model information in `last/`.
    pub(in crate::train) fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Saves the progress and the tensors that `state` returns: the commit of what was done since the last save.
    ///
    /// # Errors
    /// Those of `state`; if values are not finite, or the file cannot be written.
    pub(in crate::train) fn save(
        &self,
        progress: &TrainProgress,
        state: impl FnOnce() -> Result<Vec<(String, Tensor)>>,
    ) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut tensors = state()?;
        if progress.provisional.is_some() {
            let best = self.earlier_best.iter().cloned();
            tensors.extend(best.map(|(name, tensor)| (format!("{BEST}{name}"), tensor)));
        }
        folder.write_state(&self.identity, progress, &tensors)
    }

    /// Keeps the weights in `best/` for the state of a run that ends inside an epoch which replaces them.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(in crate::train) fn keep_best(&mut self) -> Result<()> {
        if let Some(folder) = &self.folder {
            self.earlier_best = folder.read_model(SavedModel::Best)?;
        }
        Ok(())
    }

    /// Writes the weights that [`Checkpointer::keep_best`] kept back to `best/`, for a run that continues the epoch that it ended in.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(in crate::train) fn restore_best(&mut self, selection: Option<Selection>) -> Result<()> {
        let best = std::mem::take(&mut self.earlier_best);
        match &self.folder {
            Some(folder) if !best.is_empty() => {
                folder.write_model(SavedModel::Best, &self.selected(selection), &best)
            }
            _ => Ok(()),
        }
    }

    /// Writes what follows from the saved state of a validated epoch: the `weights` in `last/` and, if it is the best epoch, in `best/`;
    /// and `metrics.csv`.
    ///
    /// # Errors
    /// Those of `weights`, and if a file cannot be written.
    pub(in crate::train) fn write_models(
        &self,
        progress: &TrainProgress,
        weights: impl FnOnce() -> Result<Vec<(String, Tensor)>>,
        selection: Option<Selection>,
    ) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let weights = weights()?;
        if progress.is_best() {
            folder.write_model(SavedModel::Best, &self.selected(selection), &weights)?;
        }
        folder.write_model(SavedModel::Last, &self.info, &weights)?;
        folder.write_metrics(&progress.all_rows())
    }

    /// Restores the files that follow from the state, which a killed process may not have written; `weights` are those of the state.
    ///
    /// # Errors
    /// Those of `weights`, and if a file cannot be written.
    pub(in crate::train) fn restore(
        &self,
        progress: &TrainProgress,
        weights: impl FnOnce() -> Result<Vec<(String, Tensor)>>,
        selection: Option<Selection>,
    ) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        if progress.is_validated() {
            self.write_models(progress, weights, selection)
        } else if progress.epoch == 0 {
            // A run that had ended inside its first epoch wrote one line.
            folder.remove_metrics()
        } else {
            folder.write_metrics(&progress.rows)
        }
    }

    /// Returns the model information of `best/`, which names the validation that selected it.
    fn selected(&self, selection: Option<Selection>) -> ModelInfo {
        let mut info = self.info.clone();
        if let Some(provenance) = &mut info.provenance {
            provenance.selection = selection;
        }
        info
    }
}

/// Returns the size of tensors in bytes.
fn bytes(tensors: &[(String, Tensor)]) -> u64 {
    let sizes = tensors
        .iter()
        .map(|(_, tensor)| tensor.elem_count() * tensor.dtype().size_in_bytes());
    sizes.sum::<usize>() as u64
}

#[cfg(test)]
mod tests;
