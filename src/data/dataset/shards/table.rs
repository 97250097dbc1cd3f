//! One table: a parquet file with a column of images and one of labels.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};

use parquet::file::statistics::Statistics;

use super::columns::{ColumnNames, Columns, Features, find};
use super::positioned::{PositionedReader, read_exact_at};
use super::shard::{Label, LabelSource, Record, Shard, Stamp};
use crate::error::error_with_hint;

/// A file that many threads read at positions of their own.
pub struct TableFile {
    file: Arc<File>,
    length: u64,
}

impl Length for TableFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for TableFile {
    type T = BufReader<PositionedReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::with_capacity(
            1 << 12,
            PositionedReader {
                file: Arc::clone(&self.file),
                position: start,
            },
        ))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        Ok(read_exact_at(&self.file, start, length)?.into())
    }
}

/// An open table.
pub type Table = SerializedFileReader<TableFile>;

/// Opens the table at `path`.
///
/// # Errors
/// When it is missing, torn or no parquet file.
pub fn open(path: &Path) -> Result<Table> {
    let file = File::open(path).with_context(|| format!("shard `{}`", path.display()))?;
    unharmed(path, || {
        let length = file.metadata()?.len();
        let table = Table::new(TableFile {
            file: Arc::new(file),
            length,
        })?;
        check_places(table.metadata(), length)?;
        Ok(table)
    })
}

/// Returns what `work` returns for the table at `path`, with its name in errors; the parquet crate trusts much of a damaged file,
/// and panics.
fn unharmed<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(anyhow!("the table is damaged")))
        .map_err(|error| {
            if crate::error::hint_of(&error).is_some() {
                return error.context(format!("shard `{}`", path.display()));
            }
            error_with_hint(
                format!(
                    "shard `{}` is torn or not a parquet file: {}",
                    path.display(),
                    crate::error::one_line(&error)
                ),
                "fetch or make it again",
            )
        })
}

/// Rejects columns that would lie outside of a file of `length` bytes, on which the parquet crate panics.
pub fn check_places(table: &ParquetMetaData, length: u64) -> Result<()> {
    for column in table
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
    {
        let first = column.dictionary_page_offset();
        let first = first.unwrap_or(column.data_page_offset());
        let end = first.checked_add(column.compressed_size());
        let inside = |place: i64| u64::try_from(place).is_ok_and(|place| place <= length);
        ensure!(
            inside(first) && inside(column.compressed_size()) && end.is_some_and(inside),
            "the table is damaged: a column lies outside of the file"
        );
    }
    Ok(())
}

/// Returns the columns that the table describes, if it does.
pub fn features(table: &ParquetMetaData) -> Features {
    let entries = table
        .file_metadata()
        .key_value_metadata()
        .into_iter()
        .flatten();
    let mut entries = entries.filter(|entry| entry.key == "huggingface");
    let text = entries.next().and_then(|entry| entry.value.as_deref());
    text.map(Features::of_json).unwrap_or_default()
}

/// Finds the columns of the table at `path`; `told` is used where it does not describe them itself. Returns its features, too.
///
/// # Errors
/// When it cannot be read, or has no such columns.
pub fn columns(path: &Path, names: &ColumnNames, told: &Features) -> Result<(Columns, Features)> {
    let table = open(path)?;
    let own = features(table.metadata());
    let features = if own.is_empty() { told.clone() } else { own };
    let schema = table.metadata().file_metadata().schema_descr();
    let columns =
        find(schema, names, &features).with_context(|| format!("shard `{}`", path.display()))?;
    Ok((columns, features))
}

