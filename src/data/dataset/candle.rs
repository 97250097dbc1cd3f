//! Conversion of datasets that were read by candle-datasets.

use anyhow::{Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use candle_datasets::vision;

use super::{Dataset, DatasetKind, ImageStore, Split};
use crate::model::Preprocess;

/// Images that are converted at a time.
const CHUNK: usize = 1024;
/// The largest distance of a sample times 255 from a whole number.
const TOLERANCE: f32 = 1e-3;

impl Dataset {
    /// Converts `data`, whose images are `[N, C, H, W]`, or `[N, pixels]` when they are square and gray, with values in 0..=1,
    /// to 8 bits per sample. `kind` is the kind of images; classes are named by `labels`, or by their numbers when there are
    /// none. Set `preprocess` when `ImageNet`'s mean and std do not fit.
    ///
    /// # Errors
    /// When images have another shape, samples are not 8-bit values, or a class is out of range.
    pub fn from_candle(
        name: &str,
        kind: DatasetKind,
        labels: Option<Vec<String>>,
        data: &vision::Dataset,
    ) -> Result<Self> {
        let labels =
            labels.unwrap_or_else(|| (0..data.labels).map(|class| class.to_string()).collect());
        let train = split(
            &format!("{name} train"),
            &data.train_images,
            &data.train_labels,
            labels.len(),
        )?;
        let test = split(
            &format!("{name} test"),
            &data.test_images,
            &data.test_labels,
            labels.len(),
        )?;
        let [_, height, width] = shape(&data.train_images)?;
        Ok(Self {
            name: name.to_owned(),
            labels,
            train: Some(train),
            val: None,
            test: Some(test),
            has_splits: true,
            kind,
            preprocess: Preprocess {
                size: [height, width],
                crop_pct: 1.0,
                ..Preprocess::default()
            },
            notes: Vec::new(),
        })
    }
}

/// Returns the channels, height and width.
fn shape(images: &Tensor) -> Result<[usize; 3]> {
    match *images.dims() {
        [_, channels @ (1 | 3), height, width] => Ok([channels, height, width]),
        [_, pixels] if pixels.isqrt().pow(2) == pixels => Ok([1, pixels.isqrt(), pixels.isqrt()]),
        ref other => bail!("a tensor of {other:?} holds no images of one or three channels"),
    }
}

fn split(name: &str, images: &Tensor, labels: &Tensor, classes: usize) -> Result<Split> {
    let [channels, height, width] = shape(images)?;
    let count = images.dim(0)?;
    ensure!(
        labels.dims() == [count],
        "{name}: classes of {:?} for {count} images",
        labels.dims()
    );
    let numbers: Vec<u32> = labels.to_dtype(DType::U32)?.to_vec1()?;
    if let Some(at) = numbers.iter().position(|&class| class as usize >= classes) {
        bail!(
            "{name}: image {at} is of class {}, and there are {classes}",
            numbers[at]
        );
    }
    let mut samples = Vec::with_capacity(count * channels * height * width);
    for first in (0..count).step_by(CHUNK) {
        let part = images.narrow(0, first, CHUNK.min(count - first))?;
        let part = part.reshape((part.dim(0)?, channels, height, width))?;
        // [N, C, H, W] to [N, H, W, C]
        let part = part.to_device(&Device::Cpu)?.permute((0, 2, 3, 1))?;
        let values: Vec<f32> = part.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        for value in values {
            let sample = (255.0 * value).round();
            ensure!(
                (0.0..=255.0).contains(&sample) && (255.0 * value - sample).abs() <= TOLERANCE,
                "{name}: the sample {value} is no 8-bit one in 0..=1"
            );
            samples.push(sample as u8);
        }
    }
    let images = ImageStore::Memory {
        name: name.to_owned(),
        size: [height, width],
        channels,
        samples,
    };
    Ok(Split::new(images, numbers))
}
