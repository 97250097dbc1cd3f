//! transformers' `preprocessor_config.json`.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use super::checks::{deserialize, validate_preprocess};
use crate::{
    error::error_with_hint,
    model::{CropMode, Interpolation, Preprocess},
    weights::hints::CORRECT,
};

/// Processors that warp images to a square if their size is a single number.
const WARPING: [&str; 3] = ["ViT", "DeiT", "Beit"];

/// An image processor; transformers writes `null` for the default of its class.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProcessorConfig {
    crop_pct: Option<f64>,
    image_mean: Option<Statistic>,
    image_std: Option<Statistic>,
    resample: Option<u64>,
    size: Value,
    crop_size: Value,
    do_center_crop: Option<bool>,
    do_normalize: Option<bool>,
    do_rescale: Option<bool>,
    do_resize: Option<bool>,
    rescale_factor: Option<f64>,
    #[serde(alias = "feature_extractor_type")]
    image_processor_type: Option<String>,
}

/// One value for all channels, or one per channel.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Statistic {
    One(f32),
    Each(Vec<f32>),
}

impl Statistic {
    fn values(self) -> Vec<f32> {
        match self {
            Self::One(value) => vec![value],
            Self::Each(values) => values,
        }
    }
}

/// Reads the preprocessing of a `preprocessor_config.json`. Unsupported parts are reported in `notes`.
///
/// `ConvNextImageProcessor`, which `ResNet` models use, resizes the short edge to `size / crop_pct` and crops the center, or
/// warps the image from 384 pixels on. Others resize the short edge or warp, and may then crop to `crop_size`.
pub fn parse_preprocess(value: &Value, notes: &mut Vec<String>) -> Result<Preprocess> {
    let given: ProcessorConfig = deserialize(value)?;
    if given.do_resize == Some(false) {
        notes.push(
            "the model expects images that are not resized (`do_resize` is false): here all are resized to one size".to_owned(),
        );
    }
    let (size, crop_pct, crop_mode) = resize_and_crop(&given, notes)?;
    let interpolation = match given.resample {
        None | Some(2) => Interpolation::Bilinear,
        Some(3) => Interpolation::Bicubic,
        Some(other) => {
            notes.push(format!(
                "the model asks for Pillow's filter {other}, which is not supported: bicubic is used"
            ));
            Interpolation::Bicubic
        }
    };
    let [mean, std] = mean_and_std(given);
    let preprocess = Preprocess {
        size,
        crop_pct,
        crop_mode,
        interpolation,
        mean,
        std,
        test_size: None,
        test_crop_pct: None,
        exif: true,
    };
    validate_preprocess(&preprocess)?;
    Ok(preprocess)
}

/// Returns mean and std for images with values from 0 to 1, where the processor multiplies values from 0 to 255 by its
/// factor.
fn mean_and_std(given: ProcessorConfig) -> [Vec<f32>; 2] {
    let usual = Preprocess::default();
    let [mean, std] = if given.do_normalize == Some(false) {
        [vec![0.0], vec![1.0]]
    } else {
        [
            given.image_mean.map_or(usual.mean, Statistic::values),
            given.image_std.map_or(usual.std, Statistic::values),
        ]
    };
    let factor = match given.do_rescale {
        Some(false) => 1.0,
        _ => given.rescale_factor.unwrap_or(1.0 / 255.0),
    };
    let scale = 255.0 * factor;
    if (scale - 1.0).abs() < 1e-6 {
        return [mean, std];
    }
    // (scale x - mean) / std = (x - mean / scale) / (std / scale)
    [mean, std].map(|values| {
        let scaled = values
            .iter()
            .map(|value| (f64::from(*value) / scale) as f32);
        scaled.collect()
    })
}

/// Returns the input size, the fraction that the crop keeps, and how images are brought to that shape.
fn resize_and_crop(
    given: &ProcessorConfig,
    notes: &mut Vec<String>,
) -> Result<([usize; 2], f64, CropMode)> {
    let usual = Preprocess::default();
    let kind = given.image_processor_type.as_deref().unwrap_or_default();
    let convnext = kind.is_empty() || kind.starts_with("ConvNext");
    let number = |value: &Value| value.as_u64().map(|number| number as usize);
    let sides = |value: &Value| Some([number(&value["height"])?, number(&value["width"])?]);
    let edge = |value: &Value| number(value).or_else(|| number(&value["shortest_edge"]));
    let wrong = |key: &str, value: &Value| error_with_hint(format!("`{key}` is {value}"), CORRECT);
    let crop = match &given.crop_size {
        size if given.do_center_crop == Some(true) && !size.is_null() => Some(
            sides(size)
                .or_else(|| edge(size).map(|edge| [edge, edge]))
                .ok_or_else(|| wrong("crop_size", size))?,
        ),
        _ => None,
    };
    let warps = WARPING.iter().any(|name| kind.starts_with(name)) && given.size.is_u64();
    let (resized, mode) = match (sides(&given.size), edge(&given.size)) {
        (Some(sides), _) => (sides, CropMode::Squash),
        (None, Some(edge)) if warps => ([edge, edge], CropMode::Squash),
        (None, Some(edge)) => ([edge, edge], CropMode::Center),
        (None, None) if given.size.is_null() => (usual.size, CropMode::Center),
        (None, None) => return Err(wrong("size", &given.size)),
    };
    let Some(crop) = crop else {
        return Ok(match mode {
            CropMode::Center if convnext && resized[0] < 384 => {
                (resized, given.crop_pct.unwrap_or(0.875), mode)
            }
            CropMode::Center if !convnext => {
                notes.push(format!(
                    "the model keeps the aspect ratio of its images, which is not supported: the short edge is resized to {} pixels and the center is cropped",
                    resized[0]
                ));
                (resized, 1.0, mode)
            }
            _ => (resized, 1.0, CropMode::Squash),
        });
    };
    if crop[0] > resized[0] || crop[1] > resized[1] {
        return Err(error_with_hint(
            format!(
                "`crop_size` is {crop:?} for an image of {resized:?}: padding is not supported"
            ),
            "correct the sizes, or pass the weights from a folder without them",
        ));
    }
    let part = crop_fraction(crop[0], resized[0]);
    let scaled = crop.map(|edge| (edge as f64 / part).floor() as usize);
    if scaled != resized {
        notes.push(format!(
            "the model crops {crop:?} out of {resized:?} (height, width), which differ in shape: here images are resized to {scaled:?} first"
        ));
    }
    Ok((crop, part, mode))
}

