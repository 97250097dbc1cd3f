//! Models on the page of a comparison: their short names, numbers and colors.

use std::collections::HashSet;
use std::path::Path;

use crate::report::comparison::ComparedModel;

/// Colors of models, as the style sheet has them.
pub const COLORS: usize = 8;
/// Columns of a model's name.
pub const NAME: usize = 30;

/// Returns the number of a model, in its color.
pub fn badge(place: usize) -> String {
    format!("<i class=\"badge s{}\">{}</i>", place % COLORS, place + 1)
}

/// Returns the models' names, without the folders before them if they are still distinct.
pub fn short_names(models: &[ComparedModel]) -> Vec<String> {
    let whole = |model: &ComparedModel| model.model.clone();
    let short = |model: &ComparedModel| {
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

/// Returns the index of the model with the highest top-1, the first of equal ones.
pub fn best(models: &[ComparedModel]) -> usize {
    let places = (0..models.len()).rev();
    let best = places.max_by(|a, b| models[*a].top1.total_cmp(&models[*b].top1));
    best.unwrap_or(0)
}
