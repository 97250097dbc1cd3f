//! The page of a comparison: models side by side on the same images, in the style of a report.

mod curves;
mod images;
mod model_names;
mod tables;

use anyhow::Result;
use serde_json::{Value, json};

use super::heading::Heading;
use super::html::{Html, escape, name};
use super::reproduce::{self, Again};
use super::{begin, end, navigation};
use crate::data::DecodeOptions;
use crate::data::dataset::Split;
use crate::report::comparison::{Comparison, PairwiseTest};
use crate::report::date::Date;
use crate::text::pluralize;
use images::Images;
use model_names::{NAME, best, short_names};

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
        let images = Images {
            comparison,
            split: self.split,
            labels: self.labels,
            decoding: &self.decoding,
            names: &names,
        };
        let images = images.section(&mut page);
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

/// Returns a caption without its remarks, which stand below the result.
fn measured_on(caption: &str) -> &str {
    let before = caption.split_once("; optimistic");
    before.map_or(caption, |(before, _)| before)
}

/// Writes the best model in large letters, its tests, and why figures are optimistic; ends the header.
fn verdict(page: &mut Html, comparison: &Comparison, names: &[String]) {
    let models = &comparison.models;
    let best = best(models);
    let of_best =
        |pair: &&PairwiseTest| pair.models.iter().any(|model| *model == models[best].model);
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
