//! The command line: parses arguments, runs a subcommand and turns its result into an exit status.
//!
//! stdout carries data, stderr carries messages for people. Exit status: 0 done, 1 failed, 2 wrong usage.

mod args;
mod commands;
mod help;
mod output;
mod stop;
mod usage;
mod version;

use crate::error::{error_with_hint, is_usage_error, usage_error};
use crate::text::shell_word;
use anyhow::{Context, Result};
use args::device::DeviceChoice;
use args::preprocess;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use commands::documents::Document;
use commands::{eval, predict, summary, train};
use output::console::Console;
use output::log::{self, LogFormat};
use resnet_kernels::isa;
use std::any::Any;
use std::backtrace::Backtrace;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;

/// Train, fine-tune, evaluate and run ResNet image classifiers
#[derive(Debug, Parser)]
#[command(name = "resnet", version = version::short(), long_version = version::long(), max_term_width = 100)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    /// Print a completion script for a shell
    ///
    /// bash, zsh, fish, powershell or elvish.
    #[arg(long, value_name = "SHELL", hide_possible_values = true)]
    completions: Option<Shell>,
    /// Write man pages to a folder
    #[arg(long, value_name = "DIR", conflicts_with = "completions")]
    man_pages: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Global {
    /// Print errors only
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Global options"
    )]
    quiet: bool,
    /// Print more messages
    #[arg(short, long, global = true, help_heading = "Global options")]
    verbose: bool,
    /// Compute threads [default: physical cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Global options")]
    threads: Option<u16>,
    /// Device: auto, cpu, cuda[:N] or metal
    #[arg(
        long,
        global = true,
        default_value = "auto",
        hide_default_value = true,
        value_name = "DEVICE",
        help_heading = "Global options"
    )]
    device: DeviceChoice,
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
    color: ColorChoice,
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
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model from scratch, or fine-tune one
    Train(Box<train::Args>),
    /// Evaluate a model on a dataset
    Eval(eval::Args),
    /// Classify images
    Predict(predict::Args),
    /// Describe a model layer by layer
    Summary(summary::Args),
}

/// Returns the parser. `train` does not offer `--test-size`, and its images have one heading.
fn command() -> clap::Command {
    let images = |flag: clap::Arg| match flag.get_help_heading() {
        Some(preprocess::HEADING) => {
            let is_unused = flag.get_id() == "test_size";
            flag.help_heading(train::IMAGES).hide(is_unused)
        }
        _ => flag,
    };
    help::arrange(Cli::command().mut_subcommand("train", |train| train.mut_args(images)))
}

/// The end of a subcommand that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// Some inputs failed, each with its own message.
    SomeFailed,
    /// A signal stopped it and its work is saved; the exit status.
    Stopped(u8),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Found before the rest is parsed, so that help and usage errors obey them too.
    let log = asked_for("--log-format").unwrap_or_default();
    let colour = settle_colours(asked_for("--color").unwrap_or(ColorChoice::Auto));
    hold_panics(log);
    stop::survive_file_limits();
    let isa = std::env::var_os("RESNET_ISA").map(|name| isa::select(&name.to_string_lossy()));
    if let Some(Err(error)) = isa {
        let error = usage_error(
            format!("RESNET_ISA: {error}"),
            "`resnet --version` names the instruction set in use",
        );
        return end(Err(error), &Console::new(false, false, log));
    }
    if let Some(document) = Document::asked_for(std::env::args_os().skip(1)) {
        let console = Console::new(false, false, log);
        return end(document.make(&console).map(|()| Outcome::Done), &console);
    }
    let matches = command().color(colour.into()).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error, log),
    };
    if cli.completions.is_some() || cli.man_pages.is_some() {
        let error = usage_error(
            "--completions and --man-pages cannot be used with a command",
            "leave the command out",
        );
        return end(Err(error), &Console::new(false, false, log));
    }
    let console = Console::new(cli.global.quiet, cli.global.verbose, cli.global.log_format);
    match panic::catch_unwind(AssertUnwindSafe(|| run(cli, &console))) {
        Ok(result) => end(result, &console),
        Err(panic) => end(Err(internal_error(panic.as_ref())), &console),
    }
}

