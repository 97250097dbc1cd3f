//! The public datasets that are known by name, and their properties.

use super::{Dataset, DatasetKind, Split};
use crate::model::Preprocess;
use crate::model::preprocess::{CropMode, Interpolation};

/// A public dataset of small images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltinDataset {
    /// 50,000 + 10,000 photographs of 32x32 pixels in 10 classes.
    Cifar10,
    /// 50,000 + 10,000 photographs of 32x32 pixels in 100 classes.
    Cifar100,
    /// 60,000 + 10,000 handwritten digits of 28x28 pixels, gray.
    Mnist,
    /// 60,000 + 10,000 clothes of 28x28 pixels, gray, in 10 classes.
    FashionMnist,
}

impl BuiltinDataset {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Cifar10,
        Self::Cifar100,
        Self::Mnist,
        Self::FashionMnist,
    ];

    /// Returns the name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// Returns the names of its classes, as its authors write them.
    pub fn labels(self) -> Vec<String> {
        let names = match self {
            Self::Cifar10 => include_str!("../../../assets/cifar10_classes.txt"),
            Self::Cifar100 => include_str!("../../../assets/cifar100_classes.txt"),
            Self::Mnist => include_str!("../../../assets/mnist_classes.txt"),
            Self::FashionMnist => include_str!("../../../assets/fashion_mnist_classes.txt"),
        };
        names.lines().map(str::to_owned).collect()
    }

    /// Returns height and width of an image, in pixels.
    pub fn edge(self) -> usize {
        match self {
            Self::Cifar10 | Self::Cifar100 => 32,
            Self::Mnist | Self::FashionMnist => 28,
        }
    }

    /// Returns the channels: 3 (red, green, blue) or 1 (gray).
    pub fn channels(self) -> usize {
        match self {
            Self::Cifar10 | Self::Cifar100 => 3,
            Self::Mnist | Self::FashionMnist => 1,
        }
    }

    /// Returns the kind of images.
    pub fn kind(self) -> DatasetKind {
        match self {
            Self::Cifar10 | Self::Cifar100 => DatasetKind::Small,
            Self::Mnist => DatasetKind::Digits,
            Self::FashionMnist => DatasetKind::SmallGray,
        }
    }

    /// Returns its own size, and the mean and std of its training images; gray images are repeated on three channels.
    pub fn preprocess(self) -> Preprocess {
        let (mean, std) = match self {
            Self::Cifar10 => ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
            Self::Cifar100 => ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
            Self::Mnist => ([0.1307; 3], [0.3081; 3]),
            Self::FashionMnist => ([0.2860; 3], [0.3530; 3]),
        };
        Preprocess {
            size: [self.edge(); 2],
            crop_pct: 1.0,
            crop_mode: CropMode::Center,
            interpolation: Interpolation::Bilinear,
            mean: mean.to_vec(),
            std: std.to_vec(),
            test_size: None,
            test_crop_pct: None,
            exif: true,
        }
    }

    /// Returns the dataset of these splits.
    pub(super) fn of(self, train: Split, test: Split) -> Dataset {
        Dataset {
            name: self.word().to_owned(),
            labels: self.labels(),
            train: Some(train),
            val: None,
            test: Some(test),
            has_splits: true,
            kind: self.kind(),
            preprocess: self.preprocess(),
            notes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_as_many_names_as_classes_and_no_name_twice() {
        for (known, classes) in BuiltinDataset::ALL.into_iter().zip([10, 100, 10, 10]) {
            let mut labels = known.labels();
            assert_eq!(labels.len(), classes);
            assert!(
                labels
                    .iter()
                    .all(|label| label.trim() == label && !label.is_empty())
            );
            labels.sort();
            labels.dedup();
            assert_eq!(labels.len(), classes);
        }
    }
}
