//! Linear probing in the training loop: features replace the images.

use crate::data::EvalTransform;
use crate::data::dataset::Split;
use crate::message;
use crate::text::pluralize;
use crate::train::data::features::{FeatureOptions, Features, cached_bytes};
use crate::train::data::validation::Validation;
use crate::train::observe::observer::Observer;
use crate::train::trainer::Trainer;
use anyhow::Result;

impl Trainer {
    /// Replaces the images by features if only the last layer is trained and images are not augmented; returns false if `observer`
    /// wants to stop meanwhile, in any process.
    pub(super) fn compute_features(&mut self, observer: &mut dyn Observer) -> Result<bool> {
        let settings = &self.config.settings;
        let config = &self.checkpoints.identity().config;
        let kept = |split: &&Split| cached_bytes(config, settings, split.len()).is_some();
        let Some(train) = self.train.unvaried().filter(kept) else {
            return Ok(true);
        };
        let train = match self.train.trial_images() {
            Some(most) => train.spread(most),
            None => train.clone(),
        };
        let validated = self.eval.validation.as_ref();
        observer.note(&message![format!(
            "computing the features of {} once",
            pluralize(
                train.len() + validated.map_or(0, Validation::images),
                "image"
            )
        )]);
        let transform = EvalTransform::new(&settings.preprocess)?;
        let options = FeatureOptions {
            workers: self.train.workers(),
            decoding: settings.decoding,
            strict: settings.strict,
            processes: &self.processes,
        };
        let model = self.learner.model();
        let compute = |split: &Split, observer: &mut dyn Observer| {
            Features::of(model, split, &transform, options, observer)
        };
        let Some(features) = compute(&train, observer)? else {
            return Ok(false);
        };
        if let Some(validation) = &mut self.eval.validation {
            let Some(features) = compute(&validation.images.split, observer)? else {
                return Ok(false);
            };
            validation.features = Some(features);
        }
        self.train = self.train.with_features(features, settings);
        Ok(true)
    }
}
