//! The memory that a run takes on a CPU, estimated before its first step, so that a run too large for the machine ends with
//! an error and not by the system's hand.
//!
//! A step keeps, in the run's type of numbers:
//! - for the backward pass the outputs of every convolution, batch norm, pooling and padded shortcut that learns, which is all
//!   that the compiled step of f32 keeps; autograd, which is that of f64, keeps those of ReLU and of each block's sum, too;
//! - a number a parameter for the weights, their gradients, what the optimiser remembers and the moving average;
//! - the batch, the one that waits and the one that is being put together.
//!
//! What operations need for a moment, pictures on their way through decoding and the program itself are not counted, so that
//! nothing is refused that would run. It was calibrated against the peak that Linux counts (`VmHWM`) of steps on noise on an
//! x86-64: it is 51 of 80 MiB (ResNet-20, 8 pictures of 64 px, SGD), 238 of 269 MiB (ResNet-18, 4 of 96 px, Adam and EMA) and
//! 502 of 582 MiB (ResNet-50, 2 of 64 px, SGD). A test measures these again and holds it below the peak and above half of it.

mod available;

use super::feed::Feed;
use super::optimiser::OptimiserKind;
use super::probe;
use super::settings::Settings;
use super::validation::Validation;
use crate::error::hinted;
use crate::model::description::{Call, ModuleKind};
use crate::model::{Frozen, ModelConfig, ShortcutKind, describe};
use crate::words::{amount, counted};
use anyhow::Result;
use available::available_bytes;
use candle_core::{DType, Device};

/// Batches that are there at a time: the step's own, the next, and the one that is being put together.
const BATCHES_AT_A_TIME: usize = 3;

/// Refuses noise that does not fit into the memory there is.
///
/// # Errors
/// So many inputs of `[C, H, W]` where the system has no room for them.
pub fn ensure_fake(count: usize, input: [usize; 3]) -> Result<()> {
    let numbers = input.iter().fold(count, |a, &b| a.saturating_mul(b));
    let needed = numbers.saturating_mul(size_of::<f32>()) as u64;
    let [channels, height, width] = input;
    match available_bytes().filter(|&available| needed > available) {
        None => Ok(()),
        Some(available) => Err(hinted(
            format!(
                "{} of {channels}x{height}x{width}: {} of memory, and {} are free",
                counted(count, "input"),
                amount(needed),
                amount(available)
            ),
            "ask for fewer, or for smaller ones by `--image-size`",
        )),
    }
}

/// Refuses a run on a CPU that takes more memory than there is; gives the bytes that a step takes there, by [`step_bytes`].
///
/// # Errors
/// A net whose parameters the system would not give room for, and, on Linux, steps and validation passes that need more than
/// is free; pictures that the net cannot take.
pub fn ensure(
    config: &ModelConfig,
    settings: &Settings,
    feed: &Feed,
    validation: Option<&Validation>,
    device: &Device,
) -> Result<Option<u64>> {
    ensure_parameters(config, settings)?;
    if !device.is_cpu() {
        return Ok(None);
    }
    let mut images = settings.batch_size.min(feed.count());
    let step = if let Some((_, kept)) = probe::kept_features(config, settings, feed) {
        // They are computed so many at a time.
        images = images.min(probe::BATCH);
        step_bytes(config, settings, images, 1)?.saturating_add(kept as u64)
    } else {
        step_bytes(config, settings, images, feed.batches_an_epoch())?
    };
    let validated = validation.map_or(0, Validation::together);
    // The compiled step of f32 keeps its memory meanwhile.
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
            counted(images, "picture")
        )
    } else {
        let validated = counted(validated, "picture");
        format!("validating {validated} of {height}x{width} at a time")
    };
    Err(hinted(
        format!(
            "{what} takes about {} of memory, and {} are free",
            amount(needed),
            amount(available)
        ),
        "pass a smaller --batch-size (--grad-accumulation N makes one step of N batches), --image-size or --depth",
    ))
}