/// Returns the exit status of a subcommand and prints its error.
fn end(result: Result<Outcome>, console: &Console) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Ok(Outcome::Stopped(status)) => ExitCode::from(status),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            ExitCode::from(if is_usage_error(&error) { 2 } else { 1 })
        }
    }
}

/// Returns the command line as it can be typed again.
fn typed() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| shell_word(&argument.to_string_lossy()).into_owned());
    std::iter::once("resnet".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the last value of `flag`, if it is valid.
fn asked_for<T: ValueEnum>(flag: &str) -> Option<T> {
    // Up to the first argument that is not UTF-8.
    let arguments = std::env::args_os().skip(1);
    let mut arguments = arguments.map_while(|argument| argument.into_string().ok());
    let mut choice = None;
    while let Some(argument) = arguments.next() {
        match argument.split_once('=') {
            Some((name, value)) if name == flag => choice = T::from_str(value, true).ok(),
            None if argument == flag => {
                choice = arguments
                    .next()
                    .and_then(|value| T::from_str(&value, true).ok());
            }
            _ => {}
        }
    }
    choice
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

/// Sets whether all output is colored, and returns the choice.
fn settle_colours(asked: ColorChoice) -> ColorChoice {
    let is_forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    // `CI` counts as colored, even if its terminal is dumb.
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let choice = match asked {
        ColorChoice::Auto if is_dumb && !is_forced => ColorChoice::Never,
        choice => choice,
    };
    match choice {
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    choice
}

/// Silences panics, which are caught and reported as errors, unless `RUST_BACKTRACE` asks for them.
fn hold_panics(log: LogFormat) {
    let is_wanted = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    match (is_wanted, log) {
        (false, _) => panic::set_hook(Box::new(|_| ())),
        (true, LogFormat::Text) => {}
        (true, LogFormat::Json) => panic::set_hook(Box::new(|panic| {
            let backtrace = Backtrace::force_capture().to_string();
            let fields = serde_json::json!({ "backtrace": backtrace });
            log::write(log::event("panic", &panic.to_string(), &fields));
        })),
    }
}

fn internal_error(panic: &(dyn Any + Send)) -> anyhow::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    error_with_hint(
        format!("internal error: {text}"),
        "this is a bug: please report it with what `RUST_BACKTRACE=1` adds",
    )
}

fn run(cli: Cli, console: &Console) -> Result<Outcome> {
    let threads = threads(cli.global.threads);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    match cli.command {
        Command::Train(args) => train::run(&args, cli.global.device, threads, console),
        Command::Eval(args) => eval::run(&args, cli.global.device, threads, console),
        Command::Predict(args) => predict::run(&args, cli.global.device, threads, console),
        Command::Summary(args) => summary::run(&args, cli.global.device, console),
    }
}

/// `--threads`, else `RAYON_NUM_THREADS`, else the physical cores.
fn threads(flag: Option<u16>) -> usize {
    let from_environment = || {
        std::env::var("RAYON_NUM_THREADS")
            .ok()?
            .parse()
            .ok()
            .filter(|&threads| threads > 0)
    };
    flag.map(usize::from)
        .or_else(from_environment)
        .unwrap_or_else(available_cores)
}

/// Returns the number of physical cores, or of those that this process may use if they are fewer.
fn available_cores() -> usize {
    num_cpus::get_physical().min(num_cpus::get())
}

/// Prints help, the version or a usage error.
fn print_usage(error: &clap::Error, log: LogFormat) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && !(is_help && log == LogFormat::Text) {
        let arguments: Vec<String> = std::env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let mut parser = command();
        parser.build();
        let (message, hint) = usage::explain(error, &arguments, &parser);
        Console::new(false, false, log).refusal(&message, hint.as_deref());
        return ExitCode::from(code);
    }
    match error.print() {
        Err(printing) if printing.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        _ => ExitCode::from(code),
    }
}

/// Marks an error in writing to stdout.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
struct Stdout;

/// Writes `text` to stdout.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    written.context(Stdout)
}

/// Returns true if the reader of stdout has closed it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.is::<Stdout>()
        && error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
