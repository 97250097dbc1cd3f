//! Folders of models and of training runs, and the files of weights in them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::error::{command, error_with_hint, setting};
use crate::message;
use crate::run_dir::{self, BEST, LAST, MODEL_CONFIG, RECIPE, STATE};

/// File extensions of weights.
pub const WEIGHTS_EXTENSIONS: [&str; 4] = ["safetensors", "pth", "pt", "bin"];

/// Names of weights in a folder or repository, in order of preference; an index lists the parts of sharded weights.
pub const WEIGHTS: [&str; 4] = [
    run_dir::WEIGHTS,
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// Returns true if `file` has an extension of weights, in upper or lower case.
pub fn has_weights_extension(file: &str) -> bool {
    Path::new(file)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            let mut known = WEIGHTS_EXTENSIONS.iter();
            known.any(|known| known.eq_ignore_ascii_case(extension))
        })
}

/// Returns true if `folder` belongs to a training run or a model.
pub fn holds_model_or_run(folder: &Path) -> bool {
    holds_model(folder) || folder.join(STATE).is_file() || folder.join(BEST).is_dir()
}

fn holds_model(folder: &Path) -> bool {
    [MODEL_CONFIG]
        .iter()
        .chain(&WEIGHTS)
        .any(|name| folder.join(name).is_file())
}

/// Rejects the state of a training run, which is more than a model.
///
/// # Errors
/// If a file of that name is in the folder of a run.
pub fn ensure_not_run_state(file: &Path) -> Result<()> {
    let run = file.parent().unwrap_or(Path::new(""));
    let is_runs = run.join(RECIPE).is_file() || run.join(LAST).is_dir();
    if file.file_name() != Some(STATE.as_ref()) || !is_runs {
        return Ok(());
    }
    Err(error_with_hint(
        format!(
            "cannot load weights `{}`: it is the state of a training run, not a model",
            file.display()
        ),
        format!(
            "pass `{}`, its best model, or `{}`",
            run.join(BEST).display(),
            run.join(LAST).display()
        ),
    ))
}

/// Returns the folder of the weights: for a training run, that of its best model, or of its last if nothing was
/// evaluated yet.
pub fn resolve_run_folder(folder: PathBuf) -> PathBuf {
    if holds_model(&folder) {
        return folder;
    }
    [BEST, LAST]
        .iter()
        .map(|name| folder.join(name))
        .find(|inner| holds_model(inner))
        .unwrap_or(folder)
}

/// Returns the name of the weights in `folder`: one of the usual names, or the only file of weights.
pub fn find_weights(folder: &Path) -> Result<String> {
    if let Some(name) = WEIGHTS.iter().find(|name| folder.join(name).is_file()) {
        return Ok((*name).to_owned());
    }
    let shown = folder.display();
    let read =
        std::fs::read_dir(folder).with_context(|| format!("cannot read folder `{shown}`"))?;
    let mut found = BTreeSet::new();
    for entry in read {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A run's whole state is more than a model's weights.
        if has_weights_extension(&name) && name != STATE {
            found.insert(name);
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name),
        (Some(first), Some(second)) => Err(error_with_hint(
            format!(
                "folder `{shown}` holds several files of weights: `{first}`, `{second}`{}",
                if found.len() > 0 { " and more" } else { "" }
            ),
            "pass the path of the one you need",
        )),
        (None, _) if folder.join(STATE).is_file() => Err(error_with_hint(
            format!("run folder `{shown}` holds no model: it has neither `best/` nor `last/`"),
            message![
                "`",
                command("train").with(setting("resume").to(shown)),
                "` resumes it and writes them at the end of an epoch"
            ],
        )),
        (None, _) => Err(error_with_hint(
            format!("folder `{shown}` holds no weights"),
            "a model folder has `model.safetensors` or `pytorch_model.bin`, a run folder `best/`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_recognized_in_upper_case() {
        assert!(has_weights_extension("X.PTH") && has_weights_extension("x.SafeTensors"));
        assert!(!has_weights_extension("x.txt") && !has_weights_extension("pth"));
    }
}
