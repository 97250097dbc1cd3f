//! The splits of a dataset: the folders in it that are called `train`, `val` or `test`, or alike.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::annotated;
use super::class::{Class, in_class_folders, shown_name};
use super::classes::classes;
use crate::data::dataset::list::{list_flat, subfolders};
use crate::data::dataset::part_names::{PARTS, part_number};
use crate::data::dataset::quoted::quoted_list;
use crate::error::error_with_hint;
use crate::message;
use crate::text::pluralize;

/// The folders of a dataset with splits: train, val and test.
pub struct SplitFolders([Option<PathBuf>; 3]);

/// A split and its classes.
pub struct Part {
    /// Its folder.
    pub path: PathBuf,
    /// Its classes, sorted by name.
    pub classes: Vec<Class>,
    /// True if a file names the classes.
    is_annotated: bool,
}

impl SplitFolders {
    /// Returns the splits when there is a `train/` with classes in it, or nothing but splits; else a split's name is that of a class.
    ///
    /// # Errors
    /// When a folder is a split by its name and has no classes, or two are the same split.
    pub fn find(folder: &Path, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let mut found = PARTS.map(|_| Vec::new());
        let (mut unusable, mut others) = (Vec::new(), Vec::new());
        for path in subfolders(folder)? {
            match part_number(&shown_name(&path)) {
                Some(part) if has_classes(&path)? => found[part].push(path),
                Some(_) => unusable.push(path),
                None => others.push(path),
            }
        }
        if found[0].is_empty() && !others.is_empty() {
            let named = found.iter().flatten().chain(&unusable);
            note_classes_named_as_splits(folder, named, &others, notes)?;
            if let [only] = others.as_slice() {
                ensure_no_splits_inside(folder, only)?;
            }
            return Ok(None);
        }
        if let Some(part) = unusable.first() {
            return Err(no_class_folders(part)?);
        }
        if found.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        if let Some([first, second, ..]) =
            found.iter().map(Vec::as_slice).find(|part| part.len() > 1)
        {
            return Err(error_with_hint(
                format!(
                    "`{}` has both `{}/` and `{}/`",
                    folder.display(),
                    shown_name(first),
                    shown_name(second)
                ),
                "rename or remove one of them",
            ));
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|path| shown_name(path)).collect();
            notes.push(format!(
                "ignored beside the splits: {}",
                quoted_list(&others)
            ));
        }
        Ok(Some(Self(found.map(|mut part| part.pop()))))
    }

    /// Reads the classes of the splits.
    ///
    /// # Errors
    /// When a folder cannot be read or the name of a class is not UTF-8.
    pub fn classes(self, notes: &mut Vec<String>) -> Result<[Option<Part>; 3]> {
        let mut parts = [None, None, None];
        for (place, path) in parts.iter_mut().zip(self.0) {
            let Some(path) = path else { continue };
            *place = Some(Part {
                classes: classes(&path, notes)?,
                is_annotated: annotated::find(&path)?.is_some(),
                path,
            });
        }
        Ok(parts)
    }
}

/// Returns true if a split has class folders, or a file that names classes.
fn has_classes(part: &Path) -> Result<bool> {
    Ok(!subfolders(part)?.is_empty() || annotated::find(part)?.is_some())
}

/// Leaves out a test set whose classes are not published, as that of Tiny `ImageNet`: all images are in one folder, and those of
/// another split have a file of annotations.
pub fn leave_out_unlabeled(parts: &mut [Option<Part>; 3], notes: &mut Vec<String>) {
    if !parts.iter().flatten().any(|part| part.is_annotated) {
        return;
    }
    let is_unlabeled = |part: &mut Part| {
        let mut classes = part.classes.iter().filter(|class| !class.is_empty());
        let only = classes.next().filter(|_| classes.next().is_none());
        !part.is_annotated && only.is_some_and(|class| class.name == annotated::IMAGES)
    };
    for part in &mut parts[1..] {
        if let Some(left_out) = part.take_if(is_unlabeled) {
            notes.push(format!(
                "`{}` has no classes, and is not used",
                left_out.path.display()
            ));
        }
    }
}

/// Notes the folders that are `named` as splits and are read as classes beside others.
///
/// # Errors
/// When one of them has the classes of the others: it is a split, but the training set is none.
fn note_classes_named_as_splits<'a>(
    folder: &Path,
    named: impl Iterator<Item = &'a PathBuf>,
    others: &[PathBuf],
    notes: &mut Vec<String>,
) -> Result<()> {
    let others: HashSet<String> = others.iter().map(|path| shown_name(path)).collect();
    let shown = folder.display();
    for part in named {
        let classes = subfolders(part)?;
        let name = shown_name(part);
        if let Some(same) = classes
            .iter()
            .find(|class| others.contains(&shown_name(class)))
        {
            let same = shown_name(same);
            return Err(error_with_hint(
                format!("`{shown}` has both `{same}/` and `{name}/{same}/`, but no training set"),
                format!("move the class folders for training to `{shown}/train/`"),
            ));
        }
        if !classes.is_empty() || !list_flat(part)?.images.is_empty() {
            notes.push(format!(
                "`{name}` is read as a class, as `{shown}` has no `train/` with class folders"
            ));
        }
    }
    Ok(())
}

/// Rejects a folder whose only folder is the dataset, as archives are unpacked.
fn ensure_no_splits_inside(folder: &Path, only: &Path) -> Result<()> {
    for inside in subfolders(only)? {
        if part_number(&shown_name(&inside)) == Some(0) && has_classes(&inside)? {
            let (folder, only) = (folder.display(), only.display());
            return Err(error_with_hint(
                format!("`{folder}` has no splits or classes, but `{only}` has"),
                format!("pass `{only}`"),
            ));
        }
    }
    Ok(())
}

/// Returns the error of a split without classes.
fn no_class_folders(part: &Path) -> Result<anyhow::Error> {
    let path = part.display();
    let message =
        format!("`{path}` is a split of a dataset by its name, but contains no class folders");
    let loose = list_flat(part)?;
    Ok(match loose.images.len() {
        0 => error_with_hint(
            message,
            message![in_class_folders(part, &loose), ", or remove the folder"],
        ),
        count => error_with_hint(
            format!(
                "{message}: the classes of its {} are not known",
                pluralize(count, "image")
            ),
            message![in_class_folders(part, &loose), ", or rename the folder"],
        ),
    })
}
