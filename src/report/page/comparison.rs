//! The page of a comparison: models side by side on the same images, in the style of a report.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::chart::{Chart, Line};
use super::heading::Heading;
use super::html::{Html, count, escape, name};
use super::reproduce::{self, Again};
use super::{begin, end, navigation};
use crate::data::DecodeOptions;
use crate::data::sets::Split;
use crate::data::turns::Turns;
use crate::eval::comparison::LEVEL;
use crate::eval::{Compared, Comparison};
use crate::report::date::Date;
use crate::report::pictures::thumbnail;
use crate::report::thousands;
use crate::train::Epoch;

/// Images shown of those that one model alone classifies correctly.
const IMAGES: usize = 8;
/// Other models whose predictions stand below an image.
const OTHERS: usize = 3;
/// Longer side of an image, in pixels.
const SIDE: u32 = 224;
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
    /// How image files are read.
    pub decoding: DecodeOptions,
    /// What reproduces it.
    pub again: Again,
}

/// An image that one model alone classifies correctly.
struct Shown {
    /// Its place in [`Comparison::indices`].
    place: usize,
    name: String,
    uri: String,
    size: [u32; 2],
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
            name: format!("Comparison of {}", count(names.len(), "model")),
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
        models(&mut page, comparison, &names);
        tests(&mut page, comparison, &names);
        if has_curves {
            curves(&mut page, comparison, &names);
        }
        settings(&mut page, comparison, &names);
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
            &json!({"models": models, "labels": images.labels, "pictures": images.values}),
        )?;
        Ok(page.finish())
    }

    /// Writes the images that only one model classifies correctly, and returns what the script has of them.
    fn images(&self, page: &mut Html, names: &[String]) -> ForScript {
        page.section(
            "images",
            "Images",
            "What only one of the models classifies correctly, its most confident predictions first.",
        );
        let mut known = ForScript::default();
        let turns = Turns::default();
        for (model, model_name) in names.iter().enumerate() {
            let places = self.comparison.only_correct(model);
            page.raw(&format!(
                "<h3>{} Only {}: {}</h3>\n",
                badge(model),
                name(model_name, NAME),
                count(places.len(), "image")
            ));
            let shown = places.iter().take(IMAGES);
            let shown: Vec<Shown> = shown
                .filter_map(|&place| self.shown(place, &turns))
                .collect();
            if shown.is_empty() {
                continue;
            }
            page.raw("<ul class=\"tiles\">\n");
            for image in shown {
                self.tile(page, &mut known, (model, names), image);
            }
            page.raw("</ul>\n");
        }
        page.raw("</section>\n");
        known
    }

    fn shown(&self, place: usize, turns: &Turns) -> Option<Shown> {
        let index = self.comparison.indices[place];
        let small = |image: &image::RgbImage| thumbnail(image, SIDE);
        let read = self.split.with_picture(index, &self.decoding, turns, small);
        let (uri, size) = read.ok()?;
        let name = match self.split.file(index) {
            // The class folder and the file tell it.
            Some(file) => {
                let parts: Vec<_> = file.iter().rev().take(2).collect();
                let parts: Vec<_> = parts
                    .iter()
                    .rev()
                    .map(|part| part.to_string_lossy())
                    .collect();
                parts.join("/")
            }
            None => self.split.name(index),
        };
        Some(Shown {
            place,
            name,
            uri,
            size,
        })
    }

    fn tile(
        &self,
        page: &mut Html,
        known: &mut ForScript,
        (model, names): (usize, &[String]),
        image: Shown,
    ) {
        let truth = self.split.classes()[self.comparison.indices[image.place]];
        let truth = self.labels.get(truth as usize).map_or("", String::as_str);
        let models = &self.comparison.models;
        let guess = |at: usize| {
            let judgement = &models[at].judgements[image.place];
            let label = models[at].labels.get(judgement.predicted);
            // The classes of a model may be named differently.
            let label = if judgement.is_right() {
                truth
            } else {
                label.map_or("", String::as_str)
            };
            (at, label, judgement.probability)
        };
        let others = (0..models.len()).filter(|at| *at != model);
        let guesses: Vec<_> = std::iter::once(model)
            .chain(others)
            .take(1 + OTHERS)
            .map(guess)
            .collect();
        let small = if image.size.iter().all(|side| *side <= 64) {
            " class=\"small\""
        } else {
            ""
        };
        page.raw(&format!(
            "<li><button type=\"button\" data-image=\"{}\"><img{small} src=\"{}\" alt=\"{}\" width=\"{}\" height=\"{}\">",
            known.values.len(),
            image.uri,
            escape(&image.name),
            image.size[0],
            image.size[1]
        ));
        page.raw(&format!(
            "<span class=\"verdict\">{} <span class=\"correct\" aria-hidden=\"true\">✓</span> {} <span class=\"percent\">{:.0} %</span></span>",
            badge(model),
            name(truth, NAME),
            100.0 * guesses[0].2
        ));
        for (at, label, probability) in &guesses[1..] {
            page.raw(&format!(
                "<span class=\"verdict\">{} <b class=\"mistake\">{}</b> <span class=\"percent\">{:.0} %</span></span>",
                badge(*at),
                name(label, NAME),
                100.0 * probability
            ));
        }
        page.raw(&format!(
            "<span class=\"file\">{}</span></button></li>\n",
            name(&image.name, 34)
        ));
        let class = known.label(truth);
        let guesses: Vec<Value> = guesses
            .iter()
            .map(|(at, label, probability)| json!([names[*at], known.label(label), probability]))
            .collect();
        known.values.push(json!({
            "uri": image.uri, "size": image.size, "name": image.name, "class": class, "guesses": guesses,
        }));
    }
}

