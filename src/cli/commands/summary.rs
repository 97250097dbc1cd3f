//! `resnet summary`: describes a network layer by layer, in well-known layouts.

use crate::benchmark::time_forward;
use crate::cli::args::device::{DTypeChoice, DeviceChoice};
use crate::cli::args::key_flags::ArchitectureFlags;
use crate::cli::commands::list;
use crate::cli::exit::ExitStatus;
use crate::cli::output::console::Console;
use crate::cli::output::stdout::print;
use crate::cli::output::terminal::Look;
use crate::cli::output::timing;
use crate::error::{hint_of, replace_hint, usage_error};
use crate::message;
use crate::model::config::CIFAR_DEPTHS;
use crate::model::{ModelConfig, Preprocess, StemKind, describe};
use crate::report::json::Timing;
use crate::report::{SummaryBatch, json, torchinfo, torchsummary, tree};
use crate::text::pluralize;
use crate::weights::{ModelInfo, Remote};
use anyhow::Result;
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model: a name, run folder, folder or file
    ///
    /// Of a hub model, only the configuration is downloaded. Without MODEL, the flags describe the network.
    model: Option<String>,
    /// Same as MODEL
    #[arg(
        short = 'm',
        long = "model",
        value_name = "MODEL",
        conflicts_with = "model"
    )]
    named: Option<String>,
    /// Input size [default: the model's, or 3x224x224]
    ///
    /// Channels, height and width. Without MODEL: 3x224x224, or 3x32x32 for CIFAR depths.
    #[arg(long, value_name = "CxHxW", value_parser = parse_input)]
    input: Option<[usize; 3]>,
    /// Batch size [default: 1, shown as -1 by torchsummary]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// Number of classes [default: 1000; 10 for CIFAR depths]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    classes: Option<u32>,
    /// Layout: torchsummary, torchinfo, tree or json
    #[arg(
        long,
        value_enum,
        value_name = "LAYOUT",
        default_value = "torchsummary",
        hide_possible_values = true
    )]
    style: Style,
    /// List the models that have names, with their sizes
    ///
    /// Every name that MODEL knows, with its parameters, mult-adds, input and weights; --style json prints them as data.
    #[arg(long, conflicts_with_all = ["model", "named", "input", "batch_size", "classes", "time", "stem", "arch", "depth", "width", "groups", "width_per_group", "plain"])]
    list: bool,
    /// Time each layer over RUNS forward passes
    ///
    /// They follow three warm-up passes. Weights are prepared as for inference on many images. [default RUNS: 10]
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "10", value_parser = parse_runs)]
    time: Option<u32>,
    /// Numeric type of timed passes: f32, f64, or f16 and bf16 on GPUs
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        default_value = "f32",
        hide_possible_values = true
    )]
    dtype: DTypeChoice,
    #[command(flatten)]
    architecture: ArchitectureFlags,
    /// Layers before the first stage: imagenet or cifar
    ///
    /// imagenet: a 7x7 convolution of stride 2 and max-pooling. cifar: a 3x3 convolution of stride 1, no pooling. [default:
    /// imagenet; cifar for CIFAR depths]
    #[arg(
        long,
        value_enum,
        value_name = "STEM",
        hide_possible_values = true,
        help_heading = "Architecture"
    )]
    stem: Option<StemChoice>,
}

/// A stem by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StemChoice {
    /// 7x7 convolution of stride 2 and max-pooling
    Imagenet,
    /// 3x3 convolution of stride 1, no pooling
    Cifar,
}

