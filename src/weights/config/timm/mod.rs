//! timm's `config.json`: `pretrained_cfg`, the older flat form, and the form that `resnet` writes, which adds the key
//! `resnet` with the whole [`ModelConfig`], or with the keys of it that the tensors do not determine.

mod architecture;
mod pretrained;
mod write;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Configuration,
    checks::{deserialize, ensure_buildable, parse_problem_type},
    labels,
};
use crate::{
    error::error_with_hint, model::ModelConfig, weights::provenance::KEY as PROVENANCE_KEY,
};
pub use architecture::timm_architecture;
use architecture::{apply_output_stride, check_arguments, unknown_architecture};
use pretrained::{PretrainedConfig, parse_preprocess};
pub use write::write;

#[derive(Debug, Deserialize)]
struct TimmConfig {
    architecture: Option<String>,
    num_classes: Option<usize>,
    global_pool: Option<String>,
    model_args: Option<Map<String, Value>>,
    pretrained_cfg: Option<PretrainedConfig>,
    resnet: Option<Map<String, Value>>,
    resnet_run: Option<Value>,
    resnet_exif: Option<bool>,
    problem_type: Option<String>,
    #[serde(flatten)]
    flat: PretrainedConfig,
}

/// Returns true if the JSON is a model configuration in timm's form.
pub fn recognizes(value: &Value) -> bool {
    ["architecture", "pretrained_cfg", "resnet"]
        .iter()
        .any(|key| value.get(key).is_some())
}

/// Reads the configuration, found in `source`.
pub fn read(source: &str, value: &Value) -> Result<Configuration> {
    let timm: TimmConfig = deserialize(value)?;
    let arguments = timm.model_args.clone().unwrap_or_default();
    let number = |key: &str| arguments.get(key).and_then(Value::as_u64);
    let mut classes = timm
        .num_classes
        .or(number("num_classes").map(|n| n as usize));
    if classes == Some(0) {
        return Err(error_with_hint(
            "`num_classes` is 0: the model has no classifier",
            "pass a model that was saved with its classifier",
        ));
    }
    let mut knows_in_channels = true;
    let own = timm.resnet.map(parse_own_keys).transpose()?;
    let (config, known) = match own {
        Some(OwnKeys::Whole(config)) => {
            classes = Some(config.classes);
            (Some(config), None)
        }
        Some(OwnKeys::Partial(known)) => (None, Some(known)),
        None => (None, None),
    };
    let config = if let (None, None, Some(name)) = (&config, &known, &timm.architecture) {
        let mut config = timm_architecture(name).ok_or_else(|| unknown_architecture(name))?;
        check_arguments(&arguments, timm.global_pool.as_deref())?;
        if let Some(classes) = classes {
            config.classes = classes;
        }
        knows_in_channels = number("in_chans").is_some();
        config.in_channels = number("in_chans").map_or(3, |channels| channels as usize);
        apply_output_stride(&mut config, number("output_stride"))?;
        ensure_buildable(&config)?;
        Some(config)
    } else {
        config
    };
    let provenance = timm.resnet_run.as_ref().map(deserialize).transpose();
    let provenance = provenance.with_context(|| format!("key `{PROVENANCE_KEY}`"))?;
    let (labels, label_names) = read_labels(value)?;
    let mut notes = Vec::new();
    let mut preprocess = parse_preprocess(timm.pretrained_cfg.unwrap_or(timm.flat), &mut notes)?;
    preprocess.exif = timm.resnet_exif.unwrap_or(true);
    Ok(Configuration {
        source: source.to_owned(),
        config,
        known: known.unwrap_or_default(),
        knows_in_channels,
        classes,
        labels,
        label_names,
        problem: parse_problem_type(timm.problem_type.as_deref())?,
        preprocess,
        provenance,
        notes,
    })
}

/// The content of the key `resnet`.
enum OwnKeys {
    /// All keys of an architecture.
    Whole(ModelConfig),
    /// Some of them; the rest follows from the tensors.
    Partial(Map<String, Value>),
}

/// The keys of an architecture that are written only if they are unusual.
const OPTIONAL_KEYS: [&str; 8] = [
    "stem_pool",
    "projection_kernel",
    "first_reduction",
    "attention",
    "anti_aliasing",
    "norm",
    "stage_kinds",
    "pruned",
];

fn parse_own_keys(given: Map<String, Value>) -> Result<OwnKeys> {
    let any = ModelConfig::named("resnet18").map(|config| json!(config));
    let keys: Vec<&str> = any
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys().map(String::as_str))
        .collect();
    let is_known = |key: &str| keys.contains(&key) || OPTIONAL_KEYS.contains(&key);
    if let Some(unknown) = given.keys().find(|key| !is_known(key)) {
        let known = keys.iter().chain(&OPTIONAL_KEYS);
        let known: Vec<_> = known.map(|key| format!("`{key}`")).collect();
        return Err(error_with_hint(
            format!("key `resnet` has the unknown entry `{unknown}`"),
            format!("the known entries are {}", known.join(", ")),
        ));
    }
    if !keys.iter().all(|key| given.contains_key(*key)) {
        return Ok(OwnKeys::Partial(given));
    }
    let config: ModelConfig = deserialize(&Value::Object(given)).context("key `resnet`")?;
    ensure_buildable(&config).context("key `resnet`")?;
    Ok(OwnKeys::Whole(config))
}

/// Returns the labels and the names that they describe, if these are others: from the root, or from `pretrained_cfg`.
fn read_labels(value: &Value) -> Result<(Vec<String>, Vec<String>)> {
    let places = [value, &value["pretrained_cfg"]];
    let given = |key: &str| {
        let found = places
            .iter()
            .find_map(|place| place.get(key).filter(|found| !found.is_null()));
        found.cloned()
    };
    let names = match given("label_names") {
        Some(names) => labels::parse_labels("label_names", &names)?,
        None => match given("labels").filter(|names| names.is_array() || names.is_object()) {
            Some(names) => labels::parse_labels("labels", &names)?,
            None => Vec::new(),
        },
    };
    let labels = labels::describe_labels(&names, given("label_descriptions").as_ref());
    let names = if labels == names { Vec::new() } else { names };
    Ok((labels, names))
}

#[cfg(test)]
mod tests;
