//! The help of each command: its common flags, examples and description.
//!
//! `-h` shows only the common flags, so that it fits a screen; `--help` shows every flag. A flag that is not in [`TOPICS`] is
//! only in `--help`.

pub mod man;

use clap::{Arg, Command};
use std::fmt::Write;

/// The help of a command.
pub struct Topic {
    /// Its name; that of the program itself is `resnet`.
    pub command: &'static str,
    /// The description in its man page.
    pub description: &'static str,
    /// Arguments that `-h` shows, by their clap id.
    pub common: &'static [&'static str],
    /// Command lines with what they do. `-h` shows the first [`FEW`].
    pub examples: &'static [(&'static str, &'static str)],
}

/// The examples that `-h` shows.
const FEW: usize = 3;

/// The help of every command.
pub const TOPICS: [Topic; 5] = [
    Topic {
        command: "resnet",
        description: "Trains, fine-tunes, evaluates and runs ResNet image classifiers. Loads the weights of torchvision, timm and transformers, from files or the Hugging Face hub. Data goes to standard output, messages to standard error.",
        common: &["completions", "man_pages"],
        examples: &[
            ("resnet predict cat.jpg", "Classify an image"),
            (
                "resnet train -d photos -m resnet50",
                "Fine-tune on your own images",
            ),
            ("resnet eval -m runs/my-run", "Evaluate a trained model"),
            ("resnet summary --depth 50", "Describe ResNet-50"),
        ],
    },
    Topic {
        command: "train",
        description: "Trains a model from scratch, or fine-tunes one, and writes a run folder. What is not set is chosen from the data and printed at the start. A stopped run is resumed exactly, to the last bit. A run folder is a MODEL for every other command.",
        common: &[
            "data",
            "model",
            "output",
            "name",
            "resume",
            "recipe",
            "check",
            "dry_run",
            "depth",
            "freeze",
            "epochs",
            "batch_size",
            "optimizer",
            "lr",
            "weight_decay",
            "scheduler",
            "patience",
            "val_split",
            "augment",
            "seed",
            "image_size",
        ],
        examples: &[
            (
                "resnet train -d photos -m resnet50",
                "Fine-tune on your own images",
            ),
            (
                "resnet train -d cifar10 --depth 20",
                "Train ResNet-20 from scratch",
            ),
            ("resnet train --resume runs/my-run", "Resume a stopped run"),
            (
                "resnet train -d sample --depth 20 --epochs 3",
                "Try it offline in a minute",
            ),
            (
                "resnet train -d photos -m resnet50 --freeze backbone",
                "Train the last layer only",
            ),
            (
                "resnet train --recipe config.toml --lr 0.05",
                "Change a recipe",
            ),
        ],
    },
    Topic {
        command: "eval",
        description: "Evaluates a model on a labeled dataset: top-1 and top-5 accuracy with confidence intervals, loss, and precision, recall and F1 of each class. With --compare, several models are evaluated on the same images and tested in pairs.",
        common: &[
            "model",
            "compare",
            "data",
            "split",
            "batch_size",
            "format",
            "output",
            "workers",
            "image_size",
        ],
        examples: &[
            (
                "resnet eval -m runs/my-run",
                "Evaluate a run on its own data",
            ),
            (
                "resnet eval -m runs/my-run -d photos -o out",
                "On other data, with a report",
            ),
            (
                "resnet eval --compare runs/a runs/b",
                "Compare two runs on their data",
            ),
            ("resnet eval -m sample -d sample", "Try it offline"),
            (
                "resnet eval -m runs/my-run -f json",
                "Print one line of JSON",
            ),
        ],
    },
    Topic {
        command: "predict",
        description: "Classifies images: prints the most probable classes of each one. Unreadable images are reported and the rest still run; the exit status is then 1.",
        common: &[
            "inputs",
            "model",
            "top_k",
            "format",
            "output",
            "min_probability",
            "batch_size",
            "labels",
            "explain",
            "embed",
            "image_size",
        ],
        examples: &[
            ("resnet predict cat.jpg", "Classify with ResNet-50"),
            (
                "resnet predict photos -m runs/my-run -o out.csv",
                "A folder, with your own model",
            ),
            (
                "resnet predict cat.jpg --explain maps",
                "Draw Grad-CAM heat maps",
            ),
            ("resnet predict boot.png -m sample", "Try it offline"),
            (
                "find . -name '*.jpg' | resnet predict - -k 1",
                "Read paths from stdin",
            ),
        ],
    },
    Topic {
        command: "summary",
        description: "Describes a model layer by layer: output shapes, parameters and multiply-adds, in the layout of torchsummary, torchinfo or PyTorch. With --time, measures each layer.",
        common: &[
            "model",
            "input",
            "batch_size",
            "classes",
            "style",
            "list",
            "time",
            "depth",
            "groups",
            "width_per_group",
            "stem",
        ],
        examples: &[
            (
                "resnet summary --depth 50",
                "ResNet-50 as torchsummary prints it",
            ),
            (
                "resnet summary resnet50 --style torchinfo",
                "With multiply-adds",
            ),
            ("resnet summary --depth 18 --time", "Time each layer"),
            (
                "resnet summary runs/my-run --style json",
                "A trained model as JSON",
            ),
        ],
    },
];

