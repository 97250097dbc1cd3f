//! Which class of the model each class of the data is.

use std::collections::HashMap;

use anyhow::Result;

use crate::data::sets::Split;
use crate::error::hinted;
use crate::words::counted;

/// Names of an error that are listed.
const LISTED: usize = 3;

/// The classes of data in the model's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// For each class of the data the model's.
    pub classes: Vec<u32>,
    /// One name a class of the model.
    pub labels: Vec<String>,
    /// What a person should know of it.
    pub note: Option<String>,
}

impl Matched {
    /// Finds the classes that the data names among the `count` classes of the model, of which `model` has all names or none.
    ///
    /// Names that the model has are matched wherever they stand, so that data in another order or of fewer classes can be
    /// evaluated. `tabby` is `tabby, tabby cat`: any of the names between commas serves, and case, `_` and `-` do not
    /// matter. As many classes are taken in their order, and that is said, where a name that differs says nothing on one
    /// of the two sides, as `3`, `class_3` and `ImageNet`'s `n01440764` do. Numbers are matched as such (`3` is `class_03`).
    ///
    /// Classes stand in the order of text, as torchvision has them: `0`, `1`, `10`, `2`. Where a model does not have these
    /// names, its class 2 may be `10`, if it learnt from such folders, or `2`, if it counts; no figure is made of a guess.
    ///
    /// # Errors
    /// Where neither holds, so that figures would mean nothing.
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
                    "the model names no classes: the data's are taken in their order".to_owned(),
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
                            counted(count, "class")
                        )
                    }
                    _ => "the data's classes stand in another order than the model's: they are matched by name".to_owned(),
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

    /// The pictures of `split` with the model's classes.
    #[must_use]
    pub fn apply(&self, split: &Split) -> Split {
        split.with_classes(&self.classes)
    }
}

/// The error for numbers that stand in the order of text.
fn unclear_order(data: &[String]) -> Option<anyhow::Error> {
    let (before, after) = first_out_of_order(data)?;
    Some(hinted(
        format!(
            "the data's classes are numbers in the order of text, `{before}` before `{after}`, and the model does not have these names: which of its classes each is cannot be told"
        ),
        "to count by the numbers, write them with as many digits each (`02`, `10`); for the order of text, list them so in `label_names` of the model's config.json",
    ))
}

/// Where all names are numbers, the first two neighbours of which the larger stands first.
fn first_out_of_order(names: &[String]) -> Option<(&String, &String)> {
    let numbers = names.iter().map(|name| number(&plain(name)));
    let numbers: Vec<u64> = numbers.collect::<Option<_>>()?;
    let first = numbers.windows(2).position(|pair| pair[0] > pair[1])?;
    Some((&names[first], &names[first + 1]))
}

/// Says which names differ where classes are taken in their order.
fn in_place_note(model: &[String], data: &[String], found: &[Option<u32>]) -> String {
    let mut other = data.iter().zip(model).zip(found);
    let first = other.find(|(_, found)| found.is_none());
    let example = first.map_or(String::new(), |((data, model), _)| {
        format!(", `{data}` as `{model}`")
    });
    format!(
        "the data's classes have other names than the model's: they are taken in their order{example}"
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
        "two of the data's classes are one of the model's".to_owned()
    } else {
        let is = if unknown.len() == 1 { "is" } else { "are" };
        format!("{}{more} {is} not among the model's", listed.join(", "))
    };
    hinted(
        format!(
            "the data's classes are not the model's: {what} ({} against {count})",
            counted(data.len(), "class")
        ),
        "name the class folders as the model's classes, or train on this data: `resnet train -m MODEL -d DATA`",
    )
}

/// The classes that each name may mean.
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

    /// The one class that `name` means: by its whole label, else by one of the names in it, else by its number.
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

/// Whether a name says nothing but a number: `3`, `class 3`, `LABEL_3`, and `n01440764`, as `ImageNet`'s folders are called.
fn is_number(name: &str) -> bool {
    let name = plain(name);
    let synset = name.strip_prefix('n').filter(|digits| digits.len() == 8);
    synset.map_or_else(|| number(&name).is_some(), is_of_digits)
}

/// The number that a [`plain`] name is, after `class` or the like.
fn number(name: &str) -> Option<u64> {
    let words = ["class", "label", "category"];
    let word = words.iter().find_map(|word| name.strip_prefix(word));
    let rest = word.unwrap_or(name).trim();
    rest.parse().ok().filter(|_| is_of_digits(rest))
}

