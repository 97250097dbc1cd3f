//! The epochs, the data and the settings of the run that made a model.

use crate::data::dataset::TableOptions;
use crate::eval::history::Epoch;
use crate::report::comparison::RunSettings;
use crate::run_dir::{METRICS, RECIPE};
use crate::train::checkpoint::layout::SavedModel;
use crate::train::config::recipe::Recipe;
use crate::weights::ModelSource;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the epochs of the run whose folder, or whose `best/` or `last/`, a user wrote as MODEL, from its `metrics.csv`; none if
/// it is another model, or that file is absent. Lines that are not epochs are left out.
pub fn epochs_of(model: &str) -> Vec<Epoch> {
    let Some(run) = run_of(model) else {
        return Vec::new();
    };
    let text = fs::read_to_string(run.join(METRICS)).unwrap_or_default();
    let mut lines = text.lines();
    let columns = lines.next().unwrap_or_default();
    lines
        .filter_map(|line| Epoch::from_csv(columns, line))
        .collect()
}

/// Returns the data of that run, from its `config.toml`; `None` if it cannot be read.
pub fn data_of(model: &str) -> Option<RunData> {
    let recipe = Recipe::read(&run_of(model)?.join(RECIPE)).ok()?;
    Some(RunData {
        options: recipe.table_options(),
        data: recipe.data?,
    })
}

/// The dataset of a run, and its options of tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunData {
    /// DATA.
    pub data: String,
    /// The columns that are named, and a table of labels.
    pub options: TableOptions,
}

impl RunData {
    /// Returns what tells the data from other data: the table of labels, if any.
    pub fn identity(&self) -> String {
        let csv = self.options.labels_csv.as_ref();
        csv.map_or_else(|| self.data.clone(), |csv| csv.display().to_string())
    }
}

/// Returns the settings of that run: the keys of its `config.toml`, and their values as text; `None` if they cannot be read.
pub fn settings_of(model: &str) -> Option<RunSettings> {
    let text = fs::read_to_string(run_of(model)?.join(RECIPE)).ok()?;
    let table: toml::Table = text.parse().ok()?;
    let text = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        value => value.to_string(),
    };
    let settings = table.into_iter().map(|(key, value)| (key, text(value)));
    Some(settings.collect())
}

/// Returns the run folder that `model` is, or is a model of.
fn run_of(model: &str) -> Option<PathBuf> {
    let Ok(ModelSource::Path(path)) = ModelSource::parse(model) else {
        return None;
    };
    // `.` has a name, too.
    let path = path.canonicalize().ok()?;
    let folder = if path.is_dir() { &path } else { path.parent()? };
    let name = folder.file_name().unwrap_or_default();
    let is_model = [SavedModel::Best, SavedModel::Last]
        .iter()
        .any(|which| name == which.folder());
    let holds_metrics = |folder: &Path| folder.join(METRICS).is_file();
    if path.is_dir() && holds_metrics(&path) {
        return Some(path);
    }
    let run = folder.parent().filter(|_| is_model)?;
    (holds_metrics(run) || run.join(RECIPE).is_file()).then(|| run.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epochs_are_found_from_every_way_to_write_the_run() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("run");
        for which in ["best", "last", "other"] {
            fs::create_dir_all(run.join(which)).unwrap();
            fs::write(run.join(which).join("model.safetensors"), b"").unwrap();
        }
        // Another version may have other columns; a line that was cut short is no epoch.
        let text = "epoch,new,train_loss,train_top1,val_loss,val_top1,val_top5,lr,seconds\n\
                    1,x,2.5,10,2.25,12.5,,0.1,3.000\n2,x,2,20,,,,0.05,3.000\n3,x,1\n";
        fs::write(run.join("metrics.csv"), text).unwrap();
        let epochs = |rest: &str| epochs_of(run.join(rest).to_str().unwrap());
        let first = Epoch {
            epoch: 1,
            train_loss: 2.5,
            train_top1: 10.0,
            val_loss: Some(2.25),
            val_top1: Some(12.5),
            val_top5: None,
            lr: 0.1,
            seconds: 3.0,
        };
        for written in ["", "best", "last/", "best/model.safetensors", "best/../."] {
            let found = epochs(written);
            assert_eq!(found.len(), 2, "{written}");
            assert_eq!(found[0], first);
            assert_eq!((found[1].epoch, found[1].val_loss), (2, None));
        }
        for written in ["other", "other/model.safetensors", "no"] {
            assert!(epochs(written).is_empty(), "{written}");
        }
        assert!(epochs_of("sample").is_empty() && epochs_of("resnet18").is_empty());
        fs::write(run.join("metrics.csv"), b"\xff\xfe").unwrap();
        assert!(epochs("").is_empty());
    }
}
