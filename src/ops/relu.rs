//! ReLU. Its gradient at 0 is 0, as in PyTorch; candle's own is 1.

use super::record::{Computed, record1};
use candle_core::{Result, Tensor};

/// Computes `max(x, 0)` of any shape, on any device; NaN is kept.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    // Candle's own ReLU turns NaN into 0 on the CPU and so hides a diverged training run.
    let fixed = x.detach();
    let result = fixed.lt(0.0)?.where_cond(&fixed.zeros_like()?, &fixed)?;
    record1(
        "relu",
        x,
        Computed::Tensor(result),
        |_, output, gradient| {
            let gradient = gradient.detach();
            let zeros = gradient.zeros_like()?;
            let is_cut = output.detach().le(0.0)?;
            Ok([Some(is_cut.where_cond(&zeros, &gradient)?)])
        },
    )
}
