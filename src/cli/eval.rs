//! `resnet eval`: how well a model recognises the pictures of a data set, or how several do.

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

/// Pictures that run together unless `--batch-size` says otherwise.
const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a hub name, a folder, a run folder of `train`, a file of weights, or `sample`, the one inside the binary
    #[arg(short, long, required_unless_present = "compare")]
    model: Option<String>,
    /// Two or more models or run folders, side by side on the same pictures, in place of --model
    #[arg(long, value_name = "MODEL", num_args = 1.., conflicts_with = "model")]
    compare: Vec<String>,
    /// The pictures: a data set's name, such as `sample` or `cifar10`; `cifar10:DIR` for its files in a folder; or a
    /// folder: val/ (valid/, validation/) or test/ (testing/) with one folder a class, or class folders alone. With
    /// --compare, runs on the same data need not name them again
    #[arg(short, long, required_unless_present = "compare")]
    data: Option<String>,
    /// Which pictures [default: test, else val]
    #[arg(long, value_enum)]
    split: Option<SplitChoice>,
    /// Pictures that run together [default: 32]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// What to print
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
    /// Write evaluation.json, predictions.csv, report.html and plots/ into this folder, or with --compare comparison.json,
    /// comparison.csv and comparison.svg and .png, in the place of older ones
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Stop at the first picture that cannot be read, rather than skip it
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    workers: WorkersArgs,
    /// The type of the numbers
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DTypeChoice,
    #[command(flatten)]
    preprocess: PreprocessArgs,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for people
    Text,
    /// One line of JSON
    Json,
}

/// A part of a data set.
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

/// Measures one model, picture by picture.
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
    // What took long is safe before anybody can close stdout, or a picture cannot be drawn.
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

/// What makes the evaluation again.
fn again(device: &Device) -> Again {
    Again {
        command: Some(typed()),
        config: None,
        environment: environment(place(device)),
    }
}

/// Whether pictures that were left out are to be heard of.
fn outcome(skipped: usize) -> Outcome {
    if skipped > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    }
}

/// Whether the pictures chose the model's epoch.
fn chose(seen: &Seen) -> bool {
    matches!(seen, Seen::Chose(_) | Seen::LearntAndChose(_))
}

/// Whether the model learnt from the pictures, or from most of them.
fn learnt(seen: &Seen) -> bool {
    matches!(seen, Seen::Learnt | Seen::LearntAndChose(_))
}
