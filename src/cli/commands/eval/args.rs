//! The flags of `resnet eval`.

use crate::cli::args::device::DTypeChoice;
use crate::cli::args::distributed::DistributedArgs;
use crate::cli::args::preprocess::PreprocessArgs;
use crate::cli::args::workers::WorkersArgs;
use crate::data::dataset::{DatasetName, TableOptions};
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;

/// The default `--batch-size`.
pub const BATCH: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Model: a run folder, name, folder or file
    ///
    /// A run folder of train (its best model), a hub name (resnet50, org/name), a folder or file of weights, or sample (the
    /// model inside the binary).
    #[arg(short, long, value_name = "MODEL", required_unless_present = "compare")]
    pub model: Option<String>,
    /// Compare models side by side
    ///
    /// Two or more models or run folders on the same images, with confidence intervals and paired tests, in place of --model.
    #[arg(long, value_name = "MODEL", num_args = 1.., conflicts_with = "model")]
    pub compare: Vec<String>,
    /// Dataset: a name or an image folder [default: the run's]
    ///
    /// A name: sample, cifar10, cifar100, mnist or fashion-mnist, or NAME:DIR for the original files of one of these in DIR. A
    /// folder: one folder of images per class, either directly or in val/ (valid/, validation/, dev/) or test/ (testing/). Shards:
    /// hf:ORG/NAME (a dataset of the hub), parquet:PATTERN or wds:PATTERN (tar files), such as 'wds:val-{00..49}.tar'. Runs, one
    /// or several on the same data, do not need it.
    #[arg(short, long, value_name = "DATA")]
    pub data: Option<String>,
    /// Labels of the images in one folder: a CSV file
    ///
    /// A line per image, with its path in the folder (--data) and its label; a column split has train, val or test. The first line
    /// names the columns.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels_csv: Option<PathBuf>,
    /// Column of the images in hf: and parquet: data, and in --labels-csv [default: the run's, or the only one]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub image_column: Option<String>,
    /// Column of the labels in hf: and parquet: data, and in --labels-csv [default: the run's, or the only one]
    #[arg(long, value_name = "NAME", requires = "data")]
    pub label_column: Option<String>,
    /// Column of the splits in --labels-csv [default: split, set or alike]
    #[arg(long, value_name = "NAME", requires = "labels_csv")]
    pub split_column: Option<String>,
    /// Part of the dataset: test, val, train or all
    ///
    /// On a run's own data, val is the part that was held out in training, train is exactly what was trained on, and all is a
    /// whole image folder without splits. [default: test if there is one, otherwise val]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub split: Option<SplitChoice>,
    /// Images per batch [default: 32]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch_size: Option<u32>,
    /// Output format: text or json
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        hide_possible_values = true
    )]
    pub format: Format,
    /// Write a report and plots to a folder
    ///
    /// evaluation.json, predictions.csv, report.html and plots/; with --compare, comparison.json, comparison.csv,
    /// comparison.html, comparison.svg and comparison.png. Files of an earlier evaluation are replaced.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Open the report in the default browser
    ///
    /// The report.html of --output, or with --compare its comparison.html.
    #[arg(long, requires = "output")]
    pub open: bool,
    /// Fail at the first unreadable image instead of skipping it
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub workers: WorkersArgs,
    #[command(flatten)]
    pub distributed: DistributedArgs,
    /// Numeric type: f32, f64 (slow, for reference), or f16 and bf16 on GPUs
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        default_value = "f32",
        hide_possible_values = true
    )]
    pub dtype: DTypeChoice,
    #[command(flatten)]
    pub preprocess: PreprocessArgs,
}

impl Args {
    /// Returns the command with the options by which processes exchange other values.
    pub fn in_common(&self) -> String {
        match self.compare.len() {
            0 => "eval".to_owned(),
            models => format!("eval --compare{}", " MODEL".repeat(models)),
        }
    }

    /// Returns the dataset that is named, with its columns, if any.
    pub fn named_data(&self) -> Result<Option<DatasetName>> {
        let options = TableOptions {
            labels_csv: self.labels_csv.clone(),
            image_column: self.image_column.clone(),
            label_column: self.label_column.clone(),
            split_column: self.split_column.clone(),
        };
        let named = self.data.as_deref();
        let named = named.map(|data| DatasetName::parse(data)?.with_options(options));
        named.transpose()
    }
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people
    Text,
    /// One line of JSON
    Json,
}

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitChoice {
    Test,
    Val,
    Train,
    All,
}
