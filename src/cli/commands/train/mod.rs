//! `resnet train`: starts or resumes a run.

pub mod args;

use crate::cli::args::device::{DTypeChoice, DeviceChoice};
use crate::cli::commands::check;
use crate::cli::exit::ExitStatus;
use crate::cli::invocation::typed;
use crate::cli::output::browser::open_in_browser;
use crate::cli::output::console::Console;
use crate::cli::output::outcome::{report, report_of, unread};
use crate::cli::output::train_observer::TrainObserver;
use crate::cli::stop::Stop;
use crate::cli::version;
use crate::distributed::Processes;
use crate::error::{Message, Part, is_usage_error, message_of};
use crate::eval::history::Epoch;
use crate::text::pluralize;
use crate::train::config::values::TrainDType;
use crate::train::context::{ExecutionContext, device_name};
use crate::train::observe::observer::{Observer, RunStarted, Step};
use crate::train::trainer::resume::Length;
use crate::train::trainer::target::Target;
use crate::train::{Recipe, StopReason, Trainer, newest_unfinished};
use anyhow::Result;
use args::Format;
use resnet_kernels::cpu;
use std::path::Path;

pub use args::Args;

/// Inspects the data of the run that `args` describe.
fn check_data(
    args: &Args,
    overrides: Recipe,
    workers: usize,
    console: &Console,
) -> Result<ExitStatus> {
    let recipe = with_file(args, overrides)?;
    check::run(&recipe, args.format == Format::Json, workers, console)
}

pub fn run(
    args: &Args,
    device: DeviceChoice,
    threads: usize,
    processes: &Processes,
    console: &Console,
) -> Result<ExitStatus> {
    if !processes.is_first() {
        return run_other(args, device, threads, processes, console);
    }
    let overrides = args.recipe()?;
    args.refuse_conflicts(&overrides)?;
    let workers = args.workers.count(threads);
    if args.check {
        return check_data(args, overrides, workers, console);
    }
    let stop = Stop::default();
    let mut observer = TrainObserver::new(console, args.format == Format::Json, &stop);
    let context = |dtype: DTypeChoice| -> Result<ExecutionContext> {
        let device = device.open(dtype, processes.local_rank(), console)?.0;
        console.detail(format_args!(
            "computing on {} ({}) with {} and {}",
            device_name(&device),
            cpu::current().name(),
            pluralize(threads, "thread"),
            pluralize(workers, "data-loading thread")
        ));
        Ok(ExecutionContext {
            device,
            workers,
            progress: console,
            processes: processes.clone(),
        })
    };
    let prepared = if let Some(folder) = &args.resume {
        let context = context(DTypeChoice::F32)?;
        let folder = if let Some(folder) = folder.first() {
            folder.clone()
        } else {
            let newest = newest_unfinished()?;
            console.note(format_args!(
                "resuming {}, the newest unfinished run",
                newest.display()
            ));
            newest
        };
        let mut builder = Trainer::resume(folder).length(length(&overrides));
        if args.histograms {
            builder = builder.histograms();
        }
        builder.context(context).observer(&mut observer).start()?
    } else {
        let flags = overrides.keys();
        let overrides = with_file(args, overrides)?;
        let mut from_file = overrides.keys();
        from_file.retain(|key| !flags.contains(key));
        let context = context(dtype(&overrides))?;
        observer.set_overrides(overrides.keys());
        let target = match args.output.as_ref().or(args.name.as_ref()).cloned() {
            folder if args.dry_run && args.format == Format::Json => Target::Dry(folder),
            folder if args.dry_run => Target::Trial(folder),
            Some(folder) => Target::Folder(folder),
            None => Target::Numbered,
        };
        let about = format!("resnet {}: {}", version::short(), typed());
        let mut builder = Trainer::from_recipe(overrides).target(target).about(about);
        if args.histograms {
            builder = builder.histograms();
        }
        let begun = builder.context(context).observer(&mut observer).start();
        begun.map_err(|error| match &args.recipe {
            Some(file) => blame_recipe(error.into(), file, &from_file),
            None => error.into(),
        })?
    };
    stop.listen()?;
    let outcome = prepared.run()?;
    observer.end();
    if let (Some(lost), None) = (observer.lost(), stop.status()) {
        return Err(unread(lost, &outcome));
    }
    report(&outcome, console);
    if args.open
        && stop.status().is_none()
        && let Some(report) = report_of(&outcome)
    {
        open_in_browser(&report, console);
    }
    Ok(status(outcome.reason, &stop))
}

