//! The page of a comparison: models side by side on the same images, in the style of a report.

mod curves;
mod images;
mod tables;

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::heading::Heading;
use super::html::{Html, escape, name};
use super::reproduce::{self, Again};
use super::{begin, end, navigation};
use crate::data::DecodeOptions;
use crate::data::sets::Split;
use crate::report::comparison::{Compared, Comparison, Pair};
use crate::report::date::Date;
use crate::text::pluralize;

/// Colors of models, as the style sheet has them.
const COLORS: usize = 8;
/// Columns of a model's name.
const NAME: usize = 30;

/// The page of a comparison.
#[derive(Debug)]
pub struct ComparisonPage<'a> {
    /// The figures.
    pub comparison: &'a Comparison,
    /// The images, in the classes of the dataset.
    pub split: &'a Split,
    /// Names of the dataset's classes.
    pub labels: &'a [String],
    /// Options of reading image files.
    pub decoding: DecodeOptions,
    /// The command and the machine.
    pub again: Again,
}

impl ComparisonPage<'_> {
    /// Returns the whole file.
    ///
    /// # Errors
    /// Never: any comparison can be written.
    pub fn html(&self) -> Result<String> {
        let Self { comparison, .. } = self;
        let names = short_names(&comparison.models);
        let mut page = Html::default();
        let heading = Heading {
            name: format!("Comparison of {}", pluralize(names.len(), "model")),
            what: measured_on(&comparison.caption).to_owned(),
            detail: String::new(),
            date: Some(Date::now()),
        };
        begin(&mut page, &heading.title());
        heading.write(&mut page);
        verdict(&mut page, comparison, &names);
        let has_curves = comparison
            .models
            .iter()
            .any(|model| !model.curves.is_empty());
        navigation(
            &mut page,
            &[
                ("models", "Models", true),
                ("tests", "Paired tests", true),
                ("curves", "Curves", has_curves),
                ("settings", "Settings", !comparison.settings.is_empty()),
                ("images", "Images", true),
                ("reproduce", "Reproduce", true),
            ],
        );
        page.raw("<main>\n");
        tables::models(&mut page, comparison, &names);
        tables::tests(&mut page, comparison, &names);
        if has_curves {
            curves::curves(&mut page, comparison, &names);
        }
        tables::settings(&mut page, comparison, &names);
        let images = self.images(&mut page, &names);
        reproduce::section(&mut page, &self.again);
        page.raw("</main>\n");
        let models: Vec<Value> = comparison
            .models
            .iter()
            .zip(&names)
            .map(|(model, name)| json!({"name": name, "epochs": model.curves}))
            .collect();
        end(
            &mut page,
            &json!({"models": models, "labels": images.labels, "images": images.values}),
        )?;
        Ok(page.finish())
    }
}

/// A caption without its remarks, which stand below the result.
fn measured_on(caption: &str) -> &str {
    let before = caption.split_once("; optimistic");
    before.map_or(caption, |(before, _)| before)
}

/// The number and the name of a model, in its color.
fn badge(place: usize) -> String {
    format!("<i class=\"badge s{}\">{}</i>", place % COLORS, place + 1)
}

/// The models' names without the folders before them, where these are enough to tell them apart.
fn short_names(models: &[Compared]) -> Vec<String> {
    let whole = |model: &Compared| model.model.clone();
    let short = |model: &Compared| {
        let name = Path::new(&model.model).file_name();
        name.map_or_else(|| whole(model), |name| name.to_string_lossy().into_owned())
    };
    let names: Vec<String> = models.iter().map(short).collect();
    let distinct: HashSet<&String> = names.iter().collect();
    if distinct.len() == names.len() {
        names
    } else {
        models.iter().map(whole).collect()
    }
}

/// The place of the model with the highest top-1, the first of equal ones.
fn best(models: &[Compared]) -> usize {
    let places = (0..models.len()).rev();
    let best = places.max_by(|a, b| models[*a].top1.total_cmp(&models[*b].top1));
    best.unwrap_or(0)
}

/// Writes the best model in large letters, its tests, and why figures are optimistic; ends the header.
fn verdict(page: &mut Html, comparison: &Comparison, names: &[String]) {
    let models = &comparison.models;
    let best = best(models);
    let of_best = |pair: &&Pair| pair.models.iter().any(|model| *model == models[best].model);
    let all = comparison.pairs.iter().filter(of_best);
    let better = all.clone().filter(|pair| pair.differs()).count();
    let others = all.count();
    let says = match (better, others) {
        (0, 1) => "These images show no difference from the other model.".to_owned(),
        (0, _) => "These images show no difference from any other model.".to_owned(),
        (1, 1) => "Better than the other model (paired test).".to_owned(),
        (all, others) if all == others => {
            "Better than every other model (paired tests).".to_owned()
        }
        (some, others) => format!(
            "Better than {some} of {others} other models; no difference shown from the rest (paired tests)."
        ),
    };
    let model = &models[best];
    page.raw("<div class=\"result\">\n<div class=\"score\">");
    page.raw(&format!(
        "<p class=\"large\">{:.2}<small> %</small></p>\n<p class=\"of\"><b>best top-1 accuracy</b>: {}</p>\n<p class=\"interval\"><i style=\"--low:{:.2};--high:{:.2};--at:{:.2}\"></i><span>95&nbsp;% interval {:.1} to {:.1}&nbsp;%</span></p></div>\n<p class=\"says\">{}</p></div>\n",
        model.top1,
        name(&names[best], NAME),
        model.top1_low,
        model.top1_high,
        model.top1,
        model.top1_low,
        model.top1_high,
        escape(&says)
    ));
    for (remark, about) in comparison.remarks() {
        let about: Vec<&str> = about.iter().map(|&place| names[place].as_str()).collect();
        page.raw(&format!(
            "<p class=\"warning\" role=\"note\"><b>Optimistic</b> {} ({})</p>\n",
            escape(remark),
            escape(&about.join(", "))
        ));
    }
    if comparison.skipped > 0 {
        page.raw(&format!(
            "<p class=\"note\">{} could not be read for all models and were left out.</p>\n",
            pluralize(comparison.skipped, "image")
        ));
    }
    page.raw("</header>\n");
}
