//! `resnet eval`: evaluates one model on a dataset, or compares several.

mod compare;
mod data;
mod pictures;
mod remark;
mod subject;

use crate::cli::args::device::{DTypeChoice, DeviceChoice};
use crate::cli::args::preprocess::PreprocessArgs;
use crate::cli::args::workers::WorkersArgs;
use crate::cli::output::browser::open_in_browser;
use crate::cli::output::console::Console;
use crate::cli::output::evaluation::text;
use crate::cli::output::terminal::Look;
use crate::cli::{Outcome, print, typed};
use crate::data::DecodeOptions;
use crate::datasets::DataName;
use crate::eval::Event;
use crate::predict::top;
use crate::report::environment::environment;
use crate::report::evaluation_dir::{Output, Report, TOP};
use crate::report::examined::Examined;
use crate::report::page::Again;
use crate::train::context::place;
use anyhow::Result;
use candle_core::Device;
use clap::ValueEnum;
use pictures::Measured;
use std::path::PathBuf;
use subject::{Conditions, Subject};

/// The default `--batch-size`.
const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model: a run folder, name, folder or file
    ///
    /// A run folder of train (its best model), a hub name (resnet50, org/name), a folder or file of weights, or sample (the
    /// model inside the binary).
    #[arg(short, long, value_name = "MODEL", required_unless_present = "compare")]
    model: Option<String>,
    /// Compare models side by side
    ///
    /// Two or more models or run folders on the same images, with confidence intervals and paired tests, in place of --model.
    #[arg(long, value_name = "MODEL", num_args = 1.., conflicts_with = "model")]
    compare: Vec<String>,
    /// Dataset: a name or an image folder [default: the run's]
    ///
    /// A name: sample, cifar10, cifar100, mnist or fashion-mnist, or NAME:DIR for the original files of one of these in DIR. A
    /// folder: one folder of images per class, either directly or in val/ (valid/, validation/) or test/ (testing/). Runs, one
    /// or several on the same data, do not need it.
    #[arg(short, long, value_name = "DATA")]
    data: Option<String>,
    /// Part of the dataset: test, val, train or all
    ///
    /// On a run's own data, val is the part that was held out in training, train is exactly what was trained on, and all is a
    /// whole image folder without splits. [default: test if there is one, otherwise val]
    #[arg(long, value_enum, hide_possible_values = true)]
    split: Option<SplitChoice>,
    /// Images per batch [default: 32]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// Output format: text or json
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        hide_possible_values = true
    )]
    format: Format,
    /// Write a report and plots to a folder
    ///
    /// evaluation.json, predictions.csv, report.html and plots/; with --compare, comparison.json, comparison.csv,
    /// comparison.html, comparison.svg and comparison.png. Files of an earlier evaluation are replaced.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Open the report in the default browser
    ///
    /// The report.html of --output, or with --compare its comparison.html.
    #[arg(long, requires = "output")]
    open: bool,
    /// Fail at the first unreadable image instead of skipping it
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    workers: WorkersArgs,
    /// Numeric type: f32, f64 (slow, for reference), or f16 and bf16 on GPUs
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        default_value = "f32",
        hide_possible_values = true
    )]
    dtype: DTypeChoice,
    #[command(flatten)]
    preprocess: PreprocessArgs,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people
    Text,
    /// One line of JSON
    Json,
}

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SplitChoice {
    Test,
    Val,
    Train,
    All,
}

pub fn run(
    args: &Args,
    device: DeviceChoice,
    threads: usize,
    console: &Console,
) -> Result<Outcome> {
    let (device, dtype) = device.open(args.dtype, console)?;
    let conditions = Conditions {
        args,
        device,
        dtype,
        threads,
        console,
    };
    match &args.model {
        Some(model) => one(model, &conditions),
        None => compare::run(&conditions),
    }
}

/// Evaluates one model, image by image.
fn one(model: &str, conditions: &Conditions) -> Result<Outcome> {
    let Conditions { args, console, .. } = conditions;
    let named = args.data.as_deref().map(DataName::parse).transpose()?;
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let subject = Subject::open(model, conditions, false)?;
    let card = subject.card().clone();
    let (data, data_name) = match (&args.data, named) {
        (Some(data), Some(name)) => (data.clone(), name),
        _ => data::of_runs(&[&card], &[model.to_owned()])?,
    };
    let pictures = Measured::open(&data_name, &data, args.split, &[&card], console)?;
    let meeting = pictures.meet(&card)?;
    console.notes(meeting.note.as_slice());
    let (split, labels) = (&meeting.split, &meeting.labels);
    let remark = pictures.remark(0, &card);
    let mut each = |event: Event| -> Result<()> {
        match event {
            Event::Picture {
                index,
                class,
                judgement,
                logits,
            } => {
                if let Some(output) = &mut output {
                    let top = top(logits, TOP, labels)?;
                    let correct = judgement.is_right();
                    output.picture(&split.name(index), &labels[class], correct, &top);
                }
            }
            Event::Unreadable { index, error } => {
                console.error(error);
                if let Some(output) = &mut output {
                    let label = &labels[split.classes()[index] as usize];
                    output.unreadable(&split.name(index), label, error);
                }
            }
            Event::Progress { .. } => {}
        }
        Ok(())
    };
    let preprocess = subject.preprocess.clone();
    let decoding = DecodeOptions::from(&preprocess);
    let evaluation = subject.measure(&meeting, pictures.split_name(), &mut each)?;
    let report = Report {
        model: card.name,
        data,
        split: pictures.split_name().to_owned(),
        evaluation,
        chose_best: remark.as_ref().is_some_and(|remark| remark.chose_best),
        learnt: remark.as_ref().is_some_and(|remark| remark.learnt),
        held_out: pictures.is_held_out(),
        remark: remark.as_ref().map(|remark| remark.short),
    };
    let remark = remark.map(|remark| format!("optimistic: {}", remark.long));
    // Results are written before printing or drawing can fail.
    output.iter().try_for_each(|output| output.write(&report))?;
    print(&match args.format {
        Format::Text => text(&report, remark.as_deref(), Look::of_stdout()),
        Format::Json => report.json()?,
    })?;
    if let (Format::Json, Some(remark)) = (args.format, &remark) {
        console.note(remark);
    }
    if let Some(output) = output {
        let evaluation = report.evaluation.clone();
        let mut examined = Examined::new(evaluation, labels.clone(), split, &decoding);
        match conditions.explainer(model, &preprocess) {
            Ok(mut explainer) => examined = examined.explained(&mut explainer, split, &decoding),
            Err(error) => console.warning(&error.context("cannot show what the model looks at")),
        }
        let page = output.show(&report, &examined, again(&conditions.device))?;
        console.note(format_args!("the report is {}", page.display()));
        if args.open {
            open_in_browser(&page, console);
        }
    }
    Ok(outcome(report.evaluation.skipped))
}

/// Returns what repeats the evaluation.
fn again(device: &Device) -> Again {
    Again {
        command: Some(typed()),
        config: None,
        environment: environment(place(device)),
    }
}

/// Skipped images make the exit status 1.
fn outcome(skipped: usize) -> Outcome {
    if skipped > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    }
}
