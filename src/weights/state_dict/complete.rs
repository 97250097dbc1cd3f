//! Completeness check of a file's tensors against an architecture.

use anyhow::Result;

use super::rename::NamedTensors;
use crate::{
    error::error_with_hint,
    model::{self, ModelConfig},
};

/// Number of names listed before the rest is only counted.
const MAX_LISTED: usize = 5;
/// Maximum number of blocks in a configuration; the paper's deepest network, of 1,202 layers, has 600.
const MAX_BLOCKS: usize = 10_000;

/// Checks that `tensors` are exactly those of `config`. Returns an error if one is missing, has another shape, or is
/// not part of the model.
///
/// The counter `num_batches_tracked`, one element, is optional beside each `running_mean`.
pub fn ensure_complete(config: &ModelConfig, tensors: &NamedTensors) -> Result<()> {
    let expected = expected_tensors(config)?;
    let mut missing = Vec::new();
    let mut misshapen = Vec::new();
    for (name, shape) in &expected {
        match tensors.get(name) {
            None => missing.push(format!("`{name}`")),
            Some(named) if named.info.shape != *shape => misshapen.push(format!(
                "`{}` is {:?} and must be {shape:?}",
                named.raw, named.info.shape
            )),
            Some(_) => {}
        }
    }
    let expected: std::collections::HashSet<&str> =
        expected.iter().map(|(name, _)| name.as_str()).collect();
    let unknown: Vec<String> = tensors
        .iter()
        .filter(|(name, named)| {
            let counter = name
                .strip_suffix("num_batches_tracked")
                .is_some_and(|norm| expected.contains(format!("{norm}running_mean").as_str()));
            let one = named.info.shape.iter().all(|size| *size <= 1);
            !(expected.contains(name.as_str()) || counter && one)
        })
        .map(|(_, named)| format!("`{}`", named.raw))
        .collect();
    let found: Vec<String> = [(&missing, "missing"), (&unknown, "not part of the model")]
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| match names.len() {
            1 => format!("tensor {} is {what}", names[0]),
            _ => format!("tensors {} are {what}", join_names(names)),
        })
        .chain((!misshapen.is_empty()).then(|| format!("tensor {}", join_names(&misshapen))))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let name = config.name().unwrap_or("model of this configuration");
    Err(error_with_hint(
        found.join("; "),
        format!("a complete {name} is needed: save the model's whole state dict and nothing else"),
    ))
}

/// Returns the first names, and the number of the others.
fn join_names(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        [rest @ .., last] if names.len() <= MAX_LISTED => format!("{} and {last}", rest.join(", ")),
        _ => format!(
            "{} and {} more",
            names[..MAX_LISTED].join(", "),
            names.len() - MAX_LISTED
        ),
    }
}

/// Checks that a configuration, read from `source`, agrees with `inferred`, which was inferred from the tensors; the error
/// names both values.
pub fn ensure_agreement(config: &ModelConfig, inferred: &ModelConfig, source: &str) -> Result<()> {
    let differences = [
        (
            "block",
            format!("{:?}", config.block),
            format!("{:?}", inferred.block),
        ),
        (
            "blocks per stage",
            format!("{:?}", config.blocks),
            format!("{:?}", inferred.blocks),
        ),
        (
            "planes per stage",
            format!("{:?}", config.planes),
            format!("{:?}", inferred.planes),
        ),
        (
            "stem",
            format!("{:?}", config.stem),
            format!("{:?}", inferred.stem),
        ),
        (
            "stem channels",
            config.stem_channels.to_string(),
            inferred.stem_channels.to_string(),
        ),
        (
            "input channels",
            config.in_channels.to_string(),
            inferred.in_channels.to_string(),
        ),
        (
            "groups",
            config.groups.to_string(),
            inferred.groups.to_string(),
        ),
        (
            "width per group",
            config.width_per_group.to_string(),
            inferred.width_per_group.to_string(),
        ),
        (
            "classes",
            config.classes.to_string(),
            inferred.classes.to_string(),
        ),
    ];
    let Some((what, configured, inferred)) = differences
        .into_iter()
        .find(|(_, configured, inferred)| configured != inferred)
    else {
        return Ok(());
    };
    Err(error_with_hint(
        format!(
            "{source} and the tensors disagree on {what}: {} versus {}",
            configured.to_lowercase(),
            inferred.to_lowercase()
        ),
        "pass the weights with their own configuration, or with none",
    ))
}

/// Returns name and shape of every tensor of the model, including the running statistics of batch norm.
fn expected_tensors(config: &ModelConfig) -> Result<Vec<(String, Vec<usize>)>> {
    let blocks: usize = config.blocks.iter().sum();
    if blocks > MAX_BLOCKS {
        return Err(error_with_hint(
            format!("a model of {blocks} blocks exceeds the limit of {MAX_BLOCKS}"),
            "correct the number of blocks in the configuration",
        ));
    }
    Ok(model::parameters(config)?)
}
