//! The sample bundled with the binary: 6,000 training and 1,000 test images of Fashion-MNIST, as many of each class.
//!
//! They are stored in sheets, class by class (`assets/sample/`, with the script that made them); here the classes
//! alternate, so that image `i` is of class `i % 10` and file order suits training.

use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use image::{ImageFormat, ImageReader};

use super::{BuiltinDataset, Dataset, ImageStore, Split};

const TRAIN: &[u8] = include_bytes!("../../../assets/sample/train.png");
const TEST: &[u8] = include_bytes!("../../../assets/sample/test.png");
/// Images in a row of a sheet.
const COLUMNS: usize = 50;
const EDGE: usize = 28;
const CLASSES: usize = 10;

/// Returns the sample: 600 training and 100 test images per class, 28x28, gray.
///
/// # Errors
/// When the binary is damaged.
pub fn read() -> Result<Dataset> {
    let train = split("train", TRAIN, 600).context("the sample inside the binary is damaged")?;
    let test = split("test", TEST, 100).context("the sample inside the binary is damaged")?;
    let mut data = BuiltinDataset::FashionMnist.of(train, test);
    "sample".clone_into(&mut data.name);
    Ok(data)
}

/// Returns the images of a sheet with `count` per class.
fn split(part: &str, png: &[u8], count: usize) -> Result<Split> {
    let sheet = ImageReader::with_format(Cursor::new(png), ImageFormat::Png)
        .decode()?
        .into_luma8();
    let rows = CLASSES * count / COLUMNS * EDGE;
    let size = (sheet.width() as usize, sheet.height() as usize);
    ensure!(size == (COLUMNS * EDGE, rows), "a sheet of {size:?} pixels");
    let sheet = sheet.as_raw();
    let mut samples = Vec::with_capacity(sheet.len());
    for index in 0..CLASSES * count {
        // The number in its class, and the position on the sheet.
        let (class, number) = (index % CLASSES, index / CLASSES);
        let place = class * count + number;
        let (top, left) = (place / COLUMNS * EDGE, place % COLUMNS * EDGE);
        for y in top..top + EDGE {
            samples.extend_from_slice(&sheet[y * COLUMNS * EDGE + left..][..EDGE]);
        }
    }
    let images = ImageStore::Memory {
        name: format!("sample {part}"),
        size: [EDGE, EDGE],
        channels: 1,
        samples,
    };
    let classes = (0..CLASSES * count).map(|index| (index % CLASSES) as u32);
    Ok(Split::new(images, classes.collect()))
}
