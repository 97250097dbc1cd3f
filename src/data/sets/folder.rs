//! Folders of pictures, a folder a class, as torchvision's `ImageFolder` reads them.
//!
//! ```text
//! pets/cat/1.jpg             pets/train/cat/1.jpg
//! pets/cat/more/2.png        pets/train/dog/2.jpg
//! pets/dog/3.jpg             pets/val/cat/3.jpg      (or valid/, validation/)
//!                            pets/test/dog/4.jpg
//! ```
//!
//! Classes are numbered in the order of their names by code point, which is how Python sorts. Pictures are only listed
//! here; they are decoded when they are asked for, so that a folder may be larger than memory.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{DataSet, Kind, Pictures, Split};
use crate::data::list::{Listing, list, list_flat};
use crate::error::hinted;
use crate::model::Preprocess;

const TRAIN: &[&str] = &["train"];
const VAL: &[&str] = &["val", "valid", "validation"];
const TEST: &[&str] = &["test"];
/// The most names that a message lists.
const SHOWN: usize = 5;

/// Reads the names of the classes and of the pictures in `folder`; `name` is what the user wrote.
///
/// # Errors
/// Folders that cannot be read, hold no class or no picture, or whose validation has classes that training lacks.
pub fn read(folder: &Path, name: &str) -> Result<DataSet> {
    let mut notes = Vec::new();
    let Some(parts) = Parts::find(folder, &mut notes)? else {
        let classes = subfolders(folder)?;
        let labels = labels(&classes);
        let all = split(folder, &classes, &labels, &mut notes)?;
        return Ok(finish(name, labels, [Some(all), None, None], notes));
    };
    let folders = [&parts.train, &parts.val, &parts.test];
    let labels = parts.labels()?;
    let mut splits = [None, None, None];
    for (place, part) in splits.iter_mut().zip(folders) {
        if let Some(part) = part {
            let classes = subfolders(part)?;
            *place = Some(split(part, &classes, &labels, &mut notes)?);
        }
    }
    Ok(finish(name, labels, splits, notes))
}

/// The folders of a data set that is in parts.
struct Parts {
    train: Option<PathBuf>,
    val: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Parts {
    /// The parts, where there is a `train/` with folders in it or nothing but parts. Else `train` is a class as any other.
    fn find(folder: &Path, notes: &mut Vec<String>) -> Result<Option<Self>> {
        let all = subfolders(folder)?;
        let mut found = [TRAIN, VAL, TEST].map(|_| Vec::new());
        let mut others = Vec::new();
        for path in all {
            let name = label(&path).to_lowercase();
            let part = [TRAIN, VAL, TEST]
                .iter()
                .position(|names| names.contains(&name.as_str()));
            match part {
                Some(part) if !subfolders(&path)?.is_empty() => found[part].push(path),
                _ => others.push(path),
            }
        }
        let is_in_parts = !found[0].is_empty()
            || (others.is_empty() && found.iter().any(|part| !part.is_empty()));
        if !is_in_parts {
            return Ok(None);
        }
        if let Some([first, second, ..]) =
            found.iter().map(Vec::as_slice).find(|part| part.len() > 1)
        {
            return Err(hinted(
                format!(
                    "`{}` has both `{}/` and `{}/`",
                    folder.display(),
                    label(first),
                    label(second)
                ),
                "rename or remove one of them",
            ));
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(|path| label(path)).collect();
            notes.push(format!("left out beside the parts: {}", shown(&others)));
        }
        let [train, val, test] = found.map(|mut part| part.pop());
        Ok(Some(Self { train, val, test }))
    }

    /// The classes of training; where there is none, those of the other parts.
    fn labels(&self) -> Result<Vec<String>> {
        let mut labels = BTreeSet::new();
        match &self.train {
            Some(train) => labels.extend(self::labels(&subfolders(train)?)),
            None => {
                for part in [&self.val, &self.test].into_iter().flatten() {
                    labels.extend(self::labels(&subfolders(part)?));
                }
            }
        }
        Ok(labels.into_iter().collect())
    }
}

/// The folders in `folder` but for hidden ones, sorted by name.
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
    // Bytes of UTF-8 are in the order of the code points.
    found.sort_by(|a, b| {
        let names = [a, b].map(|path| path.file_name().unwrap_or_default().as_encoded_bytes());
        names[0].cmp(names[1])
    });
    Ok(found)
}

