//! Preparation of a new run: data, model, settings, folder.

use crate::data::DatasetSurvey;
use crate::data::dataset::{DatasetName, Split};
use crate::error::{setting, usage_error};
use crate::message;
use crate::model::{Frozen, ModelConfig, OutputFunction, Preprocess};
use crate::nn::loss::CrossEntropy;
use crate::ops::Backend;
use crate::train::checkpoint::checkpointer::{Checkpointer, FirstFiles};
use crate::train::checkpoint::exact::Exact;
use crate::train::checkpoint::paths::{RUNS, ensure_new, ensure_no_file};
use crate::train::checkpoint::progress::TrainProgress;
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::checkpoint::state::RunIdentity;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::{Settings, architecture};
use crate::train::config::train_config::TrainConfig;
use crate::train::config::unused::reject_unused_options;
use crate::train::context::{ExecutionContext, device_name};
use crate::train::data::batching::{check_batches, schedule, smallest_batch, steps};
use crate::train::data::check::{DEFAULT_DATA, inspect, unreadable_images};
use crate::train::data::dataset::Data;
use crate::train::data::evaluators::Evaluators;
use crate::train::data::features::cached_bytes;
use crate::train::data::loader::TrainLoader;
use crate::train::data::validation::Validation;
use crate::train::learner::Learner;
use crate::train::learner::class_weights::class_weights;
use crate::train::learner::init::{
    DEFAULT_MODEL, Start, architecture_key, open_default, reject_two_architectures,
};
use crate::train::memory::{self, Workload};
use crate::train::observe::observer::{NoObserver, Observer};
use crate::train::observe::reporter::Reporter;
use crate::train::trainer::Trainer;
use crate::train::trainer::announce::Facts;
use crate::train::trainer::target::Target;
use crate::train::trainer::{same, together};
use crate::weights::{Checkpoint, ModelInfo, Remote};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use resnet_kernels::cpu;
use std::collections::HashMap;
use std::path::Path;

/// The note on data whose classes leave nothing to learn.
const ONE_CLASS: &str = "a model of one class learns nothing: softmax of its single output is 1 for every image; add images of another class";

/// Passes the notes on the data to `observer`.
fn note_data(data: &Data, observer: &mut dyn Observer) {
    for note in &data.set.notes {
        observer.note(note);
    }
    if data.set.labels.len() == 1 {
        observer.note(&message![ONE_CLASS]);
    }
}

