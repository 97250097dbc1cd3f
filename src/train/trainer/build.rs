//! Preparation of a new run: data, model, settings, folder.

use crate::data::DatasetSurvey;
use crate::data::dataset::DataName;
use crate::error::usage_error;
use crate::model::{Frozen, ModelConfig, Preprocess};
use crate::nn::loss::CrossEntropy;
use crate::ops::Backend;
use crate::train::checkpoint::paths::{RUNS, ensure_new, ensure_no_file};
use crate::train::checkpoint::run_dir::RunFolder;
use crate::train::checkpoint::state::{Exact, Identity, Standing};
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::{Settings, architecture};
use crate::train::config::unused::refuse_idle;
use crate::train::context::{Site, place};
use crate::train::data::batching::{check_batches, fewest_pictures, schedule, steps};
use crate::train::data::check::{DEFAULT_DATA, inspect, unreadable_images};
use crate::train::data::dataset::Data;
use crate::train::data::loader::Feed;
use crate::train::learner::Learner;
use crate::train::learner::class_weights::class_weights;
use crate::train::learner::init::{
    DEFAULT_MODEL, Start, architecture_key, open_default, refuse_two_architectures,
};
use crate::train::memory;
use crate::train::observe::observer::{Unwatched, Watch};
use crate::train::observe::report::Drawing;
use crate::train::observe::tensorboard::Events;
use crate::train::trainer::Run;
use crate::weights::{Checkpoint, ModelInfo, Remote};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use resnet_kernels::cpu;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The output of a new run.
#[derive(Debug, Clone)]
pub enum Target {
    /// `runs/<data>-<model>[-finetune|-probe]-<n>`.
    Numbered,
    /// This folder.
    Folder(PathBuf),
    /// None; the folder, if given, must be one that a run could have.
    Dry(Option<PathBuf>),
    /// The same, and with `max-steps` it validates on no more images than it trains on: a trial for people.
    Trial(Option<PathBuf>),
}

impl Run {
    /// Prepares a new run of the recipe `said`; `about` becomes the comment at the top of its `config.toml`.
    ///
    /// # Errors
    /// If it cannot be trained; nothing is written then.
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
        if matches!(target, Target::Numbered) {
            ensure_no_file(Path::new(RUNS))?;
        }
        let written = said.data.clone().unwrap_or_else(|| DEFAULT_DATA.to_owned());
        let name = DataName::parse(&written)?;
        refuse_two_architectures(&said)?;
        refuse_idle(&said)?;
        let hub = Remote::new(site.progress);
        let mut said = said;
        let mut checkpoint = match &said.model {
            Some(model) => Some(Checkpoint::open(model, &hub)?),
            None => None,
        };
        let network = match &checkpoint {
            Some(checkpoint) => checkpoint.info.config.clone(),
            None => architecture(&said, Preprocess::default().size)?.config()?,
        };
        refuse_missing_stage(said.freeze.unwrap_or_default(), network.blocks.len())?;
        let base = checkpoint.as_ref().map(|model| &model.info.preprocess);
        let data = Data::open(&name, &written, &said, base, site.progress)?;
        for note in &data.set.notes {
            watch.note(note);
        }
        let mut survey = None;
        if checkpoint.is_none() && architecture_key(&said).is_none() && data.is_photographs() {
            said.model = Some(DEFAULT_MODEL.to_owned());
            watch.note(&format!(
                "photographs are fine-tuned from a pretrained `{DEFAULT_MODEL}` by default; `--depth 50` trains from scratch"
            ));
            // Before the download. The model's own preprocessing makes no difference to the inspection.
            let base = Preprocess::default();
            let recipe = data.fill(said.clone(), Some(&network), &base, &mut Unwatched)?;
            let (settings, _) = settled(&recipe, Some(&network), &data)?;
            survey = inspect(&data, &recipe, &settings, site.workers, watch)?;
            checkpoint = Some(open_default(&hub)?);
        }
        let card = checkpoint.as_ref().map(|checkpoint| &checkpoint.info);
        for note in card.into_iter().flat_map(|card| &card.notes) {
            watch.message(note);
        }
        let base = card.map_or(&data.set.preprocess, |card| &card.preprocess);
        let model = card.map(|card| &card.config);
        let begun_with = card.and_then(|card| card.provenance.clone());
        let recipe = data.fill(said, model, base, watch)?;
        let (settings, weights) = settled(&recipe, model, &data)?;
        if survey.is_none() {
            survey = inspect(&data, &recipe, &settings, site.workers, watch)?;
        }
        let start = match checkpoint {
            Some(checkpoint) => Start::of(&checkpoint, &data.set.labels, &settings, watch)?,
            None => Start::new(&recipe, &settings, data.set.labels.len())?,
        };
        let folder_name = run_name(&data.name.short_name(), &start.config, &settings, &recipe);
        let few = data.warning_of_small_classes();
        let identity = Identity {
            recipe: recipe.to_toml("")?,
            config: start.config,
            labels: data.set.labels.clone(),
            pictures: data.fingerprint(),
            sizes: data.sizes(),
            contents: Some(data.contents()),
            place: data.place(),
            class_weights: weights.map(|weights| weights.into_iter().map(Exact).collect()),
            device: place(&site.device).to_owned(),
            instructions: instructions(settings.dtype, &site.device),
            begun_with,
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
        if let Err(error) = run.begin_folder(about, survey.as_ref()) {
            if let Some(folder) = run.folder.take() {
                folder.abandon();
            }
            return Err(error);
        }
        run.unreadable = survey.as_ref().map_or(0, unreadable_images);
        run.announce(watch);
        if let Some(warning) = few {
            watch.warning(&warning);
        }
        Ok(run)
    }