/// The name of a class by its folder.
fn label(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn labels(classes: &[PathBuf]) -> Vec<String> {
    classes.iter().map(|class| label(class)).collect()
}

/// The pictures of a part's class folders, class by class.
fn split(
    part: &Path,
    folders: &[PathBuf],
    labels: &[String],
    notes: &mut Vec<String>,
) -> Result<Split> {
    let numbers: HashMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
    let own = self::labels(folders);
    let unknown: Vec<String> = own
        .iter()
        .filter(|name| !numbers.contains_key(name.as_str()))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(hinted(
            format!(
                "`{}` has classes that the training pictures lack: {}",
                part.display(),
                shown(&unknown)
            ),
            "correct the folders' names, or move some of those pictures to the training folder",
        ));
    }
    let (mut paths, mut classes, mut others) = (Vec::new(), Vec::new(), 0);
    let mut empty = Vec::new();
    for (folder, name) in folders.iter().zip(&own) {
        let listing = list(folder);
        if let Some(error) = listing.errors.into_iter().next() {
            return Err(error);
        }
        others += listing.others;
        if listing.images.is_empty() {
            empty.push(name.clone());
        }
        classes.extend(listing.images.iter().map(|_| numbers[name.as_str()]));
        paths.extend(listing.images);
    }
    let loose = list_flat(part)?;
    if paths.is_empty() {
        return Err(no_pictures(part, folders.is_empty(), &loose));
    }
    if !empty.is_empty() {
        notes.push(format!(
            "`{}` has classes without a picture: {}",
            part.display(),
            shown(&empty)
        ));
    }
    if !loose.images.is_empty() {
        let count = loose.images.len();
        notes.push(format!(
            "`{}` has pictures beside its class folders, left out: {count}",
            part.display()
        ));
    }
    if others > 0 {
        notes.push(format!(
            "`{}` has files that are no pictures, left out: {others}",
            part.display()
        ));
    }
    Ok(Split::new(Pictures::Files(paths), classes))
}

fn no_pictures(folder: &Path, no_class: bool, loose: &Listing) -> anyhow::Error {
    let path = folder.display();
    let example = loose
        .images
        .first()
        .map_or("1.jpg".into(), |image| label(image));
    if !loose.images.is_empty() {
        return hinted(
            format!(
                "`{path}` holds {} pictures and no class folders with pictures",
                loose.images.len()
            ),
            format!("give each class a folder, such as `{path}/cat/{example}`"),
        );
    }
    let message = if no_class {
        format!("`{path}` holds no folder")
    } else {
        format!("the folders in `{path}` hold no pictures")
    };
    hinted(
        message,
        format!("put the pictures of each class in a folder, such as `{path}/cat/{example}`"),
    )
}

/// At most [`SHOWN`] names, and how many more there are.
fn shown(names: &[String]) -> String {
    let listed: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(SHOWN);
    match more {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}

fn finish(
    name: &str,
    labels: Vec<String>,
    [train, val, test]: [Option<Split>; 3],
    mut notes: Vec<String>,
) -> DataSet {
    if let [only] = labels.as_slice() {
        notes.push(format!(
            "there is only one class, `{only}`: every answer is right"
        ));
    }
    DataSet {
        name: name.to_owned(),
        labels,
        train,
        val,
        test,
        kind: Kind::Photographs,
        preprocess: Preprocess::default(),
        notes,
    }
}
