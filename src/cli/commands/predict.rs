//! `resnet predict`: classifies images.

mod inputs;
mod labels;

use crate::cli::args::device::{DTypeChoice, DeviceChoice};
use crate::cli::args::distributed::DistributedArgs;
use crate::cli::args::files::{FileArgs, Written};
use crate::cli::args::preprocess::{PreprocessArgs, in_words};
use crate::cli::args::probability::probability;
use crate::cli::commands::missing::missing;
use crate::cli::exit::ExitStatus;
use crate::cli::output::console::Console;
use crate::cli::output::prediction_file::{Format, PredictionFile};
use crate::cli::output::predictions::{Choice, Printer};
use crate::data::note_of_clipped_gray;
use crate::distributed::Processes;
use crate::error::{hint_of, replace_hint, usage_error};
use crate::eval::note_of_outputs;
use crate::hub::Progress;
use crate::infer::Workload;
use crate::message;
use crate::model::OutputFunction;
use crate::predict::{BATCH_SIZE, Explain, Model, PredictOptions};
use crate::text::pluralize;
use crate::train::context::device_name;
use crate::weights::{Checkpoint, Remote};
use anyhow::Result;
use inputs::ImageFiles;
use labels::read_labels;
use std::path::{Path, PathBuf};

/// The default `--model`.
const MODEL: &str = "resnet50";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Images, folders of images, or - for paths on stdin
    #[arg(required = true, value_name = "IMAGE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// Model: a name, folder or file
    ///
    /// A hub name (resnet50, org/name; downloaded once), a run folder of train (its best model), a folder or file of weights,
    /// or sample (the small model inside the binary, needs no download).
    #[arg(short, long, value_name = "MODEL", default_value = MODEL)]
    model: String,
    /// Number of classes to print
    #[arg(short = 'k', long, value_name = "K", default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    top_k: u32,
    /// Output format: text, json or csv
    ///
    /// [default: text]
    #[arg(short, long, value_enum, hide_possible_values = true)]
    format: Option<Format>,
    /// Write predictions to a .csv or .json file
    ///
    /// They are not printed then. The ending decides the format; the lines are those of --format.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave out classes below a probability: 0.5 or 50%
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = probability)]
    min_probability: Option<f64>,
    /// Sort images by probability of the top class
    ///
    /// The most confident first; images that cannot be read come last. [default: the order given]
    #[arg(long)]
    sort: bool,
    /// Images per batch [default: 16]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch_size: Option<u32>,
    /// File of class names, one per line, to print instead of the model's
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
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
    pub distributed: DistributedArgs,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    preprocess: PreprocessArgs,
}

impl Args {
    /// Returns the command with the options by which processes exchange other values.
    pub fn in_common(&self) -> String {
        let mut command = format!("predict --top-k {}", self.top_k);
        for (is_set, option) in [
            (self.files.has_explanations(), " --explain"),
            (self.files.has_embedding(), " --embed"),
        ] {
            if is_set {
                command.push_str(option);
            }
        }
        command
    }

    /// Returns the images per batch, for this number of images.
    fn batch(&self, images: usize) -> usize {
        let batch = self.batch_size.map_or(BATCH_SIZE, |batch| batch as usize);
        batch.min(images)
    }
}