/// Reads the labels of the table at `path`, which has this stamp.
///
/// # Errors
/// When it has other columns, a row without a label, or no images at all.
pub fn scan(path: &Path, stamp: Stamp, columns: &Columns) -> Result<Shard> {
    let table = open(path)?;
    let schema = table.metadata().file_metadata().schema_descr();
    let leaf = |wanted: &str| {
        let found = schema
            .columns()
            .iter()
            .position(|leaf| leaf.path().string() == wanted);
        found.with_context(|| {
            format!(
                "shard `{}` has no column `{wanted}`, but others have",
                path.display()
            )
        })
    };
    let (image, label) = (leaf(&columns.image_path)?, leaf(&columns.label_path)?);
    unharmed(path, || {
        refuse_references(&table, image, &columns.image_path)?;
        let mut shard = Shard::new(path, stamp, LabelSource::Column);
        let mut numbers = std::collections::HashMap::new();
        for group in 0..table.num_row_groups() {
            for found in labels(&table, group, label)? {
                let row = shard.records.len() as u64;
                let Some(found) = found else {
                    return Err(error_with_hint(
                        format!("row {row} has no label in column `{}`", columns.label_path),
                        "leave such rows out of the table",
                    ));
                };
                let number = *numbers.entry(found).or_insert_with_key(|label: &Label| {
                    shard.labels.push(label.clone());
                    shard.labels.len() as u32 - 1
                });
                shard.records.push(Record {
                    offset: row,
                    length: 0,
                    label: number,
                });
            }
        }
        if shard.records.is_empty() {
            return Err(error_with_hint("it has no rows", "leave it out"));
        }
        shard.records.shrink_to_fit();
        Ok(shard)
    })
}

/// Rejects a table whose statistics say that all images are elsewhere.
fn refuse_references(table: &Table, image: usize, column: &str) -> Result<()> {
    let groups = table.metadata().row_groups();
    let is_empty = groups.iter().all(|group| {
        let nulls = group
            .column(image)
            .statistics()
            .and_then(Statistics::null_count_opt);
        nulls.is_some_and(|nulls| nulls as i64 == group.num_rows())
    });
    if is_empty && !groups.is_empty() {
        return Err(error_with_hint(
            format!("no row has an image in column `{column}`: the table has at most their paths"),
            "embed the images, or pass their folder",
        ));
    }
    Ok(())
}

/// Returns the labels of a row group.
fn labels(table: &Table, group: usize, leaf: usize) -> Result<Vec<Option<Label>>> {
    let rows = usize::try_from(table.metadata().row_group(group).num_rows())?;
    let depth = table
        .metadata()
        .file_metadata()
        .schema_descr()
        .column(leaf)
        .max_def_level();
    let group = table.get_row_group(group)?;
    match group.get_column_reader(leaf)? {
        ColumnReader::Int32ColumnReader(mut column) => read(&mut column, depth, rows, |&number| {
            Ok(Label::Number(number.into()))
        }),
        ColumnReader::Int64ColumnReader(mut column) => read(&mut column, depth, rows, |&number| {
            Ok(Label::Number(number))
        }),
        ColumnReader::BoolColumnReader(mut column) => read(&mut column, depth, rows, |&number| {
            Ok(Label::Number(number.into()))
        }),
        ColumnReader::ByteArrayColumnReader(mut column) => {
            read(&mut column, depth, rows, |text: &ByteArray| {
                let text = std::str::from_utf8(text.data()).context("a label is not UTF-8")?;
                Ok(Label::Text(text.to_owned()))
            })
        }
        _ => bail!("labels are whole numbers or texts"),
    }
}

/// Reads the next `rows` values of a column, whose values are at the definition level `depth`; `None` for null.
///
/// # Errors
/// When there are fewer, and those of `convert`.
pub fn read<T: DataType, V>(
    column: &mut ColumnReaderImpl<T>,
    depth: i16,
    rows: usize,
    convert: impl Fn(&T::T) -> Result<V>,
) -> Result<Vec<Option<V>>> {
    let (mut levels, mut values, mut done) = (Vec::new(), Vec::new(), 0);
    while done < rows {
        let (records, ..) =
            column.read_records(rows - done, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            bail!("a column has {done} rows instead of {rows}");
        }
        done += records;
    }
    // A required column has no levels.
    levels.resize(rows, depth);
    let mut values = values.iter();
    let found = levels.iter().map(|&level| {
        let value = if level == depth { values.next() } else { None };
        value.map(&convert).transpose()
    });
    found.collect()
}
