//! The flags that override a model's preprocessing, shared by the commands that read images.

use crate::cli::args::key_flags::{InputSizeFlags, PreprocessingFlags};
use crate::error::usage_error;
use crate::model::Preprocess;
use crate::text::pluralize;
use crate::train::Recipe;
use crate::train::config::key::Group;
use crate::train::config::values::ImageSize;
use anyhow::Result;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = Group::PREPROCESSING)]
pub struct PreprocessArgs {
    #[command(flatten)]
    size: InputSizeFlags,
    /// Use the model's test size and crop instead of its training size
    #[arg(long)]
    test_size: bool,
    #[command(flatten)]
    other: PreprocessingFlags,
}

impl PreprocessArgs {
    /// Returns the model's preprocessing with the flags applied, and a note about it.
    ///
    /// # Errors
    /// If there are not as many means or stds as the model has channels.
    pub fn apply(&self, model: Preprocess) -> Result<(Preprocess, Option<String>)> {
        let channels = model.mean.len();
        let flags = self.overrides();
        for (flag, numbers) in [("--mean", &flags.mean), ("--std", &flags.std)] {
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
        if let Some(ImageSize(size)) = flags.image_size {
            preprocess.size = size;
        }
        if let Some(crop_pct) = flags.crop_pct {
            preprocess.crop_pct = crop_pct;
        }
        if let Some(mode) = flags.crop_mode {
            preprocess.crop_mode = mode;
        }
        if let Some(filter) = flags.interpolation {
            preprocess.interpolation = filter;
        }
        if let Some(no_exif) = flags.no_exif {
            preprocess.exif = !no_exif;
        }
        if let Some(mean) = flags.mean {
            preprocess.mean = mean;
        }
        if let Some(std) = flags.std {
            preprocess.std = std;
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
        self.size.0.image_size.is_none().then(|| {
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
        Ok(self.overrides())
    }

    /// Returns the flags of the keys that are given.
    fn overrides(&self) -> Recipe {
        self.size.0.clone().or(self.other.0.clone())
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
