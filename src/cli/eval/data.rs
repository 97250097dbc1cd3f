//! The dataset to evaluate on if the command line names none: that of the models' runs.

use crate::datasets::DataName;
use crate::error::{hinted, misuse};
use crate::train::curves::data_of;
use crate::weights::Card;
use crate::weights::run::canonical;
use anyhow::Result;

/// Returns the dataset that the models of `cards`, which a user wrote as `written`, were all trained on.
///
/// # Errors
/// If a model does not record its data, two models were trained on different data, or these are gone.
pub fn of_runs(cards: &[&Card], written: &[String]) -> Result<(String, DataName)> {
    let hint = "pass the images with -d";
    let mut common: Option<&str> = None;
    for card in cards {
        let Some(run) = &card.run else {
            return Err(misuse(
                format!(
                    "no dataset is given, and `{}` does not record the one it was trained on",
                    card.name
                ),
                hint,
            ));
        };
        if common.is_some_and(|common| common != run.data) {
            return Err(misuse(
                "no dataset is given, and the models were trained on different ones",
                hint,
            ));
        }
        common = Some(&run.data);
    }
    let common = common.unwrap_or_default();
    // A recipe also knows the folder of a named dataset's files.
    let recipes = written.iter().filter_map(|model| data_of(model));
    let mut same = recipes.filter(|data| canonical(data) == common);
    let bundled = || (written == ["sample"]).then(|| "sample".to_owned());
    let data = same.next().or_else(bundled);
    let data = data.unwrap_or_else(|| common.to_owned());
    let name = DataName::parse(&data).map_err(|_| {
        hinted(
            format!("the data of training, `{data}`, is no longer there"),
            format!("put it back, or {hint}"),
        )
    })?;
    Ok((data, name))
}
