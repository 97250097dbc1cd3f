//! What an evaluation leaves in a folder: `evaluation.json`, `predictions.csv` with a line a picture, and the report with its
//! plots.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::Evaluation;
use crate::error::{hinted, misuse, one_line};
use crate::predict::Prediction;
use crate::report::csv::quoted;
use crate::report::examined::Examined;
use crate::report::page::{Again, Page};
use crate::report::{PLOTS, REPORT, write_page};
use crate::train::is_run;
use crate::weights::{temporary_beside, write_whole};
use crate::words::counted;

/// The name of the file with the whole evaluation, as `resnet eval --format json` prints it.
pub const EVALUATION: &str = "evaluation.json";
/// The name of the file with the prediction of each picture.
pub const PREDICTIONS: &str = "predictions.csv";
/// Classes that a line of predictions names, the predicted one among them.
pub const TOP: usize = 5;

const HEADER: &str = "image,label,predicted,probability,correct,top2,top3,top4,top5,error\n";

/// An evaluation with what was evaluated on what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The model.
    pub model: String,
    /// The data, as the user wrote it.
    pub data: String,
    /// The split: `train`, `val`, `test`, or `all` for class folders without splits.
    pub split: String,
    /// The figures.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Whether these pictures also chose the model's epoch, so that the figures flatter it; written only where they did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chose_best: bool,
    /// Whether the model learnt from these pictures, or from most of them; written only where it did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learnt: bool,
    /// Why the figures are optimistic; `None`, and not written, if the images are new to the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<&'static str>,
    /// True if the images were held out of the training split for validation.
    #[serde(skip)]
    pub held_out: bool,
}

/// The page of an evaluation.
fn page<'a>(report: &Report, examined: &'a Examined, again: Again) -> Page<'a> {
    let remark = report.remark;
    let remark = remark.map_or(String::new(), |remark| format!(" (optimistic: {remark})"));
    Page {
        title: format!("{} on {}", report.model, report.data),
        summary: vec![format!(
            "{:.2} % top-1 on {}{remark}.",
            report.evaluation.top1,
            report.measured_on()
        )],
        facts: examined.facts(),
        examined: Some(examined),
        again,
        ..Page::default()
    }
}

impl Report {
    /// One line of JSON, its end included.
    ///
    /// # Errors
    /// Never: all of it can be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// The images that were evaluated: their number, and the split.
    fn measured_on(&self) -> String {
        let images = counted(self.evaluation.images, "image");
        let held_out = if self.held_out {
            ", held out in training"
        } else {
            ""
        };
        format!("{images} of {}, {}{held_out}", self.data, self.split)
    }
}

/// A folder that files were tried in before the long work that ends in them.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// Makes the folder where there is none and tries whether files of these `names` can be written there.
    ///
    /// # Errors
    /// Where they cannot, or a folder stands in a file's place.
    pub fn create(path: &Path, names: &[&str]) -> Result<Self> {
        let prepare = || -> Result<()> {
            fs::create_dir_all(path)?;
            for name in names {
                let file = path.join(name);
                if file.is_dir() {
                    return Err(hinted(
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, in the place of an older one.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_whole(&self.path.join(name), |file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }
}

/// The files of an evaluation that is under way; they appear at its end, each whole.
#[derive(Debug)]
pub struct Output {
    folder: OutputFolder,
    predictions: String,
}

impl Output {
    /// [`OutputFolder::create`] for an evaluation's files.
    ///
    /// # Errors
    /// Those of it.
    pub fn create(path: &Path) -> Result<Self> {
        if is_run(path) {
            return Err(misuse(
                format!(
                    "folder `{}` is a run's, with a report of its own",
                    path.display()
                ),
                "pass another folder",
            ));
        }
        let folder = OutputFolder::create(path, &[EVALUATION, PREDICTIONS, REPORT])?;
        let plots = path.join(PLOTS);
        if plots.exists() && !plots.is_dir() {
            return Err(hinted(
                format!(
                    "cannot write into folder `{}`: `{PLOTS}` in it is no folder",
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

    /// Adds a picture called `image`, whose class is named `label`; `top` are its most probable classes.
    pub fn picture(&mut self, image: &str, label: &str, correct: bool, top: &[Prediction]) {
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

    /// Adds a picture that cannot be read.
    pub fn unreadable(&mut self, image: &str, label: &str, error: &anyhow::Error) {
        let (image, label, error) = (quoted(image), quoted(label), quoted(&one_line(error)));
        let _ = writeln!(self.predictions, "{image},{label},,,,,,,,{error}");
    }

    /// Writes the figures and the predictions, in the place of older ones.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, report: &Report) -> Result<()> {
        self.folder.write(PREDICTIONS, &self.predictions)?;
        self.folder.write(EVALUATION, &report.json()?)
    }

    /// Writes the page with its plots, in the place of older ones, and returns where it is; `again` is what makes it again.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn show(&self, report: &Report, examined: &Examined, again: Again) -> Result<PathBuf> {
        write_page(self.folder.path(), &page(report, examined, again))?;
        Ok(self.folder.path().join(REPORT))
    }
}
