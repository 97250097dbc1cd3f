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
    let fewest_of_shard = settings.fewest_of_shard(fewest);
    let smallest = settings.batch_size.min(images) / fewest_of_shard;
    if settings.shards > 1 && smallest < settings.shards {
        return Err(usage_error(
            message![
                format!(
                    "batches of {} cannot be cut into ",
                    pluralize(settings.batch_size.min(images), "image")
                ),
                setting("shards").to(settings.shards),
                format!(" of {} or more", pluralize(fewest_of_shard, "image")),
            ],
            message![
                "pass a larger ",
                setting("batch-size"),
                ", or fewer ",
                setting("shards"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::example::settings;

    /// Returns the rates of five epochs of four steps with these keys.
    fn rates(keys: &str) -> Vec<f64> {
        let settings = settings(&format!("epochs = 5\nlr = 0.1\n{keys}"));
        let schedule = schedule(&settings, 4);
        (0..20).map(|step| schedule.lr(step)).collect()
    }

    #[test]
    fn shards_of_one_image_need_the_statistics_of_the_others() {
        let check = |keys: &str, images: usize| {
            let settings = settings(&format!("batch-size = 4\nshards = 4\n{keys}"));
            check_batches(&settings, images, 2)
        };
        let error = check("", 8).unwrap_err().to_string();
        let expected = "batches of 4 images cannot be cut into shards = 4 of 2 images or more";
        assert_eq!(error, expected);
        check("sync-bn = true", 8).unwrap();
        let error = check("sync-bn = true", 3).unwrap_err().to_string();
        let expected = "batches of 3 images cannot be cut into shards = 4 of 1 image or more";
        assert_eq!(error, expected);
    }

    #[test]
    fn rates_follow_the_schedule_of_the_settings() {
        let constant = rates("scheduler = 'constant'\nwarmup-epochs = 0");
        assert!(constant.iter().all(|lr| (lr - 0.1).abs() < 1e-15));
        let steps = rates("scheduler = 'step'\nmilestones = [1, 3]\nwarmup-epochs = 0");
        for (step, rate) in steps.iter().enumerate() {
            let expected = [0.1, 0.01, 0.01, 0.001, 0.001][step / 4];
            assert!((rate - expected).abs() < 1e-12, "{step}: {rate}");
        }
        let cosine = rates("scheduler = 'cosine'\nwarmup-epochs = 1");
        let rises = cosine[..5].windows(2).all(|pair| pair[0] < pair[1]);
        let falls = cosine[4..].windows(2).all(|pair| pair[0] > pair[1]);
        assert!(rises && falls, "{cosine:?}");
        assert!((cosine[4] - 0.1).abs() < 1e-15, "{cosine:?}");
        assert!(cosine[19] < 0.002, "{cosine:?}");
        let cycle = rates("scheduler = 'onecycle'");
        assert!((cycle[0] - 0.004).abs() < 1e-12, "{cycle:?}");
        let top = cycle.iter().copied().fold(0.0, f64::max);
        assert!((top - 0.1).abs() < 1e-12 && cycle[19] < 1e-5, "{cycle:?}");
    }
}
