//! The card of a dataset of the hub: the front matter of its `README.md`, which describes configurations, splits and columns.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::Value;

use super::columns::Features;

/// The configurations and columns that a card describes; empty if it describes none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetCard {
    /// The configurations, with the patterns of their files by split.
    pub configs: Vec<Config>,
    /// The columns of each configuration.
    features: BTreeMap<String, Features>,
}

/// A configuration of a dataset: a choice of its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// True if it is taken when none is named.
    pub is_default: bool,
    /// The splits, each with the patterns of its files.
    pub files: Vec<(String, Vec<String>)>,
}

#[derive(Deserialize, Default)]
struct Front {
    #[serde(default)]
    configs: Vec<ConfigEntry>,
    #[serde(default)]
    dataset_info: Value,
}

#[derive(Deserialize)]
struct ConfigEntry {
    #[serde(default)]
    config_name: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    data_files: Value,
}

impl DatasetCard {
    /// Reads the front matter of a card.
    pub fn of(text: &str) -> Self {
        let Some(front) = front_matter(text) else {
            return Self::default();
        };
        let front: Front = serde_yaml_ng::from_str(front).unwrap_or_default();
        let configs = front.configs.into_iter().map(|config| Config {
            name: config.config_name.unwrap_or_else(|| "default".to_owned()),
            is_default: config.default,
            files: data_files(&config.data_files),
        });
        let infos = match front.dataset_info {
            Value::Sequence(infos) => infos,
            info => vec![info],
        };
        let features = infos.iter().map(|info| {
            let name = info.get("config_name").and_then(Value::as_str);
            (name.unwrap_or("default").to_owned(), features(info))
        });
        Self {
            configs: configs.collect(),
            features: features.collect(),
        }
    }

    /// Returns the columns of a configuration; nothing if the card does not describe them.
    pub fn features(&self, config: &str) -> Features {
        let only = self
            .features
            .values()
            .next()
            .filter(|_| self.features.len() == 1);
        self.features
            .get(config)
            .or(only)
            .cloned()
            .unwrap_or_default()
    }
}

/// Returns what is between the two lines `---` at the beginning.
fn front_matter(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("---")?.split_once('\n')?.1;
    let end = rest
        .match_indices("---")
        .find(|(at, _)| *at == 0 || rest.as_bytes()[at - 1] == b'\n')?;
    Some(&rest[..end.0])
}

/// Returns the splits of `data_files`: a pattern, a list of patterns, or a list of splits with `path`.
fn data_files(value: &Value) -> Vec<(String, Vec<String>)> {
    let patterns = |value: &Value| match value {
        Value::String(pattern) => vec![pattern.clone()],
        Value::Sequence(all) => all
            .iter()
            .filter_map(|pattern| pattern.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    let Value::Sequence(entries) = value else {
        return vec![("train".to_owned(), patterns(value))];
    };
    let splits = entries.iter().filter_map(|entry| {
        let split = entry.get("split")?.as_str()?.to_owned();
        Some((split, patterns(entry.get("path")?)))
    });
    let splits: Vec<_> = splits.collect();
    if splits.is_empty() {
        vec![("train".to_owned(), patterns(value))]
    } else {
        splits
    }
}

/// Returns the columns of an entry of `dataset_info`.
fn features(info: &Value) -> Features {
    let mut found = Features::default();
    for feature in info
        .get("features")
        .and_then(Value::as_sequence)
        .into_iter()
        .flatten()
    {
        let Some(name) = feature.get("name").and_then(Value::as_str) else {
            continue;
        };
        match feature.get("dtype") {
            Some(Value::String(kind)) if kind == "image" => found.images.push(name.to_owned()),
            Some(kind) if kind.get("class_label").is_some() => {
                let names = kind.get("class_label").and_then(|label| label.get("names"));
                found
                    .labels
                    .push((name.to_owned(), names.map(class_names).unwrap_or_default()));
            }
            _ => {}
        }
    }
    found
}

/// Returns the names of classes: a list, or a map from numbers as text.
fn class_names(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Sequence(names) => names.iter().filter_map(text).collect(),
        Value::Mapping(names) => {
            let numbered = names.iter().filter_map(|(number, name)| {
                Some((text(number)?.parse::<usize>().ok()?, text(name)?))
            });
            let numbered: BTreeMap<usize, String> = numbered.collect();
            // A number that is left out would shift the names behind it.
            let is_whole = numbered.keys().copied().eq(0..numbered.len());
            if is_whole {
                numbered.into_values().collect()
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---
license: mit
dataset_info:
- config_name: plain_text
  features:
  - name: img
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': airplane
          '1': automobile
          '2': no
  splits:
  - name: train
    num_bytes: 113648310.0
configs:
- config_name: plain_text
  data_files:
  - split: train
    path: plain_text/train-*
  - split: test
    path: [plain_text/test-*, more/test-*]
  default: true
- config_name: other
  data_files: other/*.parquet
---
# A dataset
---
";

    #[test]
    fn a_card_tells_configurations_splits_columns_and_classes() {
        let card = DatasetCard::of(TEXT);
        let [first, second] = card.configs.as_slice() else {
            panic!("{card:?}");
        };
        assert_eq!(
            (first.name.as_str(), first.is_default),
            ("plain_text", true)
        );
        assert_eq!(first.files[1].1, ["plain_text/test-*", "more/test-*"]);
        assert_eq!(
            second.files,
            [("train".to_owned(), vec!["other/*.parquet".to_owned()])]
        );
        let features = card.features("plain_text");
        assert_eq!(features.images, ["img"]);
        // YAML 1.2 reads `no` as a text.
        assert_eq!(
            features.names("label").unwrap(),
            ["airplane", "automobile", "no"]
        );
        assert_eq!(card.features("anything"), features);
    }

    #[test]
    fn other_texts_say_nothing() {
        for text in [
            "",
            "# A dataset",
            "---\nno end",
            "---\n[: }\n---\n",
            "---\nconfigs: 3\n---\n",
        ] {
            assert_eq!(DatasetCard::of(text).configs, [], "{text}");
        }
    }
}
