//! Comparison of models on the same images: their metrics with intervals, and paired tests of their differences.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::csv::quoted;
use super::plot::Figure;
use super::plot::comparison::{self as plot, Entrant};
use crate::error::error_with_hint;
use crate::eval::interval::wilson;
use crate::eval::mcnemar::{exact, holm};
use crate::eval::metrics::{FIVE, Judgement};
use crate::text::pluralize;
use crate::train::Epoch;
use crate::train::checkpoint::history::Settings;

/// File name of the whole comparison, as printed by `resnet eval --compare --format json`.
pub const COMPARISON: &str = "comparison.json";
/// File name of the table with one row per model.
pub const TABLE: &str = "comparison.csv";
/// File names of the plot of the models.
pub const DRAWN: [&str; 2] = ["comparison.svg", "comparison.png"];
/// Significance level: from this p value on, the images show no difference between two models.
pub const LEVEL: f64 = 0.05;

/// A model and its result on each image.
#[derive(Debug, Clone)]
pub struct Contender {
    /// The model's name; no other has it.
    pub model: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one image.
    pub mult_adds: u64,
    /// The names of its classes.
    pub labels: Vec<String>,
    /// For each image of the split its result; `None` if the image cannot be read.
    pub judgements: Vec<Option<Judgement>>,
    /// Wall time of the one pass over the images, reading them included.
    pub seconds: f64,
    /// Images per second in that pass.
    pub images_per_second: f64,
    /// True if these images also selected its epoch.
    pub chose_best: bool,
    /// True if it was trained on these images, or on most of them.
    pub learnt: bool,
    /// Why its figures are optimistic; `None` if the images are new to the model.
    pub remark: Option<&'static str>,
    /// Epochs of its run, if any.
    pub curves: Vec<Epoch>,
    /// Settings of its run, if any.
    pub settings: Option<Settings>,
}

/// The images that models are compared on.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonData<'a> {
    /// The dataset as the user wrote it.
    pub data: &'a str,
    /// The split, as [`Report::split`](super::evaluation_dir::Report::split).
    pub split: &'a str,
    /// True if the images were held out of the training split for validation.
    pub held_out: bool,
}

/// Models on the same images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The dataset as the user wrote it.
    pub data: String,
    /// The split, as [`Report::split`](super::evaluation_dir::Report::split).
    pub split: String,
    /// The number of images that all models were measured on.
    pub images: usize,
    /// The number of images left out for all, as one of the models cannot read them.
    pub skipped: usize,
    /// The models in the order given.
    pub models: Vec<Compared>,
    /// All pairs, those of the first model before those of the second.
    pub pairs: Vec<Pair>,
    /// One-line caption of what was measured: data, split, number of images, and why metrics are optimistic.
    pub caption: String,
    /// The settings that differ between the models' runs, in alphabetical order.
    pub settings: Vec<Difference>,
    /// The images that all models read, by their numbers in the split, in ascending order.
    #[serde(skip)]
    pub indices: Vec<usize>,
}

/// A setting that differs between runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key, as a run's `config.toml` has it.
    pub key: String,
    /// For each model the value; `None` if its run does not set it, or it has no run.
    pub values: Vec<Option<String>>,
}

/// One model's figures; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The model's name.
    pub model: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one image.
    pub mult_adds: u64,
    /// Percent of images whose class ranks first.
    pub top1: f64,
    /// Lower end of the 95 % interval of `top1`, by [`wilson`].
    pub top1_low: f64,
    /// Upper end of the interval.
    pub top1_high: f64,
    /// Percent of images whose class is among the first five; `None` below five classes.
    pub top5: Option<f64>,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Wall time of the one pass over the images, reading them included.
    pub seconds: f64,
    /// Images per second in that pass.
    pub images_per_second: f64,
    /// True if these images also selected its epoch, so that its figures are optimistic; written only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chose_best: bool,
    /// True if it was trained on these images, or on most of them; written only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learnt: bool,
    /// Why its figures are optimistic; `None`, and not written, if the images are new to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
    /// The epochs of its run, for learning curves; empty without a run.
    pub curves: Vec<Epoch>,
    /// The names of its classes, to which [`Judgement::predicted`] refers.
    #[serde(skip)]
    pub labels: Vec<String>,
    /// Its result on each of [`Comparison::indices`].
    #[serde(skip)]
    pub judgements: Vec<Judgement>,
}

