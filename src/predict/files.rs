//! Prediction of many image files in batches, with all requested outputs from one pass.

use super::model::{Inner, Model};
use super::predicted::{Explained, Predicted, of_batch, to_batch};
use crate::data::EvalLoader;
use crate::data::dataset::{ImageStore, Split};
use crate::data::image::large_images::LargeImageGate;
use crate::data::loader::parallel::ordered_map;
use crate::distributed::{Processes, Share};
use crate::explain::{Folder, overlay};
use crate::infer::{CamTarget, ClassActivationMap, ForwardOptions, ModelOutput};
use crate::pipeline::{OF_MODEL, model_hash, top};
use anyhow::{Context, Result};
use std::ops::Range;
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
    /// Processes that share out the batches.
    pub processes: &'a Processes,
}

/// Explanation of images.
#[derive(Debug, Clone, Copy)]
pub struct Explain<'a> {
    /// Class to explain; `None` for the most probable class of each image.
    pub class: Option<usize>,
    /// Output folder, created for the same images; `None` in the processes that write nothing.
    pub folder: Option<&'a Folder>,
}

impl Model {
    /// Predicts many image files as [`Model::classify`] does, decoding on several threads while the model runs. `each`
    /// receives the results in order, or the error of an image that cannot be read; an error that it returns ends the
    /// run. With several processes it is called in the first one alone, which also draws.
    ///
    /// # Errors
    /// Errors of `each`, which are [`Stopped`](crate::distributed::Stopped) in the other processes; if the model cannot run at
    /// all, does not have the class to explain, or an explanation cannot be written.
    pub fn predict_files(
        &self,
        paths: &[PathBuf],
        options: &PredictOptions,
        mut each: impl FnMut(&Path, Result<Predicted>) -> Result<()>,
    ) -> Result<()> {
        let Inner {
            engine,
            transform,
            decoding,
            labels,
            function,
            ..
        } = self.inner();
        let batch = options.batch.clamp(1, paths.len().max(1));
        engine.ensure_memory(batch)?;
        let split = Split::new(ImageStore::Files(paths.to_vec()), vec![0; paths.len()]);
        let share = Share::new(paths.len(), batch, options.processes)
            .with_common(OF_MODEL, || model_hash(engine, transform, *decoding))?;
        let mut loader = EvalLoader::shared(&split, &share, transform, *decoding, options.workers)?;
        let compute = |indices: Range<usize>| {
            let (inputs, outcomes) = loader.read_batch(indices.len());
            let count = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            let output = match count {
                0 => ModelOutput::default(),
                _ => engine.forward(inputs, count, options.forward())?,
            };
            let row = |numbers: &[f64]| (numbers.len() / count.max(1)).max(1);
            let mut logits = output.logits.chunks_exact(row(&output.logits));
            let mut features = output.features.chunks_exact(row(&output.features));
            let mut cams = output.cams.into_iter();
            let results = indices.zip(outcomes).map(|(index, outcome)| {
                outcome?;
                let logits = logits.next().context("the model gave too few logits")?;
                let features = features.next().unwrap_or_default().to_vec();
                let cam = cams.next();
                let predictions =
                    top(logits, options.top, labels, *function).with_context(|| {
                        format!("cannot predict image `{}`", paths[index].display())
                    })?;
                let predicted = Predicted {
                    predictions,
                    features,
                    explained: None,
                };
                Ok((predicted, cam))
            });
            Ok(to_batch(results))
        };
        share.run(compute, |indices, batch| {
            if !options.processes.is_first() {
                return Ok(());
            }
            let mut to_draw = Vec::new();
            let mut results = Vec::with_capacity(indices.len());
            for (index, result) in indices.clone().zip(of_batch(batch, labels)) {
                let result = result.map(|(predicted, cam)| {
                    to_draw.extend(cam.map(|cam| (index, cam)));
                    predicted
                });
                results.push(result.map_err(|error| {
                    share.name(index, error, || split.is_readable(index, decoding))
                }));
            }
            if let Some(folder) = options.explain.and_then(|explain| explain.folder) {
                for (index, drawn) in self.draw(&split, to_draw, folder, options.workers)? {
                    let result = &mut results[index - indices.start];
                    match (drawn, result) {
                        (Ok(explained), Ok(predicted)) => predicted.explained = Some(explained),
                        (Err(error), result) => *result = Err(error),
                        (Ok(_), Err(_)) => {}
                    }
                }
            }
            let mut results = paths[indices].iter().zip(results);
            results.try_for_each(|(path, result)| each(path, result))
        })
    }

    /// Draws and writes the heat maps of the images at these positions of `split`. An image is decoded again for it: to
    /// keep it while its batch runs would take three bytes per pixel.
    ///
    /// # Errors
    /// If a file cannot be written; an image that has become unreadable is an error of its own.
    fn draw(
        &self,
        split: &Split,
        cams: Vec<(usize, ClassActivationMap)>,
        folder: &Folder,
        workers: usize,
    ) -> Result<Vec<(usize, Result<Explained>)>> {
        let Inner {
            transform,
            decoding,
            labels,
            ..
        } = self.inner();
        let explained: Vec<(usize, Explained)> = cams
            .iter()
            .map(|(index, cam)| {
                let explained = Explained {
                    class: cam.class,
                    label: labels.get(cam.class).cloned(),
                    file: folder.file(*index).to_owned(),
                    is_cold: cam.is_cold(),
                };
                (*index, explained)
            })
            .collect();
        let (split, transform, folder) = (split.clone(), transform.clone(), folder.clone());
        let (decoding, gate) = (*decoding, LargeImageGate::default());
        let drawn = ordered_map(cams.len(), workers, move |place| {
            let (index, cam) = &cams[place];
            split.with_image(*index, &decoding, &gate, |image| {
                let overlay = overlay(image, cam, &transform);
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
    /// Returns the outputs that a pass must return for it.
    fn forward(&self) -> ForwardOptions {
        let target = |explain: Explain| explain.class.map_or(CamTarget::Top, CamTarget::Class);
        ForwardOptions {
            features: self.features,
            cam: self.explain.map(target),
        }
    }
}

#[cfg(test)]
mod tests;
