//! Run folders: exclusive access and the files in them, each written atomically.

use crate::data::DatasetSurvey;
use crate::error::{Error, WithKind, error_with_hint, setting};
use crate::eval::history::COLUMNS;
use crate::fs::write_whole;
use crate::message;
use crate::report::{PLOTS, plots_in};
use crate::run_dir::{LOCK, METRICS, RECIPE, STATE, SURVEY, WEIGHTS, is_run};
use crate::train::checkpoint::layout::SavedModel;
use crate::train::checkpoint::paths::{ensure_new, is_unfinished, no_run};
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::state::{self, RunIdentity, RunState};
use crate::train::config::recipe::Recipe;
use crate::weights::{ModelInfo, write_model};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A run folder, locked by this process.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The lock is released when the process ends.
    _lock: File,
}

impl RunFolder {
    /// Creates the folder at `path` for a new run.
    ///
    /// # Errors
    /// If it exists and is not empty, or cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        ensure_new(path)?;
        fs::create_dir_all(path)
            .with_context(|| format!("cannot create run folder `{}`", path.display()))?;
        let folder = Self::lock(path)?;
        // Another process may have started a run in between.
        ensure_new(path)?;
        Ok(folder)
    }

    /// Removes a folder whose run could not start, unless it has other files.
    pub fn abandon(self) {
        let Self { path, _lock: lock } = self;
        drop(lock);
        for name in [STATE, RECIPE, SURVEY, LOCK] {
            // A missing file needs no removal.
            let _ = fs::remove_file(path.join(name));
        }
        let _ = fs::remove_dir(path);
    }

    /// Removes unfinished files of killed processes.
    fn remove_unfinished(&self) {
        let folders = [
            self.path.clone(),
            self.path.join(SavedModel::Best.folder()),
            self.path.join(SavedModel::Last.folder()),
            self.path.join(PLOTS),
        ];
        for entry in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
            if is_unfinished(&entry.file_name()) {
                // It does no harm if it stays.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Creates the folder `<root>/<name>-<n>` with the first free `n` from 1.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn numbered(root: &Path, name: &str) -> Result<Self> {
        let context = || format!("cannot create a run folder in `{}`", root.display());
        fs::create_dir_all(root).with_context(context)?;
        let mut number = 1;
        loop {
            let path = root.join(format!("{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Self::lock(&path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error).with_context(context),
            }
        }
    }

    /// Opens the folder of an earlier run, and reads its state.
    ///
    /// # Errors
    /// If it is not a run folder, or another process writes to it.
    pub fn resume(path: &Path, device: &Device) -> Result<(Self, RunState)> {
        let shown = path.display();
        if !is_run(path) {
            return Err(no_run(path));
        }
        let folder = Self::lock(path)?;
        folder.remove_unfinished();
        let state = state::read(&folder.path.join(STATE), device)
            .with_context(|| format!("cannot resume `{shown}`"))?;
        Ok((folder, state))
    }

    /// Returns the bytes of the state file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn state_bytes(&self) -> Result<Vec<u8>> {
        let path = self.path.join(STATE);
        std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
    }

    fn lock(path: &Path) -> Result<Self> {
        let context = || format!("cannot write to run folder `{}`", path.display());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(error_with_hint(
                    format!(
                        "run folder `{}` is in use by another process",
                        path.display()
                    ),
                    "wait until that run ends, or stop it",
                )
                .with_kind(Error::Io));
            }
            // Some network file systems have no locks; the run continues without one.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of the plots, created if needed.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn plots(&self) -> Result<PathBuf> {
        plots_in(&self.path)
    }

    /// Checks that the disk has room for the files of a run: the state twice (the new one is written before the old one is
    /// removed) and the models.
    ///
    /// # Errors
    /// If there is less space.
    pub fn ensure_room(&self, state_bytes: u64, model_bytes: u64) -> Result<()> {
        let needed = 2 * state_bytes + 3 * model_bytes;
        let Some(free) = crate::train::checkpoint::disk::free_bytes(&self.path) else {
            return Ok(());
        };
        if free < needed {
            return Err(error_with_hint(
                format!(
                    "the disk of run folder `{}` has {} MB free, and the run needs {} MB",
                    self.path.display(),
                    free / 1_000_000,
                    needed.div_ceil(1_000_000)
                ),
                message![
                    "free some space, or pass a folder on another disk with ",
                    setting("output"),
                ],
            ));
        }
        Ok(())
    }

    /// Returns whether `config.toml` exists.
    pub fn has_config(&self) -> bool {
        self.path.join(RECIPE).is_file()
    }

    /// Reads `config.toml`.
    ///
    /// # Errors
    /// If it cannot be read, or is not a recipe.
    pub fn config(&self) -> Result<Recipe> {
        Recipe::read(&self.path.join(RECIPE))
    }

    /// Returns the text of `config.toml`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn config_text(&self) -> Result<String> {
        let path = self.path.join(RECIPE);
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// Returns the first line of `config.toml`, with the command that started the run; `None` if there is none.
    pub fn command(&self) -> Option<String> {
        let text = fs::read_to_string(self.path.join(RECIPE)).ok()?;
        Some(text.lines().next()?.strip_prefix("# ")?.to_owned())
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, text: &str) -> Result<()> {
        write_whole(&self.path.join(RECIPE), |file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }

    /// Writes `data.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_survey(&self, survey: &DatasetSurvey) -> Result<()> {
        write_whole(&self.path.join(SURVEY), |file| {
            serde_json::to_writer_pretty(&mut *file, survey)?;
            Ok(file.write_all(b"\n")?)
        })
    }

    /// Reads `data.json`; `None` in runs of earlier versions and where it cannot be read.
    pub fn survey(&self) -> Option<DatasetSurvey> {
        let text = fs::read(self.path.join(SURVEY)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the state: the commit of the progress since the last one.
    ///
    /// # Errors
    /// If numbers are not finite, or the file cannot be written; the earlier state stays then.
    pub fn write_state(
        &self,
        identity: &RunIdentity,
        progress: &TrainProgress,
        tensors: &[(String, Tensor)],
    ) -> Result<()> {
        state::write(&self.path.join(STATE), identity, progress, tensors)
    }

    /// Writes a model that this program can load, and timm if it has the architecture.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_model(
        &self,
        which: SavedModel,
        info: &ModelInfo,
        tensors: &[(String, Tensor)],
    ) -> Result<()> {
        write_model(&self.path.join(which.folder()), &info.to_json(), tensors)
    }

    /// Returns whether a model was written.
    pub fn has_model(&self, which: SavedModel) -> bool {
        self.weights(which).is_file()
    }

    fn weights(&self, which: SavedModel) -> PathBuf {
        self.path.join(which.folder()).join(WEIGHTS)
    }

    /// Returns the tensors of a model, empty if there is none.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn read_model(&self, which: SavedModel) -> Result<Vec<(String, Tensor)>> {
        let path = self.weights(which);
        if !self.has_model(which) {
            return Ok(Vec::new());
        }
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(tensors.into_iter().collect())
    }

    /// Removes the `metrics.csv` of a run without a finished epoch.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove_metrics(&self) -> Result<()> {
        let path = self.path.join(METRICS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Returns the lines of `metrics.csv` below its header; empty if it cannot be read.
    pub fn metrics(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path.join(METRICS)).unwrap_or_default();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Writes `metrics.csv` with these lines below its header.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_metrics(&self, rows: &[String]) -> Result<()> {
        let lines = std::iter::once(COLUMNS).chain(rows.iter().map(String::as_str));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        write_whole(&self.path.join(METRICS), |file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    #[test]
    fn numbered_folders_take_the_first_free_number() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join("runs");
        let first = RunFolder::numbered(&runs, "sample-resnet20").unwrap();
        let second = RunFolder::numbered(&runs, "sample-resnet20").unwrap();
        assert_eq!(first.path(), runs.join("sample-resnet20-1"));
        assert_eq!(second.path(), runs.join("sample-resnet20-2"));
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused_with_the_way_out() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        drop(RunFolder::create(&path).unwrap());
        // The files of a process that was killed before its first state do not count.
        fs::write(path.join(".x1y2z3.part"), b"half").unwrap();
        RunFolder::create(&path).unwrap().abandon();
        assert!(path.is_dir());
        fs::remove_file(path.join(".x1y2z3.part")).unwrap();
        RunFolder::create(&path).unwrap().abandon();
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        fs::write(path.join("thesis.tex"), b"").unwrap();
        let error = RunFolder::create(&path).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
        fs::write(path.join(STATE), b"").unwrap();
        let error = RunFolder::create(&path).unwrap_err();
        assert!(
            hint_of(&error).unwrap().to_string().contains("resume = "),
            "{error}"
        );
        fs::write(root.path().join("file"), b"").unwrap();
        assert!(RunFolder::create(&root.path().join("file")).is_err());
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let folder = RunFolder::create(&path).unwrap();
        let error = RunFolder::lock(&path).unwrap_err();
        assert!(error.to_string().contains("in use"), "{error}");
        drop(folder);
        RunFolder::lock(&path).unwrap();
    }

    #[test]
    fn a_disk_without_room_is_named_before_anything_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&root.path().join("run")).unwrap();
        folder.ensure_room(1, 1).unwrap();
        if crate::train::checkpoint::disk::free_bytes(folder.path()).is_some() {
            let error = folder.ensure_room(u64::MAX / 4, 1).unwrap_err();
            assert!(error.to_string().contains("MB free"), "{error}");
        }
    }
}
