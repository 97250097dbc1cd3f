//! A report: one HTML file, of a run or of an evaluation, that needs no other file and no network.
//!
//! The result comes first, then where it comes from: curves, classes, confusion, mistakes, calibration, Grad-CAM, data, and
//! at the end what reproduces it. Everything can be read without the script; with it charts answer to pointer and keys, tables
//! sort and filter, and images open in a dialog.

mod calibration;
mod chart;
mod classes;
pub(crate) mod comparison;
mod confusion;
mod curves;
mod data;
mod heading;
mod html;
mod images;
mod reproduce;

use anyhow::Result;
use serde_json::json;

use super::evaluation_report::EvaluationReport;
use crate::data::DatasetSurvey;
pub use curves::{Learning, StepPoint};
pub use data::shared;
pub use heading::{Heading, Headline};
use html::Html;
pub use reproduce::{Again, Settings};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// The page's policy: it loads nothing but its own content.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The content of a report.
#[derive(Debug, Clone, Default)]
pub struct Page<'a> {
    /// The run or the model, and the date.
    pub heading: Heading,
    /// The result.
    pub headline: Headline,
    /// The curves of the run.
    pub learning: Option<Learning<'a>>,
    /// The evaluation with its images.
    pub evaluation_report: Option<&'a EvaluationReport>,
    /// The dataset, if it was surveyed.
    pub data: Option<&'a DatasetSurvey>,
    /// The settings of the run.
    pub settings: Vec<Settings>,
    /// The command and the machine.
    pub again: Again,
}

impl Page<'_> {
    /// Returns the whole file.
    ///
    /// # Errors
    /// Never: any page can be written.
    pub fn html(&self) -> Result<String> {
        let mut page = Html::default();
        begin(&mut page, &self.heading.title());
        self.heading.write(&mut page);
        self.headline.write(&mut page);
        let has_images = self
            .evaluation_report
            .is_some_and(|evaluation_report| !evaluation_report.is_empty());
        navigation(
            &mut page,
            &[
                ("curves", "Curves", self.learning.is_some()),
                ("classes", "Classes", has_images),
                ("confusion", "Confusion", has_images),
                ("mistakes", "Mistakes", has_images),
                ("calibration", "Calibration", has_images),
                (
                    "cam",
                    "Grad-CAM",
                    self.evaluation_report
                        .is_some_and(|evaluation_report| !evaluation_report.explained.is_empty()),
                ),
                (
                    "data",
                    "Data",
                    self.data.is_some()
                        || self
                            .evaluation_report
                            .is_some_and(|evaluation_report| !evaluation_report.spread.is_empty()),
                ),
                ("settings", "Settings", !self.settings.is_empty()),
                ("reproduce", "Reproduce", true),
            ],
        );
        page.raw("<main>\n");
        if let Some(learning) = &self.learning {
            curves::section(&mut page, learning);
        }
        if let Some(evaluation_report) = self.evaluation_report.filter(|_| has_images) {
            classes::section(&mut page, evaluation_report);
            confusion::section(&mut page, evaluation_report)?;
            images::mistakes(&mut page, evaluation_report);
            calibration::section(&mut page, evaluation_report);
            images::cams(&mut page, evaluation_report);
        }
        let evaluation_report = self.evaluation_report.filter(|_| has_images);
        data::section(&mut page, self.data, evaluation_report);
        reproduce::settings(&mut page, &self.settings);
        reproduce::section(&mut page, &self.again);
        page.raw("</main>\n");
        end(&mut page, &self.data())?;
        Ok(page.finish())
    }

    /// Returns the data of the script.
    fn data(&self) -> serde_json::Value {
        let learning = self.learning.as_ref();
        let evaluation_report = self.evaluation_report;
        json!({
            "epochs": learning.map_or(&[][..], |learning| learning.epochs),
            "steps": learning.map_or(Vec::new(), Learning::steps_for_script),
            "labels": evaluation_report.map(|evaluation_report| &evaluation_report.labels),
            "images": evaluation_report.map(|evaluation_report| &evaluation_report.thumbnails),
            "cells": evaluation_report.map(|evaluation_report| &evaluation_report.cells),
        })
    }
}

/// Begins a page.
fn begin(page: &mut Html, title: &str) {
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw(&format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"
    ));
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.element("title", title);
    page.raw(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n"));
}

/// Writes links to the sections, under the headings that they have there.
fn navigation(page: &mut Html, sections: &[(&str, &str, bool)]) {
    page.raw("<nav aria-label=\"Sections\">\n");
    page.raw("<a href=\"#top\">Result</a>\n");
    for (id, name, _) in sections.iter().filter(|(.., is_there)| *is_there) {
        page.raw(&format!("<a href=\"#{id}\">{name}</a>\n"));
    }
    page.raw("</nav>\n");
}

/// Ends a page with the dialog that images open in, its data and its script.
fn end(page: &mut Html, data: &impl serde::Serialize) -> Result<()> {
    page.raw("<dialog id=\"viewer\" aria-labelledby=\"viewer-title\"><header><h2 id=\"viewer-title\"></h2><button type=\"button\" class=\"close\" aria-label=\"Close\">✕</button></header><div class=\"body\"></div></dialog>\n");
    page.data("page-data", data)?;
    page.raw(&format!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    Ok(())
}
