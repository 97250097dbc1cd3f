//! The pictures that models are measured on: a data set's split, and the part that was carved out of it in training.

use super::SplitChoice;
use crate::cli::console::Console;
use crate::data::sets::{DataSet, Split};
use crate::datasets::{self, DataName};
use crate::error::hinted;
use crate::eval::Matched;
use crate::weights::run::{CARVED, Carved, Seen};
use crate::weights::{Card, RunNote};
use anyhow::{Context, Result};
use std::path::Path;

/// A split of a data set, and what models have to do with it.
pub struct Measured {
    /// The data, as the user wrote it.
    pub data: String,
    /// The split's name, or `all`.
    pub split_name: &'static str,
    split: Split,
    labels: Vec<String>,
    /// How the split was carved out of the training pictures, if it was.
    carved: Option<Carved>,
}

/// A model's classes among those of the data, and its pictures in its own classes.
pub struct Meeting {
    /// Names of the model's classes.
    pub labels: Vec<String>,
    /// The pictures, in the model's classes.
    pub split: Split,
    /// What a person should know of it.
    pub note: Option<String>,
}

/// What stands beside figures on pictures that made the model what it is.
pub struct Mark {
    /// Beside the figures.
    pub short: &'static str,
    /// With its grounds.
    pub note: String,
}

impl Measured {
    /// Opens the data that a user wrote as `written`, and the split `asked` for, to measure the models of `cards`.
    pub fn open(
        name: &DataName,
        written: &str,
        asked: Option<SplitChoice>,
        cards: &[&Card],
        console: &Console,
    ) -> Result<Self> {
        let mut data = datasets::open(name, written, console)?;
        console.notes(&data.notes);
        let carved = carve(&mut data, written, asked, cards, console)?;
        let (split_name, split) = choose(&data, written, asked, console)?;
        let can_carve = |run: &RunNote| run.can_carve(&data, written);
        if split_name == "all" && runs(cards).any(can_carve) {
            console.note("`--split val` evaluates the part alone that was carved out in training");
        }
        Ok(Self {
            data: written.to_owned(),
            split_name,
            split,
            labels: data.labels,
            carved,
        })
    }

    /// The pictures for the model of `card`.
    pub fn meet(&self, card: &Card) -> Result<Meeting> {
        let matched = Matched::new(&card.labels, card.config.classes, &self.labels)
            .with_context(|| format!("cannot evaluate `{}` on `{}`", card.name, self.data))?;
        Ok(Meeting {
            split: matched.apply(&self.split),
            labels: matched.labels,
            note: matched.note,
        })
    }

    /// What the pictures had to do with the model of `card` before they measure it.
    pub fn seen(&self, card: &Card) -> Seen {
        let Some(run) = &card.run else {
            return Seen::Never;
        };
        let split = match &self.carved {
            Some(carved) if run.carved.as_ref() == Some(carved) => CARVED,
            // The other models learnt from all training pictures.
            Some(_) => "train",
            None => self.split_name,
        };
        run.seen(&self.data, split)
    }

    /// Pictures.
    pub fn len(&self) -> usize {
        self.split.len()
    }
}

fn runs<'a>(cards: &[&'a Card]) -> impl Iterator<Item = &'a RunNote> {
    cards.iter().filter_map(|card| card.run.as_ref())
}

/// Carves the pictures that validated in the models' runs out of the training pictures again, where they are asked for and
/// nothing else is there to validate on; says how, where it did.
fn carve(
    data: &mut DataSet,
    written: &str,
    asked: Option<SplitChoice>,
    cards: &[&Card],
    console: &Console,
) -> Result<Option<Carved>> {
    let mut runs = runs(cards).filter(|run| run.can_carve(data, written));
    let (Some(SplitChoice::Val), Some(run)) = (asked, runs.next()) else {
        return Ok(None);
    };
    if runs.any(|other| other.carved != run.carved) {
        return Err(hinted(
            format!("the models' runs put different pictures of `{written}` aside to validate on"),
            "pass --split test, or train them with the same --val-split and --seed",
        ));
    }
    run.carve(data)?;
    console.note(match cards.len() {
        1 => "val is the part of train that was carved out when the model was trained",
        _ => "val is the part of train that was carved out when models were trained",
    });
    Ok(run.carved.clone())
}

/// The split to evaluate and its name.
fn choose(
    data: &DataSet,
    written: &str,
    asked: Option<SplitChoice>,
    console: &Console,
) -> Result<(&'static str, Split)> {
    let splits = [
        (SplitChoice::Test, "test", &data.test),
        (SplitChoice::Val, "val", &data.val),
        (SplitChoice::Train, "train", &data.train),
    ];
    let there = splits
        .iter()
        .filter_map(|(choice, name, split)| Some((*choice, *name, split.as_ref()?)));
    let there: Vec<_> = there.collect();
    // Class folders without splits are all taken for training, until a part is carved out.
    let folder = Path::new(written);
    let mut labels = data.labels.iter();
    let of_files = data.train.as_ref().is_some_and(Split::is_of_files);
    let alone = of_files && labels.all(|label| folder.join(label).is_dir());
    let found = match (asked, there.as_slice()) {
        (None, [(SplitChoice::Train, _, split)]) if alone => {
            console.note(format_args!(
                "`{written}` has no splits: all of its pictures are evaluated"
            ));
            return Ok(("all", (*split).clone()));
        }
        (None, there) => there
            .iter()
            .find(|(choice, ..)| *choice != SplitChoice::Train),
        (Some(asked), there) => there.iter().find(|(choice, ..)| *choice == asked),
    };
    if let Some((_, name, split)) = found {
        return Ok((name, (*split).clone()));
    }
    let asked = match asked {
        Some(asked) => splits
            .iter()
            .find_map(|(choice, name, _)| (*choice == asked).then_some(*name)),
        None => None,
    };
    let flags: Vec<String> = there
        .iter()
        .map(|(_, name, _)| format!("--split {name}"))
        .collect();
    Err(hinted(
        format!(
            "data `{written}` has no {} split",
            asked.unwrap_or("test or val")
        ),
        format!("pass {}", flags.join(" or ")),
    ))
}

impl Mark {
    /// What to say where the `count` pictures made the model what it is; nothing where they are new to it.
    pub fn of(seen: &Seen, count: usize) -> Option<Self> {
        let flatter = "the figures flatter";
        let (short, note) = match seen {
            Seen::Never => return None,
            Seen::Learnt => (
                "the model learnt from these pictures",
                format!("the model learnt from these pictures: {flatter} it"),
            ),
            Seen::Chose(by) => {
                let short = if by.images < count {
                    "some of these pictures also chose the epoch"
                } else {
                    "these pictures also chose the epoch"
                };
                let note = format!(
                    "{short} ({}, of top-1 {:.2} % on {} of them): {flatter} the model",
                    by.epoch, by.val_top1, by.images
                );
                (short, note)
            }
            Seen::LearntAndChose(by) => (
                "the model learnt from these pictures; some chose the epoch",
                format!(
                    "the model learnt from these pictures, but for {} carved out of them, which chose the epoch ({}, of top-1 {:.2} %): {flatter} the model",
                    by.images, by.epoch, by.val_top1
                ),
            ),
        };
        Some(Self { short, note })
    }
}
