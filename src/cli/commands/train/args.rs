//! The flags of `resnet train`.

use crate::cli::args::architecture::ArchitectureArgs;
use crate::cli::args::device::DTypeChoice;
use crate::cli::args::numbers::{finite, held_out, whole};
use crate::cli::args::preprocess::PreprocessArgs;
use crate::cli::args::workers::WorkersArgs;
use crate::data::transform::augment::Policy;
use crate::error::usage_error;
use crate::model::Frozen;
use crate::train::config::values::StemRule;
use crate::train::{BestBy, OptimiserKind, Recipe, Scheduler, named_run};
use anyhow::Result;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Args {
    /// Dataset: a name or an image folder
    ///
    /// A name: sample (6,000 images inside the binary), cifar10, cifar100, mnist or fashion-mnist (downloaded once), NAME:DIR
    /// for the original files of one of these in DIR, or fake:N[:CLASSES] (random tensors, for timing). A folder: one folder
    /// of images per class, either directly or in train/, val/ and test/ (training/, valid/, validation/ and testing/ work too).
    /// [default: cifar10]
    #[arg(short, long, value_name = "DATA")]
    pub data: Option<String>,
    /// Model to fine-tune: a name, folder or file
    ///
    /// A hub name (resnet50, org/name), a run folder, a folder or file of weights, or sample. The last layer is replaced if the
    /// classes differ. Without --model and --depth,
    /// photographs are fine-tuned from resnet50, and small images are trained from scratch.
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
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
    architecture: ArchitectureArgs,
    #[command(flatten)]
    start: StartArgs,
    #[command(flatten)]
    optimisation: OptimisationArgs,
    #[command(flatten)]
    pictures: PictureArgs,
    #[command(flatten)]
    preprocess: PreprocessArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Architecture")]
struct StartArgs {
    /// Layers before the first stage: auto, imagenet or cifar [default: auto]
    ///
    /// imagenet: a 7x7 convolution of stride 2 and max-pooling. cifar: a 3x3 convolution of stride 1, no pooling. auto: cifar
    /// up to 40 pixels and for the CIFAR depths.
    #[arg(long, hide_possible_values = true, value_parser = word::<StemRule>(&["auto", "imagenet", "cifar"]))]
    stem: Option<StemRule>,
    /// Initialize the last batch norm of each block to 0
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    zero_init_residual: Option<bool>,
    /// Freeze up to: stem, layer1 to layer4, or backbone
    ///
    /// backbone is everything but the last layer (a linear probe): its features are computed once, so epochs are fast.
    #[arg(long, value_name = "PART", value_parser = frozen)]
    freeze: Option<Frozen>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Optimization")]
struct OptimisationArgs {
    /// Passes over the training images
    ///
    /// [default: 30 small images; 90 photographs; 10 fine-tuning; 30 --freeze backbone; more for small datasets, up to 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>)]
    epochs: Option<u64>,
    /// Stop after N optimizer steps
    ///
    /// The run may end within an epoch. Without --epochs, it has as many epochs as these steps take.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>)]
    max_steps: Option<u64>,
    /// Images per batch
    ///
    /// [default: 128 small images; 32 photographs; 32 fine-tuning; 256 --freeze backbone; fewer for small datasets]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    batch_size: Option<usize>,
    /// Drop the last batch of an epoch if it is not full
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    drop_last: Option<bool>,
    /// Batches per optimizer step [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<usize>)]
    grad_accumulation: Option<usize>,
    /// Optimizer: sgd, adam or adamw [default: sgd]
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = word::<OptimiserKind>(&["sgd", "adam", "adamw"]))]
    optimizer: Option<OptimiserKind>,
    /// Peak learning rate
    ///
    /// [default for sgd: 0.1 x batch/128 small images; 0.1 x batch/256 photographs; 0.005 fine-tuning (0.01 x batch/64 above a
    /// batch of 32); 0.005 --freeze backbone. For adam and adamw: 0.001; 0.0001 fine-tuning]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = finite)]
    lr: Option<f64>,
    /// SGD momentum [default: 0.9]
    #[arg(long, value_name = "M", allow_negative_numbers = true, value_parser = finite)]
    momentum: Option<f64>,
    /// Nesterov momentum
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    nesterov: Option<bool>,
    /// Weight decay
    ///
    /// [default: sgd 0.0005 small images; 0.0001 photographs and fine-tuning; adamw 0.01; adam 0]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true, value_parser = finite)]
    weight_decay: Option<f64>,
    /// No weight decay for batch norm and biases
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    no_norm_decay: Option<bool>,
    /// Schedule: cosine, step, constant or onecycle
    ///
    /// [default: cosine; constant for fake:N]
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = word::<Scheduler>(&["cosine", "step", "constant", "onecycle"]))]
    scheduler: Option<Scheduler>,
    /// Warm-up epochs (fractions allowed)
    ///
    /// [default: 0.05 x epochs for cosine and step, otherwise 0]
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true, value_parser = finite)]
    warmup_epochs: Option<f64>,
    /// Epochs at which --scheduler step divides the learning rate by 10 [default: 1/2 and 3/4 of the run]
    #[arg(long, value_name = "EPOCH,..", value_delimiter = ',', allow_negative_numbers = true, value_parser = whole::<u64>)]
    milestones: Option<Vec<u64>>,
    /// Label smoothing
    ///
    /// [default: 0.1 photographs; otherwise 0]
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, value_parser = finite)]
    label_smoothing: Option<f64>,
    /// Clip the norm of all gradients together
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = finite)]
    clip_grad: Option<f64>,
    /// Exponential moving average of the weights: its decay, such as 0.999
    ///
    /// The averaged weights are validated and saved in best/ and last/.
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true, value_parser = finite)]
    ema: Option<f64>,
    /// Class weights in the loss: auto, or a file of numbers
    ///
    /// auto weighs classes inversely to their frequency. A file has one number per line, in the order of the classes.
    #[arg(long, value_name = "auto|FILE")]
    class_weights: Option<String>,
    /// Measure that selects best/: top1, loss, macro-f1 or balanced
    ///
    /// Measured on the validation set; balanced is the mean recall of the classes. Ties go to the lower loss (for loss, to the
    /// higher top-1), then to the later epoch. [default: top1]
    #[arg(long, value_name = "MEASURE", hide_possible_values = true, value_parser = word::<BestBy>(&["top1", "loss", "macro-f1", "balanced"]))]
    best_by: Option<BestBy>,
    /// Stop after N epochs without improvement
    ///
    /// An improvement is a better value of the --best-by measure; a tie is none.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>)]
    patience: Option<u64>,
    /// Numeric type: f32, or f64 (slow, for reference) [default: f32]
    #[arg(long, value_enum, value_name = "TYPE", hide_possible_values = true)]
    dtype: Option<DTypeChoice>,
    /// Also save a checkpoint every N steps, not only after each epoch
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true, value_parser = whole::<u64>)]
    checkpoint_every: Option<u64>,
}

