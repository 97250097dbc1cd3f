//! Output files of an evaluation: `evaluation.json`, `predictions.csv` with one line per image, and the report with its
//! plots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::csv::quoted;
use super::date::Date;
use super::evaluation_report::EvaluationReport;
use super::page::{Again, Heading, Headline, Page};
use super::{PLOTS, REPORT, write_page};
use crate::error::{error_with_hint, one_line};
use crate::eval::Evaluation;
use crate::fs::{temporary_beside, write_whole};
use crate::pipeline::Prediction;
use crate::text::pluralize;

/// File name of the whole evaluation, as the command line prints it in JSON.
pub const EVALUATION: &str = "evaluation.json";
/// File name of the predictions for each image.
pub const PREDICTIONS: &str = "predictions.csv";
/// Number of classes in a line of predictions, including the predicted one.
pub const TOP: usize = 5;

const HEADER: &str = "image,label,predicted,probability,correct,top2,top3,top4,top5,error\n";

/// An evaluation, with the model and the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelEvaluation {
    /// Model.
    pub model: String,
    /// Data, as the user wrote it.
    pub data: String,
    /// Split: `train`, `val`, `test`, or `all` for class folders without splits.
    pub split: String,
    /// Metrics.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// True if these images also selected the model's epoch, so that the metrics are optimistic; written only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chose_best: bool,
    /// True if the model was trained on these images, or on most of them; written only then.
    #[serde(rename = "learnt", skip_serializing_if = "std::ops::Not::not")]
    pub trained_on: bool,
    /// Reason why the metrics are optimistic; `None`, and not written, if the images are new to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
    /// True if the images were held out of the training split for validation.
    #[serde(skip)]
    pub held_out: bool,
}

/// Returns the page of an evaluation.
fn page<'a>(
    report: &ModelEvaluation,
    evaluation_report: &'a EvaluationReport,
    again: Again,
) -> Page<'a> {
    let ModelEvaluation { model, data, .. } = report;
    let warnings = report.remark.into_iter().map(str::to_owned);
    Page {
        heading: Heading {
            name: model.clone(),
            what: format!("evaluated on {data}"),
            detail: String::new(),
            date: Some(Date::now()),
        },
        headline: Headline {
            measured: Some(evaluation_report.measured()),
            on: report.measured_on(),
            figures: evaluation_report.figures_beside(),
            warnings: warnings.collect(),
            notes: Vec::new(),
        },
        evaluation_report: Some(evaluation_report),
        again,
        ..Page::default()
    }
}

impl ModelEvaluation {
    /// Returns one line of JSON, including its line end.
    ///
    /// # Errors
    /// Never: everything can be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Describes the images that were evaluated: their number, and the split.
    fn measured_on(&self) -> String {
        let kind = match self.split.as_str() {
            "train" => "training image",
            "val" => "validation image",
            "test" => "test image",
            _ => "image",
        };
        let images = pluralize(self.evaluation.images, kind);
        let held_out = if self.held_out {
            ", held out in training"
        } else {
            ""
        };
        format!("{images} of {}{held_out}", self.data)
    }
}

/// An output folder in which writing was tested before the long work that produces the files.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
}

impl OutputDir {
    /// Creates the folder if absent and tests that files with these `names` can be written there.
    ///
    /// # Errors
    /// If they cannot, or a folder has the name of a file.
    pub fn create(path: &Path, names: &[&str]) -> Result<Self> {
        let prepare = || -> Result<()> {
            fs::create_dir_all(path)?;
            for name in names {
                let file = path.join(name);
                if file.is_dir() {
                    return Err(error_with_hint(
                        format!("`{name}` in it is a folder"),
                        "pass another folder",
                    ));
                }
                temporary_beside(&file)?;
            }
            Ok(())
        };
        prepare().with_context(|| format!("cannot write into folder `{}`", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, replacing an older one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_whole(&self.path.join(name), |file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }
}

/// The files of an evaluation in progress; they appear at its end, each whole.
#[derive(Debug)]
pub struct EvaluationDir {
    folder: OutputDir,
    predictions: String,
}

impl EvaluationDir {
    /// Creates the folder as [`OutputDir::create`] does, for the files of an evaluation.
    ///
    /// # Errors
    /// As for [`OutputDir::create`].
    pub fn create(path: &Path) -> Result<Self> {
        let folder = OutputDir::create(path, &[EVALUATION, PREDICTIONS, REPORT])?;
        let plots = path.join(PLOTS);
        if plots.exists() && !plots.is_dir() {
            return Err(error_with_hint(
                format!(
                    "cannot write into folder `{}`: `{PLOTS}` in it is not a folder",
                    path.display()
                ),
                "pass another folder",
            ));
        }
        Ok(Self {
            folder,
            predictions: HEADER.to_owned(),
        })
    }

    /// Adds an image called `image`, whose class is named `label`; `top` has its most probable classes.
    pub fn add_image(&mut self, image: &str, label: &str, correct: bool, top: &[Prediction]) {
        let name = |rank: usize| {
            let prediction = top.get(rank);
            quoted(
                prediction
                    .and_then(|top| top.label.as_deref())
                    .unwrap_or_default(),
            )
        };
        let probability = top.first().map_or(0.0, |top| top.probability);
        let (image, label) = (quoted(image), quoted(label));
        let [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(name);
        // Writing into a string cannot fail.
        let _ = writeln!(
            self.predictions,
            "{image},{label},{first},{probability},{correct},{second},{third},{fourth},{fifth},"
        );
    }

    /// Adds an image that cannot be read.
    pub fn add_unreadable(&mut self, image: &str, label: &str, error: &anyhow::Error) {
        let (image, label, error) = (quoted(image), quoted(label), quoted(&one_line(error)));
        let _ = writeln!(self.predictions, "{image},{label},,,,,,,,{error}");
    }

    /// Writes the metrics and the predictions, replacing older ones.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, report: &ModelEvaluation) -> Result<()> {
        self.folder.write(PREDICTIONS, &self.predictions)?;
        self.folder.write(EVALUATION, &report.json()?)
    }

    /// Writes the page with its plots, replacing older ones, and returns its path; `again` reproduces it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_page(
        &self,
        report: &ModelEvaluation,
        evaluation_report: &EvaluationReport,
        again: Again,
    ) -> Result<PathBuf> {
        write_page(self.folder.path(), &page(report, evaluation_report, again))?;
        Ok(self.folder.path().join(REPORT))
    }
}
