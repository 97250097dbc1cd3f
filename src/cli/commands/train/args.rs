//! The flags of `resnet train`.

use crate::cli::args::distributed::DistributedArgs;
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
    pub distributed: DistributedArgs,
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
    /// Returns the command with the options by which processes exchange other values.
    pub fn in_common(&self) -> String {
        let mut command = "train".to_owned();
        let is_json = self.format == Format::Json;
        for (is_set, option) in [
            (self.check, " --check"),
            (self.resume.is_some(), " --resume"),
            (self.dry_run, " --dry-run"),
            (self.dry_run && is_json, " --format json"),
        ] {
            if is_set {
                command.push_str(option);
            }
        }
        command
    }

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

#[cfg(test)]
mod tests {
    use crate::cli::parser::{Cli, Command, command};
    use crate::error::{is_usage_error, one_line};
    use clap::FromArgMatches;

    /// Flags that a resumed run cannot be given.
    const REFUSED: &[&str] = &[
        "--data sample",
        "--labels-csv x",
        "--image-column x",
        "--label-column x",
        "--split-column x",
        "--model sample",
        "--recipe x",
        "--output x",
        "--dry-run",
        "--arch resnet50d",
        "--depth 18",
        "--width 4",
        "--groups 1",
        "--width-per-group 64",
        "--plain",
        "--stem cifar",
        "--zero-init-residual",
        "--freeze stem",
        "--batch-size 1",
        "--shards 2",
        "--sync-bn",
        "--drop-last",
        "--grad-accumulation 1",
        "--optimizer sgd",
        "--lr 1",
        "--momentum 0",
        "--nesterov",
        "--weight-decay 0",
        "--no-norm-decay",
        "--scheduler step",
        "--warmup-epochs 0",
        "--milestones 1",
        "--label-smoothing 0",
        "--clip-grad 1",
        "--ema 0.5",
        "--class-weights auto",
        "--patience 1",
        "--dtype f32",
        "--checkpoint-every 1",
        "--val-split 0.1",
        "--augment none",
        "--mixup 0",
        "--cutmix 0",
        "--random-erase 0",
        "--no-shuffle",
        "--seed 18446744073709551615",
        "--strict",
        "--name x",
        "--best-by loss",
        "--check",
        "--image-size 16",
        "--crop-pct 1",
        "--crop-mode center",
        "--interpolation bilinear",
        "--mean 0.5",
        "--std 0.5",
        "--no-exif",
        "--test-size",
    ];

    /// Flags that it can be given.
    const ALLOWED: &[&str] = &[
        "--resume",
        "--epochs",
        "--max-steps",
        "--threads",
        "--workers",
        "--distributed",
        "--format",
        "--histograms",
        "--open",
        "--log-format",
        "--quiet",
        "--verbose",
        "--color",
        "--device",
        "--help",
    ];

    /// Returns the error of a resumed run with these flags.
    fn error_of(flags: &str) -> anyhow::Error {
        let line = format!("resnet train --resume run {flags}");
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        let Command::Train(args) = Cli::from_arg_matches(&matches).unwrap().command else {
            panic!("{line}");
        };
        let checked = args
            .recipe()
            .and_then(|recipe| args.refuse_conflicts(&recipe));
        checked.unwrap_err()
    }

    #[test]
    fn every_flag_that_a_resumed_run_cannot_be_given_is_refused_by_name() {
        let name = |flag: &str| flag.split(' ').next().unwrap_or_default().to_owned();
        for flag in REFUSED {
            let error = error_of(flag);
            let text = one_line(&error);
            assert!(text.starts_with(&format!("{} ", name(flag))), "{text}");
            assert!(is_usage_error(&error), "{text}");
        }
        // All flags of the help are in one of the lists.
        let mut command = command();
        command.build();
        let train = command.find_subcommand("train").unwrap();
        let shown = train.get_arguments().filter(|flag| !flag.is_hide_set());
        for flag in shown.filter_map(clap::Arg::get_long) {
            let flag = format!("--{flag}");
            let is_refused = REFUSED.iter().any(|refused| name(refused) == flag);
            assert!(is_refused != ALLOWED.contains(&flag.as_str()), "{flag}");
        }
    }
}
