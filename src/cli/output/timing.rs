//! The table that `resnet summary --time` adds: the time of each layer.

use crate::benchmark::ForwardTimes;
use crate::model::Description;
use crate::model::description::ModuleCall;
use std::fmt::Write;

/// Returns the table of `times`; `what` names dtype and threads.
pub fn table(times: &ForwardTimes, description: &Description, what: &str) -> String {
    let total = times.median();
    let mut text = String::new();
    let mut line = |name: &str, milliseconds: f64, mult_adds: u64| {
        let rate = if mult_adds == 0 {
            "--".to_owned()
        } else {
            format!("{:.1}", 2e-6 * mult_adds as f64 / milliseconds)
        };
        let share = 100.0 * milliseconds / total;
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<28} {milliseconds:>10.3} {share:>8.1} {rate:>10}"
        );
    };
    for layer in &times.layers {
        line(&layer.path, layer.milliseconds, layer.mult_adds);
    }
    line(
        "total",
        total,
        description.calls.iter().map(ModuleCall::mult_adds).sum(),
    );
    let [batch, channels, height, width] = description.input;
    let rule = "-".repeat(59);
    format!(
        "Time of a forward pass ({batch}x{channels}x{height}x{width}, {what}), median of {}\n{rule}\n{:<28} {:>10} {:>8} {:>10}\n{rule}\n{text}{rule}\n{:.1} images/s{}\n",
        times.passes.len(),
        "Layer",
        "ms",
        "%",
        "GFLOP/s",
        batch as f64 / total * 1e3,
        if times.layers.is_empty() {
            ""
        } else {
            ", weights prepared as for many images"
        }
    )
}
