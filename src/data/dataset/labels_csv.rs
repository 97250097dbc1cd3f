//! Images in one folder whose classes a table names: a line per image, with its path and its label.
//!
//! ```text
//! path,label,split
//! 0001.jpg,cat,train
//! more/0002.jpg,dog,val
//! ```
//!
//! Images and classes are read in the order of the table. Classes are numbered by name, as those of folders, or by value if all
//! are numbers. Without a column of splits, all images are for training.

mod columns;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::folder::finish;
use super::list::{EXTENSIONS, has_image_extension};
use super::part_names::{PARTS, part_number};
use super::quoted::quoted_list;
use super::{Dataset, ImageStore, LabelsCsv, Split};
use crate::error::{error_with_hint, setting};
use crate::message;
use crate::text::pluralize;
use columns::Columns;
use table::{Row, parse};

/// Reads the images in `folder` that a table names; `name` is the folder as the user wrote it.
///
/// # Errors
/// When the table cannot be read or its columns are not clear, a row has no image or another split than `train`, `val` and `test`,
/// none of the images exists, an image has two labels or is in two splits, or a class has no training images.
pub fn read(folder: &Path, csv: &LabelsCsv, name: &str) -> Result<Dataset> {
    read_table(folder, csv, name)
        .with_context(|| format!("cannot read labels `{}`", csv.path.display()))
}

fn read_table(folder: &Path, csv: &LabelsCsv, name: &str) -> Result<Dataset> {
    let bytes = fs::read(&csv.path)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| error_with_hint("it is not valid UTF-8", "save it as UTF-8"))?;
    let rows = parse(text.trim_start_matches('\u{feff}'))?;
    let (columns, rows) = columns::find(&rows, csv)?;
    let mut notes = Vec::new();
    let labeled = labeled(rows, columns, &mut Folders::new(folder, csv), &mut notes)?;
    if labeled.iter().all(|row| !row.exists) {
        return Err(no_image(folder, &labeled));
    }
    let names = class_names(&labeled);
    let numbers: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let mut splits = [None, None, None];
    for (part, place) in splits.iter_mut().enumerate() {
        let rows: Vec<&LabeledImage> = labeled.iter().filter(|row| row.part == part).collect();
        let unknown = rows
            .iter()
            .map(|row| row.label)
            .filter(|label| !numbers.contains_key(label));
        let unknown: BTreeSet<&str> = unknown.collect();
        if !unknown.is_empty() {
            let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
            return Err(error_with_hint(
                format!(
                    "its {} images have classes that are not in the training set: {}",
                    PARTS[part][0],
                    quoted_list(&unknown)
                ),
                "correct the labels, or give some of these images the split `train`",
            ));
        }
        if !rows.is_empty() {
            let classes = rows.iter().map(|row| numbers[row.label]).collect();
            let paths = rows.iter().map(|row| row.path.clone()).collect();
            *place = Some(Split::new(ImageStore::Files(paths), classes));
        }
    }
    Ok(Dataset {
        has_splits: columns.split.is_some(),
        ..finish(name, names, splits, notes)
    })
}

/// An image of a row.
struct LabeledImage<'a> {
    path: PathBuf,
    exists: bool,
    label: &'a str,
    /// The number of its split.
    part: usize,
    line: usize,
}

/// Returns the images of the rows with a label, each once.
fn labeled<'a>(
    rows: &'a [Row],
    columns: Columns,
    folders: &mut Folders,
    notes: &mut Vec<String>,
) -> Result<Vec<LabeledImage<'a>>> {
    let mut labeled: Vec<LabeledImage> = Vec::with_capacity(rows.len());
    let mut known = HashMap::new();
    let (mut unlabeled, mut repeated) = (0, 0);
    for Row { line, cells } in rows {
        let (image, label) = (&cells[columns.image], cells[columns.label].as_str());
        if image.is_empty() {
            return Err(error_with_hint(
                format!("line {line} names no image"),
                "complete or remove the line",
            ));
        }
        if label.is_empty() {
            unlabeled += 1;
            continue;
        }
        let part = match columns.split.map(|column| &cells[column]) {
            Some(split) => part_number(split).ok_or_else(|| {
                error_with_hint(
                    format!("line {line}: `{split}` is no split"),
                    "write train, val or test",
                )
            })?,
            None => 0,
        };
        let (path, exists) = folders.find(image);
        let row = LabeledImage {
            path,
            exists,
            label,
            part,
            line: *line,
        };
        if let Some(&earlier) = known.get(&row.path) {
            ensure_same(&labeled[earlier], &row, image)?;
            repeated += 1;
        } else {
            known.insert(row.path.clone(), labeled.len());
            labeled.push(row);
        }
    }
    for (count, what) in [
        (unlabeled, "without a label"),
        (repeated, "naming an image again"),
    ] {
        if count > 0 {
            notes.push(format!("{} {what}, ignored", pluralize(count, "line")));
        }
    }
    if labeled.is_empty() {
        return Err(error_with_hint(
            "it names no image",
            "add a line per image, such as `cats/1.jpg,cat`",
        ));
    }
    Ok(labeled)
}

