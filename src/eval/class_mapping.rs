//! Matching of the classes of the data to those of the model.

use std::collections::HashMap;

use anyhow::Result;

use crate::data::dataset::Split;
use crate::error::{command, error_with_hint, setting};
use crate::message;
use crate::text::pluralize;

/// Maximum number of names listed in an error.
const LISTED: usize = 3;

/// The classes of data as class indices of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMapping {
    /// The model's class for each class of the data.
    pub classes: Vec<u32>,
    /// One name per class of the model.
    pub labels: Vec<String>,
    /// Note for the user, if any.
    pub note: Option<String>,
}

impl ClassMapping {
    /// Finds the classes of the data among the `count` classes of the model, which has names for all of them or none.
    ///
    /// Names are matched in any order, so that data in another order or with fewer classes can be evaluated. `tabby`
    /// matches `tabby, tabby cat`: any of the names between commas is accepted, and case, `_` and `-` do not matter. If
    /// the numbers of classes are equal, and the names that differ carry no information on one of the two sides, as
    /// `3`, `class_3` and `ImageNet`'s `n01440764` do, classes are matched by position, with a note. Numbers are
    /// matched by value (`3` is `class_03`).
    ///
    /// Class folders are in alphabetical order, as in torchvision: `0`, `1`, `10`, `2`. If a model does not have these
    /// names, its class 2 may be `10`, if it was trained on such folders, or `2`, if it counts; no metrics are computed
    /// from a guess.
    ///
    /// # Errors
    /// If no such match exists, so that metrics would be meaningless.
    pub fn new(model: &[String], count: usize, data: &[String]) -> Result<Self> {
        let in_order = (0..data.len() as u32).collect();
        if model.is_empty() && data.len() == count {
            if let Some(error) = unclear_order(data) {
                return Err(error);
            }
            return Ok(Self {
                classes: in_order,
                labels: data.to_vec(),
                note: Some(
                    "the model has no class names: the classes of the data are matched by position"
                        .to_owned(),
                ),
            });
        }
        if model == data {
            return Ok(Self {
                classes: in_order,
                labels: model.to_vec(),
                note: None,
            });
        }
        let names = Names::of(model);
        let found: Vec<Option<u32>> = data.iter().map(|name| names.find(name)).collect();
        let classes: Vec<u32> = found.iter().copied().flatten().collect();
        let mut distinct = classes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() == data.len() {
            let same = classes == *in_order && data.len() == count;
            return Ok(Self {
                classes,
                labels: model.to_vec(),
                note: (!same).then(|| match data.len() {
                    few if few < count => {
                        format!(
                            "the data has {few} of the model's {}, matched by name",
                            pluralize(count, "class")
                        )
                    }
                    _ => "the classes of the data are in another order than those of the model: they are matched by name".to_owned(),
                }),
            });
        }
        let in_place = |(class, found): (usize, &Option<u32>)| match found {
            Some(at) => *at as usize == class,
            None => is_number(&model[class]) || is_number(&data[class]),
        };
        let counts = data.len() == count && first_out_of_order(model).is_none();
        if counts && found.iter().enumerate().all(in_place) {
            if let Some(error) = unclear_order(data) {
                return Err(error);
            }
            return Ok(Self {
                classes: in_order,
                labels: model.to_vec(),
                note: Some(in_place_note(model, data, &found)),
            });
        }
        Err(refusal(count, data, &found))
    }

    /// Returns the images of `split` with the classes of the model.
    #[must_use]
    pub fn apply(&self, split: &Split) -> Split {
        split.with_classes(&self.classes)
    }
}

/// Returns the error for numbers in alphabetical order.
fn unclear_order(data: &[String]) -> Option<anyhow::Error> {
    let (before, after) = first_out_of_order(data)?;
    Some(error_with_hint(
        format!(
            "the classes of the data are numbers in alphabetical order, `{before}` before `{after}`, and the model does not have these names: its classes cannot be identified"
        ),
        "for numerical order, rename the folders to equally many digits (`02`, `10`); for alphabetical order, list the names in that order in `label_names` of the model's config.json",
    ))
}

/// Returns the first two neighbors in descending order if all names are numbers.
fn first_out_of_order(names: &[String]) -> Option<(&String, &String)> {
    let numbers = names.iter().map(|name| number(&plain(name)));
    let numbers: Vec<u64> = numbers.collect::<Option<_>>()?;
    let first = numbers.windows(2).position(|pair| pair[0] > pair[1])?;
    Some((&names[first], &names[first + 1]))
}

