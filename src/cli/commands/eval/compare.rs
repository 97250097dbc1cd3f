//! `resnet eval --compare`: models side by side on the same images.

use super::args::{Args, Format};
use super::data;
use super::images::{EvalImages, MappedImages};
use super::model::{Conditions, EvalModel};
use crate::cli::exit::ExitStatus;
use crate::cli::output::browser::open_in_browser;
use crate::cli::output::comparison::text;
use crate::cli::output::flags::error_line;
use crate::cli::output::stdout::print;
use crate::cli::output::terminal::Look;
use crate::data::DecodeOptions;
use crate::error::usage_error;
use crate::eval::EvalEvent;
use crate::model::describe;
use crate::model::description::ModuleCall;
use crate::report::comparison::{
    COMPARISON, Comparison, ComparisonData, DRAWN, ModelResult, TABLE,
};
use crate::report::evaluation_dir::OutputDir;
use crate::report::page::comparison::ComparisonPage;
use crate::report::{COMPARISON_PAGE, write_comparison};
use crate::train::checkpoint::history::{epochs_of, settings_of};
use anyhow::{Context, Result};
use std::collections::HashSet;

/// Measures the models of `--compare` one after the other, and prints them side by side.
pub fn run(conditions: &Conditions) -> Result<ExitStatus> {
    let Args { compare, .. } = conditions.args;
    let written = conditions.args.data.as_deref();
    if let [alone] = compare.as_slice() {
        return Err(usage_error(
            format!("there is nothing to compare `{alone}` with"),
            "pass two or more models after --compare, or one with -m",
        ));
    }
    let name = conditions.args.named_data()?;
    let files = [COMPARISON, TABLE, DRAWN[0], DRAWN[1], COMPARISON_PAGE];
    let output = conditions
        .output()
        .map(|folder| OutputDir::create(folder, &files))
        .transpose()?;
    let models = open(compare, conditions)?;
    let infos: Vec<_> = models.iter().map(EvalModel::info).collect();
    let (data, name) = match (written, name) {
        (Some(data), Some(name)) => (data.to_owned(), name),
        _ => data::of_runs(&infos, compare)?,
    };
    let (split, processes) = (conditions.args.split, conditions.processes);
    let images = EvalImages::open(&name, &data, split, &infos, conditions.console, processes)?;
    // A model that cannot be measured fails before another one is measured.
    let mappings = infos.iter().map(|info| images.map_classes(info));
    let mappings: Vec<MappedImages> = mappings.collect::<Result<_>>()?;
    let mut told = HashSet::new();
    let mut results = Vec::with_capacity(models.len());
    // A model that fails does not discard the metrics of the others, as long as two are left.
    let mut failed = 0;
    for (place, (model, mapping)) in models.into_iter().zip(&mappings).enumerate() {
        let name = model.info().name.clone();
        let model_result = model_result(model, (&images, mapping, place), &mut told)
            .with_context(|| format!("cannot compare `{name}`"));
        match model_result {
            Ok(model_result) => results.push(ModelResult {
                curves: epochs_of(&compare[place]),
                settings: settings_of(&compare[place]),
                ..model_result
            }),
            Err(error) => {
                failed += 1;
                if conditions.args.strict || compare.len() - failed < 2 {
                    return Err(error);
                }
                conditions.console.error(&error);
            }
        }
    }
    if !conditions.processes.is_first() {
        return Ok(ExitStatus::Done);
    }
    let data = ComparisonData {
        data: &data,
        split: images.split_name(),
        held_out: images.is_held_out(),
    };
    let comparison = Comparison::new(&data, results)?;
    print(&match conditions.args.format {
        Format::Text => text(&comparison, data.held_out, Look::of_stdout()),
        Format::Json => comparison.json()?,
    })?;
    if conditions.args.format == Format::Json {
        for (remark, places) in comparison.remarks() {
            let names = places
                .iter()
                .map(|&place| format!("`{}`", comparison.models[place].model));
            let names = names.collect::<Vec<_>>().join(", ");
            conditions
                .console
                .note(format_args!("optimistic for {names}: {remark}"));
        }
    }
    if let Some(folder) = output {
        folder.write(TABLE, &comparison.csv())?;
        folder.write(COMPARISON, &comparison.json()?)?;
        comparison.figure()?.save(folder.path(), "comparison")?;
        let page = ComparisonPage {
            comparison: &comparison,
            split: &images.split,
            labels: &images.labels,
            decoding: DecodeOptions::default(),
            again: conditions.again(),
        };
        write_comparison(folder.path(), &page)?;
        let page = folder.path().join(COMPARISON_PAGE);
        conditions
            .console
            .note(format_args!("the comparison is {}", page.display()));
        if conditions.args.open {
            open_in_browser(&page, conditions.console);
        }
    }
    Ok(ExitStatus::of_inputs(comparison.skipped + failed > 0))
}

/// Opens the models, each only once.
fn open<'a>(names: &[String], conditions: &'a Conditions<'a>) -> Result<Vec<EvalModel<'a>>> {
    let mut models: Vec<EvalModel> = Vec::with_capacity(names.len());
    for name in names {
        let model = EvalModel::open(name, conditions, true)?;
        let name = &model.info().name;
        let weights = model.weights();
        if let Some(other) = models.iter().find(|other| other.weights() == weights) {
            let other = &other.info().name;
            let message = if trimmed(other) == trimmed(name) {
                format!("model `{name}` is named twice")
            } else {
                format!("model `{name}` is named twice: as `{other}`, too")
            };
            return Err(usage_error(
                message,
                "name each model once: none differs from itself",
            ));
        }
        models.push(model);
    }
    Ok(models)
}

/// Returns the name of a folder without its trailing separator.
fn trimmed(name: &str) -> &str {
    name.trim_end_matches(['/', std::path::MAIN_SEPARATOR])
}

/// Measures the model at `place`; `told` are the images already reported as unreadable.
fn model_result(
    opened: EvalModel,
    (images, mapping, place): (&EvalImages, &MappedImages, usize),
    told: &mut HashSet<usize>,
) -> Result<ModelResult> {
    let console = opened.console();
    let info = opened.info();
    if let Some(note) = &mapping.note {
        opened.note(note);
    }
    let remark = images.leakage_note(place, info);
    let [height, width] = opened.preprocess.size;
    let described = describe(&info.config, [1, info.config.in_channels, height, width])?;
    let calls = described.calls.iter();
    let parameters: usize = calls.clone().map(|call| call.kind.parameters()).sum();
    let model = info.name.clone();
    let mut results = vec![None; images.len()];
    let mut each = |event: EvalEvent| -> Result<()> {
        match event {
            EvalEvent::Image { index, result, .. } => results[index] = Some(result),
            EvalEvent::Unreadable { index, error } => {
                if told.insert(index) {
                    console.error(error);
                } else {
                    console.detail(error_line(error));
                }
            }
            EvalEvent::Progress { .. } => {}
        }
        Ok(())
    };
    let evaluation = opened.measure(mapping, images.split_name(), &mut each)?;
    Ok(ModelResult {
        model,
        parameters: parameters as u64,
        mult_adds: calls.map(ModuleCall::mult_adds).sum(),
        labels: mapping.labels.clone(),
        results,
        seconds: evaluation.seconds,
        images_per_second: evaluation.images_per_second,
        chose_best: remark.as_ref().is_some_and(|remark| remark.chose_best),
        trained_on: remark.as_ref().is_some_and(|remark| remark.trained_on),
        remark: remark.map(|remark| remark.short),
        curves: Vec::new(),
        settings: None,
    })
}
