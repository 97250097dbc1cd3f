//! The dataset of a name, read by the user's options of tables.

use anyhow::Result;

use super::name::DatasetName;
#[cfg(feature = "datasets")]
use super::shards::columns::ColumnNames;
use super::table_options::{LabelsCsv, TableOptions};
use crate::error::{setting, usage_error};
use crate::message;

impl DatasetName {
    /// Returns the dataset read by `options`.
    ///
    /// # Errors
    /// Wrong usage if one of them would have no effect, as the data is no table or no folder.
    pub fn with_options(self, options: TableOptions) -> Result<Self> {
        let TableOptions {
            labels_csv,
            image_column: image,
            label_column: label,
            split_column: split,
        } = options;
        let unused = match (&labels_csv, &split, &image, &label) {
            (Some(_), ..) => "labels-csv",
            (None, Some(_), ..) => "split-column",
            (None, None, Some(_), _) => "image-column",
            (None, None, None, Some(_)) => "label-column",
            (None, None, None, None) => return Ok(self),
        };
        match (self, labels_csv) {
            (Self::Folder(folder), Some(path)) => {
                let csv = LabelsCsv {
                    path,
                    image,
                    label,
                    split,
                };
                Ok(Self::Labeled(folder, csv))
            }
            (_, Some(_)) => Err(usage_error(
                message![
                    setting(unused),
                    " has no effect: the data is not a folder of images"
                ],
                message!["leave it out, or pass the folder as ", setting("data")],
            )),
            #[cfg(feature = "datasets")]
            (Self::Hub(dataset, _), None) if split.is_none() => {
                Ok(Self::Hub(dataset, ColumnNames { image, label }))
            }
            #[cfg(feature = "datasets")]
            (Self::Parquet(pattern, _), None) if split.is_none() => {
                Ok(Self::Parquet(pattern, ColumnNames { image, label }))
            }
            (_, None) if split.is_some() => Err(usage_error(
                message![
                    setting(unused),
                    " has no effect: it is a column of the file of ",
                    setting("labels-csv")
                ],
                "leave it out, or pass that file",
            )),
            (_, None) => Err(usage_error(
                message![setting(unused), " has no effect: the data is not in tables"],
                message![
                    "leave it out, or pass `hf:ORG/NAME` or `parquet:PATTERN` as ",
                    setting("data"),
                    ", or a table of labels as ",
                    setting("labels-csv")
                ],
            )),
        }
    }

    /// Returns what tells the data, which the user wrote as `written`, from other data: the table of labels of a folder, which may
    /// have several; else `written`.
    pub fn identity(&self, written: &str) -> String {
        match self {
            Self::Labeled(_, csv) => csv.path.display().to_string(),
            _ => written.to_owned(),
        }
    }
}
