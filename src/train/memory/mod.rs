//! Estimates peak memory on a CPU up front, so that an oversized run fails with an error instead of being OOM-killed.
//!
//! A step keeps, in the run's dtype:
//! - for the backward pass the outputs of every trained convolution, batch norm, pooling and padded shortcut, which is all
//!   that the compiled step of f32 keeps; autograd, used for f64, also keeps those of ReLU and of each block's sum;
//! - one number per parameter for the weights, the gradients, each optimizer state and the moving average;
//! - the batch, the next one and the one that is being assembled, as far as the process has their shards;
//! - with shards, the sums of their gradients.
//!
//! The processes of a machine share its memory, and those of a control group its limit: what they need together must fit.
//!
//! Temporary buffers of operations, images being decoded and the program itself are not counted, so that no run is rejected
//! that would fit. The estimate was calibrated against the peak that Linux reports (`VmHWM`) for steps on random inputs on
//! x86-64: it is 51 of 80 MiB (ResNet-20, 8 images of 64 px, SGD), 238 of 269 MiB (ResNet-18, 4 of 96 px, Adam and EMA) and
//! 502 of 582 MiB (ResNet-50, 2 of 64 px, SGD). A test measures these again and checks that the estimate is below the peak and
//! above half of it.

mod available;
mod demand;
mod network;
mod sums;

use crate::distributed::Processes;
use crate::distributed::tree::Shards;
use crate::error::setting;
use crate::message;
use crate::model::{ModelConfig, ShortcutKind, describe};
use crate::text::{format_bytes, pluralize};
use crate::train::config::settings::Settings;
use crate::train::data::features;
use crate::train::learner::optimizer::OptimizerKind;
use anyhow::Result;
use candle_core::{DType, Device};
use demand::{Demand, out_of_memory};
use network::{is_kept, learns, numbers, parameters, widest};
pub use sums::sum_bytes;

/// Batches in memory at a time: the current one, the next, and the one that is being assembled.
const BATCHES_AT_A_TIME: usize = 3;

/// The images and features that a run holds at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::train) struct Workload {
    /// Training images.
    pub images: usize,
    /// Batches per epoch.
    pub batches: usize,
    /// The shards of a batch.
    pub shards: Shards,
    /// The size of the features that replace the images; `None` if the images are trained on.
    pub cached_feature_bytes: Option<usize>,
    /// Images per validation batch; 0 without validation.
    pub validation_batch: usize,
}

/// Rejects random inputs that do not fit into memory, of which each process has all.
///
/// # Errors
/// If `count` inputs of `[C, H, W]` need more than is free; if another process is gone.
pub(in crate::train) fn ensure_fake(
    count: usize,
    input: [usize; 3],
    processes: &Processes,
) -> Result<()> {
    let numbers = input.iter().fold(count, |a, &b| a.saturating_mul(b));
    let needed = numbers.saturating_mul(size_of::<f32>()) as u64;
    let [channels, height, width] = input;
    let text = format!(
        "{} of {channels}x{height}x{width} need {} of memory",
        pluralize(count, "input"),
        format_bytes(needed)
    );
    let hint = message!["pass fewer inputs, or a smaller ", setting("image-size")];
    Demand::new(text, needed).ensure_met(hint, processes)
}

/// Rejects a run on a CPU that needs more memory than is free, with the other processes of the machine; returns the bytes that a step
/// needs there, by [`step_bytes`] and [`sum_bytes`].
///
/// # Errors
/// If the system cannot allocate the parameters; on Linux, if steps or validation need more than is free; if the network
/// cannot take images of this size; if another process is gone.
pub(in crate::train) fn ensure(
    config: &ModelConfig,
    settings: &Settings,
    workload: Workload,
    device: &Device,
    processes: &Processes,
) -> Result<Option<u64>> {
    ensure_parameters(config, settings)?;
    if !device.is_cpu() {
        return Ok(None);
    }
    let (shards, rank) = (workload.shards, processes.rank());
    let own = shards.of(rank).len();
    let batch = settings.batch_size.min(workload.images);
    let of_shards = |count| batch.saturating_mul(count).div_ceil(shards.count());
    let mut images = of_shards(if settings.shares_statistics() { own } else { 1 });
    let step = if let Some(kept) = workload.cached_feature_bytes {
        // Features are computed in batches of this size.
        images = images.min(features::BATCH);
        step_bytes(config, settings, images, 1)?.saturating_add(kept as u64)
    } else {
        let others = of_shards(own).saturating_sub(images);
        let loaded = loaded_bytes(config, settings, others, workload.batches);
        step_bytes(config, settings, images, workload.batches)?.saturating_add(loaded)
    };
    let with_sums = step.saturating_add(sum_bytes(config, settings, shards, rank)?);
    let validated = workload.validation_batch;
    // The compiled step of f32 keeps its memory during validation.
    let kept = if settings.dtype == DType::F32 {
        step
    } else {
        0
    };
    let needed = with_sums.max(validation_bytes(config, settings, validated, kept)?);
    let [height, width] = settings.preprocess.size;
    let what = if needed == with_sums {
        format!(
            "a step of {} of {height}x{width}",
            pluralize(images, "image")
        )
    } else {
        let validated = pluralize(validated, "image");
        format!("validating {validated} of {height}x{width} at a time")
    };
    let text = format!("{what} needs about {} of memory", format_bytes(needed));
    let hint = message![
        "pass a smaller ",
        setting("batch-size"),
        " (with ",
        setting("grad-accumulation").to("N"),
        " for one step per N batches), ",
        setting("image-size"),
        " or ",
        setting("depth"),
    ];
    Demand::new(text, needed).ensure_met(hint, processes)?;
    Ok(Some(with_sums))
}

