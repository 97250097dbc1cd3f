//! Folders of images with one folder per class, as torchvision's `ImageFolder` reads them.
//!
//! ```text
//! pets/cat/1.jpg             pets/train/cat/1.jpg    (or training/)
//! pets/cat/more/2.png        pets/train/dog/2.jpg
//! pets/dog/3.jpg             pets/val/cat/3.jpg      (or valid/, validation/)
//!                            pets/test/dog/4.jpg     (or testing/)
//! ```
//!
//! A folder without images is a class in `train/`, and is ignored in a folder without splits. Classes are numbered in the
//! order of their names by code point, as Python sorts. Images are only listed here and decoded when they are used, so that
//! a folder may be larger than memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::part_names::{PARTS, part_number};
use super::small_images::small_size;
use super::{Dataset, DatasetKind, ImageStore, Split};
use crate::data::dataset::list::{Listing, list, list_flat};
use crate::error::{Message, error_with_hint};
use crate::model::Preprocess;
use crate::text::pluralize;

/// The most names in a message.
const SHOWN: usize = 5;

/// Reads the names of the classes and of the images in `folder`; `name` is what the user wrote.
///
/// # Errors
/// When a folder cannot be read or holds no class or no image, the validation set has classes that the training set lacks, a
/// split has no class folders, or the name of a class is not UTF-8.
pub fn read(folder: &Path, name: &str) -> Result<Dataset> {
    let mut notes = Vec::new();
    let Some(parts) = SplitFolders::find(folder, &mut notes)? else {
        // A folder that cannot be read is an error, later.
        let is_class =
            |class: &Class| !class.files.images.is_empty() || !class.files.errors.is_empty();
        let (mut classes, empty): (Vec<Class>, Vec<Class>) =
            classes(folder)?.into_iter().partition(is_class);
        if classes.is_empty() {
            classes = empty;
        } else if !empty.is_empty() {
            notes.push(format!(
                "`{}` has folders without images, which are ignored: {}",
                folder.display(),
                quoted_list(&names(&empty))
            ));
        }
        let labels = names(&classes);
        let all = split(folder, classes, &labels, &mut notes)?;
        return Ok(finish(name, labels, [Some(all), None, None], notes));
    };
    let folders = [&parts.train, &parts.val, &parts.test];
    let labels = parts.labels()?;
    let mut splits = [None, None, None];
    for (place, part) in splits.iter_mut().zip(folders) {
        if let Some(part) = part {
            *place = Some(split(part, classes(part)?, &labels, &mut notes)?);
        }
    }
    Ok(finish(name, labels, splits, notes))
}

/// A folder of images of one class.
struct Class {
    name: String,
    files: Listing,
}

/// Returns the class folders of a split, sorted by name.
fn classes(part: &Path) -> Result<Vec<Class>> {
    let folders = subfolders(part)?;
    let class = |folder: &PathBuf| {
        Ok(Class {
            name: label(folder)?,
            files: list(folder),
        })
    };
    folders.iter().map(class).collect()
}

fn names(classes: &[Class]) -> Vec<String> {
    classes.iter().map(|class| class.name.clone()).collect()
}

/// The folders of a dataset with splits.
struct SplitFolders {
    train: Option<PathBuf>,
    val: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl SplitFolders {
    /// Returns the splits when there is a `train/` with folders in it, or nothing but splits; else `train` is a class.
    fn find(folder: &Path, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let all = subfolders(folder)?;
        let mut found = PARTS.map(|_| Vec::new());
        let (mut others, mut has_classes) = (Vec::new(), false);
        for path in all {
            let part = part_number(&shown_name(&path));
            has_classes |= part.is_none();
            match part {
                Some(part) if !subfolders(&path)?.is_empty() => found[part].push(path),
                _ => others.push(path),
            }
        }
        let is_in_parts = !found[0].is_empty()
            || (others.is_empty() && found.iter().any(|part| !part.is_empty()));
        if !is_in_parts {
            return match others.first() {
                Some(part) if !has_classes => Err(no_class_folders(part)),
                _ => Ok(None),
            };
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
        let [train, val, test] = found.map(|mut part| part.pop());
        Ok(Some(Self { train, val, test }))
    }

    /// Returns the classes of the training set; without one, those of the other splits.
    fn labels(&self) -> Result<Vec<String>> {
        let mut labels = BTreeSet::new();
        match &self.train {
            Some(train) => labels.extend(self::labels(&subfolders(train)?)?),
            None => {
                for part in [&self.val, &self.test].into_iter().flatten() {
                    labels.extend(self::labels(&subfolders(part)?)?);
                }
            }
        }
        Ok(labels.into_iter().collect())
    }
}

/// Returns the folders in `folder` except hidden ones, sorted by name.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read folder `{}`", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let path = entry.path();
        if !entry.file_name().as_encoded_bytes().starts_with(b".") && path.is_dir() {
            found.push(path);
        }
    }
    // The order of UTF-8 bytes is that of the code points.
    found.sort_by(|a, b| {
        let names = [a, b].map(|path| path.file_name().unwrap_or_default().as_encoded_bytes());
        names[0].cmp(names[1])
    });
    Ok(found)
}

