//! The flags that override a model's preprocessing, shared by the commands that read images.

use crate::error::usage_error;
use crate::model::{CropMode, Interpolation, Preprocess};
use crate::text::pluralize;
use crate::train::Recipe;
use crate::train::config::values::PictureSize;
use anyhow::Result;
use clap::ValueEnum;

/// The heading of the flags.
pub const HEADING: &str = "Preprocessing [default: the model's]";

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = HEADING)]
pub struct PreprocessArgs {
    /// Input size in pixels, such as 224 or 192x256
    #[arg(long, value_name = "SIZE", conflicts_with = "test_size")]
    image_size: Option<PictureSize>,
    /// Use the model's test size and crop instead of its training size
    #[arg(long)]
    test_size: bool,
    /// Fraction of the resized image that the crop keeps
    #[arg(long, value_name = "FRACTION", value_parser = parse_part)]
    crop_pct: Option<f64>,
    /// Crop mode, to fit images to the input: center, squash or border
    ///
    /// center resizes the short edge and crops the center, squash resizes both edges and crops the center, border resizes the
    /// long edge and pads with the mean color.
    #[arg(long, value_enum, value_name = "MODE")]
    crop_mode: Option<CropModeChoice>,
    /// Resize filter: bilinear or bicubic
    #[arg(long, value_enum, value_name = "FILTER")]
    interpolation: Option<InterpolationChoice>,
    /// Mean per channel, of values in 0..1
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_negative_numbers = true, value_parser = parse_level)]
    mean: Option<Vec<f32>>,
    /// Standard deviation per channel, of values in 0..1
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', allow_negative_numbers = true, value_parser = parse_positive)]
    std: Option<Vec<f32>>,
    /// Ignore the EXIF orientation of images
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    no_exif: Option<bool>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CropModeChoice {
    /// Resize the short edge, crop the center
    Center,
    /// Resize both edges, crop the center
    Squash,
    /// Resize the long edge, pad with the mean color
    Border,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InterpolationChoice {
    Bilinear,
    Bicubic,
}

impl From<CropModeChoice> for CropMode {
    fn from(choice: CropModeChoice) -> Self {
        match choice {
            CropModeChoice::Center => Self::Center,
            CropModeChoice::Squash => Self::Squash,
            CropModeChoice::Border => Self::Border,
        }
    }
}

impl From<InterpolationChoice> for Interpolation {
    fn from(choice: InterpolationChoice) -> Self {
        match choice {
            InterpolationChoice::Bilinear => Self::Bilinear,
            InterpolationChoice::Bicubic => Self::Bicubic,
        }
    }
}

impl PreprocessArgs {
    /// Returns the model's preprocessing with the flags applied, and a note about it.
    ///
    /// # Errors
    /// If there are not as many means or stds as the model has channels.
    pub fn apply(&self, model: Preprocess) -> Result<(Preprocess, Option<String>)> {
        let channels = model.mean.len();
        for (flag, numbers) in [("--mean", &self.mean), ("--std", &self.std)] {
            let count = numbers.as_ref().map_or(channels, Vec::len);
            if count != channels {
                return Err(usage_error(
                    format!(
                        "{flag} has {} for {}",
                        pluralize(count, "number"),
                        pluralize(channels, "channel")
                    ),
                    "give one per channel, separated by commas",
                ));
            }
        }
        let note = self.note_on_size(&model);
        let mut preprocess = if self.test_size {
            model.at_test_size()
        } else {
            model
        };
        if let Some(PictureSize(size)) = self.image_size {
            preprocess.size = size;
        }
        if let Some(crop_pct) = self.crop_pct {
            preprocess.crop_pct = crop_pct;
        }
        if let Some(mode) = self.crop_mode {
            preprocess.crop_mode = mode.into();
        }
        if let Some(filter) = self.interpolation {
            preprocess.interpolation = filter.into();
        }
        if let Some(no_exif) = self.no_exif {
            preprocess.exif = !no_exif;
        }
        if let Some(mean) = &self.mean {
            preprocess.mean.clone_from(mean);
        }
        if let Some(std) = &self.std {
            preprocess.std.clone_from(std);
        }
        Ok((preprocess, note))
    }

    /// Returns a note if the model names a size for testing that is not used, or none although it is asked for.
    fn note_on_size(&self, model: &Preprocess) -> Option<String> {
        if self.test_size {
            let names_none = model.test_size.is_none() && model.test_crop_pct.is_none();
            return names_none
                .then(|| "the model has no test size: --test-size changes nothing".to_owned());
        }
        let [height, width] = model.test_size.filter(|&size| size != model.size)?;
        self.image_size.is_none().then(|| {
            format!(
                "images are {}x{}, as in the model's training; it names {height}x{width} for testing: --test-size",
                model.size[0], model.size[1]
            )
        })
    }

    /// Returns the flags as a recipe.
    ///
    /// # Errors
    /// `--test-size`, which training has no use for.
    pub fn recipe(&self) -> Result<Recipe> {
        if self.test_size {
            return Err(usage_error(
                "--test-size is for eval and predict",
                "pass the size as --image-size",
            ));
        }
        Ok(Recipe {
            image_size: self.image_size,
            crop_pct: self.crop_pct,
            crop_mode: self.crop_mode.map(CropMode::from),
            interpolation: self.interpolation.map(Interpolation::from),
            mean: self.mean.clone(),
            std: self.std.clone(),
            no_exif: self.no_exif,
            ..Recipe::default()
        })
    }
}

/// Describes preprocessing, for `--verbose`.
pub fn in_words(preprocess: &Preprocess) -> String {
    let [height, width] = preprocess.size;
    format!(
        "{height}x{width}, crop {} ({:?}), {:?}, mean {:?}, std {:?}{}",
        preprocess.crop_pct,
        preprocess.crop_mode,
        preprocess.interpolation,
        preprocess.mean,
        preprocess.std,
        if preprocess.exif {
            ""
        } else {
            ", EXIF orientation ignored"
        }
    )
}

fn parse_part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|&part| part > 0.0 && part <= 1.0);
    part.ok_or_else(|| "must be above 0 and at most 1".to_owned())
}

fn parse_level(text: &str) -> Result<f32, String> {
    let number: Option<f32> = text.parse().ok().filter(|number: &f32| number.is_finite());
    match number {
        None => Err("must be a number for each channel".to_owned()),
        Some(number) if number.abs() > Preprocess::LARGEST_LEVEL => {
            Err("images are scaled to 0..1: divide it by 255".to_owned())
        }
        Some(number) => Ok(number),
    }
}

fn parse_positive(text: &str) -> Result<f32, String> {
    let number = parse_level(text)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err("must be a number above 0 for each channel".to_owned())
    }
}
