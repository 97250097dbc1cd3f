//! Models side by side on the same pictures: their figures with intervals, and whether two of them differ.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::interval::wilson;
use super::mcnemar::{exact, holm};
use super::metrics::Judgement;
use crate::error::hinted;
use crate::report::csv::quoted;
use crate::report::plot::Figure;
use crate::report::plot::comparison::{self as plot, Entrant};
use crate::train::Epoch;

/// The name of the file with the whole comparison, as `resnet eval --compare --format json` prints it.
pub const COMPARISON: &str = "comparison.json";
/// The name of the file with a row a model.
pub const TABLE: &str = "comparison.csv";
/// The names of the files with the models drawn side by side.
pub const DRAWN: [&str; 2] = ["comparison.svg", "comparison.png"];
/// The p value from which two models do not differ by what their pictures show.
pub const LEVEL: f64 = 0.05;

/// A model and what it made of each picture.
#[derive(Debug, Clone)]
pub struct Contender {
    /// What it is called; no other has this name.
    pub model: String,
    /// Its learned numbers.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one picture.
    pub mult_adds: u64,
    /// Its classes.
    pub classes: usize,
    /// For each picture of the split what it made of it; nothing where the picture cannot be read.
    pub judgements: Vec<Option<Judgement>>,
    /// Wall time of the one pass over the pictures, reading them included.
    pub seconds: f64,
    /// Pictures a second of that pass.
    pub images_per_second: f64,
    /// Whether these pictures also chose its epoch.
    pub chose_best: bool,
    /// Whether it learnt from these pictures, or from most of them.
    pub learnt: bool,
    /// What of that stands beside the figures for people.
    pub mark: Option<&'static str>,
    /// The epochs of its run, where one left them.
    pub curves: Vec<Epoch>,
}

/// Models on the same pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The data, as the user wrote it.
    pub data: String,
    /// The split, as [`Report::split`](super::Report::split).
    pub split: String,
    /// Pictures that all models could be measured on.
    pub images: usize,
    /// Pictures left out for all, as one of the models cannot read them.
    pub skipped: usize,
    /// The models in the order given.
    pub models: Vec<Compared>,
    /// Every two of them, the first with all later ones before the second.
    pub pairs: Vec<Pair>,
}

/// One model's figures; accuracies in percent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// What it is called.
    pub model: String,
    /// Its learned numbers.
    pub parameters: u64,
    /// Multiplications of its convolutions and linear layers for one picture.
    pub mult_adds: u64,
    /// Pictures whose class ranks first.
    pub top1: f64,
    /// The lower end of the 95 % interval of `top1`, by [`wilson`].
    pub top1_low: f64,
    /// Its upper end.
    pub top1_high: f64,
    /// Pictures whose class is among the first five; nothing below five classes.
    pub top5: Option<f64>,
    /// Mean cross entropy, in natural logarithms.
    pub loss: f64,
    /// Wall time of the one pass over the pictures, reading them included.
    pub seconds: f64,
    /// Pictures a second of that pass.
    pub images_per_second: f64,
    /// Whether these pictures also chose its epoch, so that its figures flatter it; written only where they did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chose_best: bool,
    /// Whether it learnt from these pictures, or from most of them; written only where it did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learnt: bool,
    /// What of that stands beside the figures for people; nothing where the pictures are new to the model.
    #[serde(skip)]
    pub mark: Option<&'static str>,
    /// The epochs of its run, for learning curves; none of a model without a run beside it.
    pub curves: Vec<Epoch>,
}

/// Two models, and what only one of them recognises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// What they are called.
    pub models: [String; 2],
    /// Pictures that only the first recognises.
    pub only_first: usize,
    /// Pictures that only the second recognises.
    pub only_second: usize,
    /// The p value of their test, by [`exact`].
    pub p: f64,
    /// The same, adjusted for all pairs by [`holm`].
    pub p_holm: f64,
}

impl Pair {
    /// Whether the pictures show that the models differ, for all pairs together by [`LEVEL`].
    pub fn differs(&self) -> bool {
        self.p_holm < LEVEL
    }
}

