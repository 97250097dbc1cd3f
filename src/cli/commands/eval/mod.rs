//! `resnet eval`: evaluates one model on a dataset, or compares several.

mod args;
mod compare;
mod data;
mod images;
mod leakage;
mod model;

use crate::cli::args::device::DeviceChoice;
use crate::cli::exit::ExitStatus;
use crate::cli::output::browser::open_in_browser;
use crate::cli::output::console::Console;
use crate::cli::output::evaluation::text;
use crate::cli::output::stdout::print;
use crate::cli::output::terminal::Look;
use crate::data::DecodeOptions;
use crate::distributed::Processes;
use crate::error::usage_error;
use crate::eval::EvalEvent;
use crate::pipeline::top;
use crate::report::evaluation_dir::{EvaluationDir, ModelEvaluation, TOP};
use crate::report::evaluation_report::EvaluationReport;
use crate::run_dir::is_run;
use anyhow::Result;
use args::Format;
use images::EvalImages;
use model::{Conditions, EvalModel};
use std::path::Path;

pub use args::Args;

pub fn run(
    args: &Args,
    device: DeviceChoice,
    threads: usize,
    processes: &Processes,
    console: &Console,
) -> Result<ExitStatus> {
    let (device, dtype) = device.open(args.dtype, processes.local_rank(), console)?;
    let conditions = Conditions {
        args,
        device,
        dtype,
        threads,
        processes,
        console,
    };
    match &args.model {
        Some(model) => one(model, &conditions),
        None => compare::run(&conditions),
    }
}

/// Evaluates one model, image by image.
fn one(model: &str, conditions: &Conditions) -> Result<ExitStatus> {
    let Conditions { args, console, .. } = conditions;
    let named = args.named_data()?;
    let mut output = conditions.output().map(output_dir).transpose()?;
    let opened = EvalModel::open(model, conditions, false)?;
    let info = opened.info().clone();
    let (data, data_name) = match (&args.data, named) {
        (Some(data), Some(name)) => (data.clone(), name),
        _ => data::of_runs(&[&info], &[model.to_owned()])?,
    };
    let images = EvalImages::open(
        &data_name,
        &data,
        args.split,
        &[&info],
        console,
        conditions.processes,
    )?;
    let mapping = images.map_classes(&info)?;
    console.notes(mapping.note.as_slice());
    let (split, labels) = (&mapping.split, &mapping.labels);
    let remark = images.leakage_note(0, &info);
    let mut each = |event: EvalEvent| -> Result<()> {
        match event {
            EvalEvent::Image {
                index,
                class,
                result,
                logits,
            } => {
                if let Some(output) = &mut output {
                    let top = top(logits, TOP, labels, info.function)?;
                    let correct = result.is_correct();
                    output.add_image(&split.name(index), &labels[class], correct, &top);
                }
            }
            EvalEvent::Unreadable { index, error } => {
                console.error(error);
                if let Some(output) = &mut output {
                    let label = &labels[split.classes()[index] as usize];
                    output.add_unreadable(&split.name(index), label, error);
                }
            }
            EvalEvent::Progress { .. } => {}
        }
        Ok(())
    };
    let preprocess = opened.preprocess.clone();
    let decoding = DecodeOptions::from(&preprocess);
    let evaluation = opened.measure(&mapping, images.split_name(), &mut each)?;
    if !conditions.processes.is_first() {
        return Ok(ExitStatus::Done);
    }
    let report = ModelEvaluation {
        model: info.name,
        data,
        split: images.split_name().to_owned(),
        evaluation,
        chose_best: remark.as_ref().is_some_and(|remark| remark.chose_best),
        trained_on: remark.as_ref().is_some_and(|remark| remark.trained_on),
        held_out: images.is_held_out(),
        remark: remark.as_ref().map(|remark| remark.short),
    };
    let remark = remark.map(|remark| format!("optimistic: {}", remark.long));
    // Results are written before printing or drawing can fail.
    output.iter().try_for_each(|output| output.write(&report))?;
    print(&match args.format {
        Format::Text => text(&report, remark.as_deref(), Look::of_stdout()),
        Format::Json => report.json()?,
    })?;
    if let (Format::Json, Some(remark)) = (args.format, &remark) {
        console.note(remark);
    }
    if let Some(output) = output {
        let evaluation = report.evaluation.clone();
        let mut evaluation_report =
            EvaluationReport::new(evaluation, labels.clone(), split, &decoding);
        match conditions.explainer(model, &preprocess) {
            Ok(explainer) => {
                evaluation_report = evaluation_report.explained(&explainer, split, &decoding);
            }
            Err(error) => console.warning(&error.context("cannot show what the model looks at")),
        }
        let page = output.write_page(&report, &evaluation_report, conditions.again())?;
        console.note(format_args!("the report is {}", page.display()));
        if args.open {
            open_in_browser(&page, console);
        }
    }
    Ok(ExitStatus::of_inputs(report.evaluation.skipped > 0))
}

/// Creates the output folder, which must not be a run's: that one has its own report.
fn output_dir(path: &Path) -> Result<EvaluationDir> {
    if is_run(path) {
        return Err(usage_error(
            format!(
                "folder `{}` belongs to a run, which has its own report",
                path.display()
            ),
            "pass another folder",
        ));
    }
    EvaluationDir::create(path)
}
