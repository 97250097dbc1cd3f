//! Shards of images: tar files and parquet tables, as other programs write them.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Writes a tar file of these members.
pub fn tar(path: &Path, members: &[(&str, &[u8])]) {
    let mut archive = tar::Builder::new(File::create(path).unwrap());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap();
}

/// A table of images, as the library `datasets` writes it.
pub struct Table<'a> {
    /// Rows per row group.
    pub group: usize,
    /// True if the pages are compressed.
    pub is_compressed: bool,
    /// The features under the key `huggingface`, such as `"label": {"names": ["a"], "_type": "ClassLabel"}`.
    pub features: &'a str,
}

impl Table<'_> {
    /// Writes rows of an image, or none, and a label.
    pub fn write(&self, path: &Path, rows: &[(Option<&[u8]>, i64)]) {
        let schema = "message schema { optional group image { optional binary bytes; optional binary path (UTF8); } \
            optional int64 label; }";
        let compression = if self.is_compressed {
            Compression::SNAPPY
        } else {
            Compression::UNCOMPRESSED
        };
        let mut properties = WriterProperties::builder()
            .set_compression(compression)
            .set_data_page_row_count_limit(3)
            .set_write_batch_size(1);
        if !self.features.is_empty() {
            let text = format!("{{\"info\": {{\"features\": {{{}}}}}}}", self.features);
            let entry = KeyValue::new("huggingface".to_owned(), text);
            properties = properties.set_key_value_metadata(Some(vec![entry]));
        }
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = File::create(path).unwrap();
        let mut writer =
            SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
        for rows in rows.chunks(self.group) {
            let mut group = writer.next_row_group().unwrap();
            let levels: Vec<i16> = rows
                .iter()
                .map(|(image, _)| if image.is_some() { 2 } else { 0 })
                .collect();
            let images: Vec<ByteArray> = rows
                .iter()
                .filter_map(|(image, _)| Some(image.as_ref()?.to_vec().into()))
                .collect();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<ByteArrayType>()
                .write_batch(&images, Some(&levels), None)
                .unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<ByteArrayType>()
                .write_batch(&[], Some(&vec![0; rows.len()]), None)
                .unwrap();
            column.close().unwrap();
            let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<Int64Type>()
                .write_batch(&labels, Some(&vec![1; rows.len()]), None)
                .unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
    }
}

/// Writes a table of some columns of bytes, or of numbers where its type says so, one row each.
pub fn columns(path: &Path, schema: &str, values: &[&[u8]]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for value in values {
        let mut column = group.next_column().unwrap().unwrap();
        match column.untyped() {
            parquet::column::writer::ColumnWriter::Int64ColumnWriter(column) => {
                let number = std::str::from_utf8(value).unwrap().parse().unwrap();
                column
                    .write_batch(&[number], Some(&[1]), Some(&[0]))
                    .unwrap();
            }
            parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(column) => {
                column
                    .write_batch(&[value.to_vec().into()], Some(&[1]), Some(&[0]))
                    .unwrap();
            }
            _ => panic!("a column of another type"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

/// Returns the files in `folder` and below, sorted, each with its name from there, with `/`.
pub fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = files_below(&path);
            found.extend(
                below
                    .into_iter()
                    .map(|(below, content)| (format!("{name}/{below}"), content)),
            );
        } else {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
