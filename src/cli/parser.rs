//! The parser: the program's flags and its commands, each with the flags and the help of its own.

use crate::cli::args::device::DeviceChoice;
use crate::cli::args::distributed::DistributedArgs;
use crate::cli::commands::{eval, predict, summary, train};
use crate::cli::help;
use crate::cli::output::log::LogFormat;
use crate::cli::version;
use crate::train::config::key::Group;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Train, fine-tune, evaluate and run ResNet image classifiers
#[derive(Debug, Parser)]
#[command(name = "resnet", version = version::short(), long_version = version::long(), max_term_width = 100)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// Print a completion script for a shell
    ///
    /// bash, zsh, fish, powershell or elvish.
    #[arg(long, value_name = "SHELL", hide_possible_values = true)]
    pub completions: Option<Shell>,
    /// Write man pages to a folder
    #[arg(long, value_name = "DIR", conflicts_with = "completions")]
    pub man_pages: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Args)]
pub struct Global {
    /// Print errors only
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Global options"
    )]
    pub quiet: bool,
    /// Print more messages
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub verbose: bool,
    /// Compute threads [default: physical cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Global options")]
    pub threads: Option<u16>,
    /// Device: auto, cpu, cuda[:N] or metal
    #[arg(
        long,
        global = true,
        default_value = "auto",
        hide_default_value = true,
        value_name = "DEVICE",
        help_heading = "Global options"
    )]
    pub device: DeviceChoice,
    /// Use color: auto, always or never
    #[arg(
        long,
        global = true,
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
    /// Format of messages on stderr: text, or json (one object per line)
    #[arg(
        long,
        global = true,
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "FORMAT",
        help_heading = "Global options"
    )]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model from scratch, or fine-tune one
    Train(Box<train::Args>),
    /// Evaluate a model on a dataset
    Eval(eval::Args),
    /// Classify images
    Predict(predict::Args),
    /// Describe a model layer by layer
    Summary(summary::Args),
}

impl Command {
    /// Returns the processes that work on it; `None` if each works alone.
    pub fn distributed(&self) -> Option<DistributedArgs> {
        match self {
            Self::Train(args) => Some(args.distributed),
            Self::Eval(args) => Some(args.distributed),
            Self::Predict(args) => Some(args.distributed),
            Self::Summary(_) => None,
        }
    }

    /// Returns the part of the command line that the processes must have in common from the start, as it decides what they exchange.
    pub fn in_common(&self) -> String {
        match self {
            Self::Train(args) => args.in_common(),
            Self::Eval(args) => args.in_common(),
            Self::Predict(args) => args.in_common(),
            Self::Summary(_) => "summary".to_owned(),
        }
    }
}

/// Returns the parser. `train` does not offer `--test-size`, and its images have one heading.
pub fn command() -> clap::Command {
    let images = |flag: clap::Arg| match flag.get_help_heading() {
        Some(Group::PREPROCESSING) => {
            let is_unused = flag.get_id() == "test_size";
            flag.help_heading(Group::Augmentation.heading())
                .hide(is_unused)
        }
        _ => flag,
    };
    help::arrange(Cli::command().mut_subcommand("train", |train| train.mut_args(images)))
}

