//! From what was said to a run that can begin: data, model, settings, folder.

use super::events::Events;
use super::feed::Feed;
use super::folder::RunFolder;
use super::idle::refuse_idle;
use super::learner::Learner;
use super::memory;
use super::pictures::Data;
use super::place::{RUNS, ensure_new};
use super::recipe::Recipe;
use super::report::Drawing;
use super::rules::{check_batches, class_weights, fewest_pictures, schedule, steps};
use super::run::Run;
use super::schedule::Scheduler;
use super::settings::Settings;
use super::start::{Start, refuse_two_architectures};
use super::state::{Exact, Identity, Standing};
use super::watch::{Beginning, Watch};
use crate::datasets::DataName;
use crate::error::misuse;
use crate::hub::Progress;
use crate::kernels::isa;
use crate::model::Frozen;
use crate::nn::loss::CrossEntropy;
use crate::ops::Form;
use crate::weights::run::Seen;
use crate::weights::{Card, Checkpoint, Remote};
use crate::words::counted;
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Validation pictures below which many epochs recognise equally many.
const FEW_TO_CHOOSE: usize = 50;
/// Pictures a class below which a new net learns little.
const FEW_A_CLASS: usize = 100;

/// Where and by what a run computes and writes: nothing of it changes its numbers.
pub struct Site<'a> {
    /// Where it computes.
    pub device: Device,
    /// Threads that read and prepare pictures.
    pub workers: usize,
    /// What is told of downloads.
    pub progress: &'a dyn Progress,
}

/// Where a new run is written.
#[derive(Debug, Clone)]
pub enum Target {
    /// `runs/<data>-<model>-<n>`.
    Numbered,
    /// This folder.
    Folder(PathBuf),
    /// Nowhere, but this folder, where one is named, must be one that a run could have.
    Dry(Option<PathBuf>),
    /// The same, and with `max-steps` it validates on no more pictures than it learns: a trial for people.
    Trial(Option<PathBuf>),
}

impl Run {
    /// Prepares a new run by what was `said`; `about` stands above its `config.toml`.
    ///
    /// # Errors
    /// What cannot be trained, each before anything is written.
    pub fn start(
        said: Recipe,
        target: &Target,
        about: &str,
        site: &Site,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        if let Target::Folder(path) | Target::Dry(Some(path)) | Target::Trial(Some(path)) = target {
            ensure_new(path)?;
        }
        let written = said.data.clone().unwrap_or_else(|| "cifar10".to_owned());
        let name = DataName::parse(&written)?;
        refuse_two_architectures(&said)?;
        refuse_idle(&said)?;
        let checkpoint = match &said.model {
            Some(model) => Some(Checkpoint::open(model, &Remote::new(site.progress))?),
            None => None,
        };
        let card = checkpoint.as_ref().map(|checkpoint| &checkpoint.card);
        let base = card.map(|card| card.preprocess.clone());
        let data = Data::open(&name, &written, &said, base.as_ref(), site.progress)?;
        let notes = card.into_iter().flat_map(|card| &card.notes);
        for note in notes.chain(&data.set.notes) {
            watch.note(note);
        }
        let base = base.unwrap_or_else(|| data.set.preprocess.clone());
        let model = checkpoint
            .as_ref()
            .map(|checkpoint| &checkpoint.card.config);
        let begun_with = card.and_then(|card| card.run.clone());
        let recipe = data.fill(said, model, &base, watch)?;
        let settings = Settings::new(&recipe)?;
        let start = match checkpoint {
            Some(checkpoint) => Start::of(&checkpoint, &data.set.labels, &settings, watch)?,
            None => Start::new(&recipe, &settings, data.set.labels.len())?,
        };
        let model_name = start.name.unwrap_or_else(|| start.config.short_name());
        let folder_name = format!("{}-{model_name}", data.name.short_name());
        let identity = Identity {
            recipe: recipe.to_toml("")?,
            config: start.config,
            labels: data.set.labels.clone(),
            pictures: data.fingerprint(),
            sizes: data.sizes(),
            contents: Some(data.contents()),
            place: data.place(),
            class_weights: None,
            device: place(&site.device).to_owned(),
            instructions: instructions(settings.dtype, &site.device),
            begun_with,
        };
        let train = data.set.train.as_ref();
        let train = train.context("the data set has no training pictures")?;
        let weights = class_weights(&settings, train, identity.config.classes)?;
        let identity = Identity {
            class_weights: weights.map(|weights| weights.into_iter().map(Exact).collect()),
            ..identity
        };
        let parts = Parts {
            settings,
            recipe,
            identity,
            standing: Standing::default(),
        };
        let name = data.set.name.clone();
        let mut run = parts.assemble(data, &start.tensors, site)?;
        run.note_seen(&name, watch);
        run.folder = match target {
            Target::Dry(_) => None,
            Target::Trial(_) => {
                run.looked_at = run.settings.most_pictures();
                run.shorten_validation(watch);
                None
            }
            Target::Folder(path) => Some(RunFolder::create(path)?),
            Target::Numbered => Some(RunFolder::numbered(Path::new(RUNS), &folder_name)?),
        };
        if let Err(error) = run.begin_folder(about) {
            if let Some(folder) = run.folder.take() {
                folder.abandon();
            }
            return Err(error);
        }
        run.announce(watch);
        Ok(run)
    }

