//! Folders of images with one folder per class, as torchvision's `ImageFolder` reads them.
//!
//! ```text
//! pets/cat/1.jpg             pets/train/cat/1.jpg    (or training/)
//! pets/cat/more/2.png        pets/train/dog/2.jpg
//! pets/dog/3.jpg             pets/val/cat/3.jpg      (or valid/, validation/, dev/)
//!                            pets/test/dog/4.jpg     (or testing/)
//! ```
//!
//! A folder without images is no class, nor is one that a system made, such as `__MACOSX`. Classes are numbered in the
//! order of their names by code point, as Python sorts. Images are only listed here and decoded when they are used, so that
//! a folder may be larger than memory.

mod annotated;
mod class;
mod classes;
mod parts;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::list::{Listing, list_flat};
use super::quoted::{first_of, quoted_list};
use super::small_images::small_size;
use super::{Dataset, DatasetKind, ImageStore, Split};
use crate::error::{Message, error_with_hint, setting};
use crate::message;
use crate::model::Preprocess;
use crate::text::pluralize;
use class::{Class, in_class_folders, names};
use classes::classes;
use parts::{SplitFolders, leave_out_unlabeled};

/// Reads the names of the classes and of the images in `folder`; `name` is what the user wrote.
///
/// # Errors
/// When a folder cannot be read or holds no class or no image, a folder is a split by its name and cannot be read as one, the
/// validation set has classes that the training set lacks, or the name of a class is not UTF-8.
pub fn read(folder: &Path, name: &str) -> Result<Dataset> {
    let mut notes = Vec::new();
    let Some(found) = SplitFolders::find(folder, &mut notes)? else {
        let classes = classes(folder, &mut notes)?;
        let labels = labels([&classes]);
        let all = split(folder, classes, &labels, &mut notes)?;
        return Ok(Dataset {
            has_splits: false,
            ..finish(name, labels, [Some(all), None, None], notes)
        });
    };
    let mut parts = found.classes(&mut notes)?;
    leave_out_unlabeled(&mut parts, &mut notes);
    // The classes are those of the training set; without one, of the other splits.
    let labeled = if parts[0].is_some() { 1 } else { parts.len() };
    let classes = parts[..labeled].iter().flatten();
    let labels = labels(classes.map(|part| &part.classes));
    let mut splits = [None, None, None];
    for (place, part) in splits.iter_mut().zip(parts) {
        if let Some(part) = part {
            *place = Some(split(&part.path, part.classes, &labels, &mut notes)?);
        }
    }
    Ok(finish(name, labels, splits, notes))
}

/// Returns the names of the classes with images, sorted.
fn labels<'a>(parts: impl IntoIterator<Item = &'a Vec<Class>>) -> Vec<String> {
    let classes = parts
        .into_iter()
        .flatten()
        .filter(|class| !class.is_empty());
    let names: BTreeSet<&String> = classes.map(|class| &class.name).collect();
    names.into_iter().cloned().collect()
}