/// Describes which names differ if classes are matched by position.
fn in_place_note(model: &[String], data: &[String], found: &[Option<u32>]) -> String {
    let mut other = data.iter().zip(model).zip(found);
    let first = other.find(|(_, found)| found.is_none());
    let example = first.map_or(String::new(), |((data, model), _)| {
        format!(", `{data}` as `{model}`")
    });
    format!(
        "the classes of the data have other names than those of the model: they are matched by position{example}"
    )
}

fn refusal(count: usize, data: &[String], found: &[Option<u32>]) -> anyhow::Error {
    let unknown: Vec<&String> = data
        .iter()
        .zip(found)
        .filter(|(_, found)| found.is_none())
        .map(|(name, _)| name)
        .collect();
    let listed: Vec<String> = unknown
        .iter()
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match unknown.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if unknown.is_empty() {
        "two classes of the data match the same class of the model".to_owned()
    } else {
        let is = if unknown.len() == 1 { "is" } else { "are" };
        format!("{}{more} {is} unknown to it", listed.join(", "))
    };
    error_with_hint(
        format!(
            "the classes of the data are not those of the model: {what} ({} in the data, {count} in the model)",
            pluralize(data.len(), "class")
        ),
        message![
            "name the class folders like the classes of the model, or train on this data: `",
            command("train")
                .with(setting("model").to("MODEL"))
                .with(setting("data").to("DATA")),
            "`",
        ],
    )
}

/// The classes that each name may stand for.
struct Names {
    whole: HashMap<String, Vec<u32>>,
    parts: HashMap<String, Vec<u32>>,
    numbers: HashMap<u64, Vec<u32>>,
}

impl Names {
    fn of(labels: &[String]) -> Self {
        let (mut whole, mut parts) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        let mut numbers = HashMap::<_, Vec<_>>::new();
        for (class, label) in (0..).zip(labels) {
            whole.entry(plain(label)).or_default().push(class);
            if let Some(number) = number(&plain(label)) {
                numbers.entry(number).or_default().push(class);
            }
            let mut names: Vec<String> = label.split(',').map(plain).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                parts.entry(name).or_default().push(class);
            }
        }
        Self {
            whole,
            parts,
            numbers,
        }
    }

    /// Returns the only class that `name` stands for: by its whole label, by one of the names in the label, or by its
    /// number.
    fn find(&self, name: &str) -> Option<u32> {
        let name = plain(name);
        let by_number = || self.numbers.get(&number(&name)?);
        let named = self.whole.get(&name).or_else(|| self.parts.get(&name));
        let meant = named.or_else(by_number);
        match meant.map(Vec::as_slice) {
            Some(&[class]) => Some(class),
            _ => None,
        }
    }
}

/// Returns true if a name is only a number: `3`, `class 3`, `LABEL_3`, or `n01440764`, as `ImageNet`'s folders are
/// called.
fn is_number(name: &str) -> bool {
    let name = plain(name);
    let synset = name.strip_prefix('n').filter(|digits| digits.len() == 8);
    synset.map_or_else(|| number(&name).is_some(), is_of_digits)
}

/// Returns the number that a [`plain`] name stands for, after `class` or a similar word.
fn number(name: &str) -> Option<u64> {
    let words = ["class", "label", "category"];
    let word = words.iter().find_map(|word| name.strip_prefix(word));
    let rest = word.unwrap_or(name).trim();
    rest.parse().ok().filter(|_| is_of_digits(rest))
}