/// Rejects a network whose parameters, gradients and optimizer state cannot be allocated.
fn ensure_parameters(config: &ModelConfig, settings: &Settings) -> Result<()> {
    let bytes = parameters(config, |_| true)?
        .saturating_mul(3 * settings.dtype.size_in_bytes() as u64)
        .min(isize::MAX as u64);
    let mut room: Vec<u8> = Vec::new();
    if room.try_reserve_exact(usize::try_from(bytes)?).is_ok() {
        return Ok(());
    }
    Err(out_of_memory(
        format!(
            "the network needs {} of memory for training, more than there is",
            format_bytes(bytes)
        ),
        message![
            "pass a smaller ",
            setting("width"),
            ", ",
            setting("width-per-group"),
            " or ",
            setting("depth"),
        ],
    ))
}

/// Returns a lower bound of the bytes that a step of `images` images needs, in an epoch of `batches` batches.
///
/// # Errors
/// If the network cannot take images of this size.
pub fn step_bytes(
    config: &ModelConfig,
    settings: &Settings,
    images: usize,
    batches: usize,
) -> Result<u64> {
    let frozen = settings.frozen;
    let [height, width] = settings.preprocess.size;
    let input = [images, config.in_channels, height, width];
    let described = describe(config, input)?;
    let has_sums = config.shortcut != ShortcutKind::None;
    let kept = described
        .calls
        .iter()
        .filter(|call| learns(call, frozen) && is_kept(call.kind, settings.dtype, has_sums));
    let kept: u64 = kept.map(|call| numbers(&call.output)).sum();
    let states = settings.numbers_per_parameter();
    let gradients = if settings.grad_accumulation > 1 { 2 } else { 1 };
    let trained = parameters(config, |call| learns(call, frozen))?;
    let numbers = kept.max(widest(&described.calls))
        + trained * (gradients + states)
        + parameters(config, |_| true)? * (1 + u64::from(settings.ema.is_some()));
    let bytes = numbers.saturating_mul(settings.dtype.size_in_bytes() as u64);
    Ok(bytes.saturating_add(loaded_bytes(config, settings, images, batches)))
}

/// Returns the bytes of `images` images in each batch that is loaded at a time, in an epoch of `batches` batches.
fn loaded_bytes(config: &ModelConfig, settings: &Settings, images: usize, batches: usize) -> u64 {
    let [height, width] = settings.preprocess.size;
    let numbers = numbers(&[images, config.in_channels, height, width]);
    let batches = BATCHES_AT_A_TIME.min(batches) as u64;
    numbers.saturating_mul(batches * settings.dtype.size_in_bytes() as u64)
}

/// Returns the bytes that a validation batch of `images` images needs, with those that the run keeps between steps: `kept` if
/// steps keep their memory.
fn validation_bytes(
    config: &ModelConfig,
    settings: &Settings,
    images: usize,
    kept: u64,
) -> Result<u64> {
    if images == 0 {
        return Ok(0);
    }
    if kept > 0 {
        let [height, width] = settings.preprocess.size;
        let described = describe(config, [images, config.in_channels, height, width])?;
        let widest = widest(&described.calls) * settings.dtype.size_in_bytes() as u64;
        return Ok(kept.saturating_add(widest));
    }
    let [height, width] = settings.preprocess.size;
    let described = describe(config, [images, config.in_channels, height, width])?;
    let trained = parameters(config, |call| learns(call, settings.frozen))?;
    let numbers = widest(&described.calls)
        + parameters(config, |_| true)? * (1 + u64::from(settings.ema.is_some()))
        + trained * settings.numbers_per_parameter();
    Ok(numbers.saturating_mul(settings.dtype.size_in_bytes() as u64))
}

impl Settings {
    /// Returns the numbers that the optimizer keeps per parameter.
    fn numbers_per_parameter(&self) -> u64 {
        match self.optimizer.kind {
            OptimizerKind::Sgd | OptimizerKind::Lars => u64::from(self.optimizer.momentum > 0.0),
            OptimizerKind::Adam | OptimizerKind::Adamw | OptimizerKind::Lamb => 2,
        }
    }
}