impl Trainer {
    /// Prepares a new run of the recipe `overrides`; `about` becomes the comment at the top of its `config.toml`.
    ///
    /// # Errors
    /// If it cannot be trained; nothing is written then.
    pub(crate) fn start(
        overrides: Recipe,
        target: &Target,
        about: &str,
        context: &ExecutionContext,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        if context.processes.is_first() {
            ensure_room_for(target)?;
        }
        let written = overrides
            .data
            .clone()
            .unwrap_or_else(|| DEFAULT_DATA.to_owned());
        let name = DatasetName::parse(&written)?;
        reject_two_architectures(&overrides)?;
        reject_unused_options(&overrides)?;
        let hub = Remote::new(context.progress);
        let mut overrides = overrides;
        together::share_batches(&mut overrides, &context.processes)?;
        let mut checkpoint = match &overrides.model {
            Some(model) => Some(Checkpoint::open(model, &hub)?),
            None => None,
        };
        let network = match &checkpoint {
            Some(checkpoint) => checkpoint.info.config.clone(),
            None => architecture(&overrides, Preprocess::default().size)?.config()?,
        };
        refuse_missing_stage(overrides.freeze.unwrap_or_default(), network.blocks.len())?;
        let base = checkpoint.as_ref().map(|model| &model.info.preprocess);
        let (progress, processes) = (context.progress, &context.processes);
        let data = Data::open(&name, &written, &overrides, base, progress, processes)?;
        note_data(&data, observer);
        let mut survey = None;
        if checkpoint.is_none() && architecture_key(&overrides).is_none() && data.is_photographs() {
            overrides.model = Some(DEFAULT_MODEL.to_owned());
            observer.note(&message![
                format!(
                    "photographs are fine-tuned from a pretrained `{DEFAULT_MODEL}` by default; `"
                ),
                setting("depth").to(50),
                "` trains from scratch",
            ]);
            // Before the download. The model's own preprocessing makes no difference to the inspection.
            let base = Preprocess::default();
            let recipe = data.fill(overrides.clone(), Some(&network), &base, &mut NoObserver)?;
            let (settings, _) = settled(&recipe, Some(&network), &data)?;
            ensure_same(&recipe, &settings, &data, context)?;
            survey = inspect(&data, &recipe, &settings, context, observer)?;
            checkpoint = Some(open_default(&hub)?);
        }
        let info = checkpoint.as_ref().map(|checkpoint| &checkpoint.info);
        for note in info.into_iter().flat_map(|info| &info.notes) {
            observer.note(note);
        }
        let base = info.map_or(&data.set.preprocess, |info| &info.preprocess);
        let model = info.map(|info| &info.config);
        let pretrained_on = info.and_then(|info| info.provenance.clone());
        let recipe = data.fill(overrides, model, base, observer)?;
        let (settings, weights) = settled(&recipe, model, &data)?;
        ensure_same(&recipe, &settings, &data, context)?;
        if survey.is_none() {
            survey = inspect(&data, &recipe, &settings, context, observer)?;
        }
        let start = match checkpoint {
            Some(checkpoint) => Start::of(&checkpoint, &data.set.labels, &settings, observer)?,
            None => Start::new(&recipe, &settings, data.set.labels.len())?,
        };
        let folder_name = run_name(&data.name.short_name(), &start.config, &settings, &recipe);
        let few = data.warning_of_small_classes();
        let fingerprints = data.fingerprints().clone();
        let identity = RunIdentity {
            recipe: recipe.to_toml("")?,
            config: start.config,
            labels: data.set.labels.clone(),
            images: fingerprints.images,
            sizes: fingerprints.sizes,
            contents: Some(fingerprints.contents),
            data: data.location(),
            class_weights: weights.map(|weights| weights.into_iter().map(Exact).collect()),
            device: device_name(&context.device).to_owned(),
            instructions: instructions(settings.dtype, &context.device),
            pretrained_on,
        };
        together::connect_devices(context, observer)?;
        let parts = Parts {
            config: TrainConfig { recipe, settings },
            identity,
            progress: TrainProgress::default(),
        };
        let name = data.identity();
        let (mut trainer, facts) = parts.assemble(data, &start.tensors, context)?;
        trainer.note_seen(&name, observer);
        trainer.receive_weights()?;
        let target = target.of(&context.processes);
        if let Some(folder) = trainer.open(target, &folder_name, observer)? {
            trainer.begin_folder(folder, about, survey.as_ref())?;
        }
        let unreadable = survey.as_ref().map_or(0, unreadable_images);
        trainer.train.expect_unreadable(unreadable);
        trainer.announce(facts, observer);
        if let Some(warning) = few {
            observer.warning(&warning);
        }
        Ok(trainer)
    }

    /// Creates the folder of the output `target`, named `name` if it is a numbered one; limits a trial to the images of its steps.
    fn open(
        &mut self,
        target: &Target,
        name: &str,
        observer: &mut dyn Observer,
    ) -> Result<Option<RunFolder>> {
        match target {
            Target::Dry(_) => Ok(None),
            Target::Trial(_) => {
                let most = self.config.settings.max_images();
                self.train.limit_trial(most);
                if let Some(most) = most {
                    self.shorten_validation(most, observer);
                }
                Ok(None)
            }
            Target::Folder(path) => RunFolder::create(path).map(Some),
            Target::Numbered => RunFolder::numbered(Path::new(RUNS), name).map(Some),
        }
    }

    /// Writes the files that a run folder has before the first step.
    fn begin_folder(
        &mut self,
        folder: RunFolder,
        about: &str,
        survey: Option<&DatasetSurvey>,
    ) -> Result<()> {
        match self.first_files(about, survey) {
            Ok(first) => self.checkpoints.begin(folder, &self.progress, &first),
            Err(error) => {
                folder.abandon();
                Err(error)
            }
        }
    }

    fn first_files<'a>(
        &self,
        about: &str,
        survey: Option<&'a DatasetSurvey>,
    ) -> Result<FirstFiles<'a>> {
        Ok(FirstFiles {
            config: self.config_toml(about)?,
            survey,
            state: self.learner.state()?,
            weights: self.learner.weights()?,
        })
    }
}

/// The parts of a run beside data and weights.
pub(in crate::train) struct Parts {
    pub config: TrainConfig,
    pub identity: RunIdentity,
    pub progress: TrainProgress,
}

