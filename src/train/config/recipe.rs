//! Recipes: the settings of a run, all of them optional.
//!
//! This table is the one definition of each setting: its name, help, type and flag, how the flag's value is parsed, its range
//! and its default. The command line's flags, recipe files and defaults are all recipes, and [`Recipe::or`] merges two of
//! them. The one with every key set is a run's `config.toml`, whose order is the table's.

use crate::data::dataset::stratified::FRACTION;
use crate::data::transform::augment::{ALPHA, ERASE_PROBABILITY, Policy};
use crate::error::{Limit, limit};
use crate::model::{CropMode, Frozen, Interpolation};
use crate::train::config::defaults::Case;
use crate::train::config::key::Group::{
    Architecture, Augmentation, InputSize, Optimization, Preprocessing, Reading, Run, Source, Start,
};
use crate::train::config::key::{Flag, Key, Value, with_dashes};
use crate::train::config::parse::{
    CROPPED, any_case, arch, cropped, depth, finite, frozen, held_out, level, list, positive_level,
    switch, up_to, whole, word,
};
use crate::train::config::table::recipe;
use crate::train::config::values::{BestBy, ClassWeights, ImageSize, StemRule, TrainDType};
use crate::train::learner::lr_schedule::Scheduler;
use crate::train::learner::optimizer::{BELOW_ONE, NOT_NEGATIVE, OptimizerKind};
use serde::{Deserialize, Serialize};

const AT_LEAST_ONE: Limit = limit(|n| n >= 1.0, "at least 1");
const ONE_TO_4096: Limit = limit(
    |n| (1.0..=4096.0).contains(&n),
    "at least 1 and at most 4,096",
);
const BETWEEN_0_AND_1: Limit = limit(|n| n > 0.0 && n < 1.0, "above 0 and below 1");

