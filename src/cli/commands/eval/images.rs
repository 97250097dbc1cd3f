//! The images that models are evaluated on: a split of a dataset, or the part of it that was held out in training.

use super::args::SplitChoice;
use super::leakage::LeakageNote;
use crate::cli::output::console::Console;
use crate::data::dataset::{self, DatasetName};
use crate::data::dataset::{Dataset, Split};
use crate::distributed::Processes;
use crate::error::{error_with_hint, usage_error};
use crate::eval::ClassMapping;
use crate::weights::provenance::{HELD_OUT, HeldOutSplit, TRAINED_ON};
use crate::weights::{ModelInfo, TrainingProvenance};
use anyhow::{Context, Result};

/// The images of a dataset that are evaluated, and their role for the models.
pub struct EvalImages {
    /// The dataset as the user wrote it.
    data: String,
    /// The text that tells the data from other data.
    identity: String,
    part: Part,
    /// The images, in the classes of the data.
    pub split: Split,
    /// The names of the data's classes.
    pub labels: Vec<String>,
    /// For each model, true if this is the data of its run, by whatever path.
    is_own: Vec<bool>,
}

/// A part of a dataset.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Test,
    Val,
    Train,
    /// All of an image folder without splits.
    All,
    /// The images that were held out of train in a run.
    HeldOut(HeldOutSplit),
    /// The remaining images of train.
    TrainedOn(HeldOutSplit),
}

/// The images with the classes of a model.
pub struct MappedImages {
    /// The names of the model's classes.
    pub labels: Vec<String>,
    /// The images, in the model's classes.
    pub split: Split,
    /// Note for the user, if any.
    pub note: Option<String>,
}

impl Part {
    /// Returns the name of the split in reports.
    fn name(&self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Val | Self::HeldOut(_) => "val",
            Self::Train | Self::TrainedOn(_) => "train",
            Self::All => "all",
        }
    }

    /// Returns the name of the split for a model of `run`, among those of [`TrainingProvenance::exposure`].
    fn seen_as(&self, run: &TrainingProvenance) -> &'static str {
        match self {
            Self::HeldOut(held_out) if run.held_out.as_ref() == Some(held_out) => HELD_OUT,
            Self::TrainedOn(held_out) if run.held_out.as_ref() == Some(held_out) => TRAINED_ON,
            // The other models were trained on all of train.
            Self::HeldOut(_) | Self::TrainedOn(_) => "train",
            part => part.name(),
        }
    }
}

impl EvalImages {
    /// Opens the dataset that a user wrote as `written` for the models of `infos`, and selects the split `asked` for.
    /// The default is test, else val, else the part that was held out when the models were trained.
    ///
    /// # Errors
    /// If the data cannot be read or does not have the split, or the held-out part cannot be determined.
    pub fn open(
        name: &DatasetName,
        written: &str,
        asked: Option<SplitChoice>,
        infos: &[&ModelInfo],
        console: &Console,
        processes: &Processes,
    ) -> Result<Self> {
        let data = dataset::open_shared(name, written, console, processes)?;
        console.messages(&data.notes);
        let runs = infos.iter().map(|info| info.provenance.as_ref());
        let identity = name.identity(written);
        let own = runs.map(|run| run.filter(|run| run.is_of(&data, &identity)));
        let own: Vec<Option<&TrainingProvenance>> = own.collect();
        let runs: Vec<&TrainingProvenance> = own.iter().copied().flatten().collect();
        let (part, split) = choose(&data, written, asked, &runs)?;
        if part == Part::All && asked.is_none() {
            console.note(format_args!(
                "`{written}` has no splits: all of its images are evaluated"
            ));
        }
        Ok(Self {
            is_own: own.iter().map(Option::is_some).collect(),
            data: written.to_owned(),
            identity,
            part,
            split,
            labels: data.labels,
        })
    }

    /// Returns the images for the model of `info`.
    ///
    /// # Errors
    /// If the classes of the data are not those of the model.
    pub fn map_classes(&self, info: &ModelInfo) -> Result<MappedImages> {
        let classes = info.config.classes;
        let mapping = ClassMapping::new(&info.labels, &info.label_names, classes, &self.labels)
            .with_context(|| format!("cannot evaluate `{}` on `{}`", info.name, self.data))?;
        Ok(MappedImages {
            split: mapping.apply(&self.split),
            labels: mapping.labels,
            note: mapping.note,
        })
    }

    /// Returns why the metrics of the model of `info`, the `place`-th, are optimistic; `None` if it has not seen the
    /// images.
    pub fn leakage_note(&self, place: usize, info: &ModelInfo) -> Option<LeakageNote> {
        let run = info.provenance.as_ref()?;
        let data = if self.is_own[place] {
            &run.data
        } else {
            &self.identity
        };
        LeakageNote::of(
            &run.exposure(data, self.part.seen_as(run)),
            self.split.len(),
        )
    }

