//! Recognition of the program that wrote a configuration, and its reading.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Configuration, preprocessor, timm, transformers};
use crate::error::{Error, WithKind, error_with_hint};
use crate::weights::hints::CORRECT;

/// Maximum size of a configuration, in bytes.
const MAX_LENGTH: u64 = 1 << 26;

/// Reads a `config.json`, and the `preprocessor_config.json` that `preprocessor` finds if transformers wrote the
/// former. Returns `None` if it is not the configuration of a model.
pub fn read_config(
    config: &Path,
    preprocessor: impl FnOnce() -> Result<Option<PathBuf>>,
) -> Result<Option<Configuration>> {
    let value = read_json(config).with_kind(Error::InvalidConfiguration)?;
    if !transformers::recognizes(&value) {
        return with_path(config, read_timm("config.json", &value));
    }
    let mut read = with_path(config, transformers::read(&value))?;
    if let Some(path) = preprocessor()? {
        let value = read_json(&path).with_kind(Error::InvalidConfiguration)?;
        let preprocess = preprocessor::parse_preprocess(&value, &mut read.notes);
        read.preprocess = with_path(&path, preprocess)?;
    }
    Ok(Some(read))
}

/// Adds the path of the file to the error of `result`.
fn with_path<T>(path: &Path, result: Result<T>) -> Result<T> {
    result
        .with_kind(Error::InvalidConfiguration)
        .with_context(|| format!("cannot use `{}`", path.display()))
}

/// Returns true if `text` is a configuration that `resnet` wrote, not another program's.
pub fn is_written_by_resnet(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value["resnet"].is_object())
}

/// Reads the configuration that `resnet` writes into the metadata of safetensors files.
pub fn from_metadata(text: &str) -> Result<Configuration> {
    let source = "the file's metadata";
    let value = serde_json::from_str(text)
        .map_err(|error| error_with_hint(format!("{source} is not JSON: {error}"), CORRECT))?;
    timm::read(source, &value).with_context(|| format!("cannot use {source}"))
}

fn read_timm(source: &str, value: &Value) -> Result<Option<Configuration>> {
    if timm::recognizes(value) {
        timm::read(source, value).map(Some)
    } else {
        Ok(None)
    }
}

/// Reads the JSON file at `path`, up to the maximum size of a configuration.
pub fn read_json(path: &Path) -> Result<Value> {
    let read = || -> Result<Value> {
        let size = std::fs::metadata(path)?.len();
        if size > MAX_LENGTH {
            return Err(error_with_hint(
                format!("it has {size} bytes, too many for a configuration"),
                CORRECT,
            ));
        }
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| error_with_hint(error.to_string(), CORRECT))
    };
    read().with_context(|| format!("cannot read `{}`", path.display()))
}
