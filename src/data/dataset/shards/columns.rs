//! The columns of a table that hold the images and their labels.

use std::fmt::Write;

use anyhow::{Result, bail};
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use serde_json::Value;

use crate::error::{error_with_hint, setting};
use crate::message;

/// Names of a column of labels that no description tells.
const LABELS: [&str; 4] = ["label", "labels", "class", "target"];

/// The columns that the user named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnNames {
    /// The images: a column of bytes, or of `{bytes, path}`; a dot leads into a nested column.
    pub image: Option<String>,
    /// The labels: numbers or names.
    pub label: Option<String>,
}

/// The columns as a dataset describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// The columns of images.
    pub images: Vec<String>,
    /// The columns of labels, with the names of their classes.
    pub labels: Vec<(String, Vec<String>)>,
}

impl Features {
    /// Returns the features in the JSON that the library `datasets` adds to a table, under the key `huggingface`.
    pub fn of_json(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let mut features = Self::default();
        for (name, feature) in value["info"]["features"].as_object().into_iter().flatten() {
            match feature["_type"].as_str() {
                Some("Image") => features.images.push(name.clone()),
                Some("ClassLabel") => features
                    .labels
                    .push((name.clone(), texts(&feature["names"]))),
                _ => {}
            }
        }
        features
    }

    /// Returns true if no column is described.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.labels.is_empty()
    }

    /// Returns the names of the classes of a column, if any.
    pub fn names(&self, column: &str) -> Option<Vec<String>> {
        let found = self.labels.iter().find(|(name, _)| name == column)?;
        Some(found.1.clone()).filter(|names| !names.is_empty())
    }
}

fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// The columns of the images and labels: the numbers of their leaves in the schema, and their paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The leaf of the images' bytes.
    pub image: usize,
    /// The leaf of the labels.
    pub label: usize,
    /// The path of the images' bytes, such as `image.bytes`.
    pub image_path: String,
    /// The path of the labels, such as `label`.
    pub label_path: String,
}

/// Finds the columns of a table: those that are named, else those that `features` tell, else those of the right types.
///
/// # Errors
/// When there is none or more than one; the columns are named then.
pub fn find(
    schema: &SchemaDescriptor,
    names: &ColumnNames,
    features: &Features,
) -> Result<Columns> {
    let leaves: Vec<&ColumnDescriptor> = schema.columns().iter().map(AsRef::as_ref).collect();
    let image = match &names.image {
        Some(name) => {
            image_named(&leaves, name).ok_or_else(|| no_column(&leaves, name, "image-column"))?
        }
        None => only(&leaves, &images(&leaves, features), "image", "image-column")?,
    };
    let label = match &names.label {
        Some(name) => {
            position(&leaves, name).ok_or_else(|| no_column(&leaves, name, "label-column"))?
        }
        None => only(&leaves, &labels(&leaves, features), "label", "label-column")?,
    };
    for leaf in [image, label] {
        if leaves[leaf].max_rep_level() > 0 {
            return Err(error_with_hint(
                format!(
                    "the column `{}` has several values per row",
                    leaves[leaf].path().string()
                ),
                "one image and one label per row are supported: make a table with these",
            ));
        }
    }
    match leaves[label].physical_type() {
        Type::INT32 | Type::INT64 | Type::BOOLEAN | Type::BYTE_ARRAY => {}
        other => bail!(
            "the column `{}` is of {other}, but labels are whole numbers or texts",
            leaves[label].path().string()
        ),
    }
    let path = |leaf: usize| leaves[leaf].path().string();
    Ok(Columns {
        image,
        label,
        image_path: path(image),
        label_path: path(label),
    })
}

fn position(leaves: &[&ColumnDescriptor], path: &str) -> Option<usize> {
    leaves.iter().position(|leaf| leaf.path().string() == path)
}

/// Returns the leaf of the images' bytes in the column `name`.
fn image_named(leaves: &[&ColumnDescriptor], name: &str) -> Option<usize> {
    let found = position(leaves, &format!("{name}.bytes")).or_else(|| position(leaves, name))?;
    (leaves[found].physical_type() == Type::BYTE_ARRAY).then_some(found)
}

/// Returns the columns that may be the images.
fn images(leaves: &[&ColumnDescriptor], features: &Features) -> Vec<usize> {
    let told = features
        .images
        .iter()
        .filter_map(|name| image_named(leaves, name));
    let told: Vec<usize> = told.collect();
    if !told.is_empty() {
        return told;
    }
    let is_bytes = |leaf: &ColumnDescriptor| {
        let parts = leaf.path().parts();
        leaf.physical_type() == Type::BYTE_ARRAY
            && !is_text(leaf)
            && (parts.len() == 1 || parts.last().is_some_and(|last| last == "bytes"))
    };
    (0..leaves.len())
        .filter(|&leaf| is_bytes(leaves[leaf]))
        .collect()
}

/// Returns the columns that may be the labels.
fn labels(leaves: &[&ColumnDescriptor], features: &Features) -> Vec<usize> {
    let told = features
        .labels
        .iter()
        .filter_map(|(name, _)| position(leaves, name));
    let told: Vec<usize> = told.collect();
    if !told.is_empty() {
        return told;
    }
    LABELS
        .iter()
        .filter_map(|name| position(leaves, name))
        .collect()
}

fn is_text(leaf: &ColumnDescriptor) -> bool {
    let logical = leaf.logical_type_ref();
    matches!(
        logical,
        Some(LogicalType::String | LogicalType::Json | LogicalType::Enum)
    ) || matches!(
        leaf.converted_type(),
        ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM
    )
}

/// Returns the only one of `found`.
fn only(
    leaves: &[&ColumnDescriptor],
    found: &[usize],
    what: &str,
    key: &'static str,
) -> Result<usize> {
    match found {
        [leaf] => Ok(*leaf),
        [] => Err(error_with_hint(
            format!(
                "no column holds the {what}s; the columns are {}",
                listed(leaves)
            ),
            message!["name it with ", setting(key)],
        )),
        _ => {
            let names = found.iter().map(|&leaf| display_name(leaves[leaf]));
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            Err(error_with_hint(
                format!("several columns may hold the {what}s: {}", names.join(", ")),
                message!["name one with ", setting(key)],
            ))
        }
    }
}

fn no_column(leaves: &[&ColumnDescriptor], name: &str, key: &'static str) -> anyhow::Error {
    let what = if key == "image-column" {
        "images"
    } else {
        "labels"
    };
    error_with_hint(
        format!(
            "there is no column `{name}` of {what}; the columns are {}",
            listed(leaves)
        ),
        message!["correct ", setting(key)],
    )
}

/// Returns the name of a column as a user names it.
fn display_name(leaf: &ColumnDescriptor) -> String {
    let path = leaf.path().string();
    path.strip_suffix(".bytes")
        .map_or(path.clone(), str::to_owned)
}

fn listed(leaves: &[&ColumnDescriptor]) -> String {
    let mut text = String::new();
    for (at, leaf) in leaves.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let kind = if is_text(leaf) {
            "text".to_owned()
        } else {
            leaf.physical_type().to_string().to_lowercase()
        };
        // Writing to a text cannot fail.
        let _ = write!(text, "{comma}`{}` ({kind})", leaf.path().string());
    }
    text
}