/// Two models, and the numbers of images that only one of them classifies correctly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Names of the models.
    pub models: [String; 2],
    /// Images that only the first classifies correctly.
    pub only_first: usize,
    /// Images that only the second classifies correctly.
    pub only_second: usize,
    /// The p value of the paired test, by [`exact`].
    pub p: f64,
    /// The p value adjusted for all pairs by [`holm`].
    pub p_holm: f64,
}

impl Pair {
    /// Returns true if the images show a difference between the models, at [`LEVEL`] over all pairs.
    pub fn differs(&self) -> bool {
        self.p_holm < LEVEL
    }
}

impl Comparison {
    /// Compares `contenders`, at least two with equally many results, on the images of `data` that all of them read.
    ///
    /// # Errors
    /// If there are fewer than two, their numbers of images differ, or no image can be read by all.
    pub fn new(data: &ComparisonData, contenders: Vec<Contender>) -> Result<Self> {
        ensure!(contenders.len() >= 2, "there is nothing to compare with");
        let total = contenders[0].judgements.len();
        let judged = contenders.iter().map(|contender| &contender.judgements);
        ensure!(
            judged.clone().all(|judgements| judgements.len() == total),
            "the models were not measured on the same images"
        );
        let is_common = |&image: &usize| {
            let mut all = judged.clone();
            all.all(|judgements| judgements[image].is_some())
        };
        let indices: Vec<usize> = (0..total).filter(is_common).collect();
        if indices.is_empty() {
            return Err(error_with_hint(
                format!("no image can be read for all models ({total} tried)"),
                "see the lines above for the reasons",
            ));
        }
        let settings: Vec<Option<&Settings>> = contenders
            .iter()
            .map(|contender| contender.settings.as_ref())
            .collect();
        let settings = differences(&settings);
        let contenders = contenders.into_iter();
        let models: Vec<Compared> = contenders
            .map(|contender| compared(contender, &indices))
            .collect();
        Ok(Self {
            data: data.data.to_owned(),
            split: data.split.to_owned(),
            images: indices.len(),
            skipped: total - indices.len(),
            pairs: pairs(&models),
            caption: caption(data, indices.len(), &models),
            settings,
            models,
            indices,
        })
    }

    /// Returns the remarks on metrics, each with the indices of the models that it is about.
    pub fn remarks(&self) -> Vec<(&'static str, Vec<usize>)> {
        remarks(&self.models)
    }

    /// Returns the positions in [`Comparison::indices`] of the images that only the model at `place` classifies
    /// correctly, most confident first.
    pub fn only_correct(&self, place: usize) -> Vec<usize> {
        let is_right = |model: &Compared, image: usize| model.judgements[image].is_right();
        let alone = |&image: &usize| {
            let models = self.models.iter().enumerate();
            models
                .into_iter()
                .all(|(at, model)| is_right(model, image) == (at == place))
        };
        let probability = |image: &usize| self.models[place].judgements[*image].probability;
        let mut images: Vec<usize> = (0..self.images).filter(alone).collect();
        images.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
        images
    }

    /// Returns one line of JSON, including its line end.
    ///
    /// # Errors
    /// Never: everything can be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Returns a header, and one row per model.
    pub fn csv(&self) -> String {
        let mut text = "model,parameters,mult_adds,top1,top1_low,top1_high,top5,loss,seconds,images_per_second,chose_best,learnt,data,split,images,remark\n".to_owned();
        let (data, split, images) = (quoted(&self.data), &self.split, self.images);
        for model in &self.models {
            let Compared {
                parameters,
                mult_adds,
                top1,
                top1_low,
                top1_high,
                loss,
                seconds,
                images_per_second,
                chose_best,
                learnt,
                ..
            } = model;
            let name = quoted(&model.model);
            let top5 = model.top5.map_or(String::new(), |top5| top5.to_string());
            let remark = quoted(model.remark.unwrap_or_default());
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{name},{parameters},{mult_adds},{top1},{top1_low},{top1_high},{top5},{loss},{seconds},{images_per_second},{chose_best},{learnt},{data},{split},{images},{remark}"
            );
        }
        text
    }

    /// Draws the models side by side, with the curves of those that are runs.
    ///
    /// # Errors
    /// Never: any comparison can be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let last = |name: &str| {
            let name = Path::new(name).file_name();
            name.map(|name| name.to_string_lossy().into_owned())
        };
        let short: HashSet<_> = self.models.iter().map(|model| last(&model.model)).collect();
        let is_enough = short.len() == self.models.len();
        let entrants = self.models.iter().map(|model| Entrant {
            name: last(&model.model)
                .filter(|_| is_enough)
                .unwrap_or_else(|| model.model.clone()),
            top1: [model.top1, model.top1_low, model.top1_high],
            epochs: model
                .curves
                .iter()
                .map(|epoch| (epoch.epoch as f64, epoch.train_top1, epoch.val_top1))
                .collect(),
        });
        plot::comparison(&entrants.collect::<Vec<_>>(), &self.caption)
    }
}

