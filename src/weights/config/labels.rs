//! Class names: from configurations, and `ImageNet`'s thousand for models that do not name their classes.

use anyhow::Result;
use serde_json::Value;

use crate::error::error_with_hint;
use crate::weights::hints::CORRECT;

/// One name per class, in class order, as transformers and timm write them: `tabby, tabby cat`.
const IMAGENET: &str = include_str!("../../../assets/imagenet_classes.txt");

/// Returns the names of `ImageNet`'s 1,000 classes, by index.
pub fn imagenet_labels() -> Vec<String> {
    IMAGENET.lines().map(str::to_owned).collect()
}

/// Returns the labels that a configuration gives under `key`: a list, or a table from class index to name. Names may be
/// numbers.
pub fn parse_labels(key: &str, value: &Value) -> Result<Vec<String>> {
    let wrong = |what: &str| Err(error_with_hint(format!("`{key}` {what}"), CORRECT));
    let names: Vec<&Value> = match value {
        Value::Array(names) => names.iter().collect(),
        Value::Object(named) => {
            let names: Option<_> = (0..named.len())
                .map(|class| named.get(&class.to_string()))
                .collect();
            let Some(names) = names else {
                let last = named.len() - 1;
                return wrong(&format!(
                    "has {} labels, but their classes are not 0 to {last}",
                    named.len()
                ));
            };
            names
        }
        _ => return wrong(&format!("is {value}: it must be a list of labels")),
    };
    let mut labels = Vec::with_capacity(names.len());
    for name in names {
        labels.push(match name {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => name.to_string(),
            _ => return wrong(&format!("has {name}, which is not a label")),
        });
    }
    Ok(drop_default_names(labels))
}

/// Returns the display names: the description of a label, if any. `ImageNet`'s synset IDs mean nothing to a reader, so
/// without descriptions they count as unnamed.
pub fn describe_labels(names: &[String], descriptions: Option<&Value>) -> Vec<String> {
    let synset = |name: &String| {
        let digits = name.strip_prefix('n').unwrap_or_default();
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let described = |class: usize, name: &str| match descriptions? {
        Value::Object(by_name) => by_name.get(name)?.as_str(),
        Value::Array(by_class) => by_class.get(class)?.as_str(),
        _ => None,
    };
    let bare = (0..)
        .zip(names)
        .all(|(class, name)| described(class, name).is_none());
    if names.len() == 1000 && bare && names.is_sorted() && names.iter().all(synset) {
        return Vec::new();
    }
    let shown = (0..).zip(names);
    shown
        .map(|(class, name)| described(class, name).unwrap_or(name).to_owned())
        .collect()
}

/// Returns `labels`, or an empty list if all of them are of the form `LABEL_7`, which transformers writes for unnamed
/// classes.
fn drop_default_names(labels: Vec<String>) -> Vec<String> {
    let mut numbered = (0..).zip(&labels);
    if numbered.all(|(class, label)| *label == format!("LABEL_{class}")) {
        Vec::new()
    } else {
        labels
    }
}

/// Returns the display labels of a model with `classes` classes whose configuration gives `named`.
pub fn or_imagenet_labels(named: Vec<String>, classes: usize) -> Vec<String> {
    if named.is_empty() && classes == 1000 {
        imagenet_labels()
    } else {
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn imagenets_classes_are_a_thousand_in_their_order() {
        let labels = imagenet_labels();
        assert_eq!(labels.len(), 1000);
        assert!(labels.iter().all(|label| !label.trim().is_empty()));
        assert_eq!(labels[0], "tench, Tinca tinca");
        assert_eq!(labels[281], "tabby, tabby cat");
        assert_eq!(labels[999], "toilet tissue, toilet paper, bathroom tissue");
    }

    #[test]
    fn only_models_of_a_thousand_unnamed_classes_get_imagenets_labels() {
        assert_eq!(or_imagenet_labels(Vec::new(), 1000).len(), 1000);
        assert!(or_imagenet_labels(Vec::new(), 10).is_empty());
        assert_eq!(or_imagenet_labels(vec!["a".into()], 1000), ["a"]);
    }

    #[test]
    fn descriptions_are_shown_and_bare_synsets_are_not() {
        let shown = describe_labels(&["n1".into(), "n2".into()], Some(&json!({"n1": "tench"})));
        assert_eq!(shown, ["tench", "n2"]);
        let synsets: Vec<String> = (0..1000).map(|i| format!("n{i:08}")).collect();
        assert!(describe_labels(&synsets, None).is_empty());
    }
}
