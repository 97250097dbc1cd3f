//! An evaluation as a report shows it, with small copies of selected images.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Result;
use image::imageops::FilterType;
use image::{RgbImage, imageops};
use rayon::prelude::*;
use serde::Serialize;

use super::plot::Figure;
use super::plot::classes::class_bars;
use super::plot::confusion::{NAMED, confusion_matrix};
use super::plot::gallery::{Tile, gallery};
use super::plot::reliability::reliability_diagram;
use super::selection::{EXPLAINED, OF_CELL, by_cell, varied};
use super::thumbnail::{shrunk, thumbnail};
use crate::data::DecodeOptions;
use crate::data::dataset::Split;
use crate::data::image::large_images::LargeImageGate;
use crate::eval::calibration::MIN_IMAGES;
use crate::eval::records::{self, Record};
use crate::eval::{Calibration, Evaluation};
use crate::explain::Explainer;
use crate::infer::CamTarget;

/// Images of the split, evenly spread.
const SPREAD: usize = 24;
/// Most confident mistakes.
const MISTAKES: usize = 24;
/// Confused pairs that have images, if not every cell has.
pub const PAIRS: usize = 200;
/// Thumbnails in total.
const THUMBNAILS: usize = 400;
/// Longer side of a small image, in pixels.
const SIDE: u32 = 128;
/// Longer side of a mistake or an explained image, which are shown larger.
const LARGE: u32 = 320;

/// An evaluation as a report shows it.
#[derive(Debug, Clone)]
pub struct EvaluationReport {
    /// The figures.
    pub evaluation: Evaluation,
    /// One name per class.
    pub labels: Vec<String>,
    /// Confidence and accuracy.
    pub calibration: Calibration,
    /// Small copies of the images that the other fields index.
    pub thumbnails: Vec<Thumbnail>,
    /// Indices of images that are evenly spread over the split.
    pub spread: Vec<usize>,
    /// Indices of the most confident mistakes.
    pub mistakes: Vec<usize>,
    /// The cells of the confusion matrix that have images: those off the diagonal with most of them first, then the diagonal; of
    /// many classes only the [`PAIRS`] most confused ones.
    pub cells: Vec<ConfusionCell>,
    /// Some of the images with their class activation maps.
    pub explained: Vec<ExplainedImage>,
}

/// An image with its class activation map.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedImage {
    /// Its index among the thumbnails.
    pub place: usize,
    /// The image under the map, as a data URI.
    pub uri: String,
}

/// A small copy of an image, with its prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thumbnail {
    /// Its index in the split.
    #[serde(skip)]
    pub index: usize,
    /// The image as a data URI.
    pub uri: String,
    /// Width and height.
    pub size: [u32; 2],
    /// Its file, or its name in the dataset.
    pub name: String,
    /// Its class.
    pub class: u32,
    /// The predicted class.
    pub predicted: u32,
    /// The probability of the predicted class.
    pub probability: f32,
}

/// A cell of the confusion matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfusionCell {
    /// The true class.
    pub class: u32,
    /// The class predicted.
    pub predicted: u32,
    /// The number of images.
    pub images: u64,
    /// Indices of some of them among the thumbnails.
    pub thumbnails: Vec<usize>,
}

impl EvaluationReport {
    /// Selects images of `split`, which was evaluated, and shrinks them. Images that can no longer be read are not shown.
    pub fn new(
        evaluation: Evaluation,
        labels: Vec<String>,
        split: &Split,
        decoding: &DecodeOptions,
    ) -> Self {
        let records = evaluation.records.as_slice();
        let spread = records::spread(records, SPREAD);
        let mistakes = records::worst_mistakes(records, MISTAKES);
        let mut by_cell = by_cell(records);
        if labels.len() > NAMED {
            by_cell.retain(|((class, predicted), _)| class != predicted);
            by_cell.truncate(PAIRS);
        }
        let mut chosen: BTreeMap<u32, Record> = BTreeMap::new();
        // One of each cell before a second of any.
        let rounds = (0..OF_CELL[0]).flat_map(|round| {
            let cells = by_cell.iter();
            cells.filter_map(move |(_, some)| some.get(round))
        });
        for record in spread.iter().chain(&mistakes).chain(rounds) {
            if chosen.len() < THUMBNAILS {
                chosen.insert(record.index, *record);
            }
        }
        let gate = LargeImageGate::default();
        let root = root(split);
        let chosen: Vec<Record> = chosen.into_values().collect();
        let correct = spread.iter().filter(|record| record.is_correct());
        let explained = varied(correct.map(|record| (record.class, record.index)));
        let large = mistakes.iter().map(|one| one.index);
        let large: HashSet<u32> = large.chain(explained).collect();
        let thumbnails: Vec<Thumbnail> = chosen
            .par_iter()
            .filter_map(|record| {
                let side = if large.contains(&record.index) {
                    LARGE
                } else {
                    SIDE
                };
                thumbnail_of(record, side, split, root, decoding, &gate)
            })
            .collect();
        let place = |record: &Record| {
            let index = record.index as usize;
            thumbnails
                .binary_search_by_key(&index, |thumbnail| thumbnail.index)
                .ok()
        };
        let places = |records: &[Record]| records.iter().filter_map(place).collect();
        let cells = by_cell
            .iter()
            .map(|((class, predicted), some)| ConfusionCell {
                class: *class,
                predicted: *predicted,
                images: evaluation.confusion[*class as usize][*predicted as usize],
                thumbnails: places(some),
            });
        let cells = cells.collect();
        Self {
            labels,
            calibration: records::calibration(records),
            spread: places(&spread),
            mistakes: places(&mistakes),
            cells,
            explained: Vec::new(),
            thumbnails,
            evaluation,
        }
    }