/// Returns the fraction `p` of an edge of `size` pixels that a crop of `crop` keeps, such that `floor(crop / p)` is
/// `size`.
fn crop_fraction(crop: usize, size: usize) -> f64 {
    let [crop, size] = [crop as f64, size.max(1) as f64];
    let part = crop / size;
    if (crop / part).floor() < size {
        crop / (size + 1e-6)
    } else {
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn preprocessors_of_every_form_are_read() {
        let read = |value: Value| parse_preprocess(&value, &mut Vec::new()).unwrap();
        let old = read(
            json!({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875,
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "do_normalize": true}),
        );
        assert_eq!(old.size, [224, 224]);
        assert_eq!(old.interpolation, Interpolation::Bicubic);
        assert_eq!(old.crop_mode, CropMode::Center);
        let large = read(json!({"size": {"shortest_edge": 384}, "crop_pct": 0.875}));
        assert_eq!(
            (large.size, large.crop_mode),
            ([384, 384], CropMode::Squash)
        );
        assert!((large.crop_pct - 1.0).abs() < 1e-9);
        let warped = read(json!({"size": {"height": 200, "width": 100}}));
        assert_eq!(
            (warped.size, warped.crop_mode),
            ([200, 100], CropMode::Squash)
        );
        let cropped = read(
            json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": true}),
        );
        assert_eq!((cropped.size, cropped.crop_pct), ([224, 224], 0.875));
        let square = json!({"height": 256, "width": 256});
        let warped = read(
            json!({"size": square, "crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "image_processor_type": "DeiTImageProcessor"}),
        );
        assert_eq!(
            (warped.size, warped.crop_pct, warped.crop_mode),
            ([224, 224], 0.875, CropMode::Squash)
        );
        let vit = read(json!({"size": 224, "feature_extractor_type": "ViTFeatureExtractor"}));
        assert_eq!(
            (vit.size, vit.crop_pct, vit.crop_mode),
            ([224, 224], 1.0, CropMode::Squash)
        );
        let plain = read(json!({"do_normalize": false, "size": 32, "image_mean": [9.0, 9.0, 9.0]}));
        assert_eq!((plain.mean, plain.std), (vec![0.0], vec![1.0]));
    }

    #[test]
    fn nulls_are_the_defaults_and_one_number_serves_all_channels() {
        let value = json!({"image_processor_type": "ConvNextImageProcessorFast", "crop_pct": null, "crop_size": null,
            "do_center_crop": null, "do_convert_rgb": null, "do_normalize": null, "do_rescale": null, "do_resize": null,
            "image_mean": null, "image_std": null, "resample": null, "rescale_factor": null, "size": null});
        let read = |value: &Value| parse_preprocess(value, &mut Vec::new()).unwrap();
        assert_eq!(read(&value), Preprocess::default());
        let mut scalar = value;
        scalar["image_mean"] = json!(0.5);
        scalar["image_std"] = json!(0.25);
        let scalar = read(&scalar);
        assert_eq!((scalar.mean, scalar.std), (vec![0.5], vec![0.25]));
    }

    #[test]
    fn other_rescale_factors_are_folded_into_mean_and_std() {
        let read = |value: Value| parse_preprocess(&value, &mut Vec::new()).unwrap();
        let unscaled =
            read(json!({"do_rescale": false, "image_mean": [127.5], "image_std": [51.0]}));
        assert_eq!((unscaled.mean, unscaled.std), (vec![0.5], vec![0.2]));
        let halved =
            read(json!({"rescale_factor": 2.0 / 255.0, "image_mean": 1.0, "image_std": 1.0}));
        assert_eq!((halved.mean, halved.std), (vec![0.5], vec![0.5]));
        let usual = json!({"rescale_factor": 0.003_921_568_627_450_98, "do_rescale": true});
        assert_eq!(read(usual), Preprocess::default());
    }

    #[test]
    fn unsupported_options_of_a_processor_are_noted() {
        for (value, note) in [
            (json!({"do_resize": false}), "`do_resize` is false"),
            (json!({"resample": 0}), "Pillow's filter 0"),
            (
                json!({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}}),
                "keeps the aspect ratio",
            ),
            (
                json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 192}, "do_center_crop": true}),
                "which differ in shape",
            ),
        ] {
            let mut notes = Vec::new();
            parse_preprocess(&value, &mut notes).unwrap();
            assert!(notes.len() == 1 && notes[0].contains(note), "{notes:?}");
        }
        let padded = json!({"size": 224, "crop_size": 256, "do_center_crop": true});
        assert!(parse_preprocess(&padded, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_crop_fraction_gives_back_its_resized_edge() {
        for size in 1..=512 {
            for crop in 1..=size {
                let part = crop_fraction(crop, size);
                assert!(part > 0.0 && part <= 1.0);
                assert_eq!(
                    (crop as f64 / part).floor() as usize,
                    size,
                    "{crop} of {size}"
                );
            }
        }
    }
}
