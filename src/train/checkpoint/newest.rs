//! The newest unfinished run of a folder, to be resumed.

use crate::error::{command, error_with_hint, setting};
use crate::message;
use crate::run_dir::{LOCK, STATE, is_run};
use crate::train::checkpoint::paths::RUNS;
use crate::train::checkpoint::state::read_header;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use anyhow::Result;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Returns the run under `runs/` that was saved last among those that are unfinished and not in use.
///
/// # Errors
/// If there is none.
pub fn newest_unfinished() -> Result<PathBuf> {
    newest_in(Path::new(RUNS))
}

fn newest_in(root: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let runs = paths.filter(|path| is_run(path)).filter_map(|path| {
        let saved_at = fs::metadata(path.join(STATE)).ok()?.modified().ok()?;
        Some((saved_at, path))
    });
    let mut runs: Vec<(SystemTime, PathBuf)> = runs.collect();
    runs.sort();
    let mut newest_finished = None;
    for (_, run) in runs.into_iter().rev() {
        match is_finished(&run) {
            Some(false) if !is_in_use(&run) => return Ok(run),
            Some(true) => newest_finished = newest_finished.or(Some(run)),
            Some(false) | None => {}
        }
    }
    let message = format!("there is no unfinished run in `{}`", root.display());
    Err(match newest_finished {
        Some(run) => error_with_hint(
            message,
            message![
                "pass a run folder with `",
                setting("resume").to("RUN_DIR"),
                "`; `",
                command("train")
                    .with(setting("resume").to(run.display()))
                    .with(setting("epochs").to("N")),
                "` extends the newest run",
            ],
        ),
        None => error_with_hint(
            message,
            message![
                "pass a run folder with `",
                setting("resume").to("RUN_DIR"),
                "`, or start a run with `",
                command("train").with(setting("data").to("DATA")),
                "`",
            ],
        ),
    })
}

/// Returns whether a run has no steps left; `None` if its state cannot be read.
fn is_finished(run: &Path) -> Option<bool> {
    let (identity, progress) = read_header(&run.join(STATE)).ok()?;
    let recipe = Recipe::parse(&identity.recipe).ok()?;
    let settings = Settings::new(&recipe).ok()?;
    let is_validated = progress.best.is_some_and(|best| best.top1.is_some());
    Some(progress.stop_reason(&settings, is_validated).is_some())
}

/// Returns whether another process writes to the run.
fn is_in_use(run: &Path) -> bool {
    let file = File::options().write(true).open(run.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
