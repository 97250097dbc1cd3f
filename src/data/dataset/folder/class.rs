//! A class of an image folder: its name and its images.

use std::path::Path;

use anyhow::Result;

use crate::data::dataset::list::Listing;
use crate::error::{Message, error_with_hint, setting};
use crate::message;

/// The images of one class.
pub struct Class {
    /// The name of its folder.
    pub name: String,
    /// The files in its folder.
    pub files: Listing,
}

impl Class {
    /// Returns true without an image; a folder that cannot be read is an error, later.
    pub fn is_empty(&self) -> bool {
        self.files.images.is_empty() && self.files.errors.is_empty()
    }
}

/// Returns the names of the classes.
pub fn names<'a>(classes: impl IntoIterator<Item = &'a Class>) -> Vec<String> {
    let classes = classes.into_iter();
    classes.map(|class| class.name.clone()).collect()
}

/// Returns the name of a file or folder in a message.
pub fn shown_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Returns the name of a class by its folder; models store it as text.
pub fn label(folder: &Path) -> Result<String> {
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

/// Returns the hint for images, `loose` in a folder, whose classes are not known.
pub fn in_class_folders(folder: &Path, loose: &Listing) -> Message {
    let path = folder.display();
    let Some(first) = loose.images.first() else {
        return message![format!(
            "put the images of each class in their own folder, such as `{path}/cat/1.jpg`"
        )];
    };
    message![
        format!(
            "put the images of each class in their own folder, such as `{path}/cat/{}`, or name their classes in a file with `",
            shown_name(first)
        ),
        setting("labels-csv").to("FILE"),
        "`"
    ]
}
