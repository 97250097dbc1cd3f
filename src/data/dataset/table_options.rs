//! The user's options of tables: which file names the classes of images, and what the columns are called.

use std::path::PathBuf;

/// The user's options of tables: a file of labels, and the names of columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableOptions {
    /// The table of the labels of a folder's images.
    pub labels_csv: Option<PathBuf>,
    /// The column of the images.
    pub image_column: Option<String>,
    /// The column of the labels.
    pub label_column: Option<String>,
    /// The column of the splits.
    pub split_column: Option<String>,
}

/// A table of labels, and the columns that the user names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelsCsv {
    /// The file.
    pub path: PathBuf,
    /// The column of the images.
    pub image: Option<String>,
    /// The column of their labels.
    pub label: Option<String>,
    /// The column of their splits.
    pub split: Option<String>,
}