impl Parts {
    /// Builds the trainer, with the weights in `start` and without a folder.
    pub fn assemble(
        self,
        data: Data,
        start: &HashMap<String, Tensor>,
        context: &ExecutionContext,
    ) -> Result<(Trainer, Facts)> {
        let Self {
            config: train_config,
            identity,
            progress,
        } = self;
        let settings = &train_config.settings;
        let config = &identity.config;
        let note = data.note(settings.seed, identity.pretrained_on.clone());
        let is_photographs = data.is_photographs();
        let (validation, test) = data.validation(settings, context)?;
        let train = data
            .set
            .train
            .context("the dataset has no training images")?;
        let fewest = smallest_batch(config, settings.preprocess.size, settings.frozen)?;
        let weights = identity.class_weights.as_ref();
        let loss = CrossEntropy {
            label_smoothing: settings.label_smoothing,
            class_weights: weights.map(|all| all.iter().map(|weight| weight.0).collect()),
        };
        let loader = TrainLoader::images(train, settings, config.classes, fewest, context)?;
        let (images, batches) = (loader.count(), loader.batches_an_epoch());
        let kept = |split: &Split| cached_bytes(config, settings, split.len());
        let workload = Workload {
            images,
            batches,
            shards: loader.shards(),
            cached_feature_bytes: loader.unvaried().and_then(kept),
            validation_batch: validation.as_ref().map_or(0, Validation::together),
        };
        let step_bytes = memory::ensure(
            config,
            settings,
            workload,
            &context.device,
            &context.processes,
        )?;
        let steps_an_epoch = steps(settings, batches);
        let schedule = schedule(settings, steps_an_epoch);
        let mut learner = Learner::new(config, settings, loss, schedule, start, &context.device)?;
        if settings.shares_statistics() {
            let size = settings.preprocess.size;
            learner.share_statistics(size, loader.shards(), &context.processes)?;
        }
        let info = ModelInfo {
            name: config.short_name(),
            config: config.clone(),
            preprocess: settings.preprocess.clone(),
            labels: identity.labels.clone(),
            label_names: Vec::new(),
            function: OutputFunction::new(None, config.classes),
            notes: Vec::new(),
            provenance: note,
        };
        let trainer = Trainer {
            learner,
            train: loader,
            eval: Evaluators::new(validation, test),
            checkpoints: Checkpointer::new(identity, info),
            reporter: Reporter::default(),
            processes: context.processes.clone(),
            stop: false,
            config: train_config,
            progress,
        };
        let facts = Facts {
            step_bytes,
            is_photographs,
        };
        Ok((trainer, facts))
    }
}

/// Rejects a run whose processes have other data or settings, before they share out its images.
fn ensure_same(
    recipe: &Recipe,
    settings: &Settings,
    data: &Data,
    context: &ExecutionContext,
) -> Result<()> {
    let instructions = instructions(settings.dtype, &context.device);
    same::ensure_same(&recipe.to_toml("")?, instructions.as_deref(), data, context)
}

/// Rejects an output in whose place something is.
fn ensure_room_for(target: &Target) -> Result<()> {
    match target {
        Target::Folder(path) | Target::Dry(Some(path)) | Target::Trial(Some(path)) => {
            ensure_new(path)
        }
        Target::Numbered => ensure_no_file(Path::new(RUNS)),
        Target::Dry(None) | Target::Trial(None) => Ok(()),
    }
}

/// Rejects a frozen stage that a network of `stages` stages does not have.
fn refuse_missing_stage(frozen: Frozen, stages: usize) -> Result<()> {
    match frozen {
        Frozen::Stage(stage) if stage > stages => Err(usage_error(
            message![
                "cannot train with ",
                setting("freeze").to(format_args!("layer{stage}")),
                format!(": the network has {stages} stages"),
            ],
            "freeze an earlier stage, or the backbone",
        )),
        _ => Ok(()),
    }
}

/// Returns the settings in `recipe` and the class weights, checked against the data before these are inspected, which takes
/// its time. `model` is the pretrained network, if any.
fn settled(
    recipe: &Recipe,
    model: Option<&ModelConfig>,
    data: &Data,
) -> Result<(Settings, Option<Vec<f64>>)> {
    let settings = Settings::new(recipe)?;
    let size = settings.preprocess.size;
    let network = match model {
        Some(model) => model.clone(),
        None => architecture(recipe, size)?.config()?,
    };
    let train = data.set.train.as_ref();
    let train = train.context("the dataset has no training images")?;
    let fewest = smallest_batch(&network, size, settings.frozen)?;
    check_batches(&settings, train.len(), fewest)?;
    let weights = class_weights(&settings, train, data.set.labels.len())?;
    Ok((settings, weights))
}

/// Returns the name of a new run folder without its number: `<data>-<model>[-finetune|-probe]`.
fn run_name(data: &str, config: &ModelConfig, settings: &Settings, recipe: &Recipe) -> String {
    let kind = match (&recipe.model, settings.frozen) {
        (_, Frozen::Backbone) => "-probe",
        (Some(_), _) => "-finetune",
        (None, _) => "",
    };
    format!("{data}-{}{kind}", config.short_name())
}

/// Returns the instruction set in use on a CPU, which decides the last bits of the results.
pub(in crate::train) fn instructions(dtype: DType, device: &Device) -> Option<String> {
    let backend = Backend::on(dtype, device);
    (backend == Backend::Native).then(|| cpu::current().name().to_owned())
}