impl From<ColorChoice> for clap::ColorChoice {
    fn from(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::key_flags::help as help_of;
    use crate::cli::help::{TOPICS, Topic};
    use crate::train::Recipe;
    use crate::train::config::recipe::KEYS;
    use clap::CommandFactory;

    /// The most lines of `-h` in a terminal of 80 columns.
    const LINES: usize = 40;

    fn named<'a>(command: &'a mut clap::Command, topic: &Topic) -> &'a mut clap::Command {
        if topic.command == "resnet" {
            command
        } else {
            command.find_subcommand_mut(topic.command).unwrap()
        }
    }

    #[test]
    fn every_flag_of_a_topic_is_one_of_its_commands() {
        for topic in &TOPICS {
            let mut command = Cli::command();
            let known = named(&mut command, topic);
            for id in topic.common {
                let mut ids = known
                    .get_arguments()
                    .map(|argument| argument.get_id().as_str());
                assert!(ids.any(|known| known == *id), "{}: {id}", topic.command);
            }
        }
    }

    #[test]
    fn short_help_fits_a_screen_and_long_help_has_every_flag() {
        let mut command = command().term_width(80);
        command.build();
        for topic in &TOPICS {
            let command = named(&mut command, topic);
            let short = command.render_help().to_string();
            let lines = if topic.command == "resnet" { 24 } else { LINES };
            assert!(short.lines().count() <= lines, "{short}");
            let widest = short.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(80), "{short}");
            let long = command.render_long_help().to_string();
            for argument in command.get_arguments() {
                let Some(flag) = argument.get_long().filter(|_| !argument.is_hide_set()) else {
                    continue;
                };
                let flag = format!("--{flag}");
                assert!(long.contains(&flag), "{}: {flag}", topic.command);
            }
            for (line, purpose) in topic.examples {
                assert!(long.contains(line) && long.contains(purpose), "{long}");
            }
        }
    }

    /// In each help, text begins in one column: beside the flags in the short one, below them in the long one.
    #[test]
    fn one_help_has_one_layout() {
        let mut command = command().term_width(80);
        command.build();
        for topic in &TOPICS {
            let command = named(&mut command, topic);
            let is_flag = |line: &&str| line.starts_with("  -") || line.starts_with("      --");
            let has_text = |line: &str| line.trim_start().contains("  ");
            let short = command.render_help().to_string();
            assert!(
                short.lines().filter(is_flag).all(has_text),
                "hanging: {short}"
            );
            let long = command.render_long_help().to_string();
            assert!(
                !long.lines().filter(is_flag).any(has_text),
                "beside: {long}"
            );
        }
    }

    #[test]
    fn processes_have_in_common_what_decides_on_their_exchanges() {
        for (line, expected) in [
            ("train -d photos --threads 2", "train"),
            ("train --resume run", "train --resume"),
            ("train -d photos --check", "train --check"),
            ("train -d photos --dry-run", "train --dry-run"),
            (
                "train -d photos --dry-run --format json",
                "train --dry-run --format json",
            ),
            ("train -d photos --format json", "train"),
            ("eval -m a -d photos", "eval"),
            ("eval --compare a b c", "eval --compare MODEL MODEL MODEL"),
            ("predict a.png -o a.csv", "predict --top-k 5"),
            (
                "predict a.png -k 2 --explain a --embed a.npy",
                "predict --top-k 2 --explain --embed",
            ),
        ] {
            let words = ["resnet"].into_iter().chain(line.split(' '));
            let matches = command().try_get_matches_from(words).unwrap();
            let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
            assert_eq!(cli.command.in_common(), expected, "{line}");
        }
    }

    #[test]
    fn every_example_is_a_command_line() {
        for topic in &TOPICS {
            for (line, _) in topic.examples {
                let at = line.find("resnet ").unwrap();
                let parsed = command().try_get_matches_from(line[at..].split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_key_is_a_flag_and_a_recipe_key_with_the_help_of_the_table() {
        let mut parser = command();
        parser.build();
        let train = parser.find_subcommand("train").unwrap();
        for key in KEYS {
            let mut flags = train.get_arguments();
            let flag = flags.find(|flag| flag.get_id() == key.id).unwrap();
            assert_eq!(flag.get_long(), Some(key.name));
            assert_eq!(key.name, key.id.replace('_', "-"));
            let help = flag.get_help().unwrap().to_string();
            let first = &help_of(key)[0];
            assert!(!first.is_empty() && help == *first, "{help}");
            let is_first = key.flag.group == Group::Source;
            assert_eq!(flag.get_help_heading().is_none(), is_first, "{help}");
            // No key is a table.
            let error = Recipe::parse(&format!("{} = {{}}", key.name)).unwrap_err();
            let start = format!("line 1: `{}`: ", key.name);
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}