pub fn run(
    args: &Args,
    device: DeviceChoice,
    threads: usize,
    processes: &Processes,
    console: &Console,
) -> Result<ExitStatus> {
    let (device, dtype) = device.open(args.dtype, processes.local_rank(), console)?;
    let inputs = ImageFiles::receive(&args.inputs, processes, console)?;
    let (paths, failed) = (&inputs.paths, inputs.has_failed);
    // The first process alone writes and prints.
    let is_first = processes.is_first();
    let output = args.output.as_deref().filter(|_| is_first);
    let mut read = vec![Path::new(&args.model)];
    read.extend(args.labels.as_deref());
    let images = paths.iter().map(PathBuf::as_path);
    let all_read: Vec<&Path> = read.iter().copied().chain(images).collect();
    let file = output.map(|file| PredictionFile::create(file, args.format, &all_read));
    let file = file.transpose()?;
    if paths.is_empty() {
        printer(args, file, is_first, OutputFunction::Softmax)?.finish()?;
        // As with `xargs -r`, nothing to do is no failure; an empty folder has its own error.
        return Ok(ExitStatus::of_inputs(failed));
    }
    if inputs.are_missing {
        let printer = printer(args, file, is_first, OutputFunction::Softmax)?;
        return fail(paths, printer, console);
    }
    read.extend(output);
    let (folder, embedding) = if is_first {
        let folder = args.files.folder(paths)?;
        (folder, args.files.embedding(dtype, &read)?)
    } else {
        (None, None)
    };
    let checkpoint = open(args, console)?;
    let info = checkpoint.info.clone();
    let labels = match &args.labels {
        Some(file) => read_labels(file, info.config.classes)?,
        None => info.labels,
    };
    let (classes, features) = (info.config.classes, info.config.features());
    let class = args.files.class(&labels, classes)?;
    let (preprocess, note) = args.preprocess.apply(info.preprocess)?;
    console.notes(note.as_slice());
    let note = is_first.then(|| note_of_clipped_gray(paths)).flatten();
    console.messages(note.as_slice());
    let model = format!(
        "{}: {}, {}, in {} on {}",
        info.name,
        info.config.name().unwrap_or("a residual network"),
        pluralize(info.config.classes, "class"),
        dtype.as_str(),
        device_name(&device)
    );
    console.details(
        "model",
        &[("model", model), ("images", in_words(&preprocess))],
    );
    let batch = args.batch(paths.len());
    let work = Workload {
        batch,
        images: paths.len(),
    };
    let model = Model::new(&checkpoint, (dtype, &device), &preprocess, labels, work)?;
    console.notes(checkpoint.note().as_slice());
    drop(checkpoint);
    let options = PredictOptions {
        top: args.top_k as usize,
        batch,
        workers: threads,
        features: args.files.has_embedding(),
        explain: args.files.has_explanations().then_some(Explain {
            class,
            folder: folder.as_ref(),
        }),
        processes,
    };
    let mut printer = printer(args, file, is_first, info.function)?;
    let mut written = Written::new(embedding);
    if printer.is_silent() {
        console.start_images("predict", paths.len());
    }
    let (mut done, mut failures) = (0, 0);
    model.predict_files(paths, &options, |path, result| {
        let name = path.display().to_string();
        done += 1;
        console.advance(done);
        match result {
            Ok(predicted) => {
                written.add(&name, &predicted);
                printer.predicted(&name, &predicted)
            }
            Err(error) => {
                let error = missing(path).unwrap_or(error);
                failures += 1;
                written.leave_out();
                console.error(&error);
                printer.failure(&name, &error)
            }
        }
    })?;
    console.finish();
    if let Some(file) = printer.finish()? {
        console.note(saved(paths.len() - failures, failures, &file));
    }
    written.finish(features, folder.as_ref(), console)?;
    Ok(ExitStatus::of_inputs(failed || failures > 0))
}

/// Opens the model, and tells what is to be known of it.
///
/// # Errors
/// If it cannot be opened, or gives no probabilities where some are asked for.
fn open(args: &Args, console: &Console) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::open(&args.model, &Remote::new(console));
    let checkpoint = checkpoint.map_err(|error| offer_others(error, &args.model))?;
    let info = &checkpoint.info;
    console.messages(&info.notes);
    if let Some(note) = note_of_outputs(info.function, info.config.classes) {
        console.note(note);
    }
    if let (Some(_), OutputFunction::None) = (args.min_probability, info.function) {
        return Err(usage_error(
            "cannot use --min-probability: the model gives numbers, not probabilities",
            "leave it out",
        ));
    }
    Ok(checkpoint)
}

/// Returns the printer of the predictions, which is mute except in the first process.
fn printer(
    args: &Args,
    file: Option<PredictionFile>,
    is_first: bool,
    function: OutputFunction,
) -> Result<Printer> {
    let choice = Choice {
        min_probability: args.min_probability,
        sort: args.sort,
        function,
    };
    if is_first {
        Printer::new(args.format, file, choice)
    } else {
        Ok(Printer::mute())
    }
}

/// Returns the note on a file of the predictions of some images, and of the errors of others.
fn saved(images: usize, errors: usize, file: &Path) -> String {
    let errors = match errors {
        0 => String::new(),
        errors => format!(" and {}", pluralize(errors, "error")),
    };
    let images = pluralize(images, "image");
    format!(
        "predictions of {images}{errors} saved to {}",
        file.display()
    )
}

/// Adds the models that need no download to the hint of an error in opening the default one.
fn offer_others(error: anyhow::Error, model: &str) -> anyhow::Error {
    match hint_of(&error).filter(|_| model == MODEL) {
        Some(hint) => replace_hint(
            &error,
            message![
                hint,
                "; without a download: `-m sample`, the small model inside the binary, or `-m RUN_DIR`",
            ],
        ),
        None => error,
    }
}

/// Reports images none of which is there.
fn fail(paths: &[PathBuf], mut printer: Printer, console: &Console) -> Result<ExitStatus> {
    for path in paths {
        if let Some(error) = missing(path) {
            console.error(&error);
            printer.failure(&path.display().to_string(), &error)?;
        }
    }
    printer.finish()?;
    Ok(ExitStatus::SomeFailed)
}
