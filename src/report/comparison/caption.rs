//! The caption of a comparison: the images, and why metrics are optimistic.

use std::fmt::Write;

use super::model_result::ComparedModel;
use crate::text::pluralize;

/// The images that models are compared on.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonData<'a> {
    /// The dataset as the user wrote it.
    pub data: &'a str,
    /// The split, as [`ModelEvaluation::split`](crate::report::evaluation_dir::ModelEvaluation::split).
    pub split: &'a str,
    /// True if the images were held out of the training split for validation.
    pub held_out: bool,
}

/// Returns the remarks on metrics, each with the indices of the models that it is about.
pub(super) fn remarks(models: &[ComparedModel]) -> Vec<(&'static str, Vec<usize>)> {
    let mut remarks: Vec<(&'static str, Vec<usize>)> = Vec::new();
    for (place, model) in models.iter().enumerate() {
        let Some(remark) = model.remark else {
            continue;
        };
        match remarks.iter_mut().find(|(known, _)| *known == remark) {
            Some((_, places)) => places.push(place),
            None => remarks.push((remark, vec![place])),
        }
    }
    remarks
}

/// Returns a one-line caption of what was measured.
pub(super) fn caption(data: &ComparisonData, images: usize, models: &[ComparedModel]) -> String {
    let ComparisonData {
        data,
        split,
        held_out,
    } = data;
    let held_out = if *held_out {
        " held out in training"
    } else {
        ""
    };
    let images = pluralize(images, "image");
    let mut caption = format!("{data}, {split}: {images}{held_out}");
    for (remark, places) in remarks(models) {
        let names: Vec<&str> = places.iter().map(|&at| models[at].model.as_str()).collect();
        let about = if names.len() == models.len() {
            String::new()
        } else {
            format!(" for {}", names.join(", "))
        };
        // Writing into a string cannot fail.
        let _ = write!(caption, "; optimistic{about}: {remark}");
    }
    caption
}
