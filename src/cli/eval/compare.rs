//! `resnet eval --compare`: models side by side on the same pictures.

use super::pictures::{Mark, Measured, Meeting};
use super::subject::{Conditions, Subject};
use super::{Args, Format, chose, learnt, outcome};
use crate::cli::comparison::text;
use crate::cli::{Outcome, print};
use crate::datasets::DataName;
use crate::error::{misuse, one_line};
use crate::eval::comparison::{COMPARISON, DRAWN, TABLE};
use crate::eval::{Comparison, Contender, Event, OutputFolder};
use crate::model::describe;
use crate::model::description::Call;
use crate::train::curves::{data_of, epochs_of};
use crate::weights::run::canonical;
use anyhow::{Context, Result};
use std::collections::HashSet;

/// Measures the models of `--compare` one after the other, and prints them side by side.
pub fn run(conditions: &Conditions) -> Result<Outcome> {
    let Args {
        compare, output, ..
    } = conditions.args;
    let data = conditions.args.data.as_deref();
    if let [alone] = compare.as_slice() {
        return Err(misuse(
            format!("there is nothing to compare `{alone}` with"),
            "pass two or more models after --compare, or one with -m",
        ));
    }
    let name = data.map(DataName::parse).transpose()?;
    let files = [COMPARISON, TABLE, DRAWN[0], DRAWN[1]];
    let output = output
        .as_deref()
        .map(|folder| OutputFolder::create(folder, &files))
        .transpose()?;
    let subjects = open(compare, conditions)?;
    let cards: Vec<_> = subjects.iter().map(Subject::card).collect();
    let (data, name) = if let (Some(data), Some(name)) = (data, name) {
        (data.to_owned(), name)
    } else {
        let data = common_data(&subjects, compare)?;
        let name = DataName::parse(&data)
            .with_context(|| format!("cannot compare on `{data}`, the runs' data"))?;
        (data, name)
    };
    let split = conditions.args.split;
    let pictures = Measured::open(&name, &data, split, &cards, conditions.console)?;
    // A model that cannot be measured ends it before another one is.
    let meetings = cards.iter().map(|card| pictures.meet(card));
    let meetings: Vec<Meeting> = meetings.collect::<Result<_>>()?;
    let mut told = HashSet::new();
    let mut contenders = Vec::with_capacity(subjects.len());
    // A model that fails takes no other's figures with it, as long as two are left.
    let mut failed = 0;
    for ((subject, meeting), written) in subjects.into_iter().zip(&meetings).zip(compare) {
        let name = subject.card().name.clone();
        let contender = contender(subject, (&pictures, meeting), &mut told)
            .with_context(|| format!("cannot compare `{name}`"));
        match contender {
            Ok(contender) => contenders.push(Contender {
                curves: epochs_of(written),
                ..contender
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
    let comparison = Comparison::new(&data, pictures.split_name, contenders)?;
    print(&match conditions.args.format {
        Format::Text => text(&comparison),
        Format::Json => comparison.json()?,
    })?;
    if let Some(folder) = output {
        folder.write(TABLE, &comparison.csv())?;
        folder.write(COMPARISON, &comparison.json()?)?;
        comparison.figure()?.save(folder.path(), "comparison")?;
    }
    Ok(outcome(comparison.skipped + failed))
}

/// The models, each another one.
fn open<'a>(models: &[String], conditions: &'a Conditions<'a>) -> Result<Vec<Subject<'a>>> {
    let mut subjects: Vec<Subject> = Vec::with_capacity(models.len());
    for model in models {
        let subject = Subject::open(model, conditions, true)?;
        let name = &subject.card().name;
        let weights = subject.weights();
        if let Some(other) = subjects.iter().find(|other| other.weights() == weights) {
            let other = &other.card().name;
            let said = if trimmed(other) == trimmed(name) {
                format!("model `{name}` is named twice")
            } else {
                format!("model `{name}` is named twice: as `{other}`, too")
            };
            return Err(misuse(
                said,
                "name each model once: none differs from itself",
            ));
        }
        subjects.push(subject);
    }
    Ok(subjects)
}

/// A folder's name without the bar at its end.
fn trimmed(name: &str) -> &str {
    name.trim_end_matches(['/', std::path::MAIN_SEPARATOR])
}

/// The data that all models' runs learnt from, as one of them has them in its recipe.
fn common_data(subjects: &[Subject], written: &[String]) -> Result<String> {
    let hint = "pass the pictures with -d";
    let mut common: Option<&str> = None;
    for subject in subjects {
        let card = subject.card();
        let Some(run) = &card.run else {
            return Err(misuse(
                format!(
                    "which pictures to compare on is not said, and `{}` does not say which taught it",
                    card.name
                ),
                hint,
            ));
        };
        if common.is_some_and(|common| common != run.data) {
            return Err(misuse(
                "which pictures to compare on is not said, and the models learnt from different ones",
                hint,
            ));
        }
        common = Some(&run.data);
    }
    let common = common.unwrap_or_default();
    // A recipe knows the folder of a named data set's files, too.
    let recipes = written.iter().filter_map(|model| data_of(model));
    let mut same = recipes.filter(|data| canonical(data) == common);
    Ok(same.next().unwrap_or_else(|| common.to_owned()))
}

/// Measures one of the models; `told` are the pictures of which was said that they cannot be read.
fn contender(
    subject: Subject,
    (pictures, meeting): (&Measured, &Meeting),
    told: &mut HashSet<usize>,
) -> Result<Contender> {
    let console = subject.console();
    let card = subject.card();
    if let Some(note) = &meeting.note {
        subject.note(note);
    }
    let seen = pictures.seen(card);
    let mark = Mark::of(&seen, pictures.len());
    if let Some(mark) = &mark {
        subject.note(&mark.note);
    }
    let [height, width] = subject.preprocess.size;
    let described = describe(&card.config, [1, card.config.in_channels, height, width])?;
    let calls = described.calls.iter();
    let parameters: usize = calls.clone().map(|call| call.kind.parameters()).sum();
    let (model, classes) = (card.name.clone(), card.config.classes);
    let mut judgements = vec![None; pictures.len()];
    let mut each = |event: Event| -> Result<()> {
        match event {
            Event::Picture {
                index, judgement, ..
            } => judgements[index] = Some(judgement),
            Event::Unreadable { index, error } => {
                if told.insert(index) {
                    console.error(error);
                } else {
                    console.detail(one_line(error));
                }
            }
            Event::Progress { .. } => {}
        }
        Ok(())
    };
    let evaluation = subject.measure(meeting, pictures.split_name, &mut each)?;
    Ok(Contender {
        model,
        parameters: parameters as u64,
        mult_adds: calls.map(Call::mult_adds).sum(),
        classes,
        judgements,
        seconds: evaluation.seconds,
        images_per_second: evaluation.images_per_second,
        chose_best: chose(&seen),
        learnt: learnt(&seen),
        mark: mark.map(|mark| mark.short),
        curves: Vec::new(),
    })
}
