//! Splits whose images are in one folder and whose classes are in a file, as Tiny `ImageNet` has them:
//!
//! ```text
//! val/images/val_0.JPEG
//! val/val_annotations.txt     val_0.JPEG <tab> n03444034 <tab> 0 <tab> 32 <tab> 44 <tab> 62
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::class::{Class, shown_name};
use crate::data::dataset::list::{Listing, list, subfolders};
use crate::error::error_with_hint;
use crate::text::pluralize;

/// The folder of the images.
pub const IMAGES: &str = "images";

/// The end of the name of the file, behind that of the split.
const ANNOTATIONS: &str = "_annotations.txt";

/// Returns the file that names the classes of the images in `part`, unless it has class folders.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(part: &Path) -> Result<Option<PathBuf>> {
    let cannot = || format!("cannot read folder `{}`", part.display());
    let entries = fs::read_dir(part).with_context(cannot)?;
    let files = entries.flatten().map(|entry| entry.path());
    let is_meant = |path: &PathBuf| shown_name(path).ends_with(ANNOTATIONS) && path.is_file();
    let Some(file) = files.filter(is_meant).min() else {
        return Ok(None);
    };
    let is_class = |folder: &PathBuf| shown_name(folder) != IMAGES;
    let has_classes = subfolders(part)?.iter().any(is_class);
    Ok((!has_classes).then_some(file))
}

/// Returns the images in `part` by the classes that `file` names, sorted.
///
/// # Errors
/// When the file cannot be read or a line names no class, or a folder cannot be read.
pub fn read(part: &Path, file: &Path, notes: &mut Vec<String>) -> Result<Vec<Class>> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{shown}`"))?;
    let mut named = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let mut columns = line.split('\t').map(str::trim);
        match (columns.next(), columns.next()) {
            (Some(image), Some(class)) if !image.is_empty() && !class.is_empty() => {
                named.insert(image, class);
            }
            _ => {
                return Err(error_with_hint(
                    format!("line {number} of `{shown}` does not name an image and its class"),
                    "separate them by a tab",
                ));
            }
        }
    }
    let Listing { images, errors, .. } = list(part);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let (mut classes, mut unnamed) = (BTreeMap::<&str, Listing>::new(), 0);
    let all = images.len();
    for image in images {
        match named.get(shown_name(&image).as_str()) {
            Some(class) => classes.entry(class).or_default().images.push(image),
            None => unnamed += 1,
        }
    }
    if unnamed > 0 {
        notes.push(format!(
            "`{shown}` names no class for {}, ignored",
            pluralize(unnamed, "image")
        ));
    }
    let missing = named.len().saturating_sub(all - unnamed);
    if missing > 0 {
        notes.push(format!(
            "{} of `{shown}` {} not there",
            pluralize(missing, "image"),
            if missing == 1 { "is" } else { "are" }
        ));
    }
    let classes = classes.into_iter().map(|(name, files)| Class {
        name: name.to_owned(),
        files,
    });
    Ok(classes.collect())
}