/// Rejects two rows that name the same image and differ.
fn ensure_same(first: &LabeledImage, second: &LabeledImage, image: &str) -> Result<()> {
    let lines = format!("lines {} and {}", first.line, second.line);
    if first.label != second.label {
        return Err(error_with_hint(
            format!(
                "`{image}` has two labels, `{}` and `{}` ({lines})",
                first.label, second.label
            ),
            "give each image one label: a model has one class per image",
        ));
    }
    if first.part != second.part {
        return Err(error_with_hint(
            format!(
                "`{image}` is in two splits, {} and {} ({lines})",
                PARTS[first.part][0], PARTS[second.part][0]
            ),
            "keep one of the lines",
        ));
    }
    Ok(())
}

/// Returns the names of the classes of the training images, or of all images without these.
fn class_names(labeled: &[LabeledImage]) -> Vec<String> {
    let has_train = labeled.iter().any(|row| row.part == 0);
    let rows = labeled.iter().filter(|row| row.part == 0 || !has_train);
    let names: BTreeSet<&str> = rows.map(|row| row.label).collect();
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    // Those of equal value stay in the order of their names.
    let numbers = names.iter().map(|name| name.parse::<u64>());
    if numbers.collect::<Result<Vec<_>, _>>().is_ok() {
        names.sort_by_key(|name| name.parse::<u64>().unwrap_or(u64::MAX));
    }
    names
}

/// The folders that paths of a table are relative to.
struct Folders<'a> {
    folders: [&'a Path; 2],
    /// The extension of the last path that is written without one.
    extension: String,
}

impl<'a> Folders<'a> {
    fn new(folder: &'a Path, csv: &'a LabelsCsv) -> Self {
        let beside = csv.path.parent().unwrap_or(Path::new(""));
        Self {
            folders: [folder, beside],
            extension: String::new(),
        }
    }

    /// Returns the path of an image and whether it exists: in the dataset's folder, or in that of the table. The extension may be
    /// missing, and folders may stand before `\`.
    fn find(&mut self, written: &str) -> (PathBuf, bool) {
        let names = [written.to_owned(), written.replace('\\', "/")];
        let mut endings = vec![String::new()];
        if !has_image_extension(Path::new(written)) {
            endings.insert(0, self.extension.clone());
            let dotted = EXTENSIONS.map(|known| format!(".{known}"));
            endings.extend(dotted.iter().map(|ending| ending.to_uppercase()));
            endings.extend(dotted);
        }
        for ending in endings {
            for folder in self.folders {
                let mut paths = names
                    .iter()
                    .map(|name| folder.join(format!("{name}{ending}")));
                if let Some(path) = paths.find(|path| path.is_file()) {
                    self.extension = ending;
                    return (path, true);
                }
            }
        }
        (self.folders[0].join(written), false)
    }
}

/// Returns the error of a table none of whose images exists.
fn no_image(folder: &Path, labeled: &[LabeledImage]) -> anyhow::Error {
    let first = labeled
        .first()
        .map_or(String::new(), |row| row.path.display().to_string());
    error_with_hint(
        format!(
            "none of its {} exists, such as `{first}`",
            pluralize(labeled.len(), "image")
        ),
        message![
            format!(
                "its paths are relative to `{}`: pass the folder of the images with ",
                folder.display()
            ),
            setting("data"),
            ", or the column of their paths with ",
            setting("image-column")
        ],
    )
}
