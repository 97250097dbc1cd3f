//! Comparison of models on the same images: their metrics with intervals, and paired tests of their differences.

mod caption;
mod files;
mod model_result;
mod pairwise_test;
mod settings;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::error::error_with_hint;
pub use caption::ComparisonData;
use caption::{caption, remarks};
pub use files::{COMPARISON, DRAWN, TABLE};
pub use model_result::{ComparedModel, ModelResult};
use pairwise_test::pairwise_tests;
pub use pairwise_test::{LEVEL, PairwiseTest};
use settings::differences;
pub use settings::{RunSettings, SettingDifference};

/// Models on the same images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The dataset as the user wrote it.
    pub data: String,
    /// The split, as [`ModelEvaluation::split`](super::evaluation_dir::ModelEvaluation::split).
    pub split: String,
    /// The number of images that all models were measured on.
    pub images: usize,
    /// The number of images left out for all, as one of the models cannot read them.
    pub skipped: usize,
    /// The models in the order given.
    pub models: Vec<ComparedModel>,
    /// All pairs, those of the first model before those of the second.
    pub pairs: Vec<PairwiseTest>,
    /// One-line caption of what was measured: data, split, number of images, and why metrics are optimistic.
    pub caption: String,
    /// The settings that differ between the models' runs, in alphabetical order.
    pub settings: Vec<SettingDifference>,
    /// The images that all models read, by their numbers in the split, in ascending order.
    #[serde(skip)]
    pub indices: Vec<usize>,
}

impl Comparison {
    /// Compares `results`, at least two with equally many results, on the images of `data` that all of them read.
    ///
    /// # Errors
    /// If there are fewer than two, their numbers of images differ, or no image can be read by all.
    pub fn new(data: &ComparisonData, results: Vec<ModelResult>) -> Result<Self> {
        ensure!(results.len() >= 2, "there is nothing to compare with");
        let total = results[0].results.len();
        let images = results.iter().map(|result| &result.results);
        ensure!(
            images.clone().all(|results| results.len() == total),
            "the models were not measured on the same images"
        );
        let is_common = |&image: &usize| {
            let mut all = images.clone();
            all.all(|results| results[image].is_some())
        };
        let indices: Vec<usize> = (0..total).filter(is_common).collect();
        if indices.is_empty() {
            return Err(error_with_hint(
                format!("no image can be read for all models ({total} tried)"),
                "see the lines above for the reasons",
            ));
        }
        let settings: Vec<Option<&RunSettings>> = results
            .iter()
            .map(|result| result.settings.as_ref())
            .collect();
        let settings = differences(&settings);
        let results = results.into_iter();
        let models: Vec<ComparedModel> = results
            .map(|result| ComparedModel::new(result, &indices))
            .collect();
        Ok(Self {
            data: data.data.to_owned(),
            split: data.split.to_owned(),
            images: indices.len(),
            skipped: total - indices.len(),
            pairs: pairwise_tests(&models),
            caption: caption(data, indices.len(), &models),
            settings,
            models,
            indices,
        })
    }

    /// Returns the remarks on metrics, each with the indices of the models that it is about.
    pub fn remarks(&self) -> Vec<(&'static str, Vec<usize>)> {
        remarks(&self.models)
    }

