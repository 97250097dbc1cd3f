//! Checks that a configuration can be used, and completion of its preprocessing.

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::{error_with_hint, without_backtrace},
    model::{ModelConfig, Preprocess, ProblemType, preprocess},
    weights::hints::CORRECT,
};

/// Deserializes `value` as a `T`.
pub fn deserialize<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).map_err(|error| error_with_hint(error.to_string(), CORRECT))
}

/// Returns the task of transformers' key `problem_type`, if given.
///
/// # Errors
/// For a task that transformers does not have.
pub fn parse_problem_type(given: Option<&str>) -> Result<Option<ProblemType>> {
    let parse = |name: &str| {
        ProblemType::deserialize(Value::from(name)).map_err(|_| {
            error_with_hint(
                format!("`problem_type` is `{name}`: it must be single_label_classification, multi_label_classification or regression"),
                CORRECT,
            )
        })
    };
    given.map(parse).transpose()
}

/// Returns `preprocess` with a mean and std for each of `channels` channels, and a note if they had to be derived.
pub fn match_channels(
    mut preprocess: Preprocess,
    channels: usize,
) -> Result<(Preprocess, Option<String>)> {
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
pub fn validate_preprocess(preprocess: &Preprocess) -> Result<()> {
    ensure_in_range(preprocess).map_err(|error| error_with_hint(error.to_string(), CORRECT))
}

/// Checks that the architecture can be built.
pub fn ensure_buildable(config: &ModelConfig) -> Result<()> {
    let built = config.validate();
    built.map_err(|error| error_with_hint(without_backtrace(&error), CORRECT))
}

fn ensure_in_range(preprocess: &Preprocess) -> Result<()> {
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
pub fn imagenet_mean_and_std() -> [Vec<f32>; 2] {
    [
        preprocess::IMAGENET_MEAN.to_vec(),
        preprocess::IMAGENET_STD.to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_numbers_of_channels_get_the_one_value_or_the_average() {
        let (matched, note) = match_channels(Preprocess::default(), 1).unwrap();
        assert!((matched.mean[0] - 0.449).abs() < 1e-6);
        assert!(note.unwrap().contains("1 channels"));
        let one = Preprocess {
            mean: vec![0.25],
            std: vec![0.5],
            ..Preprocess::default()
        };
        let (matched, note) = match_channels(one, 4).unwrap();
        assert_eq!(matched.mean, [0.25; 4]);
        assert_eq!(note, None);
        assert_eq!(
            match_channels(Preprocess::default(), 3).unwrap().0,
            Preprocess::default()
        );
    }

    #[test]
    fn invalid_preprocessing_is_rejected() {
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
            assert!(validate_preprocess(&wrong).is_err(), "{wrong:?}");
        }
        validate_preprocess(&usual()).unwrap();
    }
}