    /// Adds the class activation maps of some images by `explainer`, whose model was evaluated on `split`: of the most confident
    /// mistakes, and of as many correct images. Images that cannot be explained are left out.
    #[must_use]
    pub fn explained(
        mut self,
        explainer: &Explainer,
        split: &Split,
        decoding: &DecodeOptions,
    ) -> Self {
        let gate = LargeImageGate::default();
        let mut places: Vec<usize> = self.mistakes.iter().copied().take(EXPLAINED).collect();
        let correct = self.spread.iter().filter_map(|&place| {
            let thumbnail = &self.thumbnails[place];
            (thumbnail.class == thumbnail.predicted).then_some((thumbnail.class, place))
        });
        places.extend(varied(correct));
        let explain = |place: usize| {
            let index = self.thumbnails[place].index;
            let overlay = |image: &RgbImage| {
                let explanation = explainer.explain(image, CamTarget::Top)?;
                let (uri, _) = thumbnail(&explanation.overlay(&enlarged(image)), LARGE)?;
                Ok(uri)
            };
            let uri = split.with_image(index, decoding, &gate, overlay).ok()?;
            Some(ExplainedImage { place, uri })
        };
        self.explained = places.into_iter().filter_map(explain).collect();
        self
    }

    /// Returns true if no image was evaluated.
    pub fn is_empty(&self) -> bool {
        self.evaluation.images == 0
    }

    /// Returns the numbers of correct images and of all images.
    pub fn measured(&self) -> [usize; 2] {
        let confusion = self.evaluation.confusion.iter().enumerate();
        let correct: u64 = confusion.map(|(class, row)| row[class]).sum();
        [correct as usize, self.evaluation.images]
    }

    /// Returns the figures beside top-1, with their names.
    pub fn figures_beside(&self) -> Vec<(&'static str, String)> {
        let Evaluation {
            images,
            skipped,
            loss,
            top5,
            classes,
            ..
        } = &self.evaluation;
        let mut figures = vec![("Loss", format!("{loss:.4}"))];
        figures.extend(top5.map(|top5| ("Top-5", format!("{top5:.2} %"))));
        let counted = classes.iter().filter(|class| class.images > 0);
        let (sum, count) =
            counted.fold((0.0, 0), |(sum, count), class| (sum + class.f1, count + 1));
        if count > 0 {
            figures.push((
                "Macro-F1",
                format!("{:.2} %", 100.0 * sum / f64::from(count)),
            ));
        }
        if *images >= MIN_IMAGES {
            let error = 100.0 * self.calibration.expected_error();
            figures.push(("Calibration error", format!("{error:.2} %")));
        }
        if *skipped > 0 {
            figures.push(("Unreadable images", skipped.to_string()));
        }
        figures
    }

    /// Returns the plots and the names of their files; `subtitle` names the run and the images.
    ///
    /// # Errors
    /// Never: any evaluation can be drawn.
    pub fn figures(&self, subtitle: &str) -> Result<Vec<(&'static str, Figure)>> {
        let Evaluation {
            classes, confusion, ..
        } = &self.evaluation;
        let gallery = |title: &str, places: &[usize]| {
            let tiles: Vec<Tile> = places.iter().map(|&place| self.tile(place)).collect();
            gallery(title, subtitle, &tiles)
        };
        Ok(vec![
            (
                "confusion",
                confusion_matrix(&self.labels, confusion, subtitle)?,
            ),
            ("classes", class_bars(classes, subtitle)?),
            (
                "reliability",
                reliability_diagram(&self.calibration, subtitle)?,
            ),
            ("pictures", gallery("Examples", &self.spread)?),
            (
                "mistakes",
                gallery("Most confident mistakes", &self.mistakes)?,
            ),
        ])
    }

    fn tile(&self, place: usize) -> Tile {
        let thumbnail = &self.thumbnails[place];
        let label = |class: u32| self.labels[class as usize].clone();
        let is_wrong = thumbnail.class != thumbnail.predicted;
        Tile {
            uri: thumbnail.uri.clone(),
            size: thumbnail.size,
            name: thumbnail.name.clone(),
            predicted: (label(thumbnail.predicted), f64::from(thumbnail.probability)),
            wrong: is_wrong.then(|| label(thumbnail.class)),
        }
    }
}

/// Returns an image with enough pixels to draw on: small ones are enlarged by whole factors, large ones shrunk.
fn enlarged(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height).max(1);
    if longer < LARGE {
        let times = (LARGE / longer).max(1);
        imageops::resize(image, width * times, height * times, FilterType::Nearest)
    } else {
        shrunk(image, LARGE)
    }
}

/// Returns the folder that holds all files of a split, which the names of images leave out.
fn root(split: &Split) -> &Path {
    let files = split.files().unwrap_or_default();
    let folders = files.iter().filter_map(|file| file.parent());
    let shared = folders.reduce(|a, b| {
        let mut around = a.ancestors();
        around.find(|folder| b.starts_with(folder)).unwrap_or(a)
    });
    shared.unwrap_or(Path::new(""))
}

fn thumbnail_of(
    record: &Record,
    side: u32,
    split: &Split,
    root: &Path,
    decoding: &DecodeOptions,
    gate: &LargeImageGate,
) -> Option<Thumbnail> {
    let index = record.index as usize;
    let small = |image: &RgbImage| thumbnail(image, side);
    let (uri, size) = split.with_image(index, decoding, gate, small).ok()?;
    Some(Thumbnail {
        index,
        uri,
        size,
        name: match split.file(index) {
            Some(file) => {
                let name = file.strip_prefix(root).unwrap_or(file);
                name.display().to_string()
            }
            None => split.name(index),
        },
        class: record.class,
        predicted: record.predicted,
        probability: record.probability,
    })
}
