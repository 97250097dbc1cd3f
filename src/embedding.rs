//! A file of the pooled features of images, one row per image, for search and clustering.
//!
//! | extension | contents |
//! |---|---|
//! | `.safetensors` | the tensor `features` `[N, features]`, and in the metadata `images`, a JSON array of the images' names |
//! | `.npy` | `NumPy`'s format 1.0, `[N, features]`; the names, one per line, in `.names.txt` beside it |
//! | `.csv` | `image,f0,f1,...`, one line per image |
//!
//! Values are f32, or f64 when the model computes in it.

use crate::error::{error_with_hint, usage_error};
use crate::fs::{temporary_beside, write_whole};
use crate::report::csv::quoted;
use crate::weights::write_safetensors;
use anyhow::{Context, Result, ensure};
use candle_core::DType;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The extension of the file of names beside a `.npy` file.
const NAMES: &str = "names.txt";

/// The format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    Npy,
    Csv,
}

/// Rows for a file that is written at the end, atomically.
#[derive(Debug)]
pub struct Embedding {
    path: PathBuf,
    format: Format,
    /// True for f64 values.
    wide: bool,
    names: Vec<String>,
    /// Little endian, row after row.
    bytes: Vec<u8>,
}

impl Embedding {
    /// Checks that the file at `path` can be written, before the long work; the model computes in `dtype`.
    ///
    /// # Errors
    /// Wrong usage when the extension is unknown or the file of names would replace an unrelated file; a failure when the file
    /// cannot be written.
    pub fn create(path: &Path, dtype: DType) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let format = match ending.to_str() {
            Some("safetensors") => Format::Safetensors,
            Some("npy") => Format::Npy,
            Some("csv") => Format::Csv,
            _ => {
                return Err(usage_error(
                    format!("unknown extension of `{}`", path.display()),
                    "features are written as .safetensors, .npy or .csv",
                ));
            }
        };
        let embedding = Self {
            path: path.to_owned(),
            format,
            wide: dtype == DType::F64,
            names: Vec::new(),
            bytes: Vec::new(),
        };
        for file in embedding.files() {
            let prepare = || -> Result<()> {
                if file.is_dir() {
                    return Err(error_with_hint("it is a folder", "pass the name of a file"));
                }
                let folder = file.parent().unwrap_or(Path::new(""));
                if folder != Path::new("") && !folder.is_dir() {
                    return Err(error_with_hint("no such folder", "create it first"));
                }
                if file != path && file.exists() && !path.exists() {
                    return Err(usage_error(
                        format!(
                            "it exists already, without the features of `{}`",
                            path.display()
                        ),
                        "pass another file, or move this one away",
                    ));
                }
                temporary_beside(&file)?;
                Ok(())
            };
            prepare().with_context(|| format!("cannot write `{}`", file.display()))?;
        }
        Ok(embedding)
    }

    /// Returns the files that will be written.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.path.clone()];
        if self.format == Format::Npy {
            files.push(self.path.with_extension(NAMES));
        }
        files
    }

    /// Adds the row of the image `name`.
    pub fn add(&mut self, name: &str, features: &[f64]) {
        self.names.push(name.to_owned());
        for &feature in features {
            if self.wide {
                self.bytes.extend(feature.to_le_bytes());
            } else {
                self.bytes.extend((feature as f32).to_le_bytes());
            }
        }
    }

    /// Writes the rows of `features` values each, and returns their number.
    ///
    /// # Errors
    /// When a file cannot be written, or a row has another number of features.
    pub fn finish(self, features: usize) -> Result<usize> {
        let rows = self.names.len();
        let size = if self.wide { 8 } else { 4 };
        ensure!(
            self.bytes.len() == rows * features * size,
            "{} bytes are no {rows} rows of {features} features",
            self.bytes.len()
        );
        match self.format {
            Format::Safetensors => self.write_safetensors(features)?,
            Format::Npy => self.write_npy(features)?,
            Format::Csv => self.write_csv(features * size)?,
        }
        Ok(rows)
    }

    fn write_safetensors(&self, features: usize) -> Result<()> {
        let dtype = if self.wide { Dtype::F64 } else { Dtype::F32 };
        let shape = vec![self.names.len(), features];
        let tensor = TensorView::new(dtype, shape, &self.bytes)?;
        let names = serde_json::to_string(&self.names)?;
        write_safetensors(
            &self.path,
            &[("images", &names)],
            &[("features".to_owned(), tensor)],
        )
    }

    /// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    fn write_npy(&self, features: usize) -> Result<()> {
        let element = if self.wide { "<f8" } else { "<f4" };
        let mut header = format!(
            "{{'descr': '{element}', 'fortran_order': False, 'shape': ({}, {features}), }}",
            self.names.len()
        );
        // As NumPy writes it: with room for 21 digits of rows, for appending. Magic, version and length take ten bytes, and
        // the values start at a multiple of 64.
        header += &" ".repeat(21 - self.names.len().to_string().len());
        while !(10 + header.len() + 1).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let length = u16::try_from(header.len()).context("the header is too long")?;
        // The names first, so that there are never values without names.
        write_whole(&self.path.with_extension(NAMES), |file| {
            for name in &self.names {
                writeln!(file, "{}", on_one_line(name))?;
            }
            Ok(())
        })?;
        write_whole(&self.path, |file| {
            file.write_all(b"\x93NUMPY\x01\x00")?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(header.as_bytes())?;
            Ok(file.write_all(&self.bytes)?)
        })
    }

    fn write_csv(&self, row: usize) -> Result<()> {
        let size = if self.wide { 8 } else { 4 };
        write_whole(&self.path, |file| {
            write!(file, "image")?;
            for feature in 0..row / size {
                write!(file, ",f{feature}")?;
            }
            writeln!(file)?;
            for (name, row) in self.names.iter().zip(self.bytes.chunks_exact(row.max(1))) {
                write!(file, "{}", quoted(name))?;
                // The shortest decimals that round-trip.
                if self.wide {
                    for &number in row.as_chunks().0 {
                        write!(file, ",{}", f64::from_le_bytes(number))?;
                    }
                } else {
                    for &number in row.as_chunks().0 {
                        write!(file, ",{}", f32::from_le_bytes(number))?;
                    }
                }
                writeln!(file)?;
            }
            Ok(())
        })
    }
}

