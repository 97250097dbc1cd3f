//! Parts of a small run for tests.

use crate::data::dataset::DatasetKind;
use crate::model::{ModelConfig, OutputFunction, Preprocess};
use crate::train::checkpoint::exact::Exact;
use crate::train::checkpoint::state::RunIdentity;
use crate::train::config::complete::defaults;
use crate::train::config::defaults::Situation;
use crate::train::config::recipe::Recipe;
use crate::train::config::settings::Settings;
use crate::train::data::validation::ValidationMetrics;
use crate::weights::{ModelInfo, TrainingProvenance};
use candle_core::{Device, Tensor};

/// Returns a recipe with the `keys` of a TOML text, and the defaults of random inputs for the others.
pub fn recipe(keys: &str) -> Recipe {
    let overrides = Recipe::parse(keys).unwrap();
    let situation = Situation {
        kind: DatasetKind::Noise,
        from_model: false,
        is_probe: false,
        images: 40,
    };
    let defaults = defaults(&situation, &overrides, &Preprocess::default(), |batch| {
        40_u64.div_ceil(batch as u64)
    });
    overrides.or(defaults)
}

/// Returns the settings of [`recipe`].
pub fn settings(keys: &str) -> Settings {
    Settings::new(&recipe(keys)).unwrap()
}

/// Returns the identity of a run.
pub fn identity() -> RunIdentity {
    RunIdentity {
        recipe: "data = \"photos\"\nlr = 0.1\n".into(),
        config: ModelConfig::named("resnet20").unwrap(),
        labels: vec!["a \"b\"".into(), "고양이".into()],
        images: "x".into(),
        sizes: "y".into(),
        data: "/photos".into(),
        class_weights: Some(vec![Exact(0.1), Exact(1.0 / 3.0)]),
        device: "cpu".into(),
        contents: Some("z".into()),
        instructions: None,
        pretrained_on: None,
    }
}

/// Returns the model information of that run.
pub fn model_info() -> ModelInfo {
    let RunIdentity { config, labels, .. } = identity();
    ModelInfo {
        name: "resnet20".into(),
        config,
        preprocess: Preprocess::default(),
        labels,
        label_names: Vec::new(),
        function: OutputFunction::Softmax,
        provenance: Some(TrainingProvenance {
            data: "photos".into(),
            held_out: None,
            selection: None,
            from: None,
        }),
        notes: Vec::new(),
    }
}

/// Returns a tensor called `name` with this value.
pub fn tensor(name: &str, value: f32) -> (String, Tensor) {
    let tensor = Tensor::new(&[value], &Device::Cpu).unwrap();
    (name.to_owned(), tensor)
}

/// Returns the value of such a tensor; `None` for another one.
pub fn value(tensor: &Tensor) -> Option<f32> {
    match tensor.to_vec1().ok()?.as_slice() {
        [value] => Some(*value),
        _ => None,
    }
}

/// Returns validation metrics with this top-1 in percent and this loss.
pub fn scores(top1: f64, loss: f64) -> ValidationMetrics {
    ValidationMetrics {
        loss: Some(loss),
        top1: Some(top1),
        ..ValidationMetrics::default()
    }
}
