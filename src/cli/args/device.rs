//! `--device` and `--dtype`.

use crate::cli::output::console::Console;
use crate::cli::output::flags::error_line;
use crate::error::error_with_hint;
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use clap::ValueEnum;
use std::str::FromStr;

/// A device to compute on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU if the binary was built for one and the machine has it, otherwise the CPU.
    Auto,
    Cpu,
    /// The GPU with a number, or one for each process.
    Cuda(Option<usize>),
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(None)),
            "metal" => Ok(Self::Metal),
            text => {
                let number = text
                    .strip_prefix("cuda:")
                    .and_then(|number| number.parse().ok());
                number
                    .map(|number| Self::Cuda(Some(number)))
                    .ok_or_else(|| "must be auto, cpu, cuda, cuda:N or metal".to_owned())
            }
        }
    }
}

impl DeviceChoice {
    /// Opens the device of the process that is number `local_rank` on its machine, and returns it with the type to compute in.
    pub fn open(
        self,
        dtype: DTypeChoice,
        local_rank: usize,
        console: &Console,
    ) -> Result<(Device, DType)> {
        let device = match self {
            Self::Cpu => Device::Cpu,
            Self::Auto => automatic(dtype, local_rank, console),
            Self::Cuda(number) if cfg!(feature = "cuda") => {
                let number = number.unwrap_or_else(|| gpu_of(local_rank));
                Device::new_cuda(number)
                    .with_context(|| format!("cannot open device `cuda:{number}`"))?
            }
            Self::Metal if cfg!(feature = "metal") => metal()?,
            Self::Cuda(_) => return Err(not_built("cuda")),
            Self::Metal => return Err(not_built("metal")),
        };
        let dtype = dtype.on(&device)?;
        Ok((device, dtype))
    }
}

/// Returns the number of the GPU of a process: each has one of its own, as long as there are enough.
fn gpu_of(local_rank: usize) -> usize {
    // A launcher may let each process see its own GPU alone.
    local_rank % gpus().max(1)
}

/// Returns the number of GPUs that this process sees.
#[cfg(feature = "cuda")]
fn gpus() -> usize {
    let count = candle_core::cuda::cudarc::driver::CudaContext::device_count();
    // Opening a GPU then fails with the reason.
    count.map_or(0, |count| count as usize)
}

/// Returns 0: this build uses none.
#[cfg(not(feature = "cuda"))]
fn gpus() -> usize {
    0
}

/// Returns the GPU that the binary was built for, if the machine has one that computes in `dtype`, otherwise the CPU.
fn automatic(dtype: DTypeChoice, local_rank: usize, console: &Console) -> Device {
    let gpu = if cfg!(feature = "cuda") {
        Device::new_cuda(gpu_of(local_rank)).map_err(anyhow::Error::from)
    } else if cfg!(feature = "metal") && dtype != DTypeChoice::F64 {
        metal()
    } else {
        return Device::Cpu;
    };
    gpu.unwrap_or_else(|error| {
        console.note(format_args!("computing on the cpu: {}", error_line(&error)));
        Device::Cpu
    })
}

/// Returns the first Metal device. Candle panics if there is none.
fn metal() -> Result<Device> {
    let opened = std::panic::catch_unwind(|| Device::new_metal(0));
    let opened = opened.unwrap_or_else(|_| candle_core::bail!("this machine has no Metal device"));
    opened.context("cannot open device `metal`")
}

fn not_built(feature: &str) -> anyhow::Error {
    error_with_hint(
        format!("cannot open device `{feature}`: this binary was built without it"),
        format!("build it with `cargo build --release --features {feature}`, or pass --device cpu"),
    )
}

/// A numeric type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DTypeChoice {
    /// The fast path
    F32,
    /// Slow, for reference
    F64,
    /// Half precision, on GPUs
    F16,
    /// Half precision with f32's range, on GPUs
    Bf16,
}

impl DTypeChoice {
    /// Returns the type if the device can compute in it.
    fn on(self, device: &Device) -> Result<DType> {
        let dtype = match self {
            Self::F32 => DType::F32,
            Self::F64 => DType::F64,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        };
        let name = dtype.as_str();
        match (self, device) {
            (Self::F16 | Self::Bf16, Device::Cpu) => Err(error_with_hint(
                format!("cannot compute in `{name}` on the cpu"),
                "pass --dtype f32; half precision is for --device cuda and metal (weights saved in it run in f32)",
            )),
            (Self::F64, Device::Metal(_)) => Err(error_with_hint(
                format!("cannot compute in `{name}` on metal"),
                "pass --dtype f32, or --device cpu",
            )),
            _ => Ok(dtype),
        }
    }
}
