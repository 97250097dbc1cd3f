//! Curves of the compared models' runs.

use super::super::chart::{Chart, Line};
use super::super::html::Html;
use super::model_names::COLORS;
use crate::eval::history::Epoch;
use crate::report::comparison::Comparison;

/// A value of an epoch, if it has it.
type Of = fn(&Epoch) -> Option<f64>;

/// Writes the curves of the models' runs.
pub fn curves(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section("curves", "Curves", "");
    page.raw("<div class=\"charts pairs\" tabindex=\"0\" role=\"group\" aria-label=\"Curves\" aria-describedby=\"reading\">\n");
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