    /// Writes the files that a run folder has before the first step, so that the run can be resumed from then on.
    fn begin_folder(&self, about: &str, survey: Option<&DatasetSurvey>) -> Result<()> {
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
        if let Some(survey) = survey {
            folder.write_survey(survey)?;
        }
        folder.write_config(&self.config_toml(about)?)
    }
}

/// The parts of a run beside data and weights.
pub(in crate::train) struct Parts {
    pub settings: Settings,
    pub recipe: Recipe,
    pub identity: Identity,
    pub standing: Standing,
}

impl Parts {
    /// Builds the run, with the weights in `start` and without a folder.
    pub fn assemble(self, data: Data, start: &HashMap<String, Tensor>, site: &Site) -> Result<Run> {
        let Self {
            settings,
            recipe,
            identity,
            standing,
        } = self;
        let config = &identity.config;
        let note = data.note(settings.seed, identity.begun_with.clone());
        let is_photographs = data.is_photographs();
        let (validation, test) = data.validation(&settings, site.workers)?;
        let train = data
            .set
            .train
            .context("the dataset has no training images")?;
        let fewest = fewest_pictures(config, settings.preprocess.size, settings.frozen)?;
        let weights = identity.class_weights.as_ref();
        let loss = CrossEntropy {
            label_smoothing: settings.label_smoothing,
            class_weights: weights.map(|all| all.iter().map(|weight| weight.0).collect()),
        };
        let feed = Feed::pictures(train, &settings, config.classes, fewest, site)?;
        let step_bytes =
            memory::ensure(config, &settings, &feed, validation.as_ref(), &site.device)?;
        let steps_an_epoch = steps(&settings, feed.batches_an_epoch());
        let schedule = schedule(&settings, steps_an_epoch);
        let learner = Learner::new(config, &settings, loss, schedule, start, &site.device)?;
        let card = ModelInfo {
            name: config.short_name(),
            config: config.clone(),
            preprocess: settings.preprocess.clone(),
            labels: identity.labels.clone(),
            notes: Vec::new(),
            provenance: note,
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
            unreadable: 0,
            is_photographs,
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

/// Rejects a frozen stage that a network of `stages` stages does not have.
fn refuse_missing_stage(frozen: Frozen, stages: usize) -> Result<()> {
    match frozen {
        Frozen::Stage(stage) if stage > stages => Err(usage_error(
            format!("cannot train with --freeze layer{stage}: the network has {stages} stages"),
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
    let fewest = fewest_pictures(&network, size, settings.frozen)?;
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
