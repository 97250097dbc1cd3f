//! Configuration of a model, from the files beside the weights or from the metadata inside them.

pub mod checks;
pub mod detect;
pub mod imagenet;
pub mod labels;
mod preprocessor;
pub mod timm;
mod transformers;

use serde_json::{Map, Value};

use super::provenance::TrainingProvenance;
use crate::model::{ModelConfig, OutputFunction, Preprocess, ProblemType};

/// The configuration of a model as far as it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// Origin: `config.json`, or the metadata of the file.
    pub source: String,
    /// Architecture, if named.
    pub config: Option<ModelConfig>,
    /// Known keys of the architecture if it is not named; the others follow from the tensors.
    pub known: Map<String, Value>,
    /// True if `config` gives the number of input channels, false if the usual three were assumed.
    pub knows_in_channels: bool,
    /// Number of classes.
    pub classes: Option<usize>,
    /// Names of the classes, or empty.
    pub labels: Vec<String>,
    /// The names that `labels` describe, such as `WordNet` ids; empty if they are the same.
    pub label_names: Vec<String>,
    /// Task that the network was trained for, if named.
    pub problem: Option<ProblemType>,
    /// Preprocessing; mean and std may have another number of channels than the model.
    pub preprocess: Preprocess,
    /// The images that trained and selected the weights, if a run of `resnet` wrote them.
    pub provenance: Option<TrainingProvenance>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Configuration {
    /// Returns the function of the outputs, as far as the configuration tells it.
    fn function(&self) -> OutputFunction {
        OutputFunction::new(self.problem, self.classes.unwrap_or_default())
    }

    /// Returns true if `other`, found elsewhere, has the same meaning.
    pub fn means_the_same(&self, other: &Self) -> bool {
        let Self {
            source: _,
            config,
            known,
            knows_in_channels: _,
            classes,
            labels,
            label_names: _,
            problem: _,
            preprocess,
            provenance: _,
            notes: _,
        } = self;
        *config == other.config
            && *known == other.known
            && *classes == other.classes
            && *labels == other.labels
            && self.function() == other.function()
            && *preprocess == other.preprocess
    }
}