/// Refuses a net whose parameters, gradients and optimiser's numbers no system gives room for.
fn ensure_parameters(config: &ModelConfig, settings: &Settings) -> Result<()> {
    let bytes = parameters(config, |_| true)?
        .saturating_mul(3 * settings.dtype.size_in_bytes() as u64)
        .min(isize::MAX as u64);
    let mut room: Vec<u8> = Vec::new();
    if room.try_reserve_exact(usize::try_from(bytes)?).is_ok() {
        return Ok(());
    }
    Err(hinted(
        format!(
            "the net takes {} of memory to train, more than there is",
            amount(bytes)
        ),
        "pass a smaller --width, --width-per-group or --depth",
    ))
}

/// Bytes that a step of `images` pictures keeps at a time, where an epoch has so many batches; a little less than it takes.
///
/// # Errors
/// Pictures that the net cannot take.
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
    let states = settings.kept_a_parameter();
    let gradients = if settings.grad_accumulation > 1 { 2 } else { 1 };
    let learnt = parameters(config, |call| learns(call, frozen))?;
    let numbers = kept.max(widest(&described.calls))
        + inputs
        + learnt * (gradients + states)
        + parameters(config, |_| true)? * (1 + u64::from(settings.ema.is_some()));
    Ok(numbers.saturating_mul(settings.dtype.size_in_bytes() as u64))
}

/// Bytes that a validation pass of `images` pictures takes at a time, with what a run keeps between its steps: `kept`, where
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
    let learnt = parameters(config, |call| learns(call, settings.frozen))?;
    let numbers = widest(&described.calls)
        + parameters(config, |_| true)? * (1 + u64::from(settings.ema.is_some()))
        + learnt * settings.kept_a_parameter();
    Ok(numbers.saturating_mul(settings.dtype.size_in_bytes() as u64))
}

impl Settings {
    /// Numbers that the optimiser remembers of each parameter.
    fn kept_a_parameter(&self) -> u64 {
        match self.optimiser.kind {
            OptimiserKind::Sgd => u64::from(self.optimiser.momentum > 0.0),
            OptimiserKind::Adam | OptimiserKind::Adamw => 2,
        }
    }
}

/// Whether the part of the net that makes a call learns.
fn learns(call: &Call, frozen: Frozen) -> bool {
    let part = match call.path.as_str() {
        // The stem's, without a name of its own.
        "relu" | "maxpool" => "conv1",
        path => path,
    };
    !frozen.holds(part)
}

/// Whether the backward pass needs a call's output, a block's being its sum before the last ReLU. The compiled step, which is
/// that of f32, puts batch norm, sum and ReLU into one output.
fn is_kept(kind: ModuleKind, dtype: DType, has_sums: bool) -> bool {
    let is_compiled = dtype == DType::F32;
    match kind {
        ModuleKind::Conv2d { .. }
        | ModuleKind::BatchNorm2d { .. }
        | ModuleKind::MaxPool2d { .. }
        | ModuleKind::PaddedShortcut { .. } => true,
        ModuleKind::Relu => !is_compiled,
        ModuleKind::BasicBlock | ModuleKind::Bottleneck => has_sums && !is_compiled,
        _ => false,
    }
}

/// The numbers of the largest convolution's input and output, which are there together.
fn widest(calls: &[Call]) -> u64 {
    let convolutions = calls
        .iter()
        .filter(|call| matches!(call.kind, ModuleKind::Conv2d { .. }));
    let both = convolutions.map(|call| numbers(&call.input) + numbers(&call.output));
    both.max().unwrap_or(0)
}

/// Parameters of the calls that count.
fn parameters(config: &ModelConfig, counts: impl Fn(&Call) -> bool) -> Result<u64> {
    // Any size: parameters do not depend on it.
    let described = describe(config, [1, config.in_channels, 64, 64])?;
    let calls = described.calls.iter().filter(|call| counts(call));
    Ok(calls.map(|call| call.kind.parameters() as u64).sum())
}

fn numbers(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}
