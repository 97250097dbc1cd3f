//! The options of tables in a recipe.

use crate::data::dataset::TableOptions;
use crate::train::config::recipe::Recipe;
use std::path::PathBuf;

impl Recipe {
    /// Returns the table of labels and the columns that the recipe names.
    pub(in crate::train) fn table_options(&self) -> TableOptions {
        TableOptions {
            labels_csv: self.labels_csv.as_ref().map(PathBuf::from),
            image_column: self.image_column.clone(),
            label_column: self.label_column.clone(),
            split_column: self.split_column.clone(),
        }
    }
}
