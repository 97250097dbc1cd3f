//! Model configuration from the files beside the weights or from the metadata inside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::{
    error::{error_with_hint, without_backtrace},
    model::{ModelConfig, Preprocess, preprocess},
    weights::{hints::CORRECT, provenance::RunNote},
};

pub mod labels;
mod preprocessor;
pub mod timm;
mod transformers;

/// Maximum size of a configuration, in bytes.
const LONGEST: u64 = 1 << 26;

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
    /// Preprocessing; mean and std may have another number of channels than the model.
    pub preprocess: Preprocess,
    /// The images that selected the weights, if a run of `resnet` wrote them.
    pub run: Option<RunNote>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Reads a `config.json`, and the `preprocessor_config.json` that `preprocessor` finds if transformers wrote the
/// former. Returns `None` if it is not the configuration of a model.
pub fn read(
    config: &Path,
    preprocessor: impl FnOnce() -> Result<Option<PathBuf>>,
) -> Result<Option<Configuration>> {
    let value = json(config)?;
    if !transformers::recognises(&value) {
        return in_file(config, of_timm("config.json", &value));
    }
    let mut read = in_file(config, transformers::read(&value))?;
    if let Some(path) = preprocessor()? {
        let preprocess = preprocessor::preprocess(&json(&path)?, &mut read.notes);
        read.preprocess = in_file(&path, preprocess)?;
    }
    Ok(Some(read))
}

/// Adds the path of the file to the error of `result`.
fn in_file<T>(path: &Path, result: Result<T>) -> Result<T> {
    result.with_context(|| format!("cannot use `{}`", path.display()))
}

impl Configuration {
    /// Returns true if `other`, found elsewhere, has the same meaning.
    pub fn means_the_same(&self, other: &Self) -> bool {
        let Self {
            source: _,
            config,
            known,
            knows_in_channels: _,
            classes,
            labels,
            preprocess,
            run: _,
            notes: _,
        } = self;
        *config == other.config
            && *known == other.known
            && *classes == other.classes
            && *labels == other.labels
            && *preprocess == other.preprocess
    }
}

/// Returns true if `text` is a configuration that `resnet` wrote, not another program's.
pub fn is_own(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value["resnet"].is_object())
}

/// Reads the configuration that `resnet` writes into the metadata of safetensors files.
pub fn from_metadata(text: &str) -> Result<Configuration> {
    let source = "the file's metadata";
    let value = serde_json::from_str(text)
        .map_err(|error| error_with_hint(format!("{source} is not JSON: {error}"), CORRECT))?;
    timm::read(source, &value).with_context(|| format!("cannot use {source}"))
}

fn of_timm(source: &str, value: &Value) -> Result<Option<Configuration>> {
    if timm::recognises(value) {
        timm::read(source, value).map(Some)
    } else {
        Ok(None)
    }
}

/// Deserializes `value` as a `T`.
pub fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).map_err(|error| error_with_hint(error.to_string(), CORRECT))
}

/// Reads the JSON file at `path`, up to the maximum size of a configuration.
pub fn json(path: &Path) -> Result<Value> {
    let read = || -> Result<Value> {
        let size = std::fs::metadata(path)?.len();
        if size > LONGEST {
            return Err(error_with_hint(
                format!("it has {size} bytes, too many for a configuration"),
                CORRECT,
            ));
        }
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(|error| error_with_hint(error.to_string(), CORRECT))
    };
    read().with_context(|| format!("cannot read `{}`", path.display()))
}

/// Returns `preprocess` with a mean and std for each of `channels` channels, and a note if they had to be derived.
pub fn spread(mut preprocess: Preprocess, channels: usize) -> Result<(Preprocess, Option<String>)> {
    let given = preprocess.mean.len();
    if given != preprocess.std.len() {
        return Err(error_with_hint(
            format!(
                "the configuration has {given} values for the mean and {} for the std",
                preprocess.std.len()
            ),
            CORRECT,
        ));
    }
    if given == channels {
        return Ok((preprocess, None));
    }
    for values in [&mut preprocess.mean, &mut preprocess.std] {
        let average = values.iter().sum::<f32>() / values.len() as f32;
        *values = vec![average; channels];
    }
    let note = (given != 1).then(|| {
        format!(
            "the model takes {channels} channels and its preprocessing has {given}: the average mean {} and std {} are used for each",
            preprocess.mean[0], preprocess.std[0]
        )
    });
    Ok((preprocess, note))
}

/// Checks that the preprocessing is supported.
pub fn validate(preprocess: &Preprocess) -> Result<()> {
    possible(preprocess).map_err(|error| error_with_hint(error.to_string(), CORRECT))
}

/// Checks that the architecture can be built.
pub fn buildable(config: &ModelConfig) -> Result<()> {
    let built = config.validate();
    built.map_err(|error| error_with_hint(without_backtrace(&error), CORRECT))
}

fn possible(preprocess: &Preprocess) -> Result<()> {
    let sizes = preprocess
        .size
        .iter()
        .chain(preprocess.test_size.iter().flatten());
    ensure!(
        sizes.clone().all(|size| (1..=65_536).contains(size)),
        "the input size is {:?}",
        preprocess.size
    );
    for crop in [Some(preprocess.crop_pct), preprocess.test_crop_pct]
        .into_iter()
        .flatten()
    {
        ensure!(
            crop > 0.0 && crop <= 1.0,
            "`crop_pct` is {crop}: it must be in (0, 1]"
        );
    }
    ensure!(
        !preprocess.mean.is_empty() && preprocess.mean.iter().all(|mean| mean.is_finite()),
        "the mean is {:?}",
        preprocess.mean
    );
    ensure!(
        preprocess
            .std
            .iter()
            .all(|std| std.is_finite() && *std > 0.0),
        "the std is {:?}: it must be above 0",
        preprocess.std
    );
    Ok(())
}

/// Returns `ImageNet`'s mean and std of three channels.
pub fn imagenet_statistics() -> [Vec<f32>; 2] {
    [
        preprocess::IMAGENET_MEAN.to_vec(),
        preprocess::IMAGENET_STD.to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_or_the_average_serves_other_numbers_of_channels() {
        let (spread_out, note) = spread(Preprocess::default(), 1).unwrap();
        assert!((spread_out.mean[0] - 0.449).abs() < 1e-6);
        assert!(note.unwrap().contains("1 channels"));
        let one = Preprocess {
            mean: vec![0.25],
            std: vec![0.5],
            ..Preprocess::default()
        };
        let (spread_out, note) = spread(one, 4).unwrap();
        assert_eq!(spread_out.mean, [0.25; 4]);
        assert_eq!(note, None);
        assert_eq!(
            spread(Preprocess::default(), 3).unwrap().0,
            Preprocess::default()
        );
    }

    #[test]
    fn impossible_preprocessing_is_refused() {
        let usual = Preprocess::default;
        for wrong in [
            Preprocess {
                size: [0, 224],
                ..usual()
            },
            Preprocess {
                crop_pct: 0.0,
                ..usual()
            },
            Preprocess {
                crop_pct: 1.5,
                ..usual()
            },
            Preprocess {
                test_crop_pct: Some(f64::NAN),
                ..usual()
            },
            Preprocess {
                mean: vec![f32::NAN; 3],
                ..usual()
            },
            Preprocess {
                std: vec![0.0; 3],
                ..usual()
            },
        ] {
            assert!(validate(&wrong).is_err(), "{wrong:?}");
        }
        validate(&usual()).unwrap();
    }
}