fn is_of_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns a name in lower case, without surrounding space, and with words separated by one space: folder names often
/// contain `_`.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace(['_', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::one_line;

    fn mapping(model: &[&str], count: usize, data: &[&str]) -> Result<ClassMapping> {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        ClassMapping::new(&owned(model), count, &owned(data))
    }

    #[test]
    fn equal_names_need_no_note_and_another_order_is_matched() {
        let same = mapping(&["a", "b"], 2, &["a", "b"]).unwrap();
        assert_eq!((same.classes, same.note), (vec![0, 1], None));
        let turned = mapping(&["a", "b"], 2, &["b", "a"]).unwrap();
        assert_eq!(turned.classes, [1, 0]);
        assert_eq!(turned.labels, ["a", "b"]);
        assert!(turned.note.unwrap().contains("another order"));
    }

    #[test]
    fn fewer_classes_are_found_by_any_of_their_names() {
        let model = [
            "tench, Tinca tinca",
            "tabby, tabby cat",
            "crane",
            "crane, machine",
        ];
        let some = mapping(&model, 4, &["Tabby_Cat", "tinca-tinca"]).unwrap();
        assert_eq!(some.classes, [1, 0]);
        assert_eq!(
            some.note.unwrap(),
            "the data has 2 of the model's 4 classes, matched by name"
        );
        // A whole label wins over a part of another.
        assert_eq!(mapping(&model, 4, &["crane"]).unwrap().classes, [2]);
        // The order alone is no match: the first of four is not the only class.
        assert!(mapping(&model, 4, &["tench"]).unwrap().note.is_some());
    }

    #[test]
    fn numbered_names_are_matched_by_position_with_a_note() {
        for (model, data, example) in [
            (["cat", "dog"], ["0", "1"], "`0` as `cat`"),
            (["cat", "dog"], ["class 1", "class_2"], "`class 1` as `cat`"),
            (["cat", "dog"], ["n02121808", "dog"], "`n02121808` as `cat`"),
            (["LABEL_0", "LABEL_1"], ["cat", "dog"], "`cat` as `LABEL_0`"),
            (["cat", "1"], ["cat", "dog"], "`dog` as `1`"),
        ] {
            let other = mapping(&model, 2, &data).unwrap();
            assert_eq!(other.classes, [0, 1]);
            let note = other.note.unwrap();
            assert!(
                note.ends_with(&format!("matched by position, {example}")),
                "{note}"
            );
        }
        let unnamed = mapping(&[], 2, &["x", "y"]).unwrap();
        assert_eq!(unnamed.labels, ["x", "y"]);
        assert!(unnamed.note.unwrap().contains("has no class names"));
    }

    #[test]
    fn numbers_in_alphabetical_order_are_never_matched_by_position() {
        let sorted_as_text = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"];
        // A model trained on such folders has their names, in their order.
        let same = mapping(&sorted_as_text, 12, &sorted_as_text).unwrap();
        assert_eq!((same.classes[2], same.note), (2, None));
        let fewer = mapping(&sorted_as_text, 12, &["10", "2"]).unwrap();
        assert_eq!(fewer.classes, [2, 4]);
        // One that counts has the same numbers elsewhere.
        for name in [
            |n: usize| n.to_string(),
            |n| format!("{n:02}"),
            |n| format!("class_{n}"),
        ] {
            let counted: Vec<String> = (0..12).map(name).collect();
            let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
            let by_number = mapping(&counted, 12, &sorted_as_text).unwrap();
            assert_eq!(by_number.classes, [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]);
            assert!(by_number.note.unwrap().contains("another order"));
            let back = mapping(&sorted_as_text, 12, &counted).unwrap();
            assert_eq!(back.classes, [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]);
        }
        // Whether a model without these names counts cannot be told.
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        for model in [&letters[..], &[]] {
            let error = mapping(model, 12, &sorted_as_text).unwrap_err();
            assert!(one_line(&error).contains("`11` before `2`"), "{error}");
            let padded = sorted_as_text.map(|name| format!("{name:0>2}"));
            let mut padded = padded.each_ref().map(String::as_str);
            padded.sort_unstable();
            let padded = mapping(model, 12, &padded).unwrap();
            assert_eq!(padded.classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        }
        assert!(mapping(&sorted_as_text, 12, &letters).is_err());
    }

    #[test]
    fn classes_that_cannot_be_identified_are_rejected() {
        for (model, data, message) in [
            // As many names, but others.
            (
                &["cat", "dog"][..],
                &["cats", "dog"][..],
                "`cats` is unknown to it (2 classes in the data, 2 in the model)",
            ),
            (
                &["dots", "rings", "stripes"],
                &["circle", "class", "square"],
                "`circle`, `class`, `square` are unknown to it (3 classes in the data, 3 in the model)",
            ),
            // A known name in another place: the order means nothing.
            (
                &["cat", "dog", "bird"],
                &["bird", "cat", "hound"],
                "`hound` is unknown to it (3 classes in the data, 3 in the model)",
            ),
            (
                &["a", "b"],
                &["c", "d", "e", "f", "g"],
                "`c`, `d`, `e` and 2 more are unknown to it (5 classes in the data, 2 in the model)",
            ),
            (
                &["a", "b", "c"],
                &["A", "a"],
                "two classes of the data match the same class of the model (2 classes in the data, 3 in the model)",
            ),
            (
                &["crane", "crane", "x"],
                &["crane"],
                "`crane` is unknown to it (1 class in the data, 3 in the model)",
            ),
        ] {
            let error = one_line(&mapping(model, model.len(), data).unwrap_err());
            assert_eq!(
                error,
                format!("the classes of the data are not those of the model: {message}")
            );
        }
        assert!(mapping(&[], 2, &["a"]).is_err());
    }
}
