//! Types of recipe values.

use crate::model::StemKind;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// The largest edge of images for which `auto` is CIFAR's stem, in pixels.
const LARGEST_FOR_CIFAR: usize = 40;

/// The stem: a fixed one, or by the image size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemRule {
    /// CIFAR's up to 40 pixels, else `ImageNet`'s.
    Auto,
    /// 7x7 convolution of stride 2 and max-pooling.
    Imagenet,
    /// 3x3 convolution of stride 1, no pooling.
    Cifar,
}

impl StemRule {
    /// Returns the stem for images of height and width `size`.
    pub fn at(self, size: [usize; 2]) -> StemKind {
        match self {
            Self::Auto if size[0].max(size[1]) <= LARGEST_FOR_CIFAR => StemKind::Cifar,
            Self::Cifar => StemKind::Cifar,
            Self::Auto | Self::Imagenet => StemKind::Imagenet,
        }
    }
}

impl From<StemKind> for StemRule {
    fn from(stem: StemKind) -> Self {
        match stem {
            StemKind::Imagenet | StemKind::Deep | StemKind::DeepTiered => Self::Imagenet,
            StemKind::Cifar => Self::Cifar,
        }
    }
}

/// Height and width of images, written as one number if they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenSize", into = "WrittenSize")]
pub struct ImageSize(pub [usize; 2]);

#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "must be 1 to 4096 pixels: 224, or [192, 256] for height and width"
)]
enum WrittenSize {
    Edge(usize),
    Sides([usize; 2]),
    Text(String),
}

/// Parses `224` or `192x256`.
impl FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (height, width) = text.split_once('x').unwrap_or((text, text));
        let edge = |text: &str| text.parse().ok().filter(|edge| (1..=4096).contains(edge));
        edge(height)
            .zip(edge(width))
            .map(|(height, width)| Self([height, width]))
            .ok_or_else(|| {
                "must be 1 to 4096 pixels: 224, or 192x256 for height and width".to_owned()
            })
    }
}

impl TryFrom<WrittenSize> for ImageSize {
    type Error = String;

    fn try_from(written: WrittenSize) -> Result<Self, String> {
        match written {
            WrittenSize::Edge(edge) => Ok(Self([edge; 2])),
            WrittenSize::Sides(sides) => Ok(Self(sides)),
            WrittenSize::Text(text) => text.parse(),
        }
    }
}

impl From<ImageSize> for WrittenSize {
    fn from(ImageSize(sides): ImageSize) -> Self {
        if sides[0] == sides[1] {
            Self::Edge(sides[0])
        } else {
            Self::Sides(sides)
        }
    }
}

/// The validation measure that selects the best epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BestBy {
    /// The highest top-1 accuracy.
    #[default]
    Top1,
    /// The lowest loss.
    Loss,
    /// The highest macro-F1: the mean of the classes' F1.
    MacroF1,
    /// The highest balanced accuracy: the mean of the classes' recall.
    Balanced,
}

/// Class weights in the loss, written `auto` or as a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ClassWeights {
    /// Inverse to the class frequency.
    Auto,
    /// From a file, one number per line.
    File(PathBuf),
}

impl From<String> for ClassWeights {
    fn from(text: String) -> Self {
        match text.as_str() {
            "auto" => Self::Auto,
            _ => Self::File(text.into()),
        }
    }
}

impl From<ClassWeights> for String {
    fn from(weights: ClassWeights) -> Self {
        match weights {
            ClassWeights::Auto => "auto".to_owned(),
            ClassWeights::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// The dtype of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TrainDType {
    /// 32-bit floating point.
    #[default]
    F32,
    /// 64-bit floating point, for reference.
    F64,
    /// Another one, which is refused by its name.
    Unsupported(String),
}

impl From<String> for TrainDType {
    fn from(name: String) -> Self {
        match name.as_str() {
            "f32" => Self::F32,
            "f64" => Self::F64,
            _ => Self::Unsupported(name),
        }
    }
}

impl From<TrainDType> for String {
    fn from(dtype: TrainDType) -> Self {
        match dtype {
            TrainDType::F32 => "f32".to_owned(),
            TrainDType::F64 => "f64".to_owned(),
            TrainDType::Unsupported(name) => name,
        }
    }
}

impl BestBy {
    /// Returns the measure's name in a sentence.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Top1 => "top-1",
            Self::Loss => "validation loss",
            Self::MacroF1 => "macro-F1",
            Self::Balanced => "balanced accuracy",
        }
    }

    /// Returns a value of the measure as text: a loss with four decimals, else percent.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Loss => format!("{value:.4}"),
            Self::Top1 | Self::MacroF1 | Self::Balanced => format!("{value:.2} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Recipe;

    #[test]
    fn a_size_may_be_written_as_the_flag_has_it() {
        for (written, size) in [
            ("24", [24, 24]),
            ("[24, 32]", [24, 32]),
            ("\"24x32\"", [24, 32]),
            ("\"24\"", [24, 24]),
        ] {
            let recipe = Recipe::parse(&format!("image-size = {written}")).unwrap();
            assert_eq!(recipe.image_size, Some(ImageSize(size)), "{written}");
        }
    }

    #[test]
    fn the_stem_follows_the_size_unless_it_is_named() {
        assert_eq!(StemRule::Auto.at([40, 40]), StemKind::Cifar);
        assert_eq!(StemRule::Auto.at([32, 41]), StemKind::Imagenet);
        assert_eq!(StemRule::Auto.at([64, 64]), StemKind::Imagenet);
        assert_eq!(StemRule::Imagenet.at([32, 32]), StemKind::Imagenet);
        assert_eq!(StemRule::Cifar.at([224, 224]), StemKind::Cifar);
    }

    #[test]
    fn class_weights_are_automatic_or_a_file() {
        for (text, weights) in [
            ("auto", ClassWeights::Auto),
            ("Auto", ClassWeights::File("Auto".into())),
            ("weights.txt", ClassWeights::File("weights.txt".into())),
        ] {
            assert_eq!(ClassWeights::from(text.to_owned()), weights);
            assert_eq!(String::from(weights), text);
        }
    }
}
