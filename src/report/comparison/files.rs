//! A comparison as JSON, as a table and as a plot.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::Result;

use super::{ComparedModel, Comparison};
use crate::report::csv::quoted;
use crate::report::plot::Figure;
use crate::report::plot::comparison::{self as plot, PlottedModel};

/// File name of the whole comparison, as the command line prints it in JSON.
pub const COMPARISON: &str = "comparison.json";
/// File name of the table with one row per model.
pub const TABLE: &str = "comparison.csv";
/// File names of the plot of the models.
pub const DRAWN: [&str; 2] = ["comparison.svg", "comparison.png"];

impl Comparison {
    /// Returns one line of JSON, including its line end.
    ///
    /// # Errors
    /// Never: everything can be written as JSON.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    /// Returns a header, and one row per model.
    pub fn csv(&self) -> String {
        let mut text = "model,parameters,mult_adds,top1,top1_low,top1_high,top5,loss,seconds,images_per_second,chose_best,learnt,data,split,images,remark\n".to_owned();
        let (data, split, images) = (quoted(&self.data), &self.split, self.images);
        for model in &self.models {
            let ComparedModel {
                parameters,
                mult_adds,
                top1,
                top1_low,
                top1_high,
                loss,
                seconds,
                images_per_second,
                chose_best,
                trained_on,
                ..
            } = model;
            let name = quoted(&model.model);
            let top5 = model.top5.map_or(String::new(), |top5| top5.to_string());
            let remark = quoted(model.remark.unwrap_or_default());
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{name},{parameters},{mult_adds},{top1},{top1_low},{top1_high},{top5},{loss},{seconds},{images_per_second},{chose_best},{trained_on},{data},{split},{images},{remark}"
            );
        }
        text
    }

    /// Draws the models side by side, with the curves of those that are runs.
    ///
    /// # Errors
    /// Never: any comparison can be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let last = |name: &str| {
            let name = Path::new(name).file_name();
            name.map(|name| name.to_string_lossy().into_owned())
        };
        let short: HashSet<_> = self.models.iter().map(|model| last(&model.model)).collect();
        let is_enough = short.len() == self.models.len();
        let models = self.models.iter().map(|model| PlottedModel {
            name: last(&model.model)
                .filter(|_| is_enough)
                .unwrap_or_else(|| model.model.clone()),
            top1: [model.top1, model.top1_low, model.top1_high],
            epochs: model
                .curves
                .iter()
                .map(|epoch| (epoch.epoch as f64, epoch.train_top1, epoch.val_top1))
                .collect(),
        });
        plot::comparison(&models.collect::<Vec<_>>(), &self.caption)
    }
}