/// Computes the metrics of a model on the images at `indices`, all of which it has read.
fn compared(contender: Contender, indices: &[usize]) -> Compared {
    let judged = indices.iter().filter_map(|&at| contender.judgements[at]);
    let judged: Vec<Judgement> = judged.collect();
    let count = |is: fn(&Judgement) -> bool| judged.iter().filter(|&one| is(one)).count();
    let percent = |right: usize| 100.0 * right as f64 / judged.len() as f64;
    let right = count(Judgement::is_right);
    let [low, high] = wilson(right, judged.len());
    let loss: f64 = judged.iter().map(|one| one.loss).sum();
    Compared {
        model: contender.model,
        parameters: contender.parameters,
        mult_adds: contender.mult_adds,
        top1: percent(right),
        top1_low: 100.0 * low,
        top1_high: 100.0 * high,
        top5: (contender.labels.len() >= FIVE).then(|| percent(count(Judgement::is_among_five))),
        loss: loss / judged.len() as f64,
        seconds: contender.seconds,
        images_per_second: contender.images_per_second,
        chose_best: contender.chose_best,
        learnt: contender.learnt,
        remark: contender.remark,
        curves: contender.curves,
        labels: contender.labels,
        judgements: judged,
    }
}

/// Returns all pairs of models.
fn pairs(models: &[Compared]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (first, one) in models.iter().enumerate() {
        for other in &models[first + 1..] {
            let both = || one.judgements.iter().zip(&other.judgements);
            let only_first = both().filter(|(a, b)| a.is_right() && !b.is_right());
            let only_second = both().filter(|(a, b)| !a.is_right() && b.is_right());
            let (only_first, only_second) = (only_first.count(), only_second.count());
            let p = exact(only_first, only_second);
            pairs.push(Pair {
                models: [one.model.clone(), other.model.clone()],
                only_first,
                only_second,
                p,
                p_holm: p,
            });
        }
    }
    let values: Vec<f64> = pairs.iter().map(|pair| pair.p).collect();
    for (pair, adjusted) in pairs.iter_mut().zip(holm(&values)) {
        pair.p_holm = adjusted;
    }
    pairs
}

/// Returns the settings in which two runs differ; a model without a run differs from none.
fn differences(settings: &[Option<&Settings>]) -> Vec<Difference> {
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
    keys.map(|key| Difference {
        key: key.clone(),
        values: values(key),
    })
    .collect()
}