fn is_of_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name without case and outer space, its words parted by one space: folders often have `_` there.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace(['_', '-'], " ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::one_line;

    fn matched(model: &[&str], count: usize, data: &[&str]) -> Result<Matched> {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        Matched::new(&owned(model), count, &owned(data))
    }

    #[test]
    fn the_same_names_need_no_note_and_another_order_is_matched() {
        let same = matched(&["a", "b"], 2, &["a", "b"]).unwrap();
        assert_eq!((same.classes, same.note), (vec![0, 1], None));
        let turned = matched(&["a", "b"], 2, &["b", "a"]).unwrap();
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
        let some = matched(&model, 4, &["Tabby_Cat", "tinca-tinca"]).unwrap();
        assert_eq!(some.classes, [1, 0]);
        assert_eq!(
            some.note.unwrap(),
            "the data has 2 of the model's 4 classes, matched by name"
        );
        // A whole label wins over a part of another.
        assert_eq!(matched(&model, 4, &["crane"]).unwrap().classes, [2]);
        // The order alone is no match: the first of four is not the only class.
        assert!(matched(&model, 4, &["tench"]).unwrap().note.is_some());
    }

    #[test]
    fn names_that_say_nothing_are_taken_in_their_order_with_a_note() {
        for (model, data, example) in [
            (["cat", "dog"], ["0", "1"], "`0` as `cat`"),
            (["cat", "dog"], ["class 1", "class_2"], "`class 1` as `cat`"),
            (["cat", "dog"], ["n02121808", "dog"], "`n02121808` as `cat`"),
            (["LABEL_0", "LABEL_1"], ["cat", "dog"], "`cat` as `LABEL_0`"),
            (["cat", "1"], ["cat", "dog"], "`dog` as `1`"),
        ] {
            let other = matched(&model, 2, &data).unwrap();
            assert_eq!(other.classes, [0, 1]);
            let note = other.note.unwrap();
            assert!(
                note.ends_with(&format!("in their order, {example}")),
                "{note}"
            );
        }
        let unnamed = matched(&[], 2, &["x", "y"]).unwrap();
        assert_eq!(unnamed.labels, ["x", "y"]);
        assert!(unnamed.note.unwrap().contains("names no classes"));
    }

    #[test]
    fn numbers_beyond_ten_are_never_taken_for_their_place_among_text() {
        let sorted_as_text = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"];
        // A model that learnt from such folders has their names, in their order.
        let same = matched(&sorted_as_text, 12, &sorted_as_text).unwrap();
        assert_eq!((same.classes[2], same.note), (2, None));
        let fewer = matched(&sorted_as_text, 12, &["10", "2"]).unwrap();
        assert_eq!(fewer.classes, [2, 4]);
        // One that counts has the same numbers elsewhere.
        for name in [
            |n: usize| n.to_string(),
            |n| format!("{n:02}"),
            |n| format!("class_{n}"),
        ] {
            let counted: Vec<String> = (0..12).map(name).collect();
            let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
            let by_number = matched(&counted, 12, &sorted_as_text).unwrap();
            assert_eq!(by_number.classes, [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]);
            assert!(by_number.note.unwrap().contains("another order"));
            let back = matched(&sorted_as_text, 12, &counted).unwrap();
            assert_eq!(back.classes, [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]);
        }
        // Whether a model without these names counts cannot be told.
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        for model in [&letters[..], &[]] {
            let error = matched(model, 12, &sorted_as_text).unwrap_err();
            assert!(one_line(&error).contains("`11` before `2`"), "{error}");
            let padded = sorted_as_text.map(|name| format!("{name:0>2}"));
            let mut padded = padded.each_ref().map(String::as_str);
            padded.sort_unstable();
            let padded = matched(model, 12, &padded).unwrap();
            assert_eq!(padded.classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        }
        assert!(matched(&sorted_as_text, 12, &letters).is_err());
    }

    #[test]
    fn classes_that_cannot_be_told_are_refused() {
        for (model, data, message) in [
            // As many names, but others.
            (
                &["cat", "dog"][..],
                &["cats", "dog"][..],
                "`cats` is not among the model's (2 classes against 2)",
            ),
            (
                &["dots", "rings", "stripes"],
                &["circle", "class", "square"],
                "`circle`, `class`, `square` are not among the model's (3 classes against 3)",
            ),
            // A known name in another place: the order means nothing.
            (
                &["cat", "dog", "bird"],
                &["bird", "cat", "hound"],
                "`hound` is not among the model's (3 classes against 3)",
            ),
            (
                &["a", "b"],
                &["c", "d", "e", "f", "g"],
                "`c`, `d`, `e` and 2 more are not among the model's (5 classes against 2)",
            ),
            (
                &["a", "b", "c"],
                &["A", "a"],
                "two of the data's classes are one of the model's (2 classes against 3)",
            ),
            (
                &["crane", "crane", "x"],
                &["crane"],
                "`crane` is not among the model's (1 class against 3)",
            ),
        ] {
            let error = one_line(&matched(model, model.len(), data).unwrap_err());
            assert_eq!(
                error,
                format!("the data's classes are not the model's: {message}")
            );
        }
        assert!(matched(&[], 2, &["a"]).is_err());
    }
}