    /// Returns the name of the split: `train`, `val`, `test` or `all`.
    pub fn split_name(&self) -> &'static str {
        self.part.name()
    }

    /// Returns true if the images were held out of train for validation.
    pub fn is_held_out(&self) -> bool {
        matches!(self.part, Part::HeldOut(_))
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.split.len()
    }
}

/// Returns the part of `data` to evaluate, and its images; `own` are the runs that were trained on this data.
fn choose(
    data: &Dataset,
    written: &str,
    asked: Option<SplitChoice>,
    own: &[&TrainingProvenance],
) -> Result<(Part, Split)> {
    let whole = |part: Part, split: &Option<Split>| split.clone().map(|split| (part, split));
    let found = match asked {
        Some(SplitChoice::Test) => whole(Part::Test, &data.test),
        Some(SplitChoice::Val) if data.val.is_some() => whole(Part::Val, &data.val),
        Some(SplitChoice::Val) => held_out(data, written, own)?
            .and_then(|(held_out, parts)| Some((Part::HeldOut(held_out), parts.val?))),
        Some(SplitChoice::Train) => match held_out(data, written, own)? {
            Some((held_out, parts)) => parts.train.map(|split| (Part::TrainedOn(held_out), split)),
            None => whole(Part::Train, &data.train),
        },
        Some(SplitChoice::All) => return all(data, written),
        None => match whole(Part::Test, &data.test).or_else(|| whole(Part::Val, &data.val)) {
            Some(found) => Some(found),
            None => match held_out(data, written, own)? {
                Some((held_out, parts)) => parts.val.map(|split| (Part::HeldOut(held_out), split)),
                None if !own.is_empty() => {
                    return Err(error_with_hint(
                        format!(
                            "all images of `{written}` were trained on: none is left to evaluate"
                        ),
                        "pass other images with -d, or --split train to evaluate these",
                    ));
                }
                None if is_without_splits(data) => return all(data, written),
                None => None,
            },
        },
    };
    found.ok_or_else(|| no_such_split(data, written, asked, own))
}

/// Returns all images of a folder or of shards without splits.
fn all(data: &Dataset, written: &str) -> Result<(Part, Split)> {
    match &data.train {
        Some(train) if is_without_splits(data) => Ok((Part::All, train.clone())),
        _ => Err(usage_error(
            format!("`{written}` has splits: --split all is for images without them"),
            format!("pass {}", flags(data).join(" or ")),
        )),
    }
}

/// Returns true if the data does not tell splits, as class folders alone and some shards, so that all of it is read as train.
fn is_without_splits(data: &Dataset) -> bool {
    let is_without = |train: &Split| !data.has_splits || train.is_of_shards_without_split();
    data.test.is_none() && data.val.is_none() && data.train.as_ref().is_some_and(is_without)
}

/// Returns the data with the part held out that its runs held out; `None` if they held out none.
fn held_out(
    data: &Dataset,
    written: &str,
    own: &[&TrainingProvenance],
) -> Result<Option<(HeldOutSplit, Dataset)>> {
    let mut runs = own.iter().filter(|run| run.held_out.is_some());
    let Some((run, held_out)) = runs
        .next()
        .and_then(|run| Some((run, run.held_out.clone()?)))
    else {
        return Ok(None);
    };
    if runs.any(|other| other.held_out.as_ref() != Some(&held_out)) {
        let way_out = if is_without_splits(data) {
            "pass other images with -d, or --split all to evaluate all of these, most of which the models were trained on"
        } else {
            "pass --split test, or other images with -d"
        };
        return Err(error_with_hint(
            format!("the runs held out different images of `{written}`"),
            way_out,
        ));
    }
    let mut parts = data.clone();
    run.hold_out(&mut parts)?;
    Ok(Some((held_out, parts)))
}

fn no_such_split(
    data: &Dataset,
    written: &str,
    asked: Option<SplitChoice>,
    own: &[&TrainingProvenance],
) -> anyhow::Error {
    let mut there = flags(data);
    if data.val.is_none() && own.iter().any(|run| run.held_out.is_some()) {
        there.insert(0, "--split val".to_owned());
    }
    // Images that were trained on are no substitute for others.
    if there.len() > 1 {
        there.retain(|flag| flag != "--split train");
    }
    let asked = match asked {
        Some(SplitChoice::Test) => "test",
        Some(SplitChoice::Val) => "val",
        Some(SplitChoice::Train) => "train",
        Some(SplitChoice::All) | None => "test or val",
    };
    error_with_hint(
        format!("dataset `{written}` has no {asked} split"),
        format!("pass {}", there.join(" or ")),
    )
}

/// Returns the flags that select the splits of the data.
fn flags(data: &Dataset) -> Vec<String> {
    let splits = [
        ("test", &data.test),
        ("val", &data.val),
        ("train", &data.train),
    ];
    let there = splits.iter().filter(|(_, split)| split.is_some());
    there.map(|(name, _)| format!("--split {name}")).collect()
}
