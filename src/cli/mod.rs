//! The command line: parses arguments, runs a subcommand and turns its result into an exit status.
//!
//! stdout carries data, stderr carries messages for people. Exit status: 0 done, 1 failed, 2 wrong usage.

mod args;
mod commands;
mod ends;
mod exit;
mod help;
mod invocation;
mod output;
mod parser;
mod stop;
mod usage;
mod version;

use crate::distributed::Processes;
use crate::error::{error_with_hint, usage_error};
use anyhow::{Result, anyhow};
use clap::FromArgMatches;
use clap::error::ErrorKind;
use commands::documents::Document;
use commands::{eval, predict, summary, train};
use ends::{end, end_together, refuse};
use exit::ExitStatus;
use invocation::asked_for;
use output::console::Console;
use output::log::{self, LogFormat};
use output::terminal::pass_stdout_on;
use parser::{Cli, ColorChoice, Command, Global, command};
use resnet_kernels::cpu;
use std::any::Any;
use std::backtrace::Backtrace;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    // Found before the rest is parsed, so that help and usage errors obey them too.
    let log = asked_for("--log-format").unwrap_or_default();
    let color = settle_colors(asked_for("--color").unwrap_or(ColorChoice::Auto));
    hold_panics(log);
    stop::survive_file_limits();
    let isa = std::env::var_os("RESNET_ISA").map(|name| cpu::select(&name.to_string_lossy()));
    if let Some(Err(error)) = isa {
        let error = usage_error(
            format!("RESNET_ISA: {error}"),
            "`resnet --version` names the instruction set in use",
        );
        return refuse(error, &Console::new(false, false, log));
    }
    if let Some(document) = Document::asked_for(std::env::args_os().skip(1)) {
        let console = Console::new(false, false, log);
        return end(document.make(&console).map(|()| ExitStatus::Done), &console);
    }
    let matches = command().color(color.into()).try_get_matches();
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
    let processes = OnceLock::new();
    let done = panic::catch_unwind(AssertUnwindSafe(|| run(cli, &console, &processes)));
    let result = done.unwrap_or_else(|panic| Err(internal_error(panic.as_ref())));
    match processes.get() {
        Some(processes) if processes.size() > 1 => end_together(result, processes, &console),
        _ => end(result, &console),
    }
}

/// Sets whether all output is colored, and returns the choice.
fn settle_colors(asked: ColorChoice) -> ColorChoice {
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

fn run(cli: Cli, console: &Console, connected: &OnceLock<Processes>) -> Result<ExitStatus> {
    let cores = available_cores();
    let distributed = cli.command.distributed();
    let processes = match distributed {
        Some(distributed) => {
            let Global {
                quiet,
                verbose,
                log_format,
                ..
            } = cli.global;
            distributed.connect(Console::new(quiet, verbose, log_format))?
        }
        None => Processes::alone(),
    };
    // From here on, an error is one of all processes.
    let processes = connected.get_or_init(|| processes);
    let (processes, cores) = match distributed {
        Some(distributed) => distributed.share(
            processes,
            &format!("resnet {}", cli.command.in_common()),
            cores,
        )?,
        None => (processes.clone(), cores),
    };
    let processes = &processes;
    if processes.size() > 1 {
        pass_stdout_on();
    }
    let threads = threads(cli.global.threads, cores);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let device = cli.global.device;
    let silent = Console::silent();
    let console = if processes.is_first() {
        console
    } else {
        &silent
    };
    match cli.command {
        Command::Train(args) => train::run(&args, device, threads, processes, console),
        Command::Eval(args) => eval::run(&args, device, threads, processes, console),
        Command::Predict(args) => predict::run(&args, device, threads, processes, console),
        Command::Summary(args) => summary::run(&args, device, console),
    }
}

/// Returns `--threads`, else `RAYON_NUM_THREADS`, else `cores`.
fn threads(flag: Option<u16>, cores: usize) -> usize {
    let from_environment = || {
        std::env::var("RAYON_NUM_THREADS")
            .ok()?
            .parse()
            .ok()
            .filter(|&threads| threads > 0)
    };
    flag.map(usize::from)
        .or_else(from_environment)
        .unwrap_or(cores)
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
        let error = match hint {
            Some(hint) => usage_error(message, hint),
            None => anyhow!(message),
        };
        return refuse(error, &Console::new(false, false, log));
    }
    match error.print() {
        Err(printing) if printing.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        _ => ExitCode::from(code),
    }
}
