//! Paths of run folders: those that a new run can have, and the errors for others.

use crate::error::{Error, WithKind, command, error_with_hint, setting, usage_error};
use crate::message;
use crate::run_dir::{LOCK, STATE, is_run};
use crate::weights::locate::similar::{describe_existing, suggest_folders};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The parent folder of run folders by default.
pub(in crate::train) const RUNS: &str = "runs";

/// Words for the newest run where a folder is asked for.
const NEWEST: [&str; 4] = ["last", "latest", "newest", "best"];

/// Returns the run folder `runs/NAME`.
///
/// # Errors
/// If the name is not a single component of a path.
pub(crate) fn named_run(name: &str) -> Result<PathBuf, String> {
    let is_plain = |letter: char| !letter.is_control() && !"/\\:".contains(letter);
    if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(
            "must be the name of a folder under `runs/`, without `/`, such as `baseline`"
                .to_owned(),
        );
    }
    Ok(Path::new(RUNS).join(name))
}

/// Checks that a new run can have a path: it must not exist, or be an empty folder.
///
/// # Errors
/// If it or a folder above it is a file, or if it is a folder that is not empty.
pub fn ensure_new(path: &Path) -> Result<()> {
    ensure_no_file(path)?;
    let shown = path.display();
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write to run folder `{shown}`"));
        }
        // Left by a process that was killed before its first state.
        Ok(entries) => entries
            .flatten()
            .filter(|entry| !is_left_behind(&entry.file_name()))
            .count(),
    };
    if entries == 0 {
        return Ok(());
    }
    let message = format!("run folder `{shown}` is not empty");
    Err(if path.join(STATE).is_file() {
        error_with_hint(
            message,
            message![
                "`",
                command("train").with(setting("resume").to(shown)),
                "` resumes that run; for a new one pass another ",
                setting("name"),
                " or ",
                setting("output"),
            ],
        )
    } else {
        let hint = message![
            "pass another ",
            setting("name"),
            ", or a new folder with ",
            setting("output"),
        ];
        error_with_hint(message, hint)
    })
}

/// Checks that no file is where a folder is to be: at `path` or above it.
///
/// # Errors
/// If there is one.
pub(in crate::train) fn ensure_no_file(path: &Path) -> Result<()> {
    let existing = path.ancestors().find(|path| path.exists());
    match existing.filter(|path| !path.is_dir()) {
        None => Ok(()),
        Some(file) => Err(error_with_hint(
            format!("cannot create a run folder: `{}` is a file", file.display()),
            message![
                "move the file, or pass another folder with ",
                setting("output"),
            ],
        )),
    }
}

/// Returns the error for a path that is not a run folder.
pub(in crate::train) fn no_run(path: &Path) -> anyhow::Error {
    let shown = path.display();
    let around = path.ancestors().skip(1).find(|around| is_run(around));
    if let (true, Some(run)) = (path.exists(), around) {
        let run = match run.as_os_str() {
            empty if empty.is_empty() => Path::new("."),
            _ => run,
        };
        return usage_error(
            format!("cannot resume `{shown}`: it is part of a run"),
            message![
                "pass the run's folder: `",
                setting("resume").to(run.display()),
                "`",
            ],
        );
    }
    let name = path.file_name().unwrap_or_default();
    let is_word = NEWEST.iter().any(|word| path.as_os_str() == *word);
    if is_word && !path.exists() {
        return error_with_hint(
            format!("cannot resume `{shown}`: there is no such folder"),
            message![
                "leave it out: ",
                setting("resume"),
                " alone resumes the newest unfinished run",
            ],
        )
        .with_kind(Error::ModelNotFound);
    }
    let mut runs = path
        .parent()
        .map_or(Vec::new(), |beside| suggest_folders(beside, name, is_run));
    let named = Path::new(RUNS).join(path);
    if is_run(&named) {
        runs = vec![named];
    } else if runs.is_empty() {
        runs = suggest_folders(Path::new(RUNS), name, is_run);
    }
    let hint = match runs.as_slice() {
        [] => message![
            "pass a run folder of `",
            command("train"),
            "`, such as `runs/sample-resnet20-1`",
        ],
        runs => message![describe_existing(runs)],
    };
    let what = if path.exists() {
        format!("it has no `{STATE}`")
    } else {
        "there is no such folder".to_owned()
    };
    error_with_hint(format!("cannot resume `{shown}`: {what}"), hint)
        .with_kind(Error::ModelNotFound)
}

/// Returns true if a file is not part of a run: its lock, or one that a killed process left unfinished.
fn is_left_behind(name: &OsStr) -> bool {
    name == LOCK || is_unfinished(name)
}

/// Returns true if a file never got its final name.
pub(in crate::train) fn is_unfinished(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(b".part")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_single_folders_under_runs() {
        for name in ["baseline", "photos 2", "lr=0.1", "고양이"] {
            assert_eq!(named_run(name), Ok(Path::new("runs").join(name)));
        }
        for name in [
            "", " ", ".", "..", ".hidden", "a/b", "/tmp", "a\\b", "C:", "a\nb",
        ] {
            assert!(named_run(name).is_err(), "{name:?}");
        }
    }
}
