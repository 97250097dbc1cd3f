//! The original binary files of CIFAR-10 and CIFAR-100, <https://www.cs.toronto.edu/~kriz/cifar.html>.
//!
//! ```text
//! cifar-10-batches-bin/   data_batch_1.bin … data_batch_5.bin, test_batch.bin, batches.meta.txt
//! cifar-100-binary/       train.bin, test.bin, fine_label_names.txt
//! an image               its class (CIFAR-100: its group, then its class), then 1024 bytes of red, 1024 of green,
//!                         1024 of blue, each row by row from the top left
//! ```

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{BuiltinDataset, Dataset, ImageStore, MOST_SAMPLES, Split};
use crate::error::{Message, error_with_hint};

/// Bytes of one color plane of an image.
const PLANE: usize = 32 * 32;
const PAGE: &str = "https://www.cs.toronto.edu/~kriz/cifar.html";

/// The files of one of the two datasets.
struct Layout {
    /// The folder that the archive unpacks to.
    subfolder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// The file of the class names, one per line.
    names: &'static str,
    /// Bytes before the colors; the last of them is the class.
    label_bytes: usize,
    /// The number of images in a training file and in the test file.
    counts: [usize; 2],
    /// A file of the Python version, and the folder of its archive.
    pickled: [&'static str; 2],
    /// The archive with the right files.
    archive: &'static str,
}

const CIFAR10: Layout = Layout {
    subfolder: "cifar-10-batches-bin",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    names: "batches.meta.txt",
    label_bytes: 1,
    counts: [10_000, 10_000],
    pickled: ["data_batch_1", "cifar-10-batches-py"],
    archive: "cifar-10-binary.tar.gz",
};

const CIFAR100: Layout = Layout {
    subfolder: "cifar-100-binary",
    train: &["train.bin"],
    test: "test.bin",
    names: "fine_label_names.txt",
    label_bytes: 2,
    counts: [50_000, 10_000],
    pickled: ["train", "cifar-100-python"],
    archive: "cifar-100-binary.tar.gz",
};

/// Reads CIFAR-10 or CIFAR-100 from `folder` or from its subfolder that the archive unpacks to.
///
/// # Errors
/// When files are missing, of the Python version, truncated or too long, or a class is out of range.
pub fn read(folder: &Path, known: BuiltinDataset) -> Result<Dataset> {
    let layout = match known {
        BuiltinDataset::Cifar10 => &CIFAR10,
        BuiltinDataset::Cifar100 => &CIFAR100,
        BuiltinDataset::Mnist | BuiltinDataset::FashionMnist => {
            bail!("`{}` does not come in batches", known.word())
        }
    };
    let folder = find(folder, layout)?;
    let mut notes = Vec::new();
    let mut part = |part: &str, files: &[&str], count: usize| -> Result<Split> {
        let (mut samples, mut classes) = (Vec::new(), Vec::new());
        for file in files {
            let before = classes.len();
            let path = folder.join(file);
            read_batch(&path, known, layout, &mut samples, &mut classes)
                .with_context(|| format!("`{}`", path.display()))?;
            let found = classes.len() - before;
            if found != count {
                notes.push(format!(
                    "`{file}` holds {found} images, the original holds {count}"
                ));
            }
        }
        let images = ImageStore::Memory {
            name: format!("{} {part}", known.word()),
            size: [known.edge(); 2],
            channels: known.channels(),
            samples,
        };
        Ok(Split::new(images, classes))
    };
    let train = part("train", layout.train, layout.counts[0])?;
    let test = part("test", &[layout.test], layout.counts[1])?;
    let mut data = known.of(train, test);
    data.notes = notes.into_iter().map(Message::from).collect();
    if let Some(labels) = labels(&folder.join(layout.names), data.labels.len())? {
        data.labels = labels;
    }
    Ok(data)
}

/// Returns the folder that has the files.
fn find(folder: &Path, layout: &Layout) -> Result<PathBuf> {
    if !folder.is_dir() {
        bail!("`{}` is not a folder", folder.display());
    }
    let below = folder.join(layout.subfolder);
    for candidate in [folder, &below] {
        if candidate.join(layout.train[0]).is_file() {
            return Ok(candidate.to_owned());
        }
    }
    let [file, subfolder] = layout.pickled;
    let archive = layout.archive;
    let pickled = [folder.join(file), folder.join(subfolder).join(file)];
    if pickled.iter().any(|path| path.is_file()) {
        return Err(error_with_hint(
            format!("`{}` holds the Python version", folder.display()),
            format!("download the binary version, `{archive}` from {PAGE}, and unpack it there"),
        ));
    }
    let hint = if folder.join(archive).is_file() {
        format!("unpack `{archive}` there first")
    } else {
        format!("name the folder that `{archive}` from {PAGE} unpacks to")
    };
    let message = format!("`{}` has no `{}`", folder.display(), layout.train[0]);
    Err(error_with_hint(message, hint))
}

/// Adds the images of a file, with interleaved colors, and their classes.
fn read_batch(
    path: &Path,
    known: BuiltinDataset,
    layout: &Layout,
    samples: &mut Vec<u8>,
    classes: &mut Vec<u32>,
) -> Result<()> {
    let record = layout.label_bytes + 3 * PLANE;
    let file = File::open(path)?;
    if file.metadata()?.len() > MOST_SAMPLES {
        bail!("the file is longer than {} MiB", MOST_SAMPLES >> 20);
    }
    let mut bytes = Vec::new();
    file.take(MOST_SAMPLES).read_to_end(&mut bytes)?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(error_with_hint(
            format!(
                "{} bytes are not a multiple of {record}, the size of an image",
                bytes.len()
            ),
            format!("the file is truncated or another one: download it again from {PAGE}"),
        ));
    }
    let count = known.labels().len();
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (label, planes) = record.split_at(layout.label_bytes);
        let class = u32::from(label[layout.label_bytes - 1]);
        if class as usize >= count {
            return Err(error_with_hint(
                format!("image {index} has class {class}, but there are {count} classes"),
                format!("the file is damaged or another one: download it again from {PAGE}"),
            ));
        }
        classes.push(class);
        let (red, rest) = planes.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        let pixels = red.iter().zip(green).zip(blue);
        samples.extend(pixels.flat_map(|((&red, &green), &blue)| [red, green, blue]));
    }
    Ok(())
}

/// Returns the names in the file at `path`, if it exists.
fn labels(path: &Path, classes: usize) -> Result<Option<Vec<String>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read(path).with_context(|| format!("`{}`", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(str::to_owned).collect();
    if names.len() != classes {
        return Err(error_with_hint(
            format!(
                "`{}` names {} classes of {classes}",
                path.display(),
                names.len()
            ),
            "remove the file to use the usual names",
        ));
    }
    Ok(Some(names))
}