impl From<StemChoice> for StemKind {
    fn from(choice: StemChoice) -> Self {
        match choice {
            StemChoice::Imagenet => Self::Imagenet,
            StemChoice::Cifar => Self::Cifar,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Style {
    /// Table of torchsummary
    Torchsummary,
    /// Tree of torchinfo, with mult-adds
    Torchinfo,
    /// print(model) of PyTorch
    Tree,
    /// JSON
    Json,
}

pub fn run(args: &Args, device: DeviceChoice, console: &Console) -> Result<ExitStatus> {
    if args.list {
        return list_models(args.style);
    }
    let (name, config, size) = described_network(args, console)?;
    let own_input = size.map_or_else(
        || default_input(&config),
        |[height, width]| [config.in_channels, height, width],
    );
    let [channels, height, width] = args.input.unwrap_or(own_input);
    let batch = args.batch_size.unwrap_or(1) as usize;
    if channels != config.in_channels {
        return Err(usage_error(
            format!(
                "--input has {}, and the model takes {}",
                pluralize(channels, "channel"),
                config.in_channels
            ),
            "give the model's channels, then height and width",
        ));
    }
    let mut description = describe(&config, [batch, channels, height, width])?;
    description.name = name.unwrap_or(description.name);
    let timed = match args.time {
        None => None,
        Some(runs) => {
            let (device, dtype) = device.open(args.dtype, 0, console)?;
            let times = time_forward(&config, &description, runs as usize, dtype, &device)?;
            let threads = rayon::current_num_threads();
            Some((times, format!("{}, {threads} threads", dtype.as_str())))
        }
    };
    let mut text = match args.style {
        Style::Torchsummary => {
            let batch = if args.batch_size.is_some() {
                SummaryBatch::Given
            } else {
                SummaryBatch::Any
            };
            torchsummary::render(&description, batch)
        }
        Style::Torchinfo => torchinfo::render(&description),
        Style::Tree => tree::render(&description),
        Style::Json => {
            let timing = timed.as_ref().map(|(times, _)| Timing {
                images_per_second: batch as f64 / times.median() * 1e3,
                forward_ms: times.passes.clone(),
            });
            format!(
                "{}
",
                json::value(&description, timing.as_ref())
            )
        }
    };
    if let (Some((times, what)), true) = (&timed, args.style != Style::Json) {
        text.push_str(&timing::table(times, &description, what));
    }
    print(&text)?;
    Ok(ExitStatus::Done)
}

/// Prints the models that have names.
fn list_models(style: Style) -> Result<ExitStatus> {
    let models = list::all()?;
    print(&match style {
        Style::Json => list::json(&models)?,
        Style::Torchsummary => list::table(&models, Look::of_stdout()),
        Style::Torchinfo | Style::Tree => {
            return Err(usage_error(
                "--list has one layout for people, and one for programs",
                "leave --style out, or pass --style json",
            ));
        }
    })?;
    Ok(ExitStatus::Done)
}

/// Returns the network that MODEL or the flags describe, the name of MODEL, and the input size that it names.
fn described_network(
    args: &Args,
    console: &Console,
) -> Result<(Option<String>, ModelConfig, Option<[usize; 2]>)> {
    let (name, mut config, size) = match args.model.as_ref().or(args.named.as_ref()) {
        None => {
            let mut config = args.architecture.config(args.stem.map(StemKind::from))?;
            if let Some([channels, ..]) = args.input {
                config.in_channels = channels;
            }
            (None, config, None)
        }
        Some(model) => {
            if let Some(flag) = args.architecture.settled_by_model() {
                return Err(usage_error(
                    format!("{flag} cannot be used with MODEL, which has its own architecture"),
                    "leave one of the two out",
                ));
            }
            let info = ModelInfo::open(model, &Remote::new(console));
            let info = info.map_err(|error| offer_depth(error, model))?;
            console.messages(&info.notes);
            let size = input_size(&info);
            (Some(info.name), info.config, size)
        }
    };
    if name.is_some() && (args.classes.is_some() || args.stem.is_some()) {
        console.note("this is the model's network as the flags change it, not the model's own");
    }
    config.stem = args.stem.map_or(config.stem, StemKind::from);
    config.classes = args
        .classes
        .map_or(config.classes, |classes| classes as usize);
    Ok((name, config, size))
}

/// Adds the flag that describes the same network to the hint of an error in opening `model`, such as `resnet18`.
fn offer_depth(error: anyhow::Error, model: &str) -> anyhow::Error {
    let depth = model
        .strip_prefix("resnet")
        .and_then(|depth| depth.parse().ok());
    let depth = depth.filter(|&depth| ModelConfig::from_depth(depth).is_some());
    match depth.zip(hint_of(&error)) {
        Some((depth, hint)) => replace_hint(
            &error,
            message![
                hint,
                format!("; without a download: `resnet summary --depth {depth}`"),
            ],
        ),
        None => error,
    }
}

/// Returns the size that a model reads; `None` if nothing but the defaults says so.
fn input_size(info: &ModelInfo) -> Option<[usize; 2]> {
    let is_known = info.provenance.is_some() || info.preprocess != Preprocess::default();
    is_known.then_some(info.preprocess.size)
}

fn default_input(config: &ModelConfig) -> [usize; 3] {
    let is_cifar = config.stem == StemKind::Cifar
        && CIFAR_DEPTHS.iter().any(|&depth| {
            ModelConfig::from_depth(depth).is_some_and(|cifar| cifar.blocks == config.blocks)
        });
    let size = if is_cifar { 32 } else { 224 };
    [config.in_channels, size, size]
}

fn parse_runs(text: &str) -> Result<u32, String> {
    let runs = text
        .parse()
        .ok()
        .filter(|runs| (1..=1_000_000).contains(runs));
    runs.ok_or_else(|| {
        "must be a number of runs, 1 to 1,000,000; MODEL comes before --time".to_owned()
    })
}

/// Reads `3x224x224`.
fn parse_input(text: &str) -> Result<[usize; 3], String> {
    let sizes: Option<Vec<usize>> = text
        .split('x')
        .map(|size| size.parse().ok().filter(|size| (1..=65536).contains(size)))
        .collect();
    let sizes = sizes.and_then(|sizes| <[usize; 3]>::try_from(sizes).ok());
    match sizes {
        Some([height, width, channels @ (1 | 3)])
            if !matches!(height, 1 | 3) && width > channels =>
        {
            Err(format!(
                "channels come first: write {channels}x{height}x{width}"
            ))
        }
        Some(sizes) => Ok(sizes),
        None => Err("must be channels, height and width, 1 to 65,536 each: 3x224x224".to_owned()),
    }
}