/// Returns `command` with the flags and examples of its help, and those of its subcommands.
pub fn arrange(mut command: Command) -> Command {
    for topic in &TOPICS {
        command = if topic.command == command.get_name() {
            topic.arrange(command)
        } else {
            command.mut_subcommand(topic.command, |command| topic.arrange(command))
        };
    }
    command
}

impl Topic {
    fn arrange(&self, command: Command) -> Command {
        let program = match self.command {
            "resnet" => "resnet".to_owned(),
            name => format!("resnet {name}"),
        };
        let few = &self.examples[..FEW.min(self.examples.len())];
        let more = format!("All options, such as --threads and --device: {program} --help");
        command
            .mut_args(|argument| {
                let is_common = self.common.contains(&argument.get_id().as_str());
                compact(argument)
                    .hide_short_help(!is_common)
                    .ignore_case(true)
            })
            .after_help(format!("{}\n{more}", listed(few)))
            .after_long_help(explained(self.examples))
    }
}

/// Returns `argument` with its default beside its help, and its long help in one paragraph. Its values are in the text.
fn compact(argument: Arg) -> Arg {
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .filter(|_| !argument.is_hide_default_value_set())
        .map(|value| value.to_string_lossy())
        .collect();
    let default = match defaults.as_slice() {
        [] => String::new(),
        values => format!(" [default: {}]", values.join(" ")),
    };
    let help = argument.get_help().map(ToString::to_string);
    let long_help = argument.get_long_help().map(ToString::to_string);
    let argument = argument.hide_default_value(true).hide_possible_values(true);
    let argument = match help {
        Some(help) => argument.help(format!("{help}{default}")),
        None => argument,
    };
    match long_help {
        Some(help) => argument.long_help(format!("{}{default}", one_paragraph(&help))),
        None => argument,
    }
}

/// Returns the paragraphs of a long help as one; the first is a sentence without its full stop. Defaults come last.
fn one_paragraph(help: &str) -> String {
    let (first, rest) = help.split_once("\n\n").unwrap_or((help, ""));
    let (first, default) = match first.find(" [default") {
        Some(at) => first.split_at(at),
        None => (first, ""),
    };
    let stop = if rest.starts_with('[') { " " } else { ". " };
    format!("{first}{stop}{rest}{default}")
}

/// Returns the examples in two columns, under their heading.
fn listed(examples: &[(&str, &str)]) -> String {
    let width = examples.iter().map(|(line, _)| line.len()).max();
    let width = width.unwrap_or_default();
    let mut text = "Examples:\n".to_owned();
    for (line, purpose) in examples {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {line:width$}  {purpose}");
    }
    text
}

/// Returns the examples below what they do, under their heading.
fn explained(examples: &[(&str, &str)]) -> String {
    let examples = examples
        .iter()
        .map(|(line, purpose)| format!("  {purpose}:\n    {line}\n"));
    format!("Examples:\n{}", examples.collect::<String>())
}
