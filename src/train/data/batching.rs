//! Batching: the steps, schedule and batch sizes that follow from the settings and the number of images.

use crate::error::{setting, usage_error};
use crate::message;
use crate::model::description::ModuleKind;
use crate::model::{Frozen, ModelConfig, describe};
use crate::text::pluralize;
use crate::train::config::settings::Settings;
use crate::train::learner::lr_schedule::Schedule;
use anyhow::Result;

/// Returns whether the last batch of an epoch is dropped: on request if it is incomplete, or if it has fewer images than batch
/// norm can be trained on.
pub fn drops_last(images: usize, batch_size: usize, drop_last: bool, fewest: usize) -> bool {
    let rest = images % batch_size.max(1);
    drop_last || (rest != 0 && rest < fewest)
}

/// Returns the optimizer steps of an epoch of `batches` batches.
pub fn steps(settings: &Settings, batches: usize) -> u64 {
    batches.div_ceil(settings.grad_accumulation) as u64
}

/// Returns the learning-rate schedule of the run.
pub fn schedule(settings: &Settings, steps_an_epoch: u64) -> Schedule {
    Schedule {
        scheduler: settings.scheduler,
        lr: settings.lr,
        warmup_steps: (settings.warmup_epochs * steps_an_epoch as f64).round() as u64,
        total_steps: settings.epochs * steps_an_epoch,
        min_lr: 0.0,
        milestones: settings
            .milestones
            .iter()
            .map(|epoch| epoch * steps_an_epoch)
            .collect(),
        gamma: 0.1,
    }
}

/// Returns the smallest batch on which every batch norm can be trained: two images if one of them sees one pixel per image.
///
/// # Errors
/// If the network cannot take images of this size.
pub fn smallest_batch(
    config: &ModelConfig,
    [height, width]: [usize; 2],
    frozen: Frozen,
) -> Result<usize> {
    let described = describe(config, [1, config.in_channels, height, width])?;
    let learns = |path: &str| !frozen.holds(path);
    let smallest = described
        .calls
        .iter()
        .filter(|call| matches!(call.kind, ModuleKind::BatchNorm2d { .. }) && learns(&call.path));
    let pixels = smallest
        .map(|call| call.output[2..].iter().product::<usize>())
        .min();
    Ok(if pixels == Some(1) { 2 } else { 1 })
}

/// Rejects batches that cannot be trained on.
///
/// # Errors
/// If there is no batch of `images` images, or the batches have one value per channel.
pub fn check_batches(settings: &Settings, images: usize, fewest: usize) -> Result<()> {
    if settings.drop_last && images < settings.batch_size {
        return Err(usage_error(
            message![
                setting("drop-last"),
                format!(
                    " leaves no batch: {} do not fill one of {}",
                    pluralize(images, "image"),
                    settings.batch_size
                ),
            ],
            message![
                "pass a smaller ",
                setting("batch-size"),
                ", or leave ",
                setting("drop-last"),
                " out",
            ],
        ));
    }
    if settings.batch_size.min(images) < fewest {
        return Err(usage_error(
            format!(
                "cannot train on batches of one image of {}x{}: batch norm of the last stage sees a single pixel",
                settings.preprocess.size[0], settings.preprocess.size[1]
            ),
            message![
                "pass a ",
                setting("batch-size"),
                " of 2 or more (and as many images), or a larger ",
                setting("image-size"),
            ],
        ));
    }
    Ok(())
}
