//! Counts of the values in a network: its parameters, and the outputs of its calls.

use crate::model::description::{ModuleCall, ModuleKind};
use crate::model::{Frozen, ModelConfig, describe};
use anyhow::Result;
use candle_core::DType;

/// Returns whether the part of the network that makes a call is trained.
pub(super) fn learns(call: &ModuleCall, frozen: Frozen) -> bool {
    let part = match call.path.as_str() {
        // Part of the stem, without a name of its own.
        "relu" => "conv1",
        path => path,
    };
    !frozen.holds(part)
}

/// Returns whether the backward pass needs the output of a call; that of a block is its sum before the last ReLU. The compiled
/// step, used for f32, fuses batch norm, sum and ReLU into one output.
pub(super) fn is_kept(kind: ModuleKind, dtype: DType, has_sums: bool) -> bool {
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
pub(super) fn widest(calls: &[ModuleCall]) -> u64 {
    let convolutions = calls
        .iter()
        .filter(|call| matches!(call.kind, ModuleKind::Conv2d { .. }));
    let both = convolutions.map(|call| numbers(&call.input) + numbers(&call.output));
    both.max().unwrap_or(0)
}

/// Returns the parameters of the calls for which `counts` is true.
pub(super) fn parameters(
    config: &ModelConfig,
    counts: impl Fn(&ModuleCall) -> bool,
) -> Result<u64> {
    // The parameters do not depend on the size.
    let described = describe(config, [1, config.in_channels, 64, 64])?;
    let calls = described.calls.iter().filter(|call| counts(call));
    Ok(calls.map(|call| call.kind.parameters() as u64).sum())
}

/// Returns the number of values of this shape.
pub(super) fn numbers(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
}
