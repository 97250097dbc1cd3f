//! Preprocessing in timm's form: `pretrained_cfg`.

use anyhow::Result;
use serde::Deserialize;

use crate::{
    error::error_with_hint,
    model::{CropMode, Interpolation, Preprocess},
    weights::{
        config::checks::{imagenet_mean_and_std, validate_preprocess},
        hints::CORRECT,
    },
};

/// Preprocessing as timm writes it; every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PretrainedConfig {
    input_size: Option<[usize; 3]>,
    test_input_size: Option<[usize; 3]>,
    interpolation: Option<String>,
    crop_pct: Option<f64>,
    test_crop_pct: Option<f64>,
    crop_mode: Option<String>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

/// Reads timm's preprocessing. Defaults: bicubic, 0.875, center crop and `ImageNet`'s statistics.
pub fn parse_preprocess(given: PretrainedConfig, notes: &mut Vec<String>) -> Result<Preprocess> {
    let [mean, std] = imagenet_mean_and_std();
    let size = given
        .input_size
        .map_or([224, 224], |[_, height, width]| [height, width]);
    let test_size = given
        .test_input_size
        .map(|[_, height, width]| [height, width]);
    let preprocess = Preprocess {
        size,
        crop_pct: given.crop_pct.unwrap_or(0.875),
        crop_mode: match given.crop_mode.as_deref() {
            None | Some("center") => CropMode::Center,
            Some("squash") => CropMode::Squash,
            Some("border") => CropMode::Border,
            Some(other) => {
                return Err(error_with_hint(
                    format!("`crop_mode` is `{other}`: it must be center, squash or border"),
                    CORRECT,
                ));
            }
        },
        interpolation: match given.interpolation.as_deref() {
            None | Some("bicubic" | "random" | "") => Interpolation::Bicubic,
            Some("bilinear") => Interpolation::Bilinear,
            Some(other) => {
                notes.push(format!(
                    "the model asks for the interpolation `{other}`, which is not supported: bicubic is used"
                ));
                Interpolation::Bicubic
            }
        },
        mean: given.mean.unwrap_or(mean),
        std: given.std.unwrap_or(std),
        test_size: test_size.filter(|test| *test != size),
        test_crop_pct: given.test_crop_pct,
        exif: true,
    };
    validate_preprocess(&preprocess)?;
    Ok(preprocess)
}
