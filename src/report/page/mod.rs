//! A report: one HTML file that needs nothing else, of a run or of an evaluation.
//!
//! Everything can be read without its script; with it curves answer to the pointer and the arrow keys, tables sort and filter,
//! and cells of the confusion matrix show their pictures. The page forbids itself the network.

mod html;
mod learning;
mod sections;

use anyhow::Result;
use serde_json::json;

use super::examined::Examined;
use super::plot::{Figure, dark_style};
use crate::train::watch::Epoch;
use html::Html;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// What the page may load: nothing but what is in it.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// What a report tells.
#[derive(Debug, Clone, Default)]
pub struct Page<'a> {
    /// What was trained or evaluated.
    pub title: String,
    /// What came of it, in a sentence or two.
    pub summary: Vec<String>,
    /// Figures under their names.
    pub facts: Vec<(&'static str, String)>,
    /// How the run went.
    pub learning: Option<Learning<'a>>,
    /// Where the net is right and where it fails.
    pub examined: Option<&'a Examined>,
    /// What makes it again.
    pub again: Again,
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Learning<'a> {
    /// The finished epochs.
    pub epochs: &'a [Epoch],
    /// The number of the best.
    pub best: Option<u64>,
    /// Their curves.
    pub curves: &'a Figure,
}

/// What makes a run or an evaluation again.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// The command.
    pub command: Option<String>,
    /// The configuration's file name, and what is in it.
    pub config: Option<(String, String)>,
    /// The versions and the machine.
    pub environment: Vec<(&'static str, String)>,
}

impl Page<'_> {
    /// The whole file.
    ///
    /// # Errors
    /// Never: any page can be written.
    pub fn html(&self) -> Result<String> {
        let mut page = Html::default();
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.raw(&format!(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n"
        ));
        page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        page.element("title", &self.title);
        page.raw(&format!(
            "<style>\n{STYLE}{}\n</style>\n</head>\n<body>\n",
            dark_style()
        ));
        self.header(&mut page);
        page.raw("<main>\n");
        if let Some(learning) = &self.learning {
            learning::section(&mut page, learning);
        }
        if let Some(examined) = self.examined {
            sections::failures(&mut page, examined)?;
            sections::pictures(&mut page, examined);
        }
        sections::again(&mut page, &self.again);
        page.raw("</main>\n");
        page.data("data", &self.data())?;
        page.raw(&format!("<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
        Ok(page.finish())
    }

    fn header(&self, page: &mut Html) {
        page.raw("<header>\n");
        page.element("h1", &self.title);
        for sentence in &self.summary {
            page.element("p", sentence);
        }
        page.facts(&self.facts);
        page.raw("<nav aria-label=\"Sections\">\n");
        let sections = [
            ("learning", "How it went", self.learning.is_some()),
            ("classes", "Classes", self.examined.is_some()),
            ("confusion", "Confusion", self.examined.is_some()),
            ("mistakes", "Mistakes", self.examined.is_some()),
            ("calibration", "Confidence", self.examined.is_some()),
            (
                "looks",
                "What it looks at",
                self.examined
                    .is_some_and(|examined| !examined.explained.is_empty()),
            ),
            ("pictures", "Pictures", self.examined.is_some()),
            ("again", "Make it again", true),
        ];
        for (id, name, _) in sections.iter().filter(|(.., is_there)| *is_there) {
            page.raw(&format!("<a href=\"#{id}\">{name}</a>\n"));
        }
        page.raw("</nav>\n</header>\n");
    }

    /// What the script knows.
    fn data(&self) -> serde_json::Value {
        let learning = self.learning.as_ref();
        let panels = learning.map_or(&[][..], |learning| &learning.curves.panels);
        let epochs = learning.map_or(&[][..], |learning| learning.epochs);
        let examined = self.examined;
        json!({
            "panels": panels,
            "epochs": epochs,
            "labels": examined.map(|examined| &examined.labels),
            "pictures": examined.map(|examined| &examined.pictures),
            "cells": examined.map(|examined| &examined.cells),
        })
    }
}
