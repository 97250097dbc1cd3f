//! Inspection of the data of a run, before it starts or alone.

use crate::data::dataset::DatasetName;
use crate::data::image::decode::DecodeOptions;
use crate::data::survey::{DatasetSurvey, Inspection};
use crate::distributed::Processes;
use crate::error::usage_error;
use crate::hub::Progress;
use crate::model::Preprocess;
use crate::text::pluralize;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::context::ExecutionContext;
use crate::train::data::dataset::Data;
use crate::train::observe::observer::Observer;
use anyhow::{Result, bail};
use std::time::Instant;

/// The dataset of a run that names none.
pub(in crate::train) const DEFAULT_DATA: &str = "cifar10";

/// Inspects the data of a new run of `recipe`, which all processes have; `observer` is told of the progress, and of what a folder
/// has. `None` for random numbers.
///
/// # Errors
/// When an unreadable image was found and the run is strict; when another process is gone.
pub(in crate::train) fn inspect(
    data: &Data,
    recipe: &Recipe,
    settings: &Settings,
    context: &ExecutionContext,
    observer: &mut dyn Observer,
) -> Result<Option<DatasetSurvey>> {
    if matches!(data.name, DatasetName::Fake { .. }) {
        return Ok(None);
    }
    let (images, start) = (data.images(), Instant::now());
    let inspected = &mut |done| observer.progress("inspecting images", done, images);
    let survey = DatasetSurvey::shared(
        &data.set,
        Inspection::Headers,
        settings.decoding,
        context.workers,
        &context.processes,
        inspected,
    )?;
    observer.detail(&format!(
        "inspected {} in {:.1} s",
        pluralize(images, "image"),
        start.elapsed().as_secs_f64()
    ));
    if let (true, Some(first)) = (settings.strict, survey.unreadable.first()) {
        bail!(
            "cannot read image `{}`: {}",
            first.image.image,
            first.reason
        );
    }
    if data.name.is_of_images() {
        observer.surveyed(&survey, recipe);
    }
    Ok(Some(survey))
}

/// Inspects the data that a run of `recipe` would use, split as that run would split it, and decodes every image on
/// `workers` threads. `inspected` receives the number of inspected images and that of all images.
///
/// # Errors
/// Data that cannot be opened, have no training images, or are random numbers.
pub fn check(
    recipe: &Recipe,
    workers: usize,
    progress: &dyn Progress,
    inspected: &mut dyn FnMut(usize, usize),
) -> Result<DatasetSurvey> {
    let written = recipe.data.as_deref().unwrap_or(DEFAULT_DATA);
    let name = DatasetName::parse(written)?;
    if matches!(name, DatasetName::Fake { .. }) {
        return Err(usage_error(
            format!("`{written}` is made of random numbers: there is nothing to check"),
            "name a dataset of images",
        ));
    }
    // A model's preprocessing, so that nothing is noted about the size of a run's images.
    let base = Preprocess::default();
    let alone = Processes::alone();
    let data = Data::open(&name, written, recipe, Some(&base), progress, &alone)?;
    let images = data.images();
    DatasetSurvey::new(
        &data.set,
        Inspection::Full,
        DecodeOptions::default(),
        workers,
        &mut |done| {
            inspected(done, images);
        },
    )
}

/// Returns the number of unreadable training images.
pub(in crate::train) fn unreadable_images(survey: &DatasetSurvey) -> usize {
    let unreadable = survey.unreadable.iter();
    unreadable
        .filter(|image| image.image.split == "train")
        .count()
}
