//! Class names: from configurations, and `ImageNet`'s thousand for models that do not name their classes.

use anyhow::Result;
use serde_json::Value;

use super::imagenet::{class_of_wordnet_id, imagenet_labels, names_of};
use crate::error::error_with_hint;
use crate::weights::hints::CORRECT;

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

/// Returns the display names: the description of a label, if any. `ImageNet`'s `WordNet` ids mean nothing to a reader, so without
/// descriptions a model of all its classes gets their names.
pub fn describe_labels(names: &[String], descriptions: Option<&Value>) -> Vec<String> {
    let described = |class: usize, name: &str| match descriptions? {
        Value::Object(by_name) => by_name.get(name)?.as_str(),
        Value::Array(by_class) => by_class.get(class)?.as_str(),
        _ => None,
    };
    let numbered = || names.iter().enumerate();
    let is_bare = numbered().all(|(class, name)| described(class, name).is_none());
    if names.len() == 1000 && is_bare {
        let of_ids = names
            .iter()
            .map(|name| names_of(class_of_wordnet_id(name)?));
        if let Some(of_ids) = of_ids.collect::<Option<Vec<_>>>() {
            return of_ids.into_iter().map(str::to_owned).collect();
        }
    }
    numbered()
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
    fn only_models_of_a_thousand_unnamed_classes_get_imagenets_labels() {
        assert_eq!(or_imagenet_labels(Vec::new(), 1000).len(), 1000);
        assert!(or_imagenet_labels(Vec::new(), 10).is_empty());
        assert_eq!(or_imagenet_labels(vec!["a".into()], 1000), ["a"]);
    }

    #[test]
    fn descriptions_are_shown_and_all_of_imagenets_ids_have_its_names() {
        let shown = describe_labels(&["n1".into(), "n2".into()], Some(&json!({"n1": "tench"})));
        assert_eq!(shown, ["tench", "n2"]);
        let ids = include_str!("../../../assets/imagenet_wordnet_ids.txt");
        let mut ids: Vec<String> = ids.lines().map(str::to_owned).collect();
        assert_eq!(describe_labels(&ids, None), imagenet_labels());
        // The order is that of the configuration, and a part of them may be any classes.
        ids.swap(0, 281);
        assert_eq!(describe_labels(&ids, None)[0], "tabby, tabby cat");
        assert_eq!(describe_labels(&ids[..10], None), ids[..10]);
        let others: Vec<String> = (0..1000).map(|i| format!("n{i:08}")).collect();
        assert_eq!(describe_labels(&others, None), others);
    }
}