/// What the script has of images.
#[derive(Default)]
struct ForScript {
    labels: Vec<String>,
    numbers: HashMap<String, usize>,
    values: Vec<Value>,
}

impl ForScript {
    fn label(&mut self, label: &str) -> usize {
        *self.numbers.entry(label.to_owned()).or_insert_with(|| {
            self.labels.push(label.to_owned());
            self.labels.len() - 1
        })
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
    let distinct: std::collections::HashSet<&String> = names.iter().collect();
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

/// The best model in large letters, what the tests say of it, and why figures mislead; ends the header.
fn verdict(page: &mut Html, comparison: &Comparison, names: &[String]) {
    let models = &comparison.models;
    let best = best(models);
    let of_best = |pair: &&crate::eval::comparison::Pair| {
        pair.models.iter().any(|model| *model == models[best].model)
    };
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
            count(comparison.skipped, "image")
        ));
    }
    page.raw("</header>\n");
}

/// The figures of each model.
fn models(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section("models", "Models", "");
    let low = comparison.models.iter().map(|model| model.top1_low);
    let low = low.fold(100.0, f64::min);
    let high = comparison.models.iter().map(|model| model.top1_high);
    let high = high.fold(0.0, f64::max);
    let extent = (high - low).max(1e-9);
    page.raw("<div class=\"scroll\"><table id=\"model-table\" class=\"full cards\">\n");
    page.head(
        &[
            ("model", false),
            ("top-1, %", true),
            ("95 % interval", true),
            ("top-5, %", true),
            ("loss", true),
            ("parameters", true),
            ("mult-adds", true),
            ("images/s", true),
        ],
        None,
    );
    page.raw("<tbody>\n");
    let best = best(&comparison.models);
    for (place, (model, model_name)) in comparison.models.iter().zip(names).enumerate() {
        page.raw(if place == best {
            "<tr class=\"top\">"
        } else {
            "<tr>"
        });
        page.raw(&format!(
            "<td class=\"name\">{} {}</td>",
            badge(place),
            name(model_name, NAME)
        ));
        page.named_cell("top-1, %", &format!("{:.2}", model.top1), model.top1);
        let at = |value: f64| 100.0 * (value - low) / extent;
        page.raw(&format!(
            "<td class=\"number range\" data-name=\"95 % interval\" data-value=\"{}\"><span class=\"s{}\"><i style=\"left:{:.1}%;right:{:.1}%\"></i><b style=\"left:{:.1}%\"></b></span>{:.2}–{:.2}</td>",
            model.top1_low,
            place % COLORS,
            at(model.top1_low),
            100.0 - at(model.top1_high),
            at(model.top1),
            model.top1_low,
            model.top1_high
        ));
        let top5 = model.top5.map(|top5| format!("{top5:.2}"));
        page.named_cell(
            "top-5, %",
            top5.as_deref().unwrap_or("–"),
            model.top5.unwrap_or(-1.0),
        );
        page.named_cell("loss", &format!("{:.4}", model.loss), model.loss);
        let parameters = thousands(model.parameters as usize);
        page.named_cell("parameters", &parameters, model.parameters as f64);
        let mult_adds = format!("{:.2} G", model.mult_adds as f64 / 1e9);
        page.named_cell("mult-adds", &mult_adds, model.mult_adds as f64);
        let speed = thousands(model.images_per_second.round() as usize);
        page.named_cell("images/s", &speed, model.images_per_second);
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

/// Every two models, and whether they differ.
fn tests(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section(
        "tests",
        "Paired tests",
        "McNemar's exact test of the images that only one of two models classifies correctly.",
    );
    let place = |model: &str| {
        let place = comparison.models.iter().position(|one| one.model == model);
        place.unwrap_or(0)
    };
    let several = comparison.pairs.len() > 1;
    page.raw("<div class=\"scroll tall\"><table id=\"test-table\" class=\"full cards\">\n");
    let mut columns = vec![
        ("first", false),
        ("second", false),
        ("only first correct", true),
        ("only second correct", true),
        ("p", true),
    ];
    if several {
        columns.push(("p, adjusted", true));
    }
    columns.push(("verdict", false));
    page.head(&columns, None);
    page.raw("<tbody>\n");
    for pair in &comparison.pairs {
        let [first, second] = pair.models.each_ref().map(|model| place(model));
        page.raw("<tr>");
        for place in [first, second] {
            page.raw(&format!(
                "<td class=\"name\">{} {}</td>",
                badge(place),
                name(&names[place], NAME)
            ));
        }
        for (column, images) in [
            ("only first correct", pair.only_first),
            ("only second correct", pair.only_second),
        ] {
            page.named_cell(column, &thousands(images), images as f64);
        }
        page.named_cell("p", &probability(pair.p), pair.p);
        if several {
            page.named_cell("p, adjusted", &probability(pair.p_holm), pair.p_holm);
        }
        let verdict = match (pair.differs(), pair.only_first > pair.only_second) {
            (false, _) => "no difference shown".to_owned(),
            (true, is_first) => format!(
                "{} <b>is better</b>",
                badge(if is_first { first } else { second })
            ),
        };
        page.raw(&format!("<td class=\"verdict\">{verdict}</td></tr>\n"));
    }
    page.raw("</tbody></table></div>\n");
    let adjusted = if several {
        format!(
            ", adjusted for {} pairs by Holm's method",
            comparison.pairs.len()
        )
    } else {
        String::new()
    };
    page.raw(&format!(
        "<p class=\"note\">Two models differ if p{adjusted} is below {LEVEL}.</p>\n</section>\n"
    ));
}

/// A p value in few letters.
fn probability(p: f64) -> String {
    match p {
        none if none < 1e-300 => "<1e-300".to_owned(),
        small if small < 0.001 => format!("{small:.0e}"),
        p => format!("{p:.4}"),
    }
}

/// The epochs of the models' runs.
fn curves(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section("curves", "Curves", "");
    page.raw("<div class=\"charts pairs\" tabindex=\"0\" role=\"group\" aria-label=\"Curves\" aria-describedby=\"reading\">\n");
    type Of = fn(&Epoch) -> Option<f64>;
    let charts: [(&str, &str, Of, f64); 4] = [
        (
            "Validation top-1, %; circled: best",
            " %",
            |epoch| epoch.val_top1,
            100.0,
        ),
        (
            "Training top-1, %",
            " %",
            |epoch| Some(epoch.train_top1),
            100.0,
        ),
        ("Validation loss", "", |epoch| epoch.val_loss, f64::INFINITY),
        (
            "Training loss",
            "",
            |epoch| Some(epoch.train_loss),
            f64::INFINITY,
        ),
    ];
    for (title, unit, of, most) in charts {
        let lines = comparison.models.iter().zip(names).enumerate();
        let lines = lines.map(|(place, (model, name))| Line {
            name: name.clone(),
            class: format!("s{}", place % COLORS),
            has_dots: model.curves.len() <= 30,
            is_faint: false,
            points: model
                .curves
                .iter()
                .filter_map(|epoch| Some((epoch.epoch as f64, of(epoch)?)))
                .collect(),
        });
        let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
        // The best epoch of each model.
        let is_best = title == charts[0].0;
        let best = lines.iter().filter(|_| is_best).filter_map(|line| {
            let points = line.points.iter().rev();
            let (at, value) = points.max_by(|a, b| a.1.total_cmp(&b.1))?;
            Some((*at, *value, line.class.clone()))
        });
        if !lines.is_empty() {
            Chart {
                title: title.to_owned(),
                unit,
                rings: best.collect(),
                lines,
                bounds: [0.0, most],
                has_end_labels: true,
                ..Chart::default()
            }
            .write(page);
        }
    }
    page.raw("</div>\n<p id=\"reading\" class=\"reading\" aria-live=\"polite\"><span class=\"fine\">Point at a chart for its values, or use the arrow keys.</span><span class=\"coarse\">Tap a chart for its values.</span></p>\n</section>\n");
}

/// The settings in which the runs differ.
fn settings(page: &mut Html, comparison: &Comparison, names: &[String]) {
    if comparison.settings.is_empty() {
        return;
    }
    page.section("settings", "Settings", "Only those that differ.");
    page.raw("<div class=\"scroll\"><table id=\"settings-table\">\n<thead><tr><th scope=\"col\">setting</th>");
    for (place, model) in names.iter().enumerate() {
        page.raw(&format!(
            "<th scope=\"col\">{} {}</th>",
            badge(place),
            name(model, NAME)
        ));
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for difference in &comparison.settings {
        page.raw(&format!(
            "<tr><th scope=\"row\"><code>{}</code></th>",
            escape(&difference.key)
        ));
        for value in &difference.values {
            page.cell(value.as_deref().unwrap_or("–").trim_matches('"'), None);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_short() {
        let shown = [1.0, 0.05, 0.000_33, 1.2e-55, 0.0].map(probability);
        assert_eq!(shown, ["1.0000", "0.0500", "3e-4", "1e-55", "<1e-300"]);
    }
}
