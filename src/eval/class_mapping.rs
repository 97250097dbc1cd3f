//! Matching of the classes of the data to those of the model.

mod names;

use anyhow::Result;

use crate::data::dataset::Split;
use crate::error::{command, error_with_hint, setting};
use crate::message;
use crate::text::pluralize;
use names::{FoundBy, Names, is_number, number, plain};

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
    /// Finds the classes of the data among the `count` classes of the model, which has labels for all of them or none; `names`
    /// are those that the labels describe, if any.
    ///
    /// Names are matched in any order, so that data in another order or with fewer classes can be evaluated. `tabby`
    /// matches `tabby, tabby cat`: any of the names between commas is accepted, and case, `_` and `-` do not matter. Numbers are
    /// matched by value (`3` is `class_03`). `WordNet` ids stand for `ImageNet`'s names of them, and numbers for the classes of a
    /// model of `ImageNet`'s thousand.
    ///
    /// If the numbers of classes are equal, and the names that differ carry no information on one of the two sides, as
    /// `3`, `class_3` and `n01440764` do, classes are matched by position, with a note.
    ///
    /// Class folders are in alphabetical order, as in torchvision: `0`, `1`, `10`, `2`. If a model does not have these
    /// names, its class 2 may be `10`, if it was trained on such folders, or `2`, if it counts; no metrics are computed
    /// from a guess.
    ///
    /// # Errors
    /// If no such match exists, so that metrics would be meaningless.
    pub fn new(model: &[String], names: &[String], count: usize, data: &[String]) -> Result<Self> {
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
        if model == data || names == data {
            return Ok(Self {
                classes: in_order,
                labels: model.to_vec(),
                note: None,
            });
        }
        let (found, by) = Names::of(model, names).find_all(data);
        let classes: Vec<u32> = found.iter().copied().flatten().collect();
        let mut distinct = classes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() == data.len() {
            let same = classes == *in_order && data.len() == count;
            return Ok(Self {
                classes,
                labels: model.to_vec(),
                note: found_note(data.len(), count, same, by),
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

/// Describes how classes were found; `are_same` if the data has all classes of the model in their order.
fn found_note(data: usize, model: usize, are_same: bool, by: FoundBy) -> Option<String> {
    let how = by.in_words();
    Some(match by {
        _ if data < model => format!(
            "the data has {data} of the model's {}, matched by {how}",
            pluralize(model, "class")
        ),
        _ if !are_same => format!(
            "the classes of the data are in another order than those of the model: they are matched by {how}"
        ),
        FoundBy::Name => return None,
        _ => format!(
            "the {} of the data are matched by {how}",
            pluralize(data, "class")
        ),
    })
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

#[cfg(test)]
mod tests;
