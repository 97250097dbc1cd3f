//! The settings that differ between the runs of compared models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// The settings of a run: keys of its `config.toml`, and their values as text.
pub type RunSettings = BTreeMap<String, String>;

/// A setting that differs between runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingDifference {
    /// The key, as a run's `config.toml` has it.
    pub key: String,
    /// For each model the value; `None` if its run does not set it, or it has no run.
    pub values: Vec<Option<String>>,
}

/// Returns the settings in which two runs differ; a model without a run differs from none.
pub(super) fn differences(settings: &[Option<&RunSettings>]) -> Vec<SettingDifference> {
    let runs = || settings.iter().flatten();
    let keys: BTreeSet<&String> = runs().flat_map(|settings| settings.keys()).collect();
    let is_different = |key: &&String| {
        let values: BTreeSet<Option<&String>> = runs().map(|run| run.get(*key)).collect();
        values.len() > 1
    };
    let values = |key: &String| {
        let values = settings.iter();
        values
            .map(|run| run.and_then(|run| run.get(key).cloned()))
            .collect()
    };
    let keys = keys.into_iter().filter(is_different);
    keys.map(|key| SettingDifference {
        key: key.clone(),
        values: values(key),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_all_runs_share_are_left_out() {
        let settings = |text: &[(&str, &str)]| {
            let pairs = text.iter();
            let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect::<RunSettings>()
        };
        let one = settings(&[("lr", "0.1"), ("epochs", "3"), ("mixup", "0.2")]);
        let two = settings(&[("lr", "0.05"), ("epochs", "3")]);
        let found = differences(&[Some(&one), None, Some(&two)]);
        let value = |text: &str| Some(text.to_owned());
        let difference = |key: &str, values: [Option<String>; 3]| SettingDifference {
            key: key.to_owned(),
            values: values.to_vec(),
        };
        assert_eq!(
            found,
            [
                difference("lr", [value("0.1"), None, value("0.05")]),
                difference("mixup", [value("0.2"), None, None]),
            ]
        );
        assert_eq!(differences(&[Some(&one), None]), []);
    }
}
