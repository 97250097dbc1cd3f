//! The original files of MNIST and Fashion-MNIST, raw or `.gz`: the idx format, <http://yann.lecun.com/exdb/mnist/>.
//!
//! ```text
//! 0 0 8 D      bytes, D dimensions
//! D x u32      the sizes, most significant byte first
//! the bytes    images: [count, height, width], row by row from the top left; classes: [count]
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

use super::{BuiltinDataset, Dataset, ImageStore, MOST_SAMPLES, Split};
use crate::error::error_with_hint;

/// Subfolders in which torchvision keeps the files.
const SUBFOLDERS: [&str; 4] = ["", "raw", "MNIST/raw", "FashionMNIST/raw"];
/// The longest edge of an image, in pixels.
const LONGEST_EDGE: usize = 1024;

/// Reads the four files of `known` in `folder` or in torchvision's subfolders.
///
/// # Errors
/// When files are missing, truncated, damaged, longer than their header says, or do not belong together.
pub fn read(folder: &Path, known: BuiltinDataset) -> Result<Dataset> {
    if !folder.is_dir() {
        bail!("`{}` is not a folder", folder.display());
    }
    let (train_size, train) = read_split(folder, known, "train", "train")?;
    let (test_size, test) = read_split(folder, known, "test", "t10k")?;
    if train_size != test_size {
        bail!("the training images have {train_size:?} pixels and the test images {test_size:?}");
    }
    let mut data = known.of(train, test);
    data.preprocess.size = train_size;
    Ok(data)
}

/// Returns the size of the images and the split of the files that start with `prefix`.
fn read_split(
    folder: &Path,
    known: BuiltinDataset,
    part: &str,
    prefix: &str,
) -> Result<([usize; 2], Split)> {
    let named = |path: &Path| format!("`{}`", path.display());
    let path = find(folder, prefix, "images", 3)?;
    let ([count, height, width], samples) = read_idx(&path).with_context(|| named(&path))?;
    let path = find(folder, prefix, "labels", 1)?;
    let ([labels], classes) = read_idx(&path).with_context(|| named(&path))?;
    if labels != count {
        bail!("{} holds {labels} labels for {count} images", named(&path));
    }
    let classes: Vec<u32> = classes.into_iter().map(u32::from).collect();
    let known_classes = known.labels().len();
    if let Some(at) = classes
        .iter()
        .position(|&class| class as usize >= known_classes)
    {
        bail!(
            "{}: image {at} has class {}, but there are {known_classes} classes",
            named(&path),
            classes[at]
        );
    }
    let images = ImageStore::Memory {
        name: format!("{} {part}", known.word()),
        size: [height, width],
        channels: 1,
        samples,
    };
    Ok(([height, width], Split::new(images, classes)))
}

/// Returns the file of a split by any of its usual names.
fn find(folder: &Path, prefix: &str, what: &str, dimensions: usize) -> Result<PathBuf> {
    let plain = format!("{prefix}-{what}-idx{dimensions}-ubyte");
    let dotted = format!("{prefix}-{what}.idx{dimensions}-ubyte");
    for subfolder in SUBFOLDERS {
        for name in [&plain, &dotted] {
            for ending in ["", ".gz"] {
                let path = folder.join(subfolder).join(format!("{name}{ending}"));
                if path.is_file() {
                    return Ok(path);
                }
            }
        }
    }
    Err(error_with_hint(
        format!("`{}` has no `{plain}` or `{plain}.gz`", folder.display()),
        "name the folder with the four original files, raw or `.gz`",
    ))
}

/// Reads the sizes and the bytes of a file of `D` dimensions, compressed or not.
fn read_idx<const D: usize>(path: &Path) -> Result<([usize; D], Vec<u8>)> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 2];
    let is_packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    file.rewind()?;
    let length = file.get_ref().metadata()?.len();
    if is_packed {
        // Deflate expands one byte to at most 1,032.
        read_header_and_bytes(MultiGzDecoder::new(file), length.saturating_mul(1032))
    } else {
        read_header_and_bytes(file, length)
    }
}

/// Reads the uncompressed content of [`read_idx`], at most `most` bytes.
fn read_header_and_bytes<const D: usize>(
    mut file: impl Read,
    most: u64,
) -> Result<([usize; D], Vec<u8>)> {
    let mut start = [0; 4];
    file.read_exact(&mut start).map_err(explain)?;
    if start != [0, 0, 8, D as u8] {
        return Err(error_with_hint(
            format!(
                "it starts with the bytes {start:?}, but idx files start with {:?}",
                [0, 0, 8, D]
            ),
            "this is another file: download the original one",
        ));
    }
    let mut sizes = [0; D];
    for size in &mut sizes {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(explain)?;
        *size = u32::from_be_bytes(bytes) as usize;
    }
    if sizes.contains(&0) || sizes[1..].iter().any(|&edge| edge > LONGEST_EDGE) {
        bail!("its header has the sizes {sizes:?}");
    }
    let total = sizes
        .iter()
        .try_fold(1_u64, |total, &size| total.checked_mul(size as u64));
    let total = total.filter(|&total| total <= MOST_SAMPLES);
    let Some(total) = total else {
        bail!(
            "its header has the sizes {sizes:?}, more than {} MiB",
            MOST_SAMPLES >> 20
        );
    };
    if total > most {
        return Err(truncated(&format!("its header has the sizes {sizes:?}")));
    }
    let mut bytes = Vec::with_capacity(total as usize);
    file.take(total + 1)
        .read_to_end(&mut bytes)
        .map_err(explain)?;
    match bytes.len() as u64 {
        length if length < total => Err(truncated(&format!(
            "it ends after {length} of {total} bytes"
        ))),
        length if length > total => bail!("it is longer than its header says"),
        _ => Ok((sizes, bytes)),
    }
}

fn truncated(what: &str) -> anyhow::Error {
    error_with_hint(
        format!("the file is truncated: {what}"),
        "the copy or download is incomplete: download it again",
    )
}

fn explain(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated("it ends in the middle"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            error_with_hint(format!("the file is damaged: {error}"), "download it again")
        }
        _ => error.into(),
    }
}
