//! Batching: the steps, schedule and batch sizes that follow from the settings and the number of images.

use super::feed::Feed;
use super::schedule::Schedule;
use super::settings::{ClassWeights, Settings};
use crate::data::sets::Split;
use crate::error::{error_with_hint, usage_error, why_unreadable};
use crate::model::description::ModuleKind;
use crate::model::{Frozen, ModelConfig, describe};
use crate::nn::loss::balanced;
use crate::words::counted;
use anyhow::{Context, Result};
use std::path::Path;

/// Returns whether the last batch of an epoch is dropped: on request if it is incomplete, or if it has fewer images than batch
/// norm can be trained on.
pub fn drops_last(pictures: usize, batch_size: usize, drop_last: bool, fewest: usize) -> bool {
    let rest = pictures % batch_size.max(1);
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
pub fn fewest_pictures(
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
/// If there is no batch, or the batches have one value per channel.
pub fn check_batches(settings: &Settings, feed: &Feed, fewest: usize) -> Result<()> {
    let pictures = feed.count();
    if settings.drop_last && feed.batches_an_epoch() == 0 {
        return Err(usage_error(
            format!(
                "--drop-last leaves no batch: {} do not fill one of {}",
                counted(pictures, "image"),
                settings.batch_size
            ),
            "pass a smaller --batch-size, or leave --drop-last out",
        ));
    }
    if settings.batch_size.min(pictures) < fewest {
        return Err(usage_error(
            format!(
                "cannot train on batches of one image of {}x{}: batch norm of the last stage sees a single pixel",
                settings.preprocess.size[0], settings.preprocess.size[1]
            ),
            "pass a --batch-size of 2 or more (and as many images), or a larger --image-size",
        ));
    }
    Ok(())
}

/// Returns the weights of the classes in the loss, `None` if they are equal.
///
/// # Errors
/// If a file of weights cannot be read, or does not have one number per class.
pub fn class_weights(
    settings: &Settings,
    train: &Split,
    classes: usize,
) -> Result<Option<Vec<f64>>> {
    match &settings.class_weights {
        None => Ok(None),
        Some(ClassWeights::Auto) => Ok(Some(balanced(train.classes(), classes))),
        Some(ClassWeights::File(file)) => {
            let context = || format!("cannot read class weights `{}`", file.display());
            read_weights(file, classes).with_context(context).map(Some)
        }
    }
}

fn read_weights(file: &Path, classes: usize) -> Result<Vec<f64>> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        error_with_hint(
            why_unreadable(&error),
            format!(
                "pass `auto`, or a file of {} with one number each, in the order of the classes",
                counted(classes, "line")
            ),
        )
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let weights = lines
        .enumerate()
        .map(|(number, line)| {
            let weight = line
                .parse()
                .ok()
                .filter(|&weight: &f64| weight.is_finite() && weight >= 0.0);
            weight.ok_or_else(|| {
                error_with_hint(
                    format!("line {} is `{line}`, not a weight", number + 1),
                    "write one number of at least 0 per line, in the order of the classes",
                )
            })
        })
        .collect::<Result<Vec<f64>>>()?;
    if weights.len() != classes {
        return Err(error_with_hint(
            format!(
                "{} for {}",
                counted(weights.len(), "weight"),
                counted(classes, "class")
            ),
            "write one number per line, in the order of the classes",
        ));
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(error_with_hint(
            "every weight is 0, so there is nothing to train on",
            "write a number above 0 for at least one class",
        ));
    }
    Ok(weights)
}
