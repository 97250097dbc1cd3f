//! `resnet summary --list`: the names that MODEL knows, with the sizes of their models.

use crate::cli::output::terminal::{COLUMNS, Look};
use crate::hub::Silent;
use crate::model::description::ModuleCall;
use crate::model::{ModelConfig, describe};

use crate::text::{format_count, thousands};
use crate::weights::{ModelInfo, Remote, named_models};
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write;

/// A model that has a name.
#[derive(Debug, Serialize)]
pub struct Named {
    model: &'static str,
    /// Batch, channels, height and width.
    input: [usize; 4],
    total_params: u64,
    mult_adds: u64,
    /// The repository of its weights on the hub; `None` if they are in the binary.
    weights: Option<String>,
}

/// Returns every model that has a name, the bundled one first.
///
/// # Errors
/// Never: each of these networks can be described.
pub fn all() -> Result<Vec<Named>> {
    let info = ModelInfo::open("sample", &Remote::new(&Silent))?;
    let [height, width] = info.preprocess.size;
    let bundled = Named::new("sample", &info.config, [height, width], None)?;
    let mut all = vec![bundled];
    for (name, repository, config) in named_models() {
        all.push(Named::new(name, &config, [224, 224], Some(repository))?);
    }
    Ok(all)
}

impl Named {
    fn new(
        model: &'static str,
        config: &ModelConfig,
        [height, width]: [usize; 2],
        weights: Option<String>,
    ) -> Result<Self> {
        let input = [1, config.in_channels, height, width];
        let description = describe(config, input)?;
        let calls = description.calls.iter();
        let parameters: usize = calls.clone().map(|call| call.kind.parameters()).sum();
        Ok(Self {
            model,
            input,
            total_params: parameters as u64,
            mult_adds: calls.map(ModuleCall::mult_adds).sum(),
            weights,
        })
    }
}

/// Returns the models as one line of JSON.
///
/// # Errors
/// Never: all of it can be written as JSON.
pub fn json(models: &[Named]) -> Result<String> {
    Ok(serde_json::to_string(models)? + "\n")
}

/// Returns the models as a table; a narrow terminal does not get the column of weights.
pub fn table(models: &[Named], look: Look) -> String {
    // What comes after a name's first point is the tag of its weights, as MODEL takes it, too.
    let tag = |model: &Named| match &model.weights {
        Some(repository) => {
            let tag = repository.split_once('.').map_or("", |(_, tag)| tag);
            format!(".{tag}")
        }
        None => "in the binary".to_owned(),
    };
    let is_wide = look.columns >= COLUMNS;
    let mut text = String::new();
    let mut line = |cells: [&str; 4], weights: &str| {
        let [model, parameters, mult_adds, input] = cells;
        // Long names reach into the column of the parameters, so that the longest tag fits.
        let width = 33_usize.saturating_sub(model.len());
        let row = format!("{model}{parameters:>width$}  {mult_adds:>9} {input:<9}");
        let row = if is_wide {
            format!("{row}  {weights}")
        } else {
            row
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line(["model", "params", "mult-adds", "input"], "weights");
    for model in models {
        let [_, channels, height, width] = model.input;
        let parameters = thousands(model.total_params as usize);
        let input = format!("{channels}x{height}x{width}");
        let cells = [
            model.model,
            &parameters,
            &format_count(model.mult_adds),
            &input,
        ];
        line(cells, &tag(model));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_fits_the_terminal() {
        let models = all().unwrap();
        for columns in [60, 80] {
            let look = Look {
                columns,
                colors: false,
            };
            let text = table(&models, look);
            assert!(text.lines().all(|line| line.len() <= columns), "{text}");
            assert_eq!(text.contains(".a1_in1k"), columns == 80);
        }
        let text = table(
            &models,
            Look {
                columns: 80,
                colors: false,
            },
        );
        assert!(
            text.contains("\nresnet50               25,557,032      4.1 G 3x224x224  .a1_in1k\n"),
            "{text}"
        );
        assert!(
            text.contains("\nsample                    269,722"),
            "{text}"
        );
    }
}
