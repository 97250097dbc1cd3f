//! The file that predictions are written to, and their formats.

use crate::error::{error_with_hint, usage_error};
use crate::fs::{temporary_beside, write_whole};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with bars on a terminal
    Text,
    /// One line of JSON per image
    Json,
    /// One line per prediction, with a header
    Csv,
}

/// A file of predictions, which appears at the end, whole.
#[derive(Debug)]
pub struct PredictionFile {
    path: PathBuf,
    format: Format,
    text: String,
}

impl PredictionFile {
    /// Checks before the long work that the file at `path` can be written, and takes its format from its extension;
    /// `format` is the one that the user named, and `read` are files that the command reads.
    ///
    /// # Errors
    /// If the extension is not one of a format, contradicts `format`, or the file cannot be written or is one of
    /// `read`.
    pub fn create(path: &Path, format: Option<Format>, read: &[&Path]) -> Result<Self> {
        let shown = path.display();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let of_ending = match ending.to_str() {
            Some("csv") => Format::Csv,
            Some("json" | "jsonl") => Format::Json,
            _ => {
                return Err(usage_error(
                    format!("cannot determine the format of `{shown}` from its extension"),
                    "predictions are written as .csv or .json",
                ));
            }
        };
        if format.is_some_and(|format| format != of_ending) {
            return Err(usage_error(
                format!("--format and the extension of `{shown}` contradict each other"),
                "omit --format: the extension determines the format",
            ));
        }
        // A file that is not there is none that is read.
        let there = path.canonicalize().ok();
        let is_it = |there: &PathBuf| {
            let mut read = read.iter();
            read.any(|file| file.canonicalize().is_ok_and(|file| file == *there))
        };
        if there.is_some_and(|there| is_it(&there)) {
            return Err(usage_error(
                format!("predictions would overwrite `{shown}`, which is an input"),
                "pass another file",
            ));
        }
        let prepare = || -> Result<()> {
            if path.is_dir() {
                return Err(error_with_hint("it is a folder", "pass a file's name"));
            }
            let folder = path.parent().unwrap_or(Path::new(""));
            if folder != Path::new("") && !folder.is_dir() {
                return Err(error_with_hint(
                    "there is no such folder",
                    "create it first",
                ));
            }
            temporary_beside(path)?;
            Ok(())
        };
        prepare().with_context(|| format!("cannot write `{shown}`"))?;
        Ok(Self {
            path: path.to_owned(),
            format: of_ending,
            text: String::new(),
        })
    }

    /// Returns the format of its extension.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Adds text to the end of the file.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes the file and returns its path.
    pub fn save(self) -> Result<PathBuf> {
        write_whole(&self.path, |file| Ok(file.write_all(self.text.as_bytes())?))?;
        Ok(self.path)
    }
}
