//! The columns of a table of labels: which holds the images, their labels and their splits.

use anyhow::Result;

use super::table::Row;
use crate::data::dataset::LabelsCsv;
use crate::data::dataset::list::has_image_extension;
use crate::data::dataset::part_names::part_number;
use crate::error::{error_with_hint, setting};
use crate::message;

/// Names of columns, of letters and digits in lower case, the most telling first.
const IMAGE: [&str; 17] = [
    "path",
    "filepath",
    "filepaths",
    "imagepath",
    "imgpath",
    "image",
    "images",
    "img",
    "filename",
    "imagename",
    "imgname",
    "file",
    "files",
    "imageid",
    "imgid",
    "id",
    "name",
];
const LABEL: [&str; 9] = [
    "label",
    "labels",
    "class",
    "classname",
    "category",
    "target",
    "y",
    "classid",
    "labelid",
];
const SPLIT: [&str; 6] = ["split", "set", "subset", "dataset", "partition", "phase"];

/// The numbers of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    pub image: usize,
    pub label: usize,
    pub split: Option<usize>,
}

/// Returns the columns of `rows`, and the rows below the header, if there is one.
///
/// A first row with the name of an image is none; its other cell is the label.
///
/// # Errors
/// When a column that the user names does not exist, or those of images and labels are not clear.
pub fn find<'a>(rows: &'a [Row], csv: &LabelsCsv) -> Result<(Columns, &'a [Row])> {
    let Some((first, below)) = rows.split_first() else {
        return Err(error_with_hint("it is empty", example()));
    };
    let is_image = |cell: &String| has_image_extension(cell.as_ref());
    if let Some(image) = first.cells.iter().position(is_image) {
        let mut others = (0..first.cells.len()).filter(|&column| column != image);
        let named = [&csv.image, &csv.label, &csv.split].into_iter().flatten();
        return match (others.next(), others.next(), named.count()) {
            (Some(label), None, 0) => {
                let columns = Columns {
                    image,
                    label,
                    split: None,
                };
                Ok((columns, rows))
            }
            _ => Err(error_with_hint(
                "its first line does not name the columns",
                example(),
            )),
        };
    }
    let header = Header {
        names: first.cells.iter().map(|name| plain(name)).collect(),
        shown: &first.cells,
    };
    let [mut image, mut label, mut split] = [
        header.named("image-column", csv.image.as_deref())?,
        header.named("label-column", csv.label.as_deref())?,
        header.named("split-column", csv.split.as_deref())?,
    ];
    let is_split = |column: &usize| {
        let mut cells = below.iter().map(|row| &row.cells[*column]);
        cells.any(|cell| part_number(cell).is_some())
    };
    let free = |column: &usize, taken: [Option<usize>; 3]| !taken.contains(&Some(*column));
    split = split.or_else(|| {
        let mut known = header.known(&SPLIT);
        known.find(|column| free(column, [image, label, None]) && is_split(column))
    });
    label = label.or_else(|| {
        header
            .known(&LABEL)
            .find(|column| free(column, [image, split, None]))
    });
    image = image.or_else(|| {
        header
            .known(&IMAGE)
            .find(|column| free(column, [label, split, None]))
    });
    // One column that is left is the one that is missing.
    let only = |taken: [Option<usize>; 3]| {
        let mut left = (0..first.cells.len()).filter(|column| free(column, taken));
        left.next().filter(|_| left.next().is_none())
    };
    if label.is_none() && image.is_some() {
        label = only([image, split, None]);
    } else if image.is_none() && label.is_some() {
        image = only([label, split, None]);
    }
    let missing = |what: &str, key| header.unclear(what, key);
    let columns = Columns {
        image: image.ok_or_else(|| missing("images", "image-column"))?,
        label: label.ok_or_else(|| missing("labels", "label-column"))?,
        split,
    };
    Ok((columns, below))
}

/// The names of the columns: plain, and as they are written.
struct Header<'a> {
    names: Vec<String>,
    shown: &'a [String],
}

