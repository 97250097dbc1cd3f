//! The original files of MNIST and Fashion-MNIST, raw or `.gz`: the idx format, <http://yann.lecun.com/exdb/mnist/>.
//!
//! ```text
//! 0 0 8 D      bytes, D dimensions
//! D x u32      the sizes, most significant byte first
//! the bytes    pictures: [count, height, width], row by row from the top left; classes: [count]
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;

use super::{DataSet, Known, MOST_SAMPLES, Pictures, Split};
use crate::error::hinted;

/// Where torchvision keeps the files below the folder that it is given.
const SUBFOLDERS: [&str; 4] = ["", "raw", "MNIST/raw", "FashionMNIST/raw"];
/// The longest edge of a picture, in pixels.
const LONGEST_EDGE: usize = 1024;

/// Reads the four files of `known` in `folder`, or where torchvision puts them in it.
///
/// # Errors
/// Files that are missing, truncated, damaged, longer than their header says or that do not belong together.
pub fn read(folder: &Path, known: Known) -> Result<DataSet> {
    if !folder.is_dir() {
        bail!("`{}` is no folder", folder.display());
    }
    let (train_size, train) = read_split(folder, known, "train", "train")?;
    let (test_size, test) = read_split(folder, known, "test", "t10k")?;
    if train_size != test_size {
        bail!(
            "the training pictures have {train_size:?} pixels and the test pictures {test_size:?}"
        );
    }
    let mut data = known.of(train, test);
    data.preprocess.size = train_size;
    Ok(data)
}

/// The size of the pictures and the split of the files that begin with `prefix`.
fn read_split(
    folder: &Path,
    known: Known,
    part: &str,
    prefix: &str,
) -> Result<([usize; 2], Split)> {
    let named = |path: &Path| format!("`{}`", path.display());
    let path = find(folder, prefix, "images", 3)?;
    let ([count, height, width], samples) = read_idx(&path).with_context(|| named(&path))?;
    let path = find(folder, prefix, "labels", 1)?;
    let ([labels], classes) = read_idx(&path).with_context(|| named(&path))?;
    if labels != count {
        bail!(
            "{} holds {labels} classes of {count} pictures",
            named(&path)
        );
    }
    let classes: Vec<u32> = classes.into_iter().map(u32::from).collect();
    let known_classes = known.labels().len();
    if let Some(at) = classes
        .iter()
        .position(|&class| class as usize >= known_classes)
    {
        bail!(
            "{}: picture {at} is of class {}, and there are {known_classes}",
            named(&path),
            classes[at]
        );
    }
    let pictures = Pictures::Memory {
        name: format!("{} {part}", known.word()),
        size: [height, width],
        channels: 1,
        samples,
    };
    Ok(([height, width], Split::new(pictures, classes)))
}

/// The file of a part by the names that are in use.
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
    Err(hinted(
        format!("`{}` has no `{plain}` or `{plain}.gz`", folder.display()),
        "name the folder with the four original files, raw or `.gz`",
    ))
}

/// The sizes and the bytes of a file of `D` dimensions, unpacked where it is packed.
fn read_idx<const D: usize>(path: &Path) -> Result<([usize; D], Vec<u8>)> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 2];
    let is_packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    file.rewind()?;
    let length = file.get_ref().metadata()?.len();
    if is_packed {
        // Deflate makes at most 1032 bytes of one.
        read_header_and_bytes(MultiGzDecoder::new(file), length.saturating_mul(1032))
    } else {
        read_header_and_bytes(file, length)
    }
}

/// [`read_idx`] of what is unpacked, which cannot be more than `most` bytes.
fn read_header_and_bytes<const D: usize>(
    mut file: impl Read,
    most: u64,
) -> Result<([usize; D], Vec<u8>)> {
    let mut start = [0; 4];
    file.read_exact(&mut start).map_err(explain)?;
    if start != [0, 0, 8, D as u8] {
        return Err(hinted(
            format!(
                "it begins with the bytes {start:?} where idx begins with {:?}",
                [0, 0, 8, D]
            ),
            "this is another file: fetch the original one",
        ));
    }
    let mut sizes = [0; D];
    for size in &mut sizes {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(explain)?;
        *size = u32::from_be_bytes(bytes) as usize;
    }
    if sizes.contains(&0) || sizes[1..].iter().any(|&edge| edge > LONGEST_EDGE) {
        bail!("its header names the sizes {sizes:?}");
    }
    let total = sizes
        .iter()
        .try_fold(1_u64, |total, &size| total.checked_mul(size as u64));
    let total = total.filter(|&total| total <= MOST_SAMPLES);
    let Some(total) = total else {
        bail!(
            "its header names the sizes {sizes:?}, more than {} MiB",
            MOST_SAMPLES >> 20
        );
    };
    if total > most {
        return Err(truncated(&format!("its header names the sizes {sizes:?}")));
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
    hinted(
        format!("the file is truncated: {what}"),
        "it was not copied or downloaded whole: fetch it again",
    )
}

fn explain(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated("it ends in the middle"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            hinted(format!("the file is damaged: {error}"), "fetch it again")
        }
        _ => error.into(),
    }
}