    /// Says which of the pictures that measure the run, those of the data called `name`, the model that it begins with has seen.
    fn note_seen(&self, name: &str, watch: &mut dyn Watch) {
        let Some(before) = &self.identity.begun_with else {
            return;
        };
        for measured in self.validation.iter().chain(&self.test) {
            if before.seen(name, &measured.split) != Seen::Never {
                watch.note(&format!(
                    "the model that the run begins with has learnt from {}, or was chosen by them: figures on them flatter the model",
                    measured.text
                ));
            }
        }
    }

    /// Lets a trial of a few steps validate on as many pictures as it learns.
    fn shorten_validation(&mut self, watch: &mut dyn Watch) {
        let (Some(most), Some(validation)) = (self.looked_at, &mut self.validation) else {
            return;
        };
        if validation.shorten(most) {
            watch.note(&format!(
                "a dry run with --max-steps validates on no more pictures than it learns: {}",
                validation.text
            ));
        }
    }

    /// Writes what a run's folder holds before the first step, so that it can be resumed from then on.
    fn begin_folder(&self, about: &str) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let bytes = |tensors: &[(String, Tensor)]| -> u64 {
            let sizes = tensors
                .iter()
                .map(|(_, tensor)| tensor.elem_count() * tensor.dtype().size_in_bytes());
            sizes.sum::<usize>() as u64
        };
        let state = self.learner.state()?;
        folder.ensure_room(bytes(&state), bytes(&self.learner.weights()?))?;
        // The state first: a folder that has one can be resumed, and one that has none counts as empty.
        folder.write_state(&self.identity, &self.standing, &state)?;
        folder.write_config(&self.config_toml(about)?)
    }

    pub(super) fn config_toml(&self, about: &str) -> Result<String> {
        let validation = match &self.validation {
            Some(validation) => format!("best/ is chosen by {}", validation.text),
            None => "no pictures choose best/: it is the last epoch".to_owned(),
        };
        self.recipe.to_toml(&format!("{about}\n{validation}"))
    }

    pub(super) fn announce(&self, watch: &mut dyn Watch) {
        let left_over = self.feed.left_over();
        if left_over > 0 && !self.settings.drop_last {
            watch.note(&format!(
                "every epoch leaves out its last batch, of {left_over}: batch norm cannot learn from a single pixel"
            ));
        }
        if self.settings.patience.is_some() && self.validation.is_none() {
            watch.note("--patience changes nothing: no pictures choose the best epoch");
        }
        let settings = &self.settings;
        // A run of one epoch has no room for a milestone, whoever set it.
        let falls = |&at: &u64| settings.epochs == 1 || at < settings.epochs;
        if settings.scheduler == Scheduler::Step && !settings.milestones.iter().any(falls) {
            watch.note(
                "the run ends before the first of --milestones: the learning rate does not fall",
            );
        }
        let is_new = self.recipe.model.is_none() && self.standing.step == 0;
        if is_new && settings.frozen != Frozen::Nothing {
            watch.note("--freeze keeps random numbers as they are, for the net is new: `-m MODEL` begins with a model's");
        }
        self.note_few(watch);
        let validation = self.validation.as_ref();
        watch.begin(&Beginning {
            model: self.card.name.clone(),
            parameters: self.learner.counts(),
            images: self.feed.count(),
            classes: self.identity.labels.len(),
            validation: validation.map(|validation| validation.text.clone()),
            recipe: self.settings.to_string(),
            answers: self.recipe.clone(),
            epochs: self.settings.epochs,
            steps_an_epoch: steps(&self.settings, self.feed.batches_an_epoch()),
            step_bytes: self.step_bytes,
            done: [self.standing.epoch, self.standing.step],
            best: self.best(),
            folder: self.folder.as_ref().map(|folder| folder.path().to_owned()),
        });
    }

    /// What to know where the pictures that choose the best epoch are few.
    pub(super) fn warning_of_few(&self) -> Option<String> {
        let images = self.validation.as_ref()?.images();
        let is_few = self.feed.is_of_files() && self.settings.epochs > 1 && images < FEW_TO_CHOOSE;
        is_few.then(|| {
            format!(
                "{} are too few to tell epochs apart: of equal ones best/ is the earliest, and last/ may be the better model",
                counted(images, "picture")
            )
        })
    }

    /// Says so where there is too little to learn a net from.
    fn note_few(&self, watch: &mut dyn Watch) {
        if let Some(warning) = self.warning_of_few() {
            watch.note(&warning);
        }
        let (images, classes) = (self.feed.count(), self.identity.labels.len());
        let is_new = self.recipe.model.is_none() && self.standing.step == 0;
        if is_new && self.feed.is_of_files() && images < FEW_A_CLASS * classes {
            watch.note(&format!(
                "{} of {} are few for a net that begins with nothing: `-m resnet50` begins with what a trained one knows",
                counted(images, "picture"),
                counted(classes, "class")
            ));
        }
    }
}

