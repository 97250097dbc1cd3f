//! Estimates peak memory on a CPU up front, so that an oversized run fails with an error instead of being OOM-killed.
//!
//! A step keeps, in the run's dtype:
//! - for the backward pass the outputs of every trained convolution, batch norm, pooling and padded shortcut, which is all
//!   that the compiled step of f32 keeps; autograd, used for f64, also keeps those of ReLU and of each block's sum;
//! - one number per parameter for the weights, the gradients, each optimizer state and the moving average;
//! - the batch, the next one and the one that is being assembled.
//!
//! Temporary buffers of operations, images being decoded and the program itself are not counted, so that no run is rejected
//! that would fit. The estimate was calibrated against the peak that Linux reports (`VmHWM`) for steps on random inputs on
//! x86-64: it is 51 of 80 MiB (ResNet-20, 8 images of 64 px, SGD), 238 of 269 MiB (ResNet-18, 4 of 96 px, Adam and EMA) and
//! 502 of 582 MiB (ResNet-50, 2 of 64 px, SGD). A test measures these again and checks that the estimate is below the peak and
//! above half of it.

mod available;

use crate::error::{Error, Message, WithKind, error_with_hint, setting};
use crate::message;
use crate::model::description::{ModuleCall, ModuleKind};
use crate::model::{Frozen, ModelConfig, ShortcutKind, describe};
use crate::text::{format_bytes, pluralize};
use crate::train::config::settings::Settings;
use crate::train::data::features;
use crate::train::learner::optimizer::OptimizerKind;
use anyhow::Result;
use available::available_bytes;
use candle_core::{DType, Device};

/// Batches in memory at a time: the current one, the next, and the one that is being assembled.
const BATCHES_AT_A_TIME: usize = 3;

/// The images and features that a run holds at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::train) struct Workload {
    /// Training images.
    pub images: usize,
    /// Batches per epoch.
    pub batches: usize,
    /// Shards of a batch in a step at a time.
    pub shards: usize,
    /// The size of the features that replace the images; `None` if the images are trained on.
    pub cached_feature_bytes: Option<usize>,
    /// Images per validation batch; 0 without validation.
    pub validation_batch: usize,
}

/// Returns the error for something that does not fit into memory.
fn out_of_memory(message: String, hint: Message) -> anyhow::Error {
    error_with_hint(message, hint).with_kind(Error::OutOfMemory)
}

/// Rejects random inputs that do not fit into memory.
///
/// # Errors
/// If `count` inputs of `[C, H, W]` need more than is free.
pub(in crate::train) fn ensure_fake(count: usize, input: [usize; 3]) -> Result<()> {
    let numbers = input.iter().fold(count, |a, &b| a.saturating_mul(b));
    let needed = numbers.saturating_mul(size_of::<f32>()) as u64;
    let [channels, height, width] = input;
    match available_bytes().filter(|&available| needed > available) {
        None => Ok(()),
        Some(available) => Err(out_of_memory(
            format!(
                "{} of {channels}x{height}x{width} need {} of memory, and {} are free",
                pluralize(count, "input"),
                format_bytes(needed),
                format_bytes(available)
            ),
            message!["pass fewer inputs, or a smaller ", setting("image-size")],
        )),
    }
}

