//! The flags of `resnet train`.

use crate::cli::args::key_flags::{ArchitectureFlags, SourceFlags, TrainingFlags};
use crate::cli::args::preprocess::PreprocessArgs;
use crate::cli::args::workers::WorkersArgs;
use crate::error::usage_error;
use crate::train::config::values::TrainDType;
use crate::train::{Recipe, named_run};
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Args {
    #[command(flatten)]
    source: SourceFlags,
    /// Recipe: a TOML file of flags
    ///
    /// The config.toml of a run is one. Flags on the command line override the recipe, and the recipe overrides the defaults.
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Run folder [default: runs/<data>-<model>-<n>]
    ///
    /// Fine-tuned runs have -finetune or -probe after <model>. The folder gets config.toml, data.json, metrics.csv, report.html,
    /// plots, last/ and best/ (see --best-by).
    #[arg(short, long, value_name = "RUN_DIR")]
    pub output: Option<PathBuf>,
    /// Name of the new run: its folder is runs/NAME
    #[arg(long, value_name = "NAME", conflicts_with = "output", value_parser = named_run)]
    pub name: Option<PathBuf>,
    /// Resume a run exactly where it stopped
    ///
    /// Without a folder, it takes the newest unfinished run under runs/. Only --epochs and --max-steps may change it: more of them extend
    /// a finished run.
    #[arg(long, value_name = "RUN_DIR", num_args = 0..=1)]
    pub resume: Option<Vec<PathBuf>>,
    /// Run everything, write nothing
    ///
    /// With --max-steps 2, it tries a command in seconds and validates on a part of the validation set only (on all of it
    /// with --format json).
    #[arg(long)]
    pub dry_run: bool,
    /// Inspect the data and exit
    ///
    /// Counts the images of each class and split, decodes every image, and lists those that cannot be read, that are in two
    /// splits or in two classes. Copies are found by content; a resized or re-saved image is not. Nothing is trained or written.
    /// The exit status is 1 if an image cannot be read.
    #[arg(long, conflicts_with_all = ["output", "dry_run", "histograms", "open"])]
    pub check: bool,
    /// Output format: text, or json (one line per step and epoch on stdout)
    #[arg(
        short,
        long,
        value_enum,
        default_value = "text",
        hide_possible_values = true
    )]
    pub format: Format,
    /// Write weight histograms for TensorBoard after each epoch
    #[arg(long)]
    pub histograms: bool,
    /// Open report.html in the default browser after the run
    #[arg(long)]
    pub open: bool,
    #[command(flatten)]
    pub workers: WorkersArgs,
    #[command(flatten)]
    architecture: ArchitectureFlags,
    #[command(flatten)]
    training: TrainingFlags,
    #[command(flatten)]
    preprocess: PreprocessArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

impl Args {
    /// Returns the recipe of the flags.
    pub fn recipe(&self) -> Result<Recipe> {
        if let Some(TrainDType::Unsupported(_)) = self.training.0.dtype {
            return Err(usage_error(
                "cannot train in half precision",
                "pass --dtype f32, or f64 for the reference",
            ));
        }
        let flags = self.source.0.clone().or(self.architecture.0.clone());
        let flags = flags.or(self.training.0.clone());
        Ok(flags.or(self.preprocess.recipe()?))
    }

    /// Rejects flags that exclude each other and that the parser does not know of.
    pub fn refuse_conflicts(&self, overrides: &Recipe) -> Result<()> {
        for (flag, is_given) in [("--histograms", self.histograms), ("--open", self.open)] {
            if is_given && self.dry_run {
                return Err(usage_error(
                    format!("{flag} cannot be used with --dry-run, which writes nothing"),
                    "leave one of them out",
                ));
            }
        }
        if self.resume.is_some() {
            self.refuse_with_resume(overrides)?;
        }
        Ok(())
    }

    /// Rejects flags that a resumed run cannot have.
    fn refuse_with_resume(&self, overrides: &Recipe) -> Result<()> {
        let keys = overrides.keys().into_iter();
        let keys = keys.filter(|key| !["epochs", "max-steps"].contains(key));
        let mut given: Vec<String> = keys.map(|key| format!("--{key}")).collect();
        let others = [
            ("--recipe", self.recipe.is_some()),
            ("--output", self.output.is_some()),
            ("--name", self.name.is_some()),
            ("--dry-run", self.dry_run),
            ("--check", self.check),
        ];
        given.extend(
            others
                .iter()
                .filter(|(_, is)| *is)
                .map(|(flag, _)| (*flag).to_owned()),
        );
        match given.first() {
            None => Ok(()),
            Some(flag) => Err(usage_error(
                format!("{flag} cannot be used with --resume, which keeps the settings of the run"),
                "only --epochs, --max-steps, --threads, --workers, --device (the run's own), --format, --histograms, --open, --quiet, --verbose, --color and --log-format may be given; start a new run for anything else",
            )),
        }
    }
}
