//! The files of labels in a sample: `.cls` and `.json`.

use anyhow::{Result, bail};
use serde_json::Value;

use super::shard::Label;
use crate::error::error_with_hint;

/// The keys of a label in a JSON file, the first of which counts.
const KEYS: [&str; 3] = ["label", "cls", "class"];

/// Returns the label in the `.cls` file `name`: a number or a text.
///
/// # Errors
/// When it is empty, has several lines or is not UTF-8.
pub fn cls_label(content: &[u8], name: &str) -> Result<Label> {
    let text = std::str::from_utf8(content).ok().map(str::trim);
    match text {
        Some(text) if !text.is_empty() && !text.contains('\n') => Ok(match text.parse() {
            Ok(number) => Label::Number(number),
            Err(_) => Label::Text(text.to_owned()),
        }),
        _ => Err(error_with_hint(
            format!(
                "`{name}` is not a class: {:?}",
                String::from_utf8_lossy(&content[..content.len().min(40)])
            ),
            "a .cls file has one number or one name",
        )),
    }
}

/// Returns the label in the `.json` file `name`; `None` if it has none.
///
/// # Errors
/// When it is not JSON, or the label is neither a whole number nor a text.
pub fn json_label(content: &[u8], name: &str) -> Result<Option<Label>> {
    let value: Value = match serde_json::from_slice(content) {
        Ok(value) => value,
        Err(error) => bail!("`{name}` is not JSON: {error}"),
    };
    let found = KEYS
        .iter()
        .find_map(|key| value.get(key).map(|value| (key, value)));
    match found {
        None => Ok(None),
        Some((_, Value::String(text))) => Ok(Some(Label::Text(text.clone()))),
        Some((_, Value::Number(number))) if number.is_i64() => {
            Ok(number.as_i64().map(Label::Number))
        }
        Some((key, value)) => Err(error_with_hint(
            format!("`{name}`: `{key}` is not a class: {value}"),
            "a label is one whole number or one name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_numbers_or_names() {
        let cls = |text: &str| cls_label(text.as_bytes(), "a.cls").ok();
        assert_eq!(cls(" 7\n"), Some(Label::Number(7)));
        assert_eq!(cls("-1"), Some(Label::Number(-1)));
        assert_eq!(
            cls("tabby cat\n"),
            Some(Label::Text("tabby cat".to_owned()))
        );
        for text in ["", " \n", "a\nb"] {
            assert_eq!(cls(text), None, "{text:?}");
        }
        let json = |text: &str| json_label(text.as_bytes(), "a.json");
        assert_eq!(
            json(r#"{"label": 3, "cls": 4}"#).unwrap(),
            Some(Label::Number(3))
        );
        assert_eq!(
            json(r#"{"class": "cat"}"#).unwrap(),
            Some(Label::Text("cat".to_owned()))
        );
        assert_eq!(json(r#"{"caption": "a cat"}"#).unwrap(), None);
        for text in [
            "{",
            r#"{"label": 1.5}"#,
            r#"{"label": [1, 2]}"#,
            r#"{"label": null}"#,
        ] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