/// What a run is made of, beside data and weights.
pub(super) struct Parts {
    pub settings: Settings,
    pub recipe: Recipe,
    pub identity: Identity,
    pub standing: Standing,
}

impl Parts {
    /// The run, with the weights in `start` and no folder.
    pub fn assemble(self, data: Data, start: &HashMap<String, Tensor>, site: &Site) -> Result<Run> {
        let Self {
            settings,
            recipe,
            identity,
            standing,
        } = self;
        let config = &identity.config;
        if let Frozen::Stage(stage) = settings.frozen
            && stage > config.blocks.len()
        {
            return Err(misuse(
                format!(
                    "cannot train with --freeze layer{stage}: the net has {} stages",
                    config.blocks.len()
                ),
                "freeze an earlier stage, or the backbone",
            ));
        }
        let note = data.note(settings.seed, identity.begun_with.clone());
        let (validation, test) = data.validation(&settings, site.workers)?;
        let train = data
            .set
            .train
            .context("the data set has no training pictures")?;
        let fewest = fewest_pictures(config, settings.preprocess.size, settings.frozen)?;
        let weights = identity.class_weights.as_ref();
        let loss = CrossEntropy {
            label_smoothing: settings.label_smoothing,
            class_weights: weights.map(|all| all.iter().map(|weight| weight.0).collect()),
        };
        let feed = Feed::pictures(train, &settings, config.classes, fewest, site)?;
        check_batches(&settings, &feed, fewest)?;
        let step_bytes =
            memory::ensure(config, &settings, &feed, validation.as_ref(), &site.device)?;
        let steps_an_epoch = steps(&settings, feed.batches_an_epoch());
        let schedule = schedule(&settings, steps_an_epoch);
        let learner = Learner::new(config, &settings, loss, schedule, start, &site.device)?;
        let card = Card {
            name: config.short_name(),
            config: config.clone(),
            preprocess: settings.preprocess.clone(),
            labels: identity.labels.clone(),
            notes: Vec::new(),
            run: note,
        };
        Ok(Run {
            settings,
            recipe,
            identity,
            standing,
            learner,
            feed,
            validation,
            test,
            card,
            workers: site.workers,
            step_bytes,
            looked_at: None,
            folder: None,
            earlier_best: Vec::new(),
            ended_inside: None,
            last_evaluation: None,
            best_evaluation: None,
            drawing: Drawing::default(),
            events: Events::default(),
        })
    }
}

/// The instruction set that a CPU computes by, which decides the last bits of its numbers.
pub(super) fn instructions(dtype: DType, device: &Device) -> Option<String> {
    let form = Form::on(dtype, device);
    (form == Form::Kernels).then(|| isa::current().name().to_owned())
}

/// What a device is called, in a state and for people.
pub fn place(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
