//! Images in a parquet file of the hub, with a column of PNG files and a column of classes.
//!
//! ```text
//! img or image           {bytes, path}: the bytes of an image's file
//! label or fine_label    the class
//! ```
//!
//! The samples of a decoded image keep their order: rows, columns, colors. (candle-datasets takes rows for columns, so that
//! its CIFAR images lie on their side.)

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_datasets::hub::FileReader;
use parquet::data_type::ByteArray;
use parquet::file::reader::SerializedFileReader;
use parquet::record::{Field, Row};
use rayon::prelude::*;

use super::shards::check_places;
use super::{BuiltinDataset, Dataset, ImageStore, MOST_SAMPLES, Split};
use crate::data::image::decode::{DecodeOptions, decode_bytes};
use crate::error::error_with_hint;

const IMAGES: [&str; 2] = ["img", "image"];
/// CIFAR-100 also has the column `coarse_label`, the groups of its classes.
const CLASSES: [&str; 2] = ["fine_label", "label"];
/// Rows per batch, whose images are decoded on all cores.
const ROWS: usize = 2048;
/// The most pixels to decode of an image of a wrong size.
const MOST_PIXELS: u64 = 1 << 16;

/// Reads the two tables of `known`.
///
/// # Errors
/// When a file is not a parquet file, is damaged or has other columns, or an image is damaged or of a wrong size or class.
pub fn read(train: &Path, test: &Path, known: BuiltinDataset) -> Result<Dataset> {
    Ok(known.of(
        read_split(train, known, "train")?,
        read_split(test, known, "test")?,
    ))
}

fn read_split(path: &Path, known: BuiltinDataset, part: &str) -> Result<Split> {
    // The parquet crate trusts much of a damaged file, and panics.
    let rows = catch_unwind(AssertUnwindSafe(|| read_rows(path, known)));
    let rows = rows.unwrap_or_else(|_| Err(anyhow!("the table is damaged")));
    let (samples, classes) = rows.map_err(|error| {
        let message = format!("`{}`: {}", path.display(), crate::error::one_line(&error));
        error_with_hint(message, "delete the file to download it again")
    })?;
    let images = ImageStore::Memory {
        name: format!("{} {part}", known.word()),
        size: [known.edge(); 2],
        channels: known.channels(),
        samples,
    };
    Ok(Split::new(images, classes))
}

/// Returns the samples of all images, and their classes.
fn read_rows(path: &Path, known: BuiltinDataset) -> Result<(Vec<u8>, Vec<u32>)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let reader = SerializedFileReader::new(file)?;
    check_places(reader.metadata(), length)?;
    let schema = reader.metadata().file_metadata().schema();
    let columns: Vec<&str> = schema
        .get_fields()
        .iter()
        .map(|field| field.name())
        .collect();
    let find = |names: [&'static str; 2]| names.into_iter().find(|name| columns.contains(name));
    let (Some(image), Some(class)) = (find(IMAGES), find(CLASSES)) else {
        bail!("the table has the columns {columns:?}, not `image` and `label`");
    };
    let length = known.edge() * known.edge() * known.channels();
    let count = known.labels().len();
    let (mut samples, mut classes) = (Vec::new(), Vec::new());
    let mut rows = reader.get_row_iter(None)?.peekable();
    while rows.peek().is_some() {
        let first = classes.len();
        let mut files = Vec::with_capacity(ROWS);
        for row in rows.by_ref().take(ROWS) {
            let row = row?;
            let at = first + files.len();
            files.push(image_bytes(&row, image).with_context(|| format!("row {at}"))?);
            let class = number(&row, class).filter(|&class| (class as usize) < count);
            classes.push(class.with_context(|| format!("row {at} has no class below {count}"))?);
        }
        ensure!(
            (classes.len() * length) as u64 <= MOST_SAMPLES,
            "the table holds more images than {} MiB",
            MOST_SAMPLES >> 20
        );
        samples.resize(classes.len() * length, 0);
        let places = samples[first * length..].par_chunks_exact_mut(length);
        places
            .zip(&files)
            .enumerate()
            .try_for_each(|(at, (place, file))| {
                decode_into(place, file.data(), known)
                    .with_context(|| format!("row {}", first + at))
            })?;
    }
    ensure!(!classes.is_empty(), "the table contains no images");
    Ok((samples, classes))
}

/// Returns the bytes of the image in a column.
fn image_bytes(row: &Row, column: &str) -> Result<ByteArray> {
    let group = row.get_column_iter().find(|(name, _)| *name == column);
    let Some((_, Field::Group(group))) = group else {
        bail!("`{column}` is not an image");
    };
    let bytes = group.get_column_iter().find(|(name, _)| *name == "bytes");
    match bytes {
        Some((_, Field::Bytes(bytes))) => Ok(bytes.clone()),
        _ => bail!("`{column}` has no bytes"),
    }
}

/// Returns the whole number in a column.
fn number(row: &Row, column: &str) -> Option<u32> {
    let (_, field) = row.get_column_iter().find(|(name, _)| *name == column)?;
    match *field {
        Field::Byte(number) => number.try_into().ok(),
        Field::Short(number) => number.try_into().ok(),
        Field::Int(number) => number.try_into().ok(),
        Field::Long(number) => number.try_into().ok(),
        Field::UByte(number) => Some(number.into()),
        Field::UShort(number) => Some(number.into()),
        Field::UInt(number) => Some(number),
        Field::ULong(number) => number.try_into().ok(),
        _ => None,
    }
}

/// Decodes an image, which must have the size and the channels of the dataset.
fn decode_into(place: &mut [u8], file: &[u8], known: BuiltinDataset) -> Result<()> {
    let options = DecodeOptions {
        max_pixels: MOST_PIXELS,
        ..DecodeOptions::default()
    };
    let image = decode_bytes(file, &options)?;
    let (width, height) = image.dimensions();
    let edge = known.edge();
    ensure!(
        (width as usize, height as usize) == (edge, edge),
        "the image has {width}x{height} pixels instead of {edge}x{edge}"
    );
    if known.channels() == 3 {
        place.copy_from_slice(image.as_raw());
        return Ok(());
    }
    for (sample, pixel) in place.iter_mut().zip(image.pixels()) {
        let [red, green, blue] = pixel.0;
        ensure!(red == green && red == blue, "the image is not gray");
        *sample = red;
    }
    Ok(())
}
