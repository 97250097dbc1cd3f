//! `resnet eval`: evaluates one model on a dataset, or compares several.

mod compare;
mod pictures;
mod subject;

use super::console::Console;
use super::device::{DTypeChoice, DeviceChoice};
use super::evaluation::text;
use super::preprocess::PreprocessArgs;
use super::terminal::{COLUMNS, stdout_columns};
use super::workers::WorkersArgs;
use super::{Outcome, print, typed};
use crate::data::DecodeOptions;
use crate::datasets::DataName;
use crate::eval::output::TOP;
use crate::eval::{Event, Output, Report};
use crate::predict::top;
use crate::report::environment::environment;
use crate::report::examined::Examined;
use crate::report::page::Again;
use crate::train::prepare::place;
use crate::weights::run::Seen;
use anyhow::Result;
use candle_core::Device;
use clap::ValueEnum;
use pictures::{Mark, Measured};
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
    /// Dataset: a name or an image folder
    ///
    /// A name: sample, cifar10, cifar100, mnist or fashion-mnist, or NAME:DIR for the original files of one of these in DIR. A
    /// folder: one folder of images per class, either directly or in val/ (valid/, validation/) or test/ (testing/). With
    /// --compare, runs on the same data do not need it.
    #[arg(short, long, value_name = "DATA", required_unless_present = "compare")]
    data: Option<String>,
    /// Part of the dataset: test, val or train
    ///
    /// [default: test if there is one, otherwise val]
    #[arg(long, value_enum, hide_possible_values = true)]
    split: Option<SplitChoice>,
    /// Images per batch [default: 32]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// Output format: text, or json (one line on stdout)
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
    /// comparison.svg and comparison.png. Files of an earlier evaluation are replaced.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
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
    match (&args.model, &args.data) {
        (Some(model), Some(data)) => one(model, data, &conditions),
        _ => compare::run(&conditions),
    }
}

/// Evaluates one model, image by image.
fn one(model: &str, data: &str, conditions: &Conditions) -> Result<Outcome> {
    let Conditions { args, console, .. } = conditions;
    let data_name = DataName::parse(data)?;
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let subject = Subject::open(model, conditions, false)?;
    let card = subject.card().clone();
    let pictures = Measured::open(&data_name, data, args.split, &[&card], console)?;
    let meeting = pictures.meet(&card)?;
    console.notes(meeting.note.as_slice());
    let (split, labels) = (&meeting.split, &meeting.labels);
    let seen = pictures.seen(&card);
    let mark = Mark::of(&seen, pictures.len());
    if let Some(mark) = &mark {
        console.note(&mark.note);
    }
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
    let evaluation = subject.measure(&meeting, pictures.split_name, &mut each)?;
    let report = Report {
        model: card.name,
        data: data.to_owned(),
        split: pictures.split_name.to_owned(),
        evaluation,
        chose_best: chose(&seen),
        learnt: learnt(&seen),
        mark: mark.map(|mark| mark.short),
    };
    // Results are written before printing or drawing can fail.
    output.iter().try_for_each(|output| output.write(&report))?;
    print(&match args.format {
        Format::Text => text(&report, stdout_columns().unwrap_or(COLUMNS)),
        Format::Json => report.json()?,
    })?;
    if let Some(output) = output {
        let evaluation = report.evaluation.clone();
        let mut examined = Examined::new(evaluation, labels.clone(), split, &decoding);
        match conditions.explainer(model, &preprocess) {
            Ok(mut explainer) => examined = examined.explained(&mut explainer, split, &decoding),
            Err(error) => console.warning(&error.context("cannot show what the model looks at")),
        }
        let page = output.show(&report, &examined, again(&conditions.device))?;
        console.note(format_args!("the report is {}", page.display()));
    }
    Ok(outcome(report.evaluation.skipped))
}

/// How to repeat the evaluation.
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

/// Whether the images selected the model's epoch.
fn chose(seen: &Seen) -> bool {
    matches!(seen, Seen::Chose(_) | Seen::LearntAndChose(_))
}

/// Whether the model was trained on the images, or on most of them.
fn learnt(seen: &Seen) -> bool {
    matches!(seen, Seen::Learnt | Seen::LearntAndChose(_))
}