impl Header<'_> {
    /// Returns the column that the user names, exactly or in plain form.
    fn named(&self, key: &'static str, name: Option<&str>) -> Result<Option<usize>> {
        let Some(name) = name else { return Ok(None) };
        let exact = self.shown.iter().position(|shown| shown == name);
        let like = || self.names.iter().position(|known| *known == plain(name));
        match exact.or_else(like) {
            Some(column) => Ok(Some(column)),
            None => Err(error_with_hint(
                format!("it has no column `{name}`"),
                message![
                    "its columns are ",
                    self.listed(),
                    ": pass one with ",
                    setting(key)
                ],
            )),
        }
    }

    /// Returns the columns with these names, in the order of the names.
    fn known(&self, names: &'static [&str]) -> impl Iterator<Item = usize> {
        names
            .iter()
            .filter_map(|name| self.names.iter().position(|own| own == name))
    }

    fn unclear(&self, what: &str, key: &'static str) -> anyhow::Error {
        error_with_hint(
            format!(
                "it is not clear which column holds the {what}: it has {}",
                self.listed()
            ),
            message!["name it with ", setting(key)],
        )
    }

    fn listed(&self) -> String {
        let quoted: Vec<String> = self.shown.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    }
}

fn example() -> &'static str {
    "begin it with a line of column names, such as `path,label`, followed by a line per image, such as `cats/1.jpg,cat`"
}

/// Returns the letters and digits of a name in lower case.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::labels_csv::table::parse;
    use crate::error::hint_of;

    fn columns(text: &str, csv: &LabelsCsv) -> Result<(Columns, usize)> {
        let rows = parse(text).unwrap();
        find(&rows, csv).map(|(columns, below)| (columns, below.len()))
    }

    #[test]
    fn columns_are_found_by_their_names_or_because_they_are_left() {
        for (text, image, label, split) in [
            ("path,label\na,b", 0, 1, None),
            ("Label;File Name\nb;a", 1, 0, None),
            ("id,breed\na,b", 0, 1, None),
            ("photo,class\na,b", 0, 1, None),
            ("image_id,label,split\na,b,train", 0, 1, Some(2)),
            (
                "class id,filepaths,labels,data set,scientific name\n0,a,b,train,c",
                1,
                2,
                Some(3),
            ),
            // A column of another meaning is none of splits.
            ("dataset,path,label\ncoco,a,b", 1, 2, None),
            ("path,species,set\na,b,val", 0, 1, Some(2)),
        ] {
            let (found, below) = columns(text, &LabelsCsv::default()).unwrap();
            assert_eq!(
                found,
                Columns {
                    image,
                    label,
                    split
                },
                "{text}"
            );
            assert_eq!(below, 1);
        }
        let headless = columns("a/1.jpg,cat\na/2.jpg,dog", &LabelsCsv::default()).unwrap();
        let expected = Columns {
            image: 0,
            label: 1,
            split: None,
        };
        assert_eq!(headless, (expected, 2));
    }

    #[test]
    fn columns_that_the_user_names_are_taken() {
        let csv = LabelsCsv {
            image: Some("photo".into()),
            label: Some("Genus".into()),
            split: Some("fold".into()),
            ..LabelsCsv::default()
        };
        let text = "path,photo,label,genus,fold\na,b,c,d,train";
        let (found, _) = columns(text, &csv).unwrap();
        assert_eq!(
            found,
            Columns {
                image: 1,
                label: 3,
                split: Some(4)
            }
        );
        let error = columns("path,label\na,b", &csv).unwrap_err();
        assert_eq!(error.to_string(), "it has no column `photo`");
        let hint = hint_of(&error).unwrap().to_string();
        assert!(hint.contains("`path`, `label`"), "{hint}");
    }

    #[test]
    fn columns_that_are_not_clear_are_refused_with_their_names() {
        for (text, message, hint) in [
            ("", "it is empty", "path,label"),
            (
                "a,b,c\n1,2,3",
                "which column holds the images: it has `a`, `b`, `c`",
                "image-column",
            ),
            (
                "path,b,c\n1,2,3",
                "which column holds the labels",
                "label-column",
            ),
            (
                "1.jpg,cat,3",
                "first line does not name the columns",
                "path,label",
            ),
        ] {
            let error = columns(text, &LabelsCsv::default()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(hint_of(&error).unwrap().to_string().contains(hint));
        }
    }
}