/// Returns the settings of the flags and, for the keys that they leave, of the recipe file.
fn with_file(args: &Args, overrides: Recipe) -> Result<Recipe> {
    Ok(match &args.recipe {
        Some(file) => overrides.over(Recipe::read(file)?),
        None => overrides,
    })
}

/// Returns the numeric type for which a device is opened.
fn dtype(overrides: &Recipe) -> DTypeChoice {
    match overrides.dtype {
        Some(TrainDType::F64) => DTypeChoice::F64,
        _ => DTypeChoice::F32,
    }
}

/// Returns the new length of a resumed run.
fn length(overrides: &Recipe) -> Length {
    Length {
        epochs: overrides.epochs,
        max_steps: overrides.max_steps,
    }
}

/// Returns the exit status of a run that ended.
fn status(reason: StopReason, stop: &Stop) -> ExitStatus {
    match (reason, stop.status()) {
        (StopReason::Stopped { .. }, Some(status)) => ExitStatus::Stopped(status),
        _ => ExitStatus::Done,
    }
}

/// Adds the recipe file and the key to an error that a value in the file causes.
fn blame_recipe(error: anyhow::Error, file: &Path, keys: &[&str]) -> anyhow::Error {
    let message = message_of(&error);
    let mut parts = message.parts().iter();
    // Messages name their subject first.
    let named = parts.find_map(|part| match part {
        Part::Setting(setting) => Some(setting.key),
        _ => None,
    });
    match named.filter(|key| is_usage_error(&error) && keys.contains(key)) {
        Some(key) => error.context(format!("recipe `{}`, key `{key}`", file.display())),
        None => error,
    }
}

/// Works for the first process, which alone prints and writes; `console` is silent.
fn run_other(
    args: &Args,
    device: DeviceChoice,
    threads: usize,
    processes: &Processes,
    console: &Console,
) -> Result<ExitStatus> {
    let overrides = args.recipe()?;
    args.refuse_conflicts(&overrides)?;
    if args.check {
        return Ok(ExitStatus::Done);
    }
    let overrides = with_file(args, overrides)?;
    let (device, _) = device.open(dtype(&overrides), processes.local_rank(), console)?;
    let context = ExecutionContext {
        device,
        workers: args.workers.count(threads),
        progress: console,
        processes: processes.clone(),
    };
    let stop = Stop::default();
    let mut observer = OtherProcess(&stop);
    let prepared = if args.resume.is_some() {
        let builder = Trainer::resume("the run").length(length(&overrides));
        builder.context(context).observer(&mut observer).start()?
    } else {
        let target = if args.dry_run && args.format != Format::Json {
            Target::Trial(None)
        } else {
            Target::Dry(None)
        };
        let builder = Trainer::from_recipe(overrides).target(target);
        builder.context(context).observer(&mut observer).start()?
    };
    stop.listen()?;
    let outcome = prepared.run()?;
    Ok(status(outcome.reason, &stop))
}

/// Observes a run that another process reports.
struct OtherProcess<'a>(&'a Stop);

impl Observer for OtherProcess<'_> {
    fn note(&mut self, _: &Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> Result<()> {
        Ok(())
    }

    fn epoch(&mut self, _: &Epoch, _: bool) -> Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &str, _: usize, _: usize) {}

    fn unreadable(&mut self, _: &anyhow::Error) {}

    fn should_stop(&self) -> bool {
        self.0.is_wanted()
    }
}