impl Comparison {
    /// Compares `contenders`, two or more with as many judgements each, on the pictures of `split` that all of them read.
    ///
    /// # Errors
    /// Fewer than two, judgements of other numbers of pictures, and no picture that all read.
    pub fn new(data: &str, split: &str, contenders: Vec<Contender>) -> Result<Self> {
        ensure!(contenders.len() >= 2, "there is nothing to compare with");
        let total = contenders[0].judgements.len();
        let judged = contenders.iter().map(|contender| &contender.judgements);
        ensure!(
            judged.clone().all(|judgements| judgements.len() == total),
            "the models were not measured on the same pictures"
        );
        let is_common = |&picture: &usize| {
            let mut all = judged.clone();
            all.all(|judgements| judgements[picture].is_some())
        };
        let common: Vec<usize> = (0..total).filter(is_common).collect();
        if common.is_empty() {
            return Err(hinted(
                format!("no picture can be read for all models ({total} tried)"),
                "each has a line above that says why",
            ));
        }
        let judged: Vec<Vec<Judgement>> = judged
            .map(|judgements| common.iter().filter_map(|&at| judgements[at]).collect())
            .collect();
        let names: Vec<String> = contenders.iter().map(|one| one.model.clone()).collect();
        let models = contenders.into_iter().zip(&judged);
        Ok(Self {
            data: data.to_owned(),
            split: split.to_owned(),
            images: common.len(),
            skipped: total - common.len(),
            models: models
                .map(|(model, judged)| compared(model, judged))
                .collect(),
            pairs: pairs(&names, &judged),
        })
    }

    /// One line of JSON, its end included.
    ///
    /// # Errors
    /// Never: all of it can be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// A header, and a row a model.
    pub fn csv(&self) -> String {
        let mut text = "model,parameters,mult_adds,top1,top1_low,top1_high,top5,loss,seconds,images_per_second,chose_best,learnt\n".to_owned();
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
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{name},{parameters},{mult_adds},{top1},{top1_low},{top1_high},{top5},{loss},{seconds},{images_per_second},{chose_best},{learnt}"
            );
        }
        text
    }

    /// The models drawn side by side, with the curves of those that are runs.
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
        plot::comparison(&entrants.collect::<Vec<_>>())
    }
}

/// The figures of a model by its judgements of the common pictures.
fn compared(contender: Contender, judged: &[Judgement]) -> Compared {
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
        top5: (contender.classes >= super::metrics::FIVE)
            .then(|| percent(count(Judgement::is_among_five))),
        loss: loss / judged.len() as f64,
        seconds: contender.seconds,
        images_per_second: contender.images_per_second,
        chose_best: contender.chose_best,
        learnt: contender.learnt,
        mark: contender.mark,
        curves: contender.curves,
    }
}

/// Every two of the models.
fn pairs(names: &[String], judged: &[Vec<Judgement>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (first, one) in judged.iter().enumerate() {
        for (second, other) in judged.iter().enumerate().skip(first + 1) {
            let both = || one.iter().zip(other);
            let only_first = both().filter(|(a, b)| a.is_right() && !b.is_right());
            let only_second = both().filter(|(a, b)| !a.is_right() && b.is_right());
            let (only_first, only_second) = (only_first.count(), only_second.count());
            let p = exact(only_first, only_second);
            pairs.push(Pair {
                models: [names[first].clone(), names[second].clone()],
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A contender that is right, wrong or cannot read, a letter a picture: `r`, `w`, `?`.
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
            classes: 6,
            judgements: outcomes.chars().map(judgement).collect(),
            seconds: 1.0,
            images_per_second: 5.0,
            chose_best: false,
            learnt: model == "b",
            mark: None,
            curves: Vec::new(),
        }
    }

    #[test]
    fn pictures_that_one_cannot_read_count_for_none() {
        let contenders = ["rrw?rw", "rwwrr?", "rrrrrr"];
        let named = ["a", "b", "c, \"d\""].iter().zip(contenders);
        let contenders = named.map(|(name, outcomes)| contender(name, outcomes));
        let comparison = Comparison::new("d", "test", contenders.collect()).unwrap();
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
        assert!(lines[2].starts_with("b,10,20,50,") && lines[2].ends_with(",1.25,1,5,false,true"));
        assert!(lines[3].starts_with("\"c, \"\"d\"\"\",10,"), "{}", lines[3]);
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let compare = |outcomes: &[&str]| {
            let contenders = outcomes.iter().map(|outcomes| contender("x", outcomes));
            Comparison::new("d", "test", contenders.collect()).unwrap_err()
        };
        assert!(compare(&["rr"]).to_string().contains("nothing to compare"));
        assert!(compare(&["rr", "r"]).to_string().contains("same pictures"));
        assert_eq!(
            compare(&["r?", "?r"]).to_string(),
            "no picture can be read for all models (2 tried)"
        );
    }
}