/// Rejects a run on a CPU that needs more memory than is free; returns the bytes that a step needs there, by [`step_bytes`].
///
/// # Errors
/// If the system cannot allocate the parameters; on Linux, if steps or validation need more than is free; if the network
/// cannot take images of this size.
pub(in crate::train) fn ensure(
    config: &ModelConfig,
    settings: &Settings,
    workload: Workload,
    device: &Device,
) -> Result<Option<u64>> {
    ensure_parameters(config, settings)?;
    if !device.is_cpu() {
        return Ok(None);
    }
    let mut images = settings
        .batch_size
        .min(workload.images)
        .saturating_mul(workload.shards)
        .div_ceil(settings.shards);
    let step = if let Some(kept) = workload.cached_feature_bytes {
        // Features are computed in batches of this size.
        images = images.min(features::BATCH);
        step_bytes(config, settings, images, 1)?.saturating_add(kept as u64)
    } else {
        step_bytes(config, settings, images, workload.batches)?
    };
    let validated = workload.validation_batch;
    // The compiled step of f32 keeps its memory during validation.
    let kept = if settings.dtype == DType::F32 {
        step
    } else {
        0
    };
    let needed = step.max(validation_bytes(config, settings, validated, kept)?);
    let Some(available) = available_bytes().filter(|&available| needed > available) else {
        return Ok(Some(step));
    };
    let [height, width] = settings.preprocess.size;
    let what = if needed == step {
        format!(
            "a step of {} of {height}x{width}",
            pluralize(images, "image")
        )
    } else {
        let validated = pluralize(validated, "image");
        format!("validating {validated} of {height}x{width} at a time")
    };
    Err(out_of_memory(
        format!(
            "{what} needs about {} of memory, and {} are free",
            format_bytes(needed),
            format_bytes(available)
        ),
        message![
            "pass a smaller ",
            setting("batch-size"),
            " (with ",
            setting("grad-accumulation").to("N"),
            " for one step per N batches), ",
            setting("image-size"),
            " or ",
            setting("depth"),
        ],
    ))
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
    let inputs = BATCHES_AT_A_TIME.min(batches) as u64 * numbers(&input);
    let states = settings.numbers_per_parameter();
    let gradients = if settings.grad_accumulation > 1 { 2 } else { 1 };
    let trained = parameters(config, |call| learns(call, frozen))?;
    let numbers = kept.max(widest(&described.calls))
        + inputs
        + trained * (gradients + states)
        + parameters(config, |_| true)? * (1 + u64::from(settings.ema.is_some()));
    Ok(numbers.saturating_mul(settings.dtype.size_in_bytes() as u64))
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

/// Returns whether the part of the network that makes a call is trained.
fn learns(call: &ModuleCall, frozen: Frozen) -> bool {
    let part = match call.path.as_str() {
        // Part of the stem, without a name of its own.
        "relu" => "conv1",
        path => path,
    };
    !frozen.holds(part)
}

/// Returns whether the backward pass needs the output of a call; that of a block is its sum before the last ReLU. The compiled
/// step, used for f32, fuses batch norm, sum and ReLU into one output.
fn is_kept(kind: ModuleKind, dtype: DType, has_sums: bool) -> bool {
    let is_compiled = dtype == DType::F32;
    match kind {
        ModuleKind::Conv2d { .. }
        | ModuleKind::BatchNorm2d { .. }
        | ModuleKind::GroupNorm { .. }
        | ModuleKind::AvgPool2d { .. }
        | ModuleKind::BlurPool2d { .. }
        | ModuleKind::SeModule { .. }
        | ModuleKind::EcaModule { .. }
        | ModuleKind::MaxPool2d { .. }
        | ModuleKind::PaddedShortcut { .. } => true,
        ModuleKind::Relu => !is_compiled,
        ModuleKind::BasicBlock | ModuleKind::Bottleneck => has_sums && !is_compiled,
        _ => false,
    }
}

/// Returns the numbers in the input and output of the largest convolution, which are in memory together.
fn widest(calls: &[ModuleCall]) -> u64 {
    let convolutions = calls
        .iter()
        .filter(|call| matches!(call.kind, ModuleKind::Conv2d { .. }));
    let both = convolutions.map(|call| numbers(&call.input) + numbers(&call.output));
    both.max().unwrap_or(0)
}

/// Returns the parameters of the calls for which `counts` is true.
fn parameters(config: &ModelConfig, counts: impl Fn(&ModuleCall) -> bool) -> Result<u64> {
    // The parameters do not depend on the size.
    let described = describe(config, [1, config.in_channels, 64, 64])?;
    let calls = described.calls.iter().filter(|call| counts(call));
    Ok(calls.map(|call| call.kind.parameters() as u64).sum())
}

fn numbers(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}