    /// Returns the positions in [`Comparison::indices`] of the images that only the model at `place` classifies
    /// correctly, most confident first.
    pub fn only_correct(&self, place: usize) -> Vec<usize> {
        let is_correct = |model: &ComparedModel, image: usize| model.results[image].is_correct();
        let alone = |&image: &usize| {
            let models = self.models.iter().enumerate();
            models
                .into_iter()
                .all(|(at, model)| is_correct(model, image) == (at == place))
        };
        let probability = |image: &usize| self.models[place].results[*image].probability;
        let mut images: Vec<usize> = (0..self.images).filter(alone).collect();
        images.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
        images
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::ImageResult;
    use crate::eval::interval::wilson;

    const DATA: ComparisonData = ComparisonData {
        data: "d",
        split: "val",
        held_out: true,
    };

    /// Returns the result of a model on images that are correct, wrong or unreadable: `r`, `w`, `?`.
    fn result(model: &str, outcomes: &str) -> ModelResult {
        let result = |letter: char| {
            (letter != '?').then_some(ImageResult {
                predicted: 0,
                rank: usize::from(letter == 'w') * 5,
                probability: 0.5,
                loss: if letter == 'w' { 2.0 } else { 0.5 },
            })
        };
        ModelResult {
            model: model.to_owned(),
            parameters: 10,
            mult_adds: 20,
            labels: vec![String::new(); 6],
            results: outcomes.chars().map(result).collect(),
            seconds: 1.0,
            images_per_second: 5.0,
            chose_best: false,
            trained_on: model == "b",
            remark: (model == "b").then_some("it was trained on them"),
            curves: Vec::new(),
            settings: None,
        }
    }

    #[test]
    fn images_that_one_model_cannot_read_are_left_out_for_all() {
        let results = ["rrw?rw", "rwwrr?", "rrrrrr"];
        let named = ["a", "b", "c, \"d\""].iter().zip(results);
        let results = named.map(|(name, outcomes)| result(name, outcomes));
        let comparison = Comparison::new(&DATA, results.collect()).unwrap();
        assert_eq!((comparison.images, comparison.skipped), (4, 2));
        let figures = comparison.models.iter().map(|model| {
            let [low, high] = wilson((model.top1 / 25.0) as usize, 4);
            assert!((model.top1_low - 100.0 * low).abs() < 1e-12);
            assert!((model.top1_high - 100.0 * high).abs() < 1e-12);
            (model.top1, model.top5, model.loss)
        });
        let expected = [
            (75.0, Some(75.0), 0.875),
            (50.0, Some(50.0), 1.25),
            (100.0, Some(100.0), 0.5),
        ];
        assert_eq!(figures.collect::<Vec<_>>(), expected);
        let counts = comparison.pairs.iter();
        let counts: Vec<_> = counts
            .map(|pair| (pair.models[0].as_str(), pair.only_first, pair.only_second))
            .collect();
        assert_eq!(counts, [("a", 1, 0), ("a", 0, 1), ("b", 0, 2)]);
        assert!(!comparison.pairs[2].differs());
        let csv = comparison.csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert!(
            lines[2].starts_with("b,10,20,50,")
                && lines[2].ends_with(",1.25,1,5,false,true,d,val,4,it was trained on them")
        );
        assert!(lines[3].starts_with("\"c, \"\"d\"\"\",10,"), "{}", lines[3]);
    }

    #[test]
    fn the_caption_names_the_images_and_the_models_whose_metrics_are_optimistic() {
        let compare = |names: [&str; 2]| {
            let results = names.map(|name| result(name, "rw?"));
            Comparison::new(&DATA, results.to_vec()).unwrap()
        };
        let caption = "d, val: 2 images held out in training";
        assert_eq!(compare(["a", "c"]).caption, caption);
        assert_eq!(
            compare(["a", "b"]).caption,
            format!("{caption}; optimistic for b: it was trained on them")
        );
        assert_eq!(
            compare(["b", "b"]).caption,
            format!("{caption}; optimistic: it was trained on them")
        );
    }

    #[test]
    fn images_that_only_one_model_classifies_correctly_are_found() {
        let outcomes = [("a", "rrw?r"), ("b", "wrwrw"), ("c", "wrrrw")];
        let mut results = outcomes.map(|(name, outcomes)| result(name, outcomes));
        results[0].results[4].as_mut().unwrap().probability = 0.75;
        let comparison = Comparison::new(&DATA, results.to_vec()).unwrap();
        assert_eq!(comparison.indices, [0, 1, 2, 4]);
        // The places among those, the most confident first.
        let alone = [0, 1, 2].map(|place| comparison.only_correct(place));
        assert_eq!(alone, [vec![3, 0], vec![], vec![2]]);
    }

    #[test]
    fn one_model_other_images_and_no_common_image_are_errors() {
        let compare = |outcomes: &[&str]| {
            let results = outcomes.iter().map(|outcomes| result("x", outcomes));
            Comparison::new(&DATA, results.collect()).unwrap_err()
        };
        assert!(compare(&["rr"]).to_string().contains("nothing to compare"));
        assert!(compare(&["rr", "r"]).to_string().contains("same images"));
        assert_eq!(
            compare(&["r?", "?r"]).to_string(),
            "no image can be read for all models (2 tried)"
        );
    }
}
