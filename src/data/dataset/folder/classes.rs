//! The classes of a split, in folders or in a file of annotations.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::annotated;
use super::class::{Class, label};
use crate::data::dataset::list::{list, subfolders};

/// Returns the classes of a split, sorted by name: its folders, or those that a file of annotations names.
pub fn classes(part: &Path, notes: &mut Vec<String>) -> Result<Vec<Class>> {
    if let Some(annotations) = annotated::find(part)? {
        return annotated::read(part, &annotations, notes);
    }
    let class = |folder: &PathBuf| {
        Ok(Class {
            name: label(folder)?,
            files: list(folder),
        })
    };
    subfolders(part)?.iter().map(class).collect()
}
