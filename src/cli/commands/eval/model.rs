//! A single evaluated model: opened with the flags shared by all models, and run over its images.

use super::args::{Args, BATCH};
use super::images::MappedImages;
use crate::cli::args::preprocess::in_words;
use crate::cli::invocation::typed;
use crate::cli::output::console::Console;
use crate::cli::output::flags::with_flags;
use crate::data::DecodeOptions;
use crate::distributed::Processes;
use crate::eval::{EvalEvent, EvalOptions, Evaluation, ensure_single_label, evaluate};
use crate::explain::Explainer;
use crate::hub::Progress;
use crate::infer::Workload;
use crate::model::Preprocess;
use crate::pipeline::load;
use crate::report::environment::environment;
use crate::report::page::Again;
use crate::train::context::device_name;
use crate::weights::{Checkpoint, ModelInfo, Remote};
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Options shared by all evaluated models.
pub struct Conditions<'a> {
    pub args: &'a Args,
    pub device: Device,
    pub dtype: DType,
    pub threads: usize,
    pub processes: &'a Processes,
    pub console: &'a Console,
}

impl Conditions<'_> {
    /// Returns the output folder, if this process writes to one.
    pub fn output(&self) -> Option<&Path> {
        let output = self.args.output.as_deref();
        output.filter(|_| self.processes.is_first())
    }

    /// Returns what repeats the evaluation.
    pub fn again(&self) -> Again {
        Again {
            command: Some(typed()),
            config: None,
            environment: environment(device_name(&self.device)),
        }
    }

    /// Creates the explainer of the model for images read by `preprocess`. The model is opened again, so that it takes
    /// no memory before.
    pub fn explainer(&self, model: &str, preprocess: &Preprocess) -> Result<Explainer> {
        let checkpoint = Checkpoint::open(model, &Remote::new(self.console))?;
        let network = checkpoint.build(self.dtype, &self.device)?;
        Explainer::new(network, preprocess, Workload::many(1))
    }
}

/// A model and the preprocessing of its images.
pub struct EvalModel<'a> {
    checkpoint: Checkpoint,
    pub preprocess: Preprocess,
    conditions: &'a Conditions<'a>,
    /// True if notes must name the model.
    is_one_of_many: bool,
}

impl<'a> EvalModel<'a> {
    /// Opens the model that a user wrote as MODEL.
    pub fn open(model: &str, conditions: &'a Conditions<'a>, is_one_of_many: bool) -> Result<Self> {
        let checkpoint = Checkpoint::open(model, &Remote::new(conditions.console))?;
        let info = &checkpoint.info;
        ensure_single_label(info.function, info.config.classes)
            .with_context(|| format!("cannot evaluate model `{}`", info.name))?;
        let preprocess = info.preprocess.clone();
        let (preprocess, note) = conditions.args.preprocess.apply(preprocess)?;
        let opened = Self {
            checkpoint,
            preprocess,
            conditions,
            is_one_of_many,
        };
        let notes = opened.info().notes.iter().map(with_flags);
        for note in notes.chain(note) {
            opened.note(note);
        }
        Ok(opened)
    }

    /// Returns the description of the model.
    pub fn info(&self) -> &ModelInfo {
        &self.checkpoint.info
    }

    /// Returns the location of its weights: the canonical path of a file, or a name if there is no file.
    pub fn weights(&self) -> PathBuf {
        let shown = Path::new(self.checkpoint.display_name());
        shown.canonicalize().unwrap_or_else(|_| shown.to_owned())
    }

    /// Returns the console.
    pub fn console(&self) -> &'a Console {
        self.conditions.console
    }

    /// Prints a note on the model.
    pub fn note(&self, text: impl Display) {
        let console = self.conditions.console;
        if self.is_one_of_many {
            console.note(format_args!("`{}`: {text}", self.info().name));
        } else {
            console.note(text);
        }
    }

    /// Evaluates the images of `mapping`, a split called `split_name`; `each` is called for every image.
    pub fn measure(
        self,
        mapping: &MappedImages,
        split_name: &str,
        each: &mut dyn FnMut(EvalEvent) -> Result<()>,
    ) -> Result<Evaluation> {
        let Conditions {
            args,
            device,
            dtype,
            threads,
            processes,
            console,
        } = self.conditions;
        let name = &self.info().name;
        console.detail(format_args!(
            "model {name}, in {} on {}; images: {}",
            dtype.as_str(),
            device_name(device),
            in_words(&self.preprocess)
        ));
        let split = &mapping.split;
        let options = EvalOptions {
            batch: args.batch_size.map_or(BATCH, |batch| batch as usize),
            workers: args.workers.count(*threads),
            decoding: DecodeOptions::from(&self.preprocess),
            strict: args.strict,
            processes: (*processes).clone(),
        };
        let work = Workload {
            batch: options.batch.min(split.len()),
            images: split.len(),
        };
        let loaded = load(&self.checkpoint, (*dtype, device), &self.preprocess, work);
        let (mut engine, transform) = processes.all_ok(loaded)?;
        if let Some(note) = self.checkpoint.note() {
            self.note(note);
        }
        let title = if self.is_one_of_many {
            name
        } else {
            split_name
        };
        console.start_images(title, split.len());
        drop(self);
        let mut each = |event: EvalEvent| -> Result<()> {
            if let EvalEvent::Progress { done, .. } = &event {
                console.advance(*done as u64);
            }
            each(event)
        };
        let labels = &mapping.labels;
        let evaluated = evaluate(&mut engine, split, &transform, labels, &options, &mut each);
        console.finish();
        evaluated
    }
}
