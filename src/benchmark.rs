//! Timing of a network's forward pass, in total and by layer.

use crate::infer::{Engine, Plan, Workload};
use crate::model::{Description, ModelConfig, ResNet};
use crate::nn::Parameters;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Number of warm-up passes.
const WARM_UP: usize = 3;

/// Times of a forward pass, in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct ForwardTimes {
    /// Time of each pass, in order.
    pub passes: Vec<f64>,
    /// Median time of each step, if the pass is compiled (f32 on the CPU).
    pub layers: Vec<LayerTime>,
}

/// Time of one step of a compiled pass.
#[derive(Debug, Clone)]
pub struct LayerTime {
    /// Dotted path of the module; the time of a convolution includes the operations fused into it.
    pub path: String,
    /// Median over the passes, in milliseconds.
    pub milliseconds: f64,
    /// Multiplications of the module over the whole batch.
    pub mult_adds: u64,
}

impl ForwardTimes {
    /// Returns the median time of a pass, in milliseconds.
    pub fn median(&self) -> f64 {
        median(&self.passes)
    }
}

/// Runs the pass that `description` describes on seeded weights and constant images: `WARM_UP` warm-up runs, then
/// `runs` timed ones.
///
/// # Errors
/// If the network cannot be built, the device does not support it, or memory is insufficient.
pub fn time_forward(
    config: &ModelConfig,
    description: &Description,
    runs: usize,
    dtype: DType,
    device: &Device,
) -> Result<ForwardTimes> {
    let parameters = Parameters::default();
    // Tensors without a graph behind them: nothing is recorded for a gradient.
    let tensors: HashMap<String, Tensor> = {
        ResNet::new(config, &parameters.seeded(0, dtype, device))?;
        let all = parameters.all().into_iter();
        all.map(|(name, variable)| (name, variable.as_detached_tensor()))
            .collect()
    };
    let network = ResNet::new(config, &VarBuilder::from_tensors(tensors, dtype, device))?;
    drop(parameters);
    if Engine::compiles(dtype, device) {
        time_plan(network, description, runs)
    } else {
        time_network(&network, description, runs, dtype, device)
    }
}

fn time_plan(network: ResNet, description: &Description, runs: usize) -> Result<ForwardTimes> {
    let [batch, channels, height, width] = description.input;
    let plan = Plan::new(&network, height, width, Workload::many(batch))?;
    drop(network);
    plan.ensure_memory(batch)?;
    let images = vec![0.5; batch * channels * height * width];
    let mut times = ForwardTimes::default();
    let mut steps: Vec<Vec<f64>> = Vec::new();
    for pass in 0..WARM_UP + runs {
        let start = Instant::now();
        let (_, observed) = plan.run_timed(&images)?;
        let whole = start.elapsed();
        if pass < WARM_UP {
            continue;
        }
        times.passes.push(milliseconds(whole));
        steps.resize_with(observed.len(), Vec::new);
        for (step, observed) in steps.iter_mut().zip(&observed) {
            step.push(milliseconds(observed.time));
        }
        if times.layers.is_empty() {
            let layer = |path: String| LayerTime {
                mult_adds: mult_adds(description, &path),
                path,
                milliseconds: 0.0,
            };
            times.layers = observed.into_iter().map(|step| layer(step.path)).collect();
        }
    }
    for (layer, step) in times.layers.iter_mut().zip(&steps) {
        layer.milliseconds = median(step);
    }
    Ok(times)
}

fn time_network(
    network: &ResNet,
    description: &Description,
    runs: usize,
    dtype: DType,
    device: &Device,
) -> Result<ForwardTimes> {
    let images = Tensor::full(0.5f32, &description.input, &Device::Cpu)?
        .to_dtype(dtype)?
        .to_device(device)?;
    let mut times = ForwardTimes::default();
    for pass in 0..WARM_UP + runs {
        let start = Instant::now();
        // Reading the logits waits for the device.
        network.forward_t(&images, false)?.to_device(&Device::Cpu)?;
        if pass >= WARM_UP {
            times.passes.push(milliseconds(start.elapsed()));
        }
    }
    Ok(times)
}

fn mult_adds(description: &Description, path: &str) -> u64 {
    let calls = description.calls.iter().filter(|call| call.path == path);
    calls
        .map(crate::model::description::ModuleCall::mult_adds)
        .sum()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