/// Returns a name without line breaks, so that each name is one line.
fn on_one_line(name: &str) -> Cow<'_, str> {
    if name.contains(['\n', '\r']) {
        Cow::Owned(name.replace('\n', "\\n").replace('\r', "\\r"))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [(&str, [f64; 3]); 2] = [
        ("a, b.png", [0.1, -2.0, 1e-30]),
        ("c\nd.png", [3.5, 0.0, 7e20]),
    ];

    fn written(file: &str, dtype: DType) -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        let mut embedding = Embedding::create(&path, dtype).unwrap();
        for (name, features) in ROWS {
            embedding.add(name, &features);
        }
        assert_eq!(embedding.finish(3).unwrap(), 2);
        let bytes = std::fs::read(&path).unwrap();
        (folder, bytes)
    }

    #[test]
    fn npy_files_are_those_that_numpy_saves_with_a_name_a_line_beside_them() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/explain");
        for (dtype, fixture) in [(DType::F32, "single.npy"), (DType::F64, "double.npy")] {
            let (folder, bytes) = written("x.NPY", dtype);
            assert_eq!(
                bytes,
                std::fs::read(fixtures.join(fixture)).unwrap(),
                "{fixture}"
            );
            let names = std::fs::read_to_string(folder.path().join("x.names.txt")).unwrap();
            assert_eq!(names, "a, b.png\nc\\nd.png\n");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn csv_files_have_the_shortest_decimals_of_each_number() {
        let expected = "image,f0,f1,f2\n\"a, b.png\",0.1,-2,0.000000000000000000000000000001\n\"c\nd.png\",3.5,0,700000000000000000000\n";
        for dtype in [DType::F32, DType::F64] {
            let (_folder, bytes) = written("x.csv", dtype);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
    }

    #[test]
    fn safetensors_files_have_the_names_in_their_metadata() {
        for (dtype, element) in [
            (DType::F32, Dtype::F32),
            (DType::BF16, Dtype::F32),
            (DType::F64, Dtype::F64),
        ] {
            let (_folder, bytes) = written("x.safetensors", dtype);
            let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            let names = &header.metadata().as_ref().unwrap()["images"];
            assert_eq!(names, r#"["a, b.png","c\nd.png"]"#);
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let features = tensors.tensor("features").unwrap();
            assert_eq!((features.dtype(), features.shape()), (element, &[2, 3][..]));
            let first = match element {
                Dtype::F64 => 0.1_f64.to_le_bytes().to_vec(),
                _ => 0.1_f32.to_le_bytes().to_vec(),
            };
            assert!(features.data().starts_with(&first));
        }
    }

    #[test]
    fn no_row_is_a_table_of_none() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["x.npy", "x.csv", "x.safetensors"] {
            let path = folder.path().join(file);
            let embedding = Embedding::create(&path, DType::F32).unwrap();
            assert_eq!(embedding.finish(5).unwrap(), 0);
        }
        let csv = std::fs::read_to_string(folder.path().join("x.csv")).unwrap();
        assert_eq!(csv, "image,f0,f1,f2,f3,f4\n");
        let npy = std::fs::read(folder.path().join("x.npy")).unwrap();
        assert_eq!(npy.len(), 128);
    }
}
