//! The dataset to evaluate on if the command line names none: that of the models' runs.

use crate::data::dataset::DatasetName;
use crate::error::{error_with_hint, usage_error};
use crate::train::checkpoint::history::{RunData, data_of};
use crate::weights::ModelInfo;
use crate::weights::provenance::canonical;
use anyhow::Result;
use std::path::Path;

/// The dataset that the model in the binary was trained on, and the part of it that is in the binary.
const WHOLE: &str = "fashion-mnist";
const PART: &str = "sample";
const HINT: &str = "pass the images with -d";

/// Returns the dataset that the models of `infos`, which a user wrote as `written`, were all trained on.
///
/// # Errors
/// If a model does not record its data, two models were trained on different data, or these are gone.
pub fn of_runs(infos: &[&ModelInfo], written: &[String]) -> Result<(String, DatasetName)> {
    let mut common: Option<&str> = None;
    // The model in the binary is at home on the whole of Fashion-MNIST and on its part in the binary.
    let mut has_bundled = false;
    for (info, model) in infos.iter().zip(written) {
        let Some(run) = &info.provenance else {
            return Err(usage_error(
                format!(
                    "no dataset is given, and `{}` does not record the one it was trained on",
                    info.name
                ),
                HINT,
            ));
        };
        if model == "sample" && run.data == WHOLE && !Path::new(model).exists() {
            has_bundled = true;
            continue;
        }
        let is_other = |common: &str| common != run.data;
        if common.is_some_and(is_other) {
            return Err(different());
        }
        common = Some(&run.data);
    }
    let common = common.unwrap_or(PART);
    if has_bundled && ![WHOLE, PART].contains(&common) {
        return Err(different());
    }
    // A recipe also knows the folder of a named dataset's files.
    let recipes = written.iter().filter_map(|model| data_of(model));
    let mut same = recipes.filter(|run| canonical(&run.identity()) == common);
    let RunData { data, options } = same.next().unwrap_or_else(|| RunData {
        data: common.to_owned(),
        ..RunData::default()
    });
    let name = DatasetName::parse(&data).and_then(|name| name.with_options(options));
    let name = name.map_err(|_| {
        error_with_hint(
            format!("the data of training, `{data}`, is no longer there"),
            format!("put it back, or {HINT}"),
        )
    })?;
    Ok((data, name))
}

fn different() -> anyhow::Error {
    usage_error(
        "no dataset is given, and the models were trained on different ones",
        HINT,
    )
}
