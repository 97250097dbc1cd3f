//! The images that one of the compared models alone classifies correctly.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::html::{Html, escape, file_name, name};
use super::model_names::{NAME, badge};
use crate::data::DecodeOptions;
use crate::data::dataset::Split;
use crate::data::image::large_images::LargeImageGate;
use crate::report::comparison::Comparison;
use crate::report::thumbnail;
use crate::text::pluralize;

/// Images shown per model.
const IMAGES: usize = 8;
/// Other models whose predictions are below an image.
const OTHERS: usize = 3;
/// Longer side of an image, in pixels.
const SIDE: u32 = 224;

/// An image that one model alone classifies correctly.
struct Thumbnail {
    /// Its position in [`Comparison::indices`].
    place: usize,
    name: String,
    uri: String,
    size: [u32; 2],
}

/// The images of a comparison.
pub struct Images<'a> {
    pub comparison: &'a Comparison,
    /// The images, in the classes of the dataset.
    pub split: &'a Split,
    /// Names of the dataset's classes.
    pub labels: &'a [String],
    pub decoding: &'a DecodeOptions,
    /// Short names of the models.
    pub names: &'a [String],
}

impl Images<'_> {
    /// Writes the images that only one model classifies correctly, and returns the script's data on them.
    pub fn section(&self, page: &mut Html) -> ScriptImages {
        page.section(
            "images",
            "Images",
            "What only one of the models classifies correctly, its most confident predictions first.",
        );
        let mut known = ScriptImages::default();
        let gate = LargeImageGate::default();
        for (model, model_name) in self.names.iter().enumerate() {
            let places = self.comparison.only_correct(model);
            page.raw(&format!(
                "<h3>{} Only {}: {}</h3>\n",
                badge(model),
                name(model_name, NAME),
                pluralize(places.len(), "image")
            ));
            let shown = places.iter().take(IMAGES);
            let shown: Vec<Thumbnail> = shown
                .filter_map(|&place| self.thumbnail(place, &gate))
                .collect();
            if shown.is_empty() {
                continue;
            }
            page.raw("<ul class=\"tiles\">\n");
            for image in shown {
                self.tile(page, &mut known, model, &image);
            }
            page.raw("</ul>\n");
        }
        page.raw("</section>\n");
        known
    }

    fn thumbnail(&self, place: usize, gate: &LargeImageGate) -> Option<Thumbnail> {
        let index = self.comparison.indices[place];
        let small = |image: &image::RgbImage| thumbnail::thumbnail(image, SIDE);
        let read = self.split.with_image(index, self.decoding, gate, small);
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
        Some(Thumbnail {
            place,
            name,
            uri,
            size,
        })
    }

    fn tile(&self, page: &mut Html, known: &mut ScriptImages, model: usize, image: &Thumbnail) {
        let truth = self.split.classes()[self.comparison.indices[image.place]];
        let truth = self.labels.get(truth as usize).map_or("", String::as_str);
        let models = &self.comparison.models;
        let prediction = |at: usize| {
            let result = &models[at].results[image.place];
            let label = models[at].labels.get(result.predicted);
            // The classes of a model may be named differently.
            let label = if result.is_correct() {
                truth
            } else {
                label.map_or("", String::as_str)
            };
            (at, label, result.probability)
        };
        let others = (0..models.len()).filter(|at| *at != model);
        let predictions: Vec<_> = std::iter::once(model)
            .chain(others)
            .take(1 + OTHERS)
            .map(prediction)
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
            100.0 * predictions[0].2
        ));
        for (at, label, probability) in &predictions[1..] {
            page.raw(&format!(
                "<span class=\"verdict\">{} <b class=\"mistake\">{}</b> <span class=\"percent\">{:.0} %</span></span>",
                badge(*at),
                name(label, NAME),
                100.0 * probability
            ));
        }
        page.raw(&format!(
            "<span class=\"file\">{}</span></button></li>\n",
            file_name(&image.name, 34)
        ));
        let class = known.label(truth);
        let predictions: Vec<Value> = predictions
            .iter()
            .map(|(at, label, probability)| {
                json!([self.names[*at], known.label(label), probability])
            })
            .collect();
        known.values.push(json!({
            "uri": image.uri, "size": image.size, "name": image.name, "class": class, "predictions": predictions,
        }));
    }
}

/// The script's data on images.
#[derive(Default)]
pub struct ScriptImages {
    pub labels: Vec<String>,
    numbers: HashMap<String, usize>,
    pub values: Vec<Value>,
}

impl ScriptImages {
    fn label(&mut self, label: &str) -> usize {
        *self.numbers.entry(label.to_owned()).or_insert_with(|| {
            self.labels.push(label.to_owned());
            self.labels.len() - 1
        })
    }
}