/// Returns the name of a file or folder in a message.
fn shown_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Returns the name of a class by its folder; models store it as text.
fn label(folder: &Path) -> Result<String> {
    let name = folder.file_name().unwrap_or_default();
    let text = name.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        error_with_hint(
            format!(
                "the name of folder `{}` is not valid UTF-8, but it is the name of a class",
                folder.display()
            ),
            "rename the folder",
        )
    })
}

fn labels(folders: &[PathBuf]) -> Result<Vec<String>> {
    folders.iter().map(|folder| label(folder)).collect()
}

/// Returns the images of a split's class folders, class by class.
fn split(
    part: &Path,
    folders: Vec<Class>,
    labels: &[String],
    notes: &mut Vec<String>,
) -> Result<Split> {
    let numbers: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
    let mut unknown = names(&folders);
    unknown.retain(|name| !numbers.contains_key(name.as_str()));
    if !unknown.is_empty() {
        return Err(error_with_hint(
            format!(
                "`{}` has classes that are not in the training set: {}",
                part.display(),
                quoted_list(&unknown)
            ),
            "correct the names of the folders, or move some of these images to the training set",
        ));
    }
    let (mut paths, mut classes) = (Vec::new(), Vec::new());
    let (mut others, mut empty) = (BTreeMap::new(), Vec::new());
    let no_class = folders.is_empty();
    for Class { name, files } in folders {
        if let Some(error) = files.errors.into_iter().next() {
            return Err(error);
        }
        for (ending, count) in files.others {
            *others.entry(ending).or_insert(0) += count;
        }
        classes.extend(files.images.iter().map(|_| numbers[name.as_str()]));
        if files.images.is_empty() {
            empty.push(name);
        }
        paths.extend(files.images);
    }
    let loose = list_flat(part)?;
    if paths.is_empty() {
        return Err(no_images(part, no_class, &loose));
    }
    if !empty.is_empty() {
        notes.push(format!(
            "`{}` has classes without images: {}",
            part.display(),
            quoted_list(&empty)
        ));
    }
    if !loose.images.is_empty() {
        notes.push(format!(
            "`{}` has {} outside of its class folders, ignored",
            part.display(),
            pluralize(loose.images.len(), "image")
        ));
    }
    if !others.is_empty() {
        notes.push(format!(
            "`{}` has files that are not images, ignored: {}",
            part.display(),
            endings(&others)
        ));
    }
    Ok(Split::new(ImageStore::Files(paths), classes))
}

fn no_images(folder: &Path, no_class: bool, loose: &Listing) -> anyhow::Error {
    let path = folder.display();
    let example = loose
        .images
        .first()
        .map_or("1.jpg".into(), |image| shown_name(image));
    if !loose.images.is_empty() {
        return error_with_hint(
            format!(
                "`{path}` contains {} but no class folders with images",
                pluralize(loose.images.len(), "image")
            ),
            format!(
                "put the images of each class in their own folder, such as `{path}/cat/{example}`"
            ),
        );
    }
    let message = if no_class {
        format!("`{path}` contains no folders")
    } else {
        format!("the folders in `{path}` contain no images")
    };
    error_with_hint(
        message,
        format!("put the images of each class in their own folder, such as `{path}/cat/{example}`"),
    )
}

/// Returns the error of a dataset whose splits, `part` among them, have no class folders.
fn no_class_folders(part: &Path) -> anyhow::Error {
    let path = part.display();
    error_with_hint(
        format!("`{path}` is a split of a dataset by its name, but contains no class folders"),
        format!(
            "put the images of each class in their own folder, such as `{path}/cat/1.jpg`; if this is a class, rename it"
        ),
    )
}

/// Returns at most [`SHOWN`] names and the number of the others.
pub(super) fn quoted_list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    first_of(&quoted)
}

/// Returns `.heic (12), .txt (3)`: the most frequent extensions first.
fn endings(counts: &BTreeMap<String, usize>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(**count));
    let text = |(ending, count): &(&String, &usize)| format!("{ending} ({count})");
    first_of(&sorted.iter().map(text).collect::<Vec<_>>())
}

/// Returns at most [`SHOWN`] of `all` and the number of the others.
fn first_of(all: &[String]) -> String {
    let listed = all[..all.len().min(SHOWN)].join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
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
        kind,
        preprocess,
        notes: notes.into_iter().map(Message::from).collect(),
    }
}
