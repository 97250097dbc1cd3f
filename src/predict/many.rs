//! Prediction of many image files in batches, with all requested outputs from one pass.

use super::{Prediction, Predictor, top};
use crate::data::Loader;
use crate::data::dataset::{Pictures, Split};
use crate::data::image::large_images::Turns;
use crate::data::loader::parallel::Ordered;
use crate::explain::{Folder, is_cold, overlay};
use crate::infer::{Heat, HeatOf, Pass, Wanted};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Requested outputs of a prediction.
#[derive(Debug, Clone, Copy)]
pub struct PredictOptions<'a> {
    /// Number of most probable classes returned for each image.
    pub top: usize,
    /// Number of images per batch.
    pub batch: usize,
    /// Number of threads that read images, and draw on them.
    pub workers: usize,
    /// True to return the pooled features as well.
    pub features: bool,
    /// Explanation to draw, if any.
    pub explain: Option<Explain<'a>>,
}

/// Explanation of images.
#[derive(Debug, Clone, Copy)]
pub struct Explain<'a> {
    /// Class to explain; `None` for the most probable class of each image.
    pub class: Option<usize>,
    /// Output folder, created for the same images.
    pub folder: &'a Folder,
}

/// Outputs for one image.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Most probable classes, the most probable first.
    pub predictions: Vec<Prediction>,
    /// Pooled features, if requested.
    pub features: Vec<f64>,
    /// Explanation, if requested.
    pub explained: Option<Explained>,
}

/// An explanation that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Index of the class.
    pub class: usize,
    /// Name of the class, if the model has names.
    pub label: Option<String>,
    /// File of the image with the heat map.
    pub file: PathBuf,
    /// True if nothing in the image is evidence for the class.
    pub is_cold: bool,
}

impl Predictor {
    /// Predicts many images as [`Predictor::predict`] does, decoding on several threads while the model runs. `each`
    /// receives the results in order, or the error of an image that cannot be read; an error that it returns ends the
    /// run.
    ///
    /// # Errors
    /// Errors of `each`; if the model cannot run at all, does not have the class to explain, or an explanation cannot
    /// be written.
    pub fn predict_all(
        &mut self,
        paths: &[PathBuf],
        options: &PredictOptions,
        mut each: impl FnMut(&Path, Result<Predicted>) -> Result<()>,
    ) -> Result<()> {
        let batch = options.batch.clamp(1, paths.len().max(1));
        self.engine.ensure_memory(batch)?;
        let split = Split::new(Pictures::Files(paths.to_vec()), vec![0; paths.len()]);
        let mut loader = Loader::of(&split, &self.transform, self.decoding, options.workers)?;
        for first in (0..paths.len()).step_by(batch) {
            let indices = first..(first + batch).min(paths.len());
            let mut inputs = Vec::with_capacity(indices.len() * self.transform.input_len());
            let loaded = loader.by_ref().take(indices.len());
            let outcomes: Vec<Result<()>> = loaded
                .map(|loaded| loaded.map(|input| inputs.extend_from_slice(&input)))
                .collect();
            let pictures = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let pass = match pictures {
                0 => Pass::default(),
                _ => self.engine.pass(inputs, pictures, options.wanted())?,
            };
            let row = |numbers: &[f64]| (numbers.len() / pictures.max(1)).max(1);
            let mut logits = pass.logits.chunks_exact(row(&pass.logits));
            let mut features = pass.features.chunks_exact(row(&pass.features));
            let mut heats = pass.heats.into_iter();
            let mut to_draw = Vec::new();
            let mut results = Vec::with_capacity(indices.len());
            for (index, outcome) in indices.clone().zip(outcomes) {
                results.push(outcome.and_then(|()| {
                    let logits = logits.next().context("the model gave too few logits")?;
                    let features = features.next().unwrap_or_default().to_vec();
                    let heat = heats.next();
                    let predictions =
                        top(logits, options.top, &self.labels).with_context(|| {
                            format!("cannot predict image `{}`", paths[index].display())
                        })?;
                    to_draw.extend(heat.map(|heat| (index, heat)));
                    Ok(Predicted {
                        predictions,
                        features,
                        explained: None,
                    })
                }));
            }
            if let Some(Explain { folder, .. }) = options.explain {
                for (index, drawn) in self.draw(&split, to_draw, folder, options.workers)? {
                    let result = &mut results[index - first];
                    match (drawn, result) {
                        (Ok(explained), Ok(predicted)) => predicted.explained = Some(explained),
                        (Err(error), result) => *result = Err(error),
                        (Ok(_), Err(_)) => {}
                    }
                }
            }
            for (path, result) in paths[indices].iter().zip(results) {
                each(path, result)?;
            }
        }
        Ok(())
    }

    /// Draws and writes the heat maps of the images at these positions of `split`. An image is decoded again for it: to
    /// keep it while its batch runs would take three bytes per pixel.
    ///
    /// # Errors
    /// If a file cannot be written; an image that has become unreadable is an error of its own.
    fn draw(
        &self,
        split: &Split,
        heats: Vec<(usize, Heat)>,
        folder: &Folder,
        workers: usize,
    ) -> Result<Vec<(usize, Result<Explained>)>> {
        let explained: Vec<(usize, Explained)> = heats
            .iter()
            .map(|(index, heat)| {
                let explained = Explained {
                    class: heat.class,
                    label: self.labels.get(heat.class).cloned(),
                    file: folder.file(*index).to_owned(),
                    is_cold: is_cold(heat),
                };
                (*index, explained)
            })
            .collect();
        let (split, transform, folder) = (split.clone(), self.transform.clone(), folder.clone());
        let (decoding, turns) = (self.decoding, Turns::default());
        let drawn = Ordered::new(heats.len(), workers, move |place| {
            let (index, heat) = &heats[place];
            split.with_picture(*index, &decoding, &turns, |picture| {
                let overlay = overlay(picture, heat, &transform);
                Ok(folder.write(*index, &overlay))
            })
        })?;
        drawn
            .zip(explained)
            .map(|(drawn, (index, explained))| match drawn {
                Ok(written) => written.map(|()| (index, Ok(explained))),
                Err(error) => Ok((index, Err(error))),
            })
            .collect()
    }
}

impl PredictOptions<'_> {
    /// Returns the outputs that the pass must return for it.
    fn wanted(&self) -> Wanted {
        let heat = |explain: Explain| explain.class.map_or(HeatOf::Top, HeatOf::Class);
        Wanted {
            features: self.features,
            heat: self.explain.map(heat),
        }
    }
}