/// Returns the images of a split, class by class.
fn split(
    part: &Path,
    classes: Vec<Class>,
    labels: &[String],
    notes: &mut Vec<String>,
) -> Result<Split> {
    let numbers: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
    let is_known = |class: &&Class| numbers.contains_key(class.name.as_str());
    let no_class = classes.is_empty();
    let mut others = BTreeMap::new();
    for (ending, count) in classes.iter().flat_map(|class| &class.files.others) {
        *others.entry(ending.clone()).or_insert(0) += count;
    }
    let (empty, classes): (Vec<Class>, Vec<Class>) = classes.into_iter().partition(Class::is_empty);
    let unknown = names(classes.iter().filter(|class| !is_known(class)));
    if !unknown.is_empty() {
        return Err(unknown_classes(part, &unknown, labels));
    }
    let (mut paths, mut numbered) = (Vec::new(), Vec::new());
    for Class { name, files } in classes {
        if let Some(error) = files.errors.into_iter().next() {
            return Err(error);
        }
        numbered.extend(files.images.iter().map(|_| numbers[name.as_str()]));
        paths.extend(files.images);
    }
    let loose = list_flat(part)?;
    if paths.is_empty() {
        return Err(no_images(part, no_class, &loose));
    }
    let shown = part.display();
    let (known, ignored): (Vec<&Class>, Vec<&Class>) = empty.iter().partition(is_known);
    if !known.is_empty() {
        let known = quoted_list(&names(known));
        notes.push(format!("`{shown}` has classes without images: {known}"));
    }
    if !ignored.is_empty() {
        notes.push(format!(
            "`{shown}` has folders without images, which are ignored: {}",
            quoted_list(&names(ignored))
        ));
    }
    // Annotated images may be outside of folders.
    let mut unused: HashSet<&PathBuf> = loose.images.iter().collect();
    for path in &paths {
        unused.remove(path);
    }
    if !unused.is_empty() {
        notes.push(format!(
            "`{shown}` has {} outside of its class folders, ignored",
            pluralize(unused.len(), "image")
        ));
    }
    if !others.is_empty() {
        notes.push(format!(
            "`{shown}` has files that are not images, ignored: {}",
            endings(&others)
        ));
    }
    Ok(Split::new(ImageStore::Files(paths), numbered))
}

/// Returns the error of a split with classes that the training set lacks.
fn unknown_classes(part: &Path, unknown: &[String], labels: &[String]) -> anyhow::Error {
    let path = part.display();
    let message = format!(
        "`{path}` has classes that are not in the training set: {}",
        quoted_list(unknown)
    );
    match (unknown, labels) {
        ([only], [first, ..]) if only == annotated::IMAGES => error_with_hint(
            message,
            message![
                format!(
                    "put the images of each class in their own folder, such as `{path}/{first}`, or name their classes in a file with `"
                ),
                setting("labels-csv").to("FILE"),
                "`"
            ],
        ),
        _ => error_with_hint(
            message,
            "correct the names of the folders, or move some of these images to the training set",
        ),
    }
}

/// Returns the error of a folder without class folders that hold images.
fn no_images(folder: &Path, no_class: bool, loose: &Listing) -> anyhow::Error {
    let path = folder.display();
    let message = match loose.images.len() {
        0 if no_class => format!("`{path}` contains no folders"),
        0 => format!("the folders in `{path}` contain no images"),
        count => format!(
            "`{path}` contains {} but no class folders with images",
            pluralize(count, "image")
        ),
    };
    error_with_hint(message, in_class_folders(folder, loose))
}

/// Returns `.heic (12), .txt (3)`: the most frequent extensions first.
fn endings(counts: &BTreeMap<String, usize>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(**count));
    let text = |(ending, count): &(&String, &usize)| format!("{ending} ({count})");
    first_of(&sorted.iter().map(text).collect::<Vec<_>>())
}

/// Returns the dataset of these splits, of small images or photographs.
pub(super) fn finish(
    name: &str,
    labels: Vec<String>,
    [train, val, test]: [Option<Split>; 3],
    mut notes: Vec<String>,
) -> Dataset {
    if let [only] = labels.as_slice() {
        notes.push(format!(
            "there is only one class, `{only}`: every prediction is correct"
        ));
    }
    let first = [&train, &val, &test].into_iter().flatten().next();
    let (kind, preprocess) = match first.and_then(small_size) {
        Some(size) => {
            let preprocess = Preprocess {
                size,
                crop_pct: 1.0,
                ..Preprocess::default()
            };
            (DatasetKind::Small, preprocess)
        }
        None => (DatasetKind::Photographs, Preprocess::default()),
    };
    Dataset {
        name: name.to_owned(),
        labels,
        train,
        val,
        test,
        has_splits: true,
        kind,
        preprocess,
        notes: notes.into_iter().map(Message::from).collect(),
    }
}