/// Returns the remarks on metrics, each with the indices of the models that it is about.
fn remarks(models: &[Compared]) -> Vec<(&'static str, Vec<usize>)> {
    let mut remarks: Vec<(&'static str, Vec<usize>)> = Vec::new();
    for (place, model) in models.iter().enumerate() {
        let Some(remark) = model.remark else {
            continue;
        };
        match remarks.iter_mut().find(|(known, _)| *known == remark) {
            Some((_, places)) => places.push(place),
            None => remarks.push((remark, vec![place])),
        }
    }
    remarks
}

/// Returns a one-line caption of what was measured.
fn caption(data: &ComparisonData, images: usize, models: &[Compared]) -> String {
    let ComparisonData {
        data,
        split,
        held_out,
    } = data;
    let held_out = if *held_out {
        " held out in training"
    } else {
        ""
    };
    let images = pluralize(images, "image");
    let mut caption = format!("{data}, {split}: {images}{held_out}");
    for (remark, places) in remarks(models) {
        let names: Vec<&str> = places.iter().map(|&at| models[at].model.as_str()).collect();
        let about = if names.len() == models.len() {
            String::new()
        } else {
            format!(" for {}", names.join(", "))
        };
        // Writing into a string cannot fail.
        let _ = write!(caption, "; optimistic{about}: {remark}");
    }
    caption
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: ComparisonData = ComparisonData {
        data: "d",
        split: "val",
        held_out: true,
    };

    /// Returns a contender that is correct, wrong or cannot read, one letter per image: `r`, `w`, `?`.
    fn contender(model: &str, outcomes: &str) -> Contender {
        let judgement = |letter: char| {
            (letter != '?').then_some(Judgement {
                predicted: 0,
                rank: usize::from(letter == 'w') * 5,
                probability: 0.5,
                loss: if letter == 'w' { 2.0 } else { 0.5 },
            })
        };
        Contender {
            model: model.to_owned(),
            parameters: 10,
            mult_adds: 20,
            labels: vec![String::new(); 6],
            judgements: outcomes.chars().map(judgement).collect(),
            seconds: 1.0,
            images_per_second: 5.0,
            chose_best: false,
            learnt: model == "b",
            remark: (model == "b").then_some("it was trained on them"),
            curves: Vec::new(),
            settings: None,
        }
    }

    #[test]
    fn pictures_that_one_cannot_read_count_for_none() {
        let contenders = ["rrw?rw", "rwwrr?", "rrrrrr"];
        let named = ["a", "b", "c, \"d\""].iter().zip(contenders);
        let contenders = named.map(|(name, outcomes)| contender(name, outcomes));
        let comparison = Comparison::new(&DATA, contenders.collect()).unwrap();
        assert_eq!((comparison.images, comparison.skipped), (4, 2));
        let figures = comparison.models.iter().map(|model| {
            let [low, high] = wilson((model.top1 / 25.0) as usize, 4);
            assert!((model.top1_low - 100.0 * low).abs() < 1e-12);
            assert!((model.top1_high - 100.0 * high).abs() < 1e-12);
            (model.top1, model.top5, model.loss)
        });
        let expected = [
            (75.0, Some(75.0), 0.875),
            (50.0, Some(50.0), 1.25),
            (100.0, Some(100.0), 0.5),
        ];
        assert_eq!(figures.collect::<Vec<_>>(), expected);
        let counts = comparison.pairs.iter();
        let counts: Vec<_> = counts
            .map(|pair| (pair.models[0].as_str(), pair.only_first, pair.only_second))
            .collect();
        assert_eq!(counts, [("a", 1, 0), ("a", 0, 1), ("b", 0, 2)]);
        assert!(!comparison.pairs[2].differs());
        let csv = comparison.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(
            lines[2].starts_with("b,10,20,50,")
                && lines[2].ends_with(",1.25,1,5,false,true,d,val,4,it was trained on them")
        );
        assert!(lines[3].starts_with("\"c, \"\"d\"\"\",10,"), "{}", lines[3]);
    }

    #[test]
    fn the_caption_says_what_was_measured_and_for_which_models_it_is_optimistic() {
        let compare = |names: [&str; 2]| {
            let contenders = names.map(|name| contender(name, "rw?"));
            Comparison::new(&DATA, contenders.to_vec()).unwrap()
        };
        let caption = "d, val: 2 images held out in training";
        assert_eq!(compare(["a", "c"]).caption, caption);
        assert_eq!(
            compare(["a", "b"]).caption,
            format!("{caption}; optimistic for b: it was trained on them")
        );
        assert_eq!(
            compare(["b", "b"]).caption,
            format!("{caption}; optimistic: it was trained on them")
        );
    }

    #[test]
    fn images_that_one_model_alone_gets_right_are_found() {
        let outcomes = [("a", "rrw?r"), ("b", "wrwrw"), ("c", "wrrrw")];
        let mut contenders = outcomes.map(|(name, outcomes)| contender(name, outcomes));
        contenders[0].judgements[4].as_mut().unwrap().probability = 0.75;
        let comparison = Comparison::new(&DATA, contenders.to_vec()).unwrap();
        assert_eq!(comparison.indices, [0, 1, 2, 4]);
        // The places among those, the most confident first.
        let alone = [0, 1, 2].map(|place| comparison.only_correct(place));
        assert_eq!(alone, [vec![3, 0], vec![], vec![2]]);
    }

    #[test]
    fn settings_that_two_runs_share_are_left_out() {
        let settings = |text: &[(&str, &str)]| {
            let pairs = text.iter();
            let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect::<Settings>()
        };
        let one = settings(&[("lr", "0.1"), ("epochs", "3"), ("mixup", "0.2")]);
        let two = settings(&[("lr", "0.05"), ("epochs", "3")]);
        let found = differences(&[Some(&one), None, Some(&two)]);
        let value = |text: &str| Some(text.to_owned());
        let difference = |key: &str, values: [Option<String>; 3]| Difference {
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

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let compare = |outcomes: &[&str]| {
            let contenders = outcomes.iter().map(|outcomes| contender("x", outcomes));
            Comparison::new(&DATA, contenders.collect()).unwrap_err()
        };
        assert!(compare(&["rr"]).to_string().contains("nothing to compare"));
        assert!(compare(&["rr", "r"]).to_string().contains("same images"));
        assert_eq!(
            compare(&["r?", "?r"]).to_string(),
            "no image can be read for all models (2 tried)"
        );
    }
}