recipe! {
    /// Dataset: a name or an image folder
    ///
    /// A name: sample (6,000 images inside the binary), cifar10, cifar100, mnist or fashion-mnist (downloaded once), NAME:DIR
    /// for the original files of one of these in DIR, or fake:N[:CLASSES] (random tensors, for timing). A folder: one folder
    /// of images per class, either directly or in train/, val/ and test/ (training/, valid/, validation/, dev/ and testing/ work too).
    /// Shards: hf:ORG/NAME (a dataset of the hub), parquet:PATTERN or wds:PATTERN (tar files), such as
    /// 'wds:train-{0000..0127}.tar'. [default: cifar10]
    data: String {
        flag: Flag::text(Source, "DATA").short('d'), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Labels of the images in one folder: a CSV file
    ///
    /// A line per image, with its path in the folder (`data`) and its label; a column `split` has train, val or test. The first line
    /// names the columns.
    labels_csv: String {
        flag: Flag::text(Reading, "FILE"), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Column of the images in hf: and parquet: data, and in `labels-csv`
    ///
    /// [default: the only column of images; `path`, `image`, `filename` or alike]
    image_column: String {
        flag: Flag::text(Reading, "NAME"), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Column of the labels in hf: and parquet: data, and in `labels-csv`
    ///
    /// [default: the only column of class labels, or `label`]
    label_column: String {
        flag: Flag::text(Reading, "NAME"), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Column of the splits in `labels-csv` [default: `split`, `set` or alike]
    split_column: String {
        flag: Flag::text(Reading, "NAME"), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Fraction to hold out for validation
    ///
    /// They are taken from the training images. [default: 0.1 for a folder without val/ or test/; otherwise none]
    val_split: f64 {
        flag: Flag::number(Augmentation, "FRACTION"), parse: held_out, range: [FRACTION], default: |_| None,
    }
    /// Fail at the first unreadable image instead of leaving it out
    ///
    /// Without it, each unreadable image is named and left out, and the exit status is 0.
    strict: bool {
        flag: Flag::switch(Reading), parse: switch, range: [], default: |_| Some(false),
    }
    /// Model to fine-tune: a name, folder or file
    ///
    /// A hub name (resnet50, org/name), a run folder, a folder or file of weights, or sample. The last layer is replaced if the
    /// classes differ. Without `model` and `depth`, photographs are fine-tuned from resnet50, and small images are trained from
    /// scratch.
    model: String {
        flag: Flag::text(Source, "MODEL").short('m'), parse: |text| Ok(text.to_owned()), range: [], default: |_| None,
    }
    /// Architecture by timm's name, such as resnet50d or seresnet50
    ///
    /// All of timm's `models/resnet.py`, which includes torchvision's, and resnet20 to resnet110. In place of `depth`.
    arch: String {
        flag: Flag::text(Architecture, "NAME"), parse: arch, range: [], default: |_| None,
    }
    /// Depth: 18, 34, 50, 101, 152; CIFAR: 20, 32, 44, 56, 110
    ///
    /// The last five are the paper's networks for 32x32 images. [default: 50]
    depth: usize {
        flag: Flag::text(Architecture, "N"), parse: depth, range: [], default: |_| None,
    }
    /// Layers before the first stage: auto, imagenet or cifar [default: auto]
    ///
    /// imagenet: a 7x7 convolution of stride 2 and max-pooling. cifar: a 3x3 convolution of stride 1, no pooling. auto: cifar
    /// up to 40 pixels and for the CIFAR depths.
    #[serde(deserialize_with = "any_case")]
    stem: StemRule {
        flag: Flag::word(Start, "STEM", &["auto", "imagenet", "cifar"]), parse: word, range: [], default: |_| None,
    }
    /// Channels of the first stage, doubled in each later stage [default: 64; 16 for CIFAR depths]
    width: usize {
        flag: Flag::text(Architecture, "CHANNELS"), parse: up_to::<4096>, range: [ONE_TO_4096], default: |_| None,
    }
    /// Groups of 3x3 convolutions
    ///
    /// For depths 50, 101 and 152, as in ResNeXt. [default: 1]
    groups: usize {
        flag: Flag::text(Architecture, "N"), parse: up_to::<1024>, range: [ONE_TO_4096], default: |_| None,
    }
    /// Channels per group in the first stage
    ///
    /// As in torchvision: 4 in ResNeXt-50 32x4d, 128 in Wide ResNet-50-2. [default: 64]
    width_per_group: usize {
        flag: Flag::text(Architecture, "N"), parse: up_to::<4096>, range: [ONE_TO_4096], default: |_| None,
    }
    /// No shortcuts: the paper's plain networks
    plain: bool {
        flag: Flag::switch(Architecture), parse: switch, range: [], default: |_| None,
    }
    /// Initialize the last batch norm of each block to 0
    zero_init_residual: bool {
        flag: Flag::switch(Start), parse: switch, range: [], default: |case| (!case.from_model).then_some(false),
    }
    /// Freeze up to: stem, layer1 to layer4, or backbone
    ///
    /// backbone is everything but the last layer (a linear probe): its features are computed once, so epochs are fast.
    #[serde(deserialize_with = "any_case")]
    freeze: Frozen {
        flag: Flag::text(Start, "PART"), parse: frozen, range: [], default: |_| None,
    }
    /// Input size in pixels, such as 224 or 192x256
    image_size: ImageSize {
        flag: Flag::text(InputSize, "SIZE"), parse: str::parse,
        range: [limit(|n| (1.0..=4096.0).contains(&n), "pixels, 1 to 4096")],
        default: |case| Some(ImageSize(case.preprocess.size)),
    }
    /// Fraction of the resized image that the crop keeps
    crop_pct: f64 {
        flag: Flag::text(Preprocessing, "FRACTION"), parse: cropped,
        range: [CROPPED],
        default: |case| Some(case.preprocess.crop_pct),
    }
    /// Crop mode, to fit images to the input: center, squash or border
    ///
    /// center resizes the short edge and crops the center, squash resizes both edges and crops the center, border resizes the
    /// long edge and pads with the mean color.
    #[serde(deserialize_with = "any_case")]
    crop_mode: CropMode {
        flag: Flag::word(Preprocessing, "MODE", &["center", "squash", "border"]).meaning(&[
            "Resize the short edge, crop the center",
            "Resize both edges, crop the center",
            "Resize the long edge, pad with the mean color",
        ]),
        parse: word, range: [], default: |case| Some(case.preprocess.crop_mode),
    }
    /// Resize filter: bilinear or bicubic
    #[serde(deserialize_with = "any_case")]
    interpolation: Interpolation {
        flag: Flag::word(Preprocessing, "FILTER", &["bilinear", "bicubic"]), parse: word, range: [],
        default: |case| Some(case.preprocess.interpolation),
    }
    /// Mean per channel, of values in 0..1
    mean: Vec<f32> {
        flag: Flag::numbers(Preprocessing, "A,B,C"), parse: |text| list(text, level), range: [],
        default: |case| Some(case.preprocess.mean.clone()),
    }
    /// Standard deviation per channel, of values in 0..1
    std: Vec<f32> {
        flag: Flag::numbers(Preprocessing, "A,B,C"), parse: |text| list(text, positive_level), range: [],
        default: |case| Some(case.preprocess.std.clone()),
    }
    /// Ignore the EXIF orientation of images
    no_exif: bool {
        flag: Flag::switch(Preprocessing), parse: switch, range: [], default: |case| Some(!case.preprocess.exif),
    }
    /// Augmentation, such as crop-flip or randaugment
    ///
    /// none (as in evaluation), flip, crop, crop-flip, resized-crop or randaugment. [default: crop-flip small images; crop
    /// digits; resized-crop photographs; none `freeze` backbone]
    #[serde(deserialize_with = "any_case")]
    augment: Policy {
        flag: Flag::word(Augmentation, "NAME", &["none", "flip", "crop", "crop-flip", "resized-crop", "randaugment"]),
        parse: word, range: [], default: |case| Some(case.augment()),
    }
    /// Mixup alpha [default: 0]
    mixup: f64 {
        flag: Flag::number(Augmentation, "ALPHA"), parse: finite, range: [ALPHA], default: |_| Some(0.0),
    }
    /// Cutmix alpha [default: 0]
    cutmix: f64 {
        flag: Flag::number(Augmentation, "ALPHA"), parse: finite, range: [ALPHA], default: |_| Some(0.0),
    }
    /// Probability of random erasing [default: 0]
    random_erase: f64 {
        flag: Flag::number(Augmentation, "PROBABILITY"), parse: finite,
        range: [ERASE_PROBABILITY], default: |_| Some(0.0),
    }
    /// Keep the order of the dataset
    no_shuffle: bool {
        flag: Flag::switch(Augmentation), parse: switch, range: [], default: |_| Some(false),
    }
    /// Random seed [default: 0]
    seed: u64 {
        flag: Flag::number(Augmentation, "N"), parse: whole, range: [], default: |_| Some(0),
    }
    /// Passes over the training images
    ///
    /// [default: 30 small images; 90 photographs; 10 fine-tuning; 30 `freeze` backbone; more for small datasets, up to 100]
    epochs: u64 {
        flag: Flag::number(Optimization, "N"), parse: whole,
        range: [AT_LEAST_ONE, limit(|n| n <= 1e6, "at most 1,000,000")], default: |case| Some(case.epochs),
    }
    /// Stop after N optimizer steps
    ///
    /// The run may end within an epoch. Without `epochs`, it has as many epochs as these steps take.
    max_steps: u64 {
        flag: Flag::number(Optimization, "N"), parse: whole,
        range: [AT_LEAST_ONE, limit(|n| n <= 1e12, "at most 1000000000000")], default: |_| None,
    }
    /// Images per batch
    ///
    /// [default: 128 small images; 32 photographs; 32 fine-tuning; 256 `freeze` backbone; fewer for small datasets]
    batch_size: usize {
        flag: Flag::number(Optimization, "N").short('b'), parse: whole,
        range: [AT_LEAST_ONE, limit(|n| n <= 65_536.0, "at most 65,536")], default: |case| Some(case.batch_size),
    }
    /// Parts of a batch, each with its own batch-norm statistics
    ///
    /// The processes share them: the same shards give the same bits on any number of processes. [default: the number of
    /// processes]
    shards: usize {
        flag: Flag::number(Optimization, "N"), parse: whole, range: [AT_LEAST_ONE, limit(|n| n <= 65_536.0, "at most 65,536")],
        default: |_| Some(1),
    }
    /// Share batch-norm statistics between the shards
    ///
    /// Batch norm in training takes mean and variance of all images of a batch, as with one shard. The shards wait for each
    /// other in every batch norm.
    sync_bn: bool {
        flag: Flag::switch(Optimization), parse: switch, range: [], default: |_| Some(false),
    }
    /// Drop the last batch of an epoch if it is not full
    drop_last: bool {
        flag: Flag::switch(Optimization), parse: switch, range: [], default: |_| Some(false),
    }
    /// Batches per optimizer step [default: 1]
    grad_accumulation: usize {
        flag: Flag::number(Optimization, "N"), parse: whole, range: [AT_LEAST_ONE], default: |_| Some(1),
    }
    /// One of sgd, adam, adamw, lars, lamb [default: sgd]
    ///
    /// lars and lamb, for large batches, scale each update to the norm of its weights; batch norm and biases, which they leave
    /// out, are updated as by sgd and adam.
    #[serde(deserialize_with = "any_case")]
    optimizer: OptimizerKind {
        flag: Flag::word(Optimization, "NAME", &["sgd", "adam", "adamw", "lars", "lamb"]), parse: word, range: [],
        default: |case| Some(case.optimizer),
    }
    /// Peak learning rate
    ///
    /// [default for sgd: 0.1 x batch/128 small images; 0.1 x batch/256 photographs; 0.005 fine-tuning (0.01 x batch/64 above a
    /// batch of 32); 0.005 `freeze` backbone. For adam and adamw: 0.001; 0.0001 fine-tuning. For lars: 0.3 x batch/256; lamb:
    /// 0.005 x sqrt(batch/2048); a tenth of that fine-tuning]
    lr: f64 {
        flag: Flag::number(Optimization, "RATE"), parse: finite,
        range: [limit(|n| n.is_finite() && n > 0.0, "above 0, such as 0.1")], default: |case| Some(case.lr()),
    }
    /// Momentum of sgd and lars [default: 0.9]
    momentum: f64 {
        flag: Flag::number(Optimization, "M"), parse: finite, range: [BELOW_ONE],
        default: |case| case.optimizer.has_momentum().then_some(0.9),
    }
    /// Nesterov momentum
    nesterov: bool {
        flag: Flag::switch(Optimization), parse: switch, range: [],
        default: |case| case.optimizer.has_momentum().then_some(false),
    }
    /// Weight decay
    ///
    /// [default: sgd and lars 0.0005 small images; 0.0001 photographs and fine-tuning; adamw 0.01; adam 0; lamb 0.02]
    weight_decay: f64 {
        flag: Flag::number(Optimization, "DECAY"), parse: finite,
        range: [NOT_NEGATIVE], default: |case| Some(case.weight_decay()),
    }
    /// No weight decay for batch norm and biases
    ///
    /// For lars and lamb also no scaling of their updates. [default: for lars and lamb]
    no_norm_decay: bool {
        flag: Flag::switch(Optimization), parse: switch, range: [],
        default: |case| Some(case.optimizer.adapts_layers()),
    }
    /// Schedule: cosine, step, constant or onecycle
    ///
    /// [default: cosine; constant for fake:N]
    #[serde(deserialize_with = "any_case")]
    scheduler: Scheduler {
        flag: Flag::word(Optimization, "NAME", &["cosine", "step", "constant", "onecycle"]), parse: word, range: [],
        default: |case| Some(case.scheduler),
    }
    /// Warm-up epochs (fractions allowed)
    ///
    /// [default: 0.05 x epochs for cosine and step, otherwise 0]
    warmup_epochs: f64 {
        flag: Flag::number(Optimization, "EPOCHS"), parse: finite,
        range: [limit(|n| (0.0..=1e6).contains(&n), "at least 0 and at most 1,000,000")],
        default: |case| Some(case.warmup_epochs()),
    }
    /// Epochs at which `scheduler` step divides the learning rate by 10 [default: 1/2 and 3/4 of the run]
    milestones: Vec<u64> {
        flag: Flag::numbers(Optimization, "EPOCH,.."), parse: |text| list(text, whole),
        range: [limit(|n| n <= 1e6, "epochs, at most 1,000,000")], default: |case| case.milestones(),
    }
    /// Label smoothing
    ///
    /// [default: 0.1 photographs; otherwise 0]
    label_smoothing: f64 {
        flag: Flag::number(Optimization, "FRACTION"), parse: finite, range: [BELOW_ONE],
        default: |case| Some(case.label_smoothing()),
    }
    /// Class weights in the loss: auto, or a file of numbers
    ///
    /// auto weighs classes inversely to their frequency. A file has one number per line, in the order of the classes.
    class_weights: ClassWeights {
        flag: Flag::text(Run, "auto|FILE"), parse: |text| Ok(text.to_owned().into()), range: [], default: |_| None,
    }
    /// Clip the norm of all gradients together [default: 1 for lamb]
    clip_grad: f64 {
        flag: Flag::number(Optimization, "NORM"), parse: finite,
        range: [limit(|n| n.is_finite() && n > 0.0, "above 0, such as 1")], default: |case| case.clip_grad(),
    }
    /// Exponential moving average of the weights: its decay, such as 0.999
    ///
    /// The averaged weights are validated and saved in best/ and last/.
    ema: f64 {
        flag: Flag::number(Optimization, "DECAY"), parse: finite, range: [BETWEEN_0_AND_1], default: |_| None,
    }
    /// Measure that selects best/: top1, loss, macro-f1 or balanced
    ///
    /// Measured on the validation set; balanced is the mean recall of the classes. Ties go to the lower loss (for loss, to the
    /// higher top-1), then to the later epoch. [default: top1]
    #[serde(deserialize_with = "any_case")]
    best_by: BestBy {
        flag: Flag::word(Run, "MEASURE", &["top1", "loss", "macro-f1", "balanced"]), parse: word, range: [],
        default: |_| Some(BestBy::Top1),
    }
    /// Stop after N epochs without improvement
    ///
    /// An improvement is a better value of the `best-by` measure; a tie is none.
    patience: u64 {
        flag: Flag::number(Run, "N"), parse: whole, range: [AT_LEAST_ONE], default: |_| None,
    }
    /// Numeric type: f32, or f64 (slow, for reference) [default: f32]
    #[serde(deserialize_with = "any_case")]
    dtype: TrainDType {
        flag: Flag::word(Run, "TYPE", &["f32", "f64", "f16", "bf16"]).meaning(&[
            "The fast path",
            "Slow, for reference",
            "Half precision, on GPUs",
            "Half precision with f32's range, on GPUs",
        ]),
        parse: word, range: [], default: |_| Some(TrainDType::F32),
    }
    /// Also save a checkpoint every N steps, not only after each epoch
    checkpoint_every: u64 {
        flag: Flag::number(Run, "STEPS"), parse: whole, range: [AT_LEAST_ONE], default: |_| None,
    }
}

// Values without a number.
impl Value for String {}
impl Value for bool {}
impl Value for StemRule {}
impl Value for Frozen {}
impl Value for CropMode {}
impl Value for Interpolation {}
/// The numbers of the channels are checked against each other, in `validate`.
impl Value for Vec<f32> {}
impl Value for Policy {}
impl Value for OptimizerKind {}
impl Value for Scheduler {}
impl Value for ClassWeights {}
impl Value for BestBy {}
impl Value for TrainDType {}
