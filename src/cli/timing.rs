//! `resnet summary --time`: the time of a forward pass and of each layer.

use super::device::{DTypeChoice, DeviceChoice};
use crate::error::hinted;
use crate::infer::Plan;
use crate::model::description::ModuleKind;
use crate::model::{Description, ModelConfig, ResNet};
use crate::nn::Parameters;
use crate::report::json::Timing;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Passes before those that count.
const WARM_UP: usize = 3;

/// What was measured.
#[derive(Debug)]
pub struct Measured {
    /// The whole passes.
    pub runs: Timing,
    /// The median time of each step, where the pass is compiled.
    layers: Vec<LayerTime>,
    what: String,
}

#[derive(Debug)]
struct LayerTime {
    path: String,
    milliseconds: f64,
    mult_adds: u64,
}

/// Runs the net's forward pass on seeded weights and pictures of one value.
pub fn measure(
    config: &ModelConfig,
    description: &Description,
    runs: usize,
    device: DeviceChoice,
    dtype: DTypeChoice,
) -> Result<Measured> {
    let device = device.open()?;
    let dtype = dtype.on(&device)?;
    check_memory(description)?;
    let parameters = Parameters::default();
    let net = ResNet::new(config, &parameters.seeded(0, dtype, &device))?;
    let [batch, channels, height, width] = description.input;
    let mut passes: Vec<f64> = Vec::with_capacity(runs);
    let mut layers = Vec::new();
    if let (Device::Cpu, DType::F32) = (&device, dtype) {
        let mut plan = Plan::new(&net, height, width)?;
        drop((net, parameters));
        let pictures = vec![0.5; batch * channels * height * width];
        let mut steps: Vec<(String, Vec<f64>)> = Vec::new();
        for pass in 0..WARM_UP + runs {
            let start = Instant::now();
            let (_, times) = plan.run_timed(&pictures)?;
            if pass >= WARM_UP {
                passes.push(milliseconds(start.elapsed()));
                steps.resize_with(times.len(), Default::default);
                for ((path, step), time) in steps.iter_mut().zip(times) {
                    *path = time.path;
                    step.push(milliseconds(time.time));
                }
            }
        }
        layers = steps
            .into_iter()
            .map(|(path, mut times)| LayerTime {
                mult_adds: mult_adds(description, &path),
                milliseconds: median(&mut times),
                path,
            })
            .collect();
    } else {
        let pictures =
            Tensor::full(0.5f32, (batch, channels, height, width), &device)?.to_dtype(dtype)?;
        for pass in 0..WARM_UP + runs {
            let start = Instant::now();
            // Reading the logits back waits for the device.
            net.forward_t(&pictures, false)?
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            if pass >= WARM_UP {
                passes.push(milliseconds(start.elapsed()));
            }
        }
    }
    let images_per_second = batch as f64 / median(&mut passes.clone()) * 1e3;
    let what = format!(
        "{batch}x{channels}x{height}x{width}, {}, {} threads",
        dtype.as_str(),
        rayon::current_num_threads()
    );
    Ok(Measured {
        runs: Timing {
            forward_ms: passes,
            images_per_second,
        },
        layers,
        what,
    })
}

impl Measured {
    /// The table that text styles add.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let total = median(&mut self.runs.forward_ms.clone());
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
        for layer in &self.layers {
            line(&layer.path, layer.milliseconds, layer.mult_adds);
        }
        line(
            "total",
            total,
            self.layers.iter().map(|layer| layer.mult_adds).sum(),
        );
        let rule = "-".repeat(59);
        format!(
            "Time of a forward pass ({}), median of {} runs\n{rule}\n{:<28} {:>10} {:>8} {:>10}\n{rule}\n{text}{rule}\n{:.1} images a second\n",
            self.what,
            self.runs.forward_ms.len(),
            "Layer",
            "ms",
            "%",
            "GFLOP/s",
            self.runs.images_per_second
        )
    }
}

/// Refuses a pass that the machine has no memory for, before it is begun.
fn check_memory(description: &Description) -> Result<()> {
    let numbers = |shape: &[usize]| shape.iter().product::<usize>();
    let needed = description.calls.iter().map(|call| {
        let patches = match call.kind {
            ModuleKind::Conv2d {
                channels, kernel, ..
            } => channels[0] * kernel * kernel * call.output[2] * call.output[3],
            _ => 0,
        };
        numbers(&call.input) + 3 * numbers(&call.output) + patches
    });
    let bytes = needed.max().unwrap_or(0).saturating_mul(size_of::<f32>());
    let Err(_) = Vec::<u8>::new().try_reserve_exact(bytes) else {
        return Ok(());
    };
    Err(hinted(
        format!(
            "cannot time that forward pass: it takes more than {:.0} GB of memory",
            bytes as f64 / 1e9
        ),
        "pass a smaller --input or --batch-size",
    ))
}

fn mult_adds(description: &Description, path: &str) -> u64 {
    description
        .calls
        .iter()
        .filter(|call| call.path == path)
        .map(crate::model::description::Call::mult_adds)
        .sum()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
