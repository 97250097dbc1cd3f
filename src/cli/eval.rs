//! `resnet eval`: how well a model recognises the pictures of a data set.

use super::Outcome;
use super::console::Console;
use super::device::{DTypeChoice, DeviceChoice};
use super::evaluation::text;
use super::preprocess::{PreprocessArgs, in_words};
use super::workers::WorkersArgs;
use super::{print, typed};
use crate::data::DecodeOptions;
use crate::data::sets::{DataSet, Split};
use crate::datasets::{self, DataName};
use crate::error::hinted;
use crate::eval::output::TOP;
use crate::eval::{EvalOptions, Evaluation, Event, Matched, Output, Report, evaluate};
use crate::hub::Progress;
use crate::infer::Work;
use crate::predict::{load, top};
use crate::report::environment::environment;
use crate::report::examined::Examined;
use crate::report::page::Again;
use crate::train::prepare::place;
use crate::weights::run::{CARVED, Seen};
use crate::weights::{Card, Checkpoint, Remote, RunNote};
use anyhow::{Context, Result};
use candle_core::Device;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Pictures that run together unless `--batch-size` says otherwise.
const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a hub name, a folder, a run folder of `train`, a file of weights, or `sample`, the one inside the binary
    #[arg(short, long)]
    model: String,
    /// The pictures: a data set's name, such as `sample` or `cifar10`; `cifar10:DIR` for its files in a folder; or a
    /// folder: val/ (valid/, validation/) or test/ (testing/) with one folder a class, or class folders alone
    #[arg(short, long)]
    data: String,
    /// Which pictures [default: test, else val]
    #[arg(long, value_enum)]
    split: Option<SplitChoice>,
    /// Pictures that run together [default: 32]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// What to print
    #[arg(short, long, value_enum, default_value = "text")]
    format: Format,
    /// Write evaluation.json, predictions.csv, report.html and plots/ into this folder, in the place of older ones
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
    let data_name = DataName::parse(&args.data)?;
    let (device, dtype) = device.open(args.dtype, console)?;
    let mut output = args.output.as_deref().map(Output::create).transpose()?;
    let checkpoint = Checkpoint::open(&args.model, &Remote::new(console))?;
    let card = checkpoint.card.clone();
    console.notes(&card.notes);
    let preprocess = args.preprocess.apply(card.preprocess.clone(), console)?;
    let mut data = datasets::open(&data_name, &args.data, console)?;
    console.notes(&data.notes);
    let is_carved = carve(&mut data, &card, args, console)?;
    let matched = Matched::new(&card.labels, card.config.classes, &data.labels)
        .with_context(|| format!("cannot evaluate `{}` on `{}`", card.name, args.data))?;
    console.notes(matched.note.as_slice());
    let (split_name, split) = choose(&data, args, console)?;
    let can_carve = |run: &RunNote| run.can_carve(&data, &args.data);
    if split_name == "all" && card.run.as_ref().is_some_and(can_carve) {
        console.note("`--split val` evaluates the part alone that was carved out in training");
    }
    let split = matched.apply(&split);
    let seen_as = if is_carved { CARVED } else { split_name };
    let seen = match &card.run {
        Some(run) => run.seen(&args.data, seen_as),
        None => Seen::Never,
    };
    let mark = warn_of_seen(&seen, split.len(), console);
    console.detail(format_args!(
        "model {}, in {} on {}; pictures: {}",
        card.name,
        dtype.as_str(),
        place(&device),
        in_words(&preprocess)
    ));
    let options = EvalOptions {
        batch: args.batch_size.map_or(BATCH, |batch| batch as usize),
        workers: args.workers.count(threads),
        decoding: DecodeOptions::from(&preprocess),
        strict: args.strict,
    };
    let work = Work {
        batch: options.batch.min(split.len()),
        pictures: split.len(),
    };
    let (mut engine, transform) = load(&checkpoint, (dtype, &device), &preprocess, work)?;
    console.notes(checkpoint.note().as_slice());
    drop(checkpoint);
    let labels = &matched.labels;
    let mut each = |event: Event| -> Result<()> {
        match event {
            Event::Picture {
                index,
                class,
                predicted,
                logits,
            } => {
                if let Some(output) = &mut output {
                    let top = top(logits, TOP, labels)?;
                    let correct = class == predicted;
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
            Event::Progress { done, .. } => console.advance(done as u64),
        }
        Ok(())
    };
    console.start_pictures(split_name, split.len());
    let evaluated = evaluate(&mut engine, &split, &transform, labels, &options, &mut each);
    console.finish();
    let evaluation: Evaluation = evaluated?;
    let report = Report {
        model: card.name,
        data: args.data.clone(),
        split: split_name.to_owned(),
        evaluation,
        chose_best: matches!(seen, Seen::Chose(_) | Seen::LearntAndChose(_)),
        learnt: matches!(seen, Seen::Learnt | Seen::LearntAndChose(_)),
        mark,
    };
    print(&match args.format {
        Format::Text => text(&report),
        Format::Json => report.json()?,
    })?;
    if let Some(output) = output {
        let evaluation = report.evaluation.clone();
        let examined = Examined::new(evaluation, labels.clone(), &split, &options.decoding);
        output.finish(&report, &examined, again(&device))?;
    }
    Ok(if report.evaluation.skipped > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// What makes the evaluation again.
fn again(device: &Device) -> Again {
    Again {
        command: Some(typed()),
        config: None,
        environment: environment(place(device)),
    }
}

/// Carves the pictures that validated in the model's run out of the training pictures again, where they are asked for and
/// nothing else is there to validate on; says whether it did.
fn carve(data: &mut DataSet, card: &Card, args: &Args, console: &Console) -> Result<bool> {
    let Some(run) = card.run.as_ref() else {
        return Ok(false);
    };
    if args.split != Some(SplitChoice::Val) || !run.can_carve(data, &args.data) {
        return Ok(false);
    }
    run.carve(data)?;
    console.note("val is the part of train that was carved out when the model was trained");
    Ok(true)
}

/// The split to evaluate and its name.
fn choose(data: &DataSet, args: &Args, console: &Console) -> Result<(&'static str, Split)> {
    let splits = [
        (SplitChoice::Test, "test", &data.test),
        (SplitChoice::Val, "val", &data.val),
        (SplitChoice::Train, "train", &data.train),
    ];
    let there = splits
        .iter()
        .filter_map(|(choice, name, split)| Some((*choice, *name, split.as_ref()?)));
    let there: Vec<_> = there.collect();
    // Class folders without splits are all taken for training, until a part is carved out.
    let folder = Path::new(&args.data);
    let mut labels = data.labels.iter();
    let of_files = data.train.as_ref().is_some_and(Split::is_of_files);
    let alone = of_files && labels.all(|label| folder.join(label).is_dir());
    let found = match (args.split, there.as_slice()) {
        (None, [(SplitChoice::Train, _, split)]) if alone => {
            console.note(format_args!(
                "`{}` has no splits: all of its pictures are evaluated",
                args.data
            ));
            return Ok(("all", (*split).clone()));
        }
        (None, there) => there
            .iter()
            .find(|(choice, ..)| *choice != SplitChoice::Train),
        (Some(asked), there) => there.iter().find(|(choice, ..)| *choice == asked),
    };
    if let Some((_, name, split)) = found {
        return Ok((name, (*split).clone()));
    }
    let asked = match args.split {
        Some(asked) => splits
            .iter()
            .find_map(|(choice, name, _)| (*choice == asked).then_some(*name)),
        None => None,
    };
    let flags: Vec<String> = there
        .iter()
        .map(|(_, name, _)| format!("--split {name}"))
        .collect();
    Err(hinted(
        format!(
            "data `{}` has no {} split",
            args.data,
            asked.unwrap_or("test or val")
        ),
        format!("pass {}", flags.join(" or ")),
    ))
}

/// Says so where the `count` pictures made the model what it is; returns what to say of it beside the figures.
fn warn_of_seen(seen: &Seen, count: usize, console: &Console) -> Option<&'static str> {
    Some(match seen {
        Seen::Never => return None,
        Seen::Learnt => {
            console.note("the model learnt from these pictures: the figures flatter it");
            "the model learnt from these pictures"
        }
        Seen::Chose(by) => {
            let mark = if by.images < count {
                "some of these pictures also chose the epoch"
            } else {
                "these pictures also chose the epoch"
            };
            console.note(format_args!(
                "{mark} ({}, of top-1 {:.2} % on {} of them): the figures flatter the model",
                by.epoch, by.val_top1, by.images
            ));
            mark
        }
        Seen::LearntAndChose(by) => {
            console.note(format_args!(
                "the model learnt from these pictures, but for {} carved out of them, which chose the epoch ({}, of top-1 {:.2} %): the figures flatter the model",
                by.images, by.epoch, by.val_top1
            ));
            "the model learnt from these pictures; some chose the epoch"
        }
    })
}
