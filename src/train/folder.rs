//! A run's folder: who may write to it, and the files in it, each whole or not there.

use super::place::{ensure_new, is_run, is_unfinished, no_run};
use super::recipe::Recipe;
use super::state::{self, Identity, Standing, State};
use super::watch::COLUMNS;
use crate::error::hinted;
use crate::report::{PLOTS, plots_in};
use crate::weights::{Card, write_model, write_whole};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub(super) const CONFIG: &str = "config.toml";
pub(super) const STATE: &str = "state.safetensors";
pub(super) const METRICS: &str = "metrics.csv";
/// Held while a process writes to the folder, so that no second one does.
pub(super) const LOCK: &str = ".lock";

/// The folder of a run that this process alone writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The lock goes with the process, however that ends.
    _lock: File,
}

/// A model's place in a run folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The epoch that the validation pictures chose.
    Best,
    /// The last epoch.
    Last,
}

impl Which {
    /// The folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }
}

impl RunFolder {
    /// Makes the folder at `path` for a new run.
    ///
    /// # Errors
    /// Where something is there already, or it cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        ensure_new(path)?;
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make run folder `{}`", path.display()))?;
        let folder = Self::lock(path)?;
        // Another process may have begun a run in between.
        ensure_new(path)?;
        Ok(folder)
    }

    /// Takes back a folder whose run could not begin: with nothing in it that counts, it can be used again.
    pub fn abandon(self) {
        let Self { path, _lock: lock } = self;
        drop(lock);
        for name in [STATE, CONFIG, LOCK] {
            // What is not there needs no removing.
            let _ = fs::remove_file(path.join(name));
        }
        let _ = fs::remove_dir(path);
    }

    /// Removes what earlier processes were killed in writing.
    fn remove_unfinished(&self) {
        let folders = [
            self.path.clone(),
            self.path.join(Which::Best.folder()),
            self.path.join(Which::Last.folder()),
            self.path.join(PLOTS),
        ];
        for entry in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
            if is_unfinished(&entry.file_name()) {
                // It is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Makes the folder `<root>/<name>-<n>` with the first `n` from 1 that is free.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn numbered(root: &Path, name: &str) -> Result<Self> {
        let context = || format!("cannot make a run folder in `{}`", root.display());
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

    /// Opens the folder of an earlier run, and what it left there.
    ///
    /// # Errors
    /// A folder that is no run's, or in which another process is writing.
    pub fn resume(path: &Path, device: &Device) -> Result<(Self, State)> {
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
                return Err(hinted(
                    format!(
                        "run folder `{}` is in use by another process",
                        path.display()
                    ),
                    "wait until that run ends, or stop it",
                ));
            }
            // Some network file systems have no locks; the run goes on without.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of its plots, which is made where it is not there.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn plots(&self) -> Result<PathBuf> {
        plots_in(&self.path)
    }

    /// Refuses to begin where the disk has no room for what a run with such tensors writes: the state twice (the new one
    /// before the old one goes) and two models.
    ///
    /// # Errors
    /// When so much is not free.
    pub fn ensure_room(&self, state_bytes: u64, model_bytes: u64) -> Result<()> {
        let needed = 2 * state_bytes + 3 * model_bytes;
        let Some(free) = crate::train::disk::free_bytes(&self.path) else {
            return Ok(());
        };
        if free < needed {
            return Err(hinted(
                format!(
                    "the disk of run folder `{}` has {} MB free, and the run writes {} MB",
                    self.path.display(),
                    free / 1_000_000,
                    needed.div_ceil(1_000_000)
                ),
                "free some, or pass a folder on another disk with -o",
            ));
        }
        Ok(())
    }

    /// Whether `config.toml` is there.
    pub fn has_config(&self) -> bool {
        self.path.join(CONFIG).is_file()
    }

    /// What `config.toml` says.
    ///
    /// # Errors
    /// A file that cannot be read, or is no recipe.
    pub fn config(&self) -> Result<Recipe> {
        Recipe::read(&self.path.join(CONFIG))
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn config_text(&self) -> Result<String> {
        let path = self.path.join(CONFIG);
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// The first line of `config.toml`, which says what command began the run; nothing where it is not there.
    pub fn command(&self) -> Option<String> {
        let text = fs::read_to_string(self.path.join(CONFIG)).ok()?;
        Some(text.lines().next()?.strip_prefix("# ")?.to_owned())
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_config(&self, text: &str) -> Result<()> {
        write_whole(&self.path.join(CONFIG), |file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }

    /// Writes the state: the commit of everything since the one before.
    ///
    /// # Errors
    /// Numbers that are not finite, and a file that cannot be written; the earlier state is there then.
    pub fn write_state(
        &self,
        identity: &Identity,
        standing: &Standing,
        tensors: &[(String, Tensor)],
    ) -> Result<()> {
        state::write(&self.path.join(STATE), identity, standing, tensors)
    }

    /// Writes a model that can be evaluated and fine-tuned, by this program and by timm where it has the net.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write_model(
        &self,
        which: Which,
        card: &Card,
        tensors: &[(String, Tensor)],
    ) -> Result<()> {
        write_model(&self.path.join(which.folder()), card, tensors)
    }

    /// Whether a model was written.
    pub fn has_model(&self, which: Which) -> bool {
        self.weights(which).is_file()
    }

    fn weights(&self, which: Which) -> PathBuf {
        self.path.join(which.folder()).join("model.safetensors")
    }

    /// The tensors of a model that was written, or none where there is none.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn read_model(&self, which: Which) -> Result<Vec<(String, Tensor)>> {
        let path = self.weights(which);
        if !self.has_model(which) {
            return Ok(Vec::new());
        }
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(tensors.into_iter().collect())
    }

    /// Takes away the `metrics.csv` of a run that has not finished an epoch.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn remove_metrics(&self) -> Result<()> {
        let path = self.path.join(METRICS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The lines of `metrics.csv` under its header; none where it cannot be read.
    pub fn metrics(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path.join(METRICS)).unwrap_or_default();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Writes `metrics.csv` with these lines under its header.
    ///
    /// # Errors
    /// Where it cannot be written.
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
        // What a process leaves that was killed before its first state is nothing.
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
        assert!(hint_of(&error).unwrap().contains("--resume"), "{error}");
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
        if crate::train::disk::free_bytes(folder.path()).is_some() {
            let error = folder.ensure_room(u64::MAX / 4, 1).unwrap_err();
            assert!(error.to_string().contains("MB free"), "{error}");
        }
    }
}