/// The heading of the flags about images.
pub const IMAGES: &str = "Images and augmentation";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = IMAGES)]
struct PictureArgs {
    /// Fraction to hold out for validation
    ///
    /// They are taken from the training images. [default: 0.1 for a folder without val/ or test/; otherwise none]
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, value_parser = held_out)]
    val_split: Option<f64>,
    /// Augmentation, such as crop-flip or randaugment
    ///
    /// none (as in evaluation), flip, crop, crop-flip, resized-crop or randaugment. [default: crop-flip small images; crop
    /// digits; resized-crop photographs; none --freeze backbone]
    #[arg(long, value_name = "NAME", hide_possible_values = true, value_parser = word::<Policy>(&["none", "flip", "crop", "crop-flip", "resized-crop", "randaugment"]))]
    augment: Option<Policy>,
    /// Mixup alpha [default: 0]
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = finite)]
    mixup: Option<f64>,
    /// Cutmix alpha [default: 0]
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = finite)]
    cutmix: Option<f64>,
    /// Probability of random erasing [default: 0]
    #[arg(long, value_name = "PROBABILITY", allow_negative_numbers = true, value_parser = finite)]
    random_erase: Option<f64>,
    /// Keep the order of the dataset
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    no_shuffle: Option<bool>,
    /// Random seed [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>)]
    seed: Option<u64>,
    /// Fail at the first unreadable image instead of leaving it out
    ///
    /// Without it, each unreadable image is named and left out, and the exit status is 0.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL")]
    strict: Option<bool>,
}

/// Parses a part of a network to freeze, in any case.
fn frozen(text: &str) -> Result<Frozen, String> {
    text.to_lowercase().parse()
}

/// Parses one of `words` as a recipe does, in any case.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words)
        .try_map(|word| serde_json::from_value(word.to_lowercase().into()))
}

impl Args {
    /// Returns the recipe of the flags.
    pub fn recipe(&self) -> Result<Recipe> {
        let Self {
            start,
            optimisation: o,
            pictures: p,
            ..
        } = self;
        let dtype = o.dtype.map(|dtype| match dtype {
            DTypeChoice::F32 => Ok("f32".to_owned()),
            DTypeChoice::F64 => Ok("f64".to_owned()),
            DTypeChoice::F16 | DTypeChoice::Bf16 => Err(usage_error(
                "cannot train in half precision",
                "pass --dtype f32, or f64 for the reference",
            )),
        });
        let own = Recipe {
            data: self.data.clone(),
            model: self.model.clone(),
            stem: start.stem,
            zero_init_residual: start.zero_init_residual,
            freeze: start.freeze,
            epochs: o.epochs,
            max_steps: o.max_steps,
            batch_size: o.batch_size,
            drop_last: o.drop_last,
            grad_accumulation: o.grad_accumulation,
            optimizer: o.optimizer,
            lr: o.lr,
            momentum: o.momentum,
            nesterov: o.nesterov,
            weight_decay: o.weight_decay,
            no_norm_decay: o.no_norm_decay,
            scheduler: o.scheduler,
            warmup_epochs: o.warmup_epochs,
            milestones: o.milestones.clone(),
            label_smoothing: o.label_smoothing,
            clip_grad: o.clip_grad,
            ema: o.ema,
            class_weights: o.class_weights.clone(),
            best_by: o.best_by,
            patience: o.patience,
            dtype: dtype.transpose()?,
            checkpoint_every: o.checkpoint_every,
            val_split: p.val_split,
            augment: p.augment,
            mixup: p.mixup,
            cutmix: p.cutmix,
            random_erase: p.random_erase,
            no_shuffle: p.no_shuffle,
            seed: p.seed,
            strict: p.strict,
            ..Recipe::default()
        };
        Ok(own
            .or(self.architecture.recipe())
            .or(self.preprocess.recipe()?))
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
        let mut given = overrides.said();
        given.retain(|flag| flag != "--epochs" && flag != "--max-steps");
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
