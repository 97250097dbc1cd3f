//! The inspection of a dataset as text: a table and warnings at the start of a run, and all of it for `resnet train --check`.

use crate::cli::output::console::Console;
use crate::cli::output::terminal::{printable, stderr_columns};
use crate::data::survey::{DatasetSurvey, DuplicateGroup, DuplicateKind, ImageReference};
use crate::error::error_with_hint;
use crate::text::{pluralize, shell_word, thousands};
use crate::train::Recipe;
use anyhow::Error;
use console::{Alignment, measure_text_width, pad_str, truncate_str};
use std::fmt::Write;

/// Classes in the table at the start of a run; of more, this many are shown, half of them the first.
const CLASSES: usize = 12;
const SHOWN_CLASSES: usize = 8;
/// Columns of the name of a class, at least.
const NAME: usize = 14;
/// Ratio of the largest to the smallest class from which classes count as imbalanced.
const IMBALANCED: f64 = 3.0;
/// Unreadable images that are named at the start of a run.
const UNREADABLE: usize = 20;
/// Groups of duplicates that are listed, and images of a group.
const GROUPS: usize = 50;
const IMAGES: usize = 6;

/// Prints the table of a new run of `recipe` and what is wrong with its data; `overrides` are the keys that were set.
pub fn announce(survey: &DatasetSurvey, recipe: &Recipe, overrides: &[&str], console: &Console) {
    let table = table(survey, stderr_columns(), Some(CLASSES));
    console.lines(&table, "data", survey);
    let mut texts: Vec<String> = (survey.unreadable.iter().take(UNREADABLE))
        .map(|image| format!("{}: {}", cannot_read(&image.image), image.reason))
        .collect();
    if !survey.unreadable.is_empty() {
        let named = if survey.unreadable.len() > UNREADABLE {
            format!("; the first {UNREADABLE} are named above")
        } else {
            String::new()
        };
        let unreadable = unreadable(survey);
        texts.push(format!("{unreadable} and will be left out{named}"));
    }
    texts.extend(warnings(survey).into_iter().map(|[text, _]| text));
    if let Some(last) = texts.pop() {
        for text in texts {
            console.warning(&Error::msg(text));
        }
        let command = check_command(&survey.data, recipe, overrides);
        let way_out = format!("`{command}` decodes every image and lists what is wrong");
        console.warning(&error_with_hint(last, way_out));
    }
    if recipe.class_weights.is_none() {
        console.notes(imbalance(survey).as_slice());
    }
}

/// Returns the command that inspects `data`, split as in a run of `recipe`; it has only the flags of keys in `overrides`.
fn check_command(data: &str, recipe: &Recipe, overrides: &[&str]) -> String {
    let is_set = |key: &str| overrides.contains(&key);
    let mut command = format!("resnet train -d {} --check", shell_word(data));
    if let Some(part) = recipe.val_split {
        if is_set("val-split") {
            let _ = write!(command, " --val-split {part}");
        }
        if let (Some(seed), true) = (recipe.seed, is_set("seed")) {
            let _ = write!(command, " --seed {seed}");
        }
    }
    command
}

/// Returns the start of the error in reading `image`.
pub fn cannot_read(image: &ImageReference) -> String {
    format!("cannot read image `{}`", image.image)
}

/// Returns how many of the images cannot be read, as the start of a sentence.
pub fn unreadable(survey: &DatasetSurvey) -> String {
    format!(
        "{} of {} cannot be read",
        thousands(survey.unreadable.len()),
        images(survey.images())
    )
}

fn images(count: usize) -> String {
    pluralize(count, "image")
}

/// Returns the reasons for misleading metrics, images in two splits and images in two classes, each with a hint.
pub fn warnings(survey: &DatasetSurvey) -> Vec<[String; 2]> {
    let mut warnings = Vec::new();
    for overlap in survey.overlaps() {
        let [first, second] = overlap.splits;
        warnings.push([
            format!(
                "{first} and {second} share {}, such as {}: figures on {second} are optimistic",
                images(overlap.images),
                both(overlap.example)
            ),
            "delete the copies in one of the splits".to_owned(),
        ]);
    }
    let across: Vec<&DuplicateGroup> = survey.across_classes().collect();
    if let Some(group) = across.first() {
        let first = &group.images[0];
        let other = group.images.iter().find(|other| other.label != first.label);
        let have = if across.len() == 1 { "has" } else { "have" };
        warnings.push([
            format!(
                "{} {have} two labels, such as {}",
                images(across.len()),
                both([first, other.unwrap_or(first)])
            ),
            "delete the copies with the wrong label".to_owned(),
        ]);
    }
    warnings
}

fn both(images: [&ImageReference; 2]) -> String {
    let [one, other] = images.map(|image| printable(&image.image));
    format!("`{one}` and `{other}`")
}

/// Returns a note on classes of very different sizes, if any.
pub fn imbalance(survey: &DatasetSurvey) -> Option<String> {
    let imbalance = survey.imbalance()?;
    let (largest, most) = imbalance.largest;
    let (smallest, fewest) = imbalance.smallest;
    (imbalance.ratio() >= IMBALANCED).then(|| {
        format!(
            "imbalanced classes: {} of `{}`, {} of `{}`; --class-weights auto gives them equal weight in the loss",
            images(most),
            printable(largest),
            thousands(fewest),
            printable(smallest)
        )
    })
}

/// Returns one row per class with its images in each split, and a row of totals, within `columns` columns; with a limit, only
/// some of the classes.
fn table(survey: &DatasetSurvey, columns: usize, limit: Option<usize>) -> String {
    let count = survey.classes.len();
    let left_out = limit
        .filter(|&limit| count > limit)
        .map_or(0, |_| count - SHOWN_CLASSES);
    let first = if left_out == 0 {
        count
    } else {
        SHOWN_CLASSES / 2
    };
    let total = match count {
        1 => "total".to_owned(),
        count => format!("total ({} classes)", thousands(count)),
    };
    let mut rows: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, class) in survey.classes.iter().enumerate() {
        if index < first || index >= first + left_out {
            rows.push((printable(&class.label), class.images.clone()));
        }
    }
    let totals: Vec<usize> = survey.splits.iter().map(|split| split.images).collect();
    rows.push((total, totals));
    let widths: Vec<usize> = (survey.splits.iter().enumerate())
        .map(|(column, split)| {
            let numbers = rows
                .iter()
                .map(|(_, images)| thousands(images[column]).len());
            numbers.max().unwrap_or(0).max(split.name.len()) + 2
        })
        .collect();
    let names = rows.iter().map(|(name, _)| measure_text_width(name)).max();
    let room = columns.saturating_sub(widths.iter().sum()).max(NAME);
    let width = names.unwrap_or(0).max("class".len()).min(room);
    let line = |name: &str, cells: Vec<String>| {
        let name = truncate_str(name, width, "…");
        let mut line = pad_str(&name, width, Alignment::Left, None).into_owned();
        for (cell, &width) in cells.iter().zip(&widths) {
            line.push_str(&pad_str(cell, width, Alignment::Right, None));
        }
        line + "\n"
    };
    let heads = survey.splits.iter().map(|split| split.name.clone());
    let mut text = line("class", heads.collect());
    for (index, (name, images)) in rows.iter().enumerate() {
        if left_out > 0 && index == first {
            let _ = writeln!(text, "… {} more", thousands(left_out));
        }
        text.push_str(&line(name, images.iter().map(|&n| thousands(n)).collect()));
    }
    if left_out > 0 {
        text.push_str(&extremes(survey));
    }
    text
}

/// Returns the largest and the smallest class, where the table leaves classes out.
fn extremes(survey: &DatasetSurvey) -> String {
    let Some(imbalance) = survey.imbalance() else {
        return String::new();
    };
    let [largest, smallest] = [imbalance.largest, imbalance.smallest];
    let shown =
        |(label, count): (&str, usize)| format!("{} ({})", printable(label), thousands(count));
    format!("largest {}, smallest {}\n", shown(largest), shown(smallest))
}

/// Returns all findings, for a terminal of `columns` columns.
pub fn text(survey: &DatasetSurvey, columns: usize) -> String {
    let mut text = table(survey, columns, None);
    // Writing into a string cannot fail.
    if survey.unreadable.is_empty() {
        text.push_str("\nAll images can be read.\n");
    } else {
        let _ = writeln!(text, "\n{}:", unreadable(survey));
        for image in &survey.unreadable {
            let name = printable(&image.image.image);
            let _ = writeln!(text, "  {name}: {}", printable(&image.reason));
        }
    }
    if survey.duplicates.is_empty() {
        text.push_str("No image occurs twice.\n");
    }
    for (kind, title) in [
        (
            DuplicateKind::AcrossSplitsAndClasses,
            "In two splits and two classes",
        ),
        (DuplicateKind::AcrossSplits, "In two splits"),
        (DuplicateKind::AcrossClasses, "In two classes"),
        (DuplicateKind::WithinClass, "Twice in one class"),
    ] {
        let groups = survey.duplicates.iter().filter(|group| group.kind == kind);
        let groups: Vec<&DuplicateGroup> = groups.collect();
        if groups.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title} ({}):", images(groups.len()));
        for group in groups.iter().take(GROUPS) {
            text.push_str(&listed(group));
        }
        if let Some(more) = groups.len().checked_sub(GROUPS).filter(|&more| more > 0) {
            let more = thousands(more);
            let _ = writeln!(text, "  and {more} more; --format json has all");
        }
    }
    text
}

/// Returns the images of a group on one line each, the first not indented as far as its copies.
fn listed(group: &DuplicateGroup) -> String {
    let mut text = String::new();
    for (index, image) in group.images.iter().take(IMAGES).enumerate() {
        let indent = if index == 0 { "  " } else { "    = " };
        let (name, label) = (printable(&image.image), printable(&image.label));
        let _ = writeln!(text, "{indent}{name} ({}, {label})", image.split);
    }
    if let Some(more) = group
        .images
        .len()
        .checked_sub(IMAGES)
        .filter(|&more| more > 0)
    {
        let _ = writeln!(text, "    and {} more", thousands(more));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::survey::{ClassCounts, Inspection, SplitSummary};

    fn survey(labels: &[&str], images: &[[usize; 2]]) -> DatasetSurvey {
        let split = |name: &str, column: usize| SplitSummary {
            name: name.to_owned(),
            images: images.iter().map(|images| images[column]).sum(),
        };
        let class = |(label, images): (&&str, &[usize; 2])| ClassCounts {
            label: (*label).to_owned(),
            images: images.to_vec(),
        };
        DatasetSurvey {
            data: "photos".to_owned(),
            inspection: Inspection::Headers,
            splits: vec![split("train", 0), split("val", 1)],
            classes: labels.iter().zip(images).map(class).collect(),
            unreadable: Vec::new(),
            duplicates: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_table_has_a_row_per_class_a_column_per_split_and_totals() {
        let survey = survey(&["cat", "고양이"], &[[1200, 40], [90, 7]]);
        let expected = "\
class              train  val
cat                1,200   40
고양이                90    7
total (2 classes)  1,290   47
";
        assert_eq!(table(&survey, 80, Some(CLASSES)), expected);
    }

    #[test]
    fn many_classes_are_cut_to_the_first_the_last_and_the_extremes() {
        let labels: Vec<String> = (0..1000).map(|class| format!("n{class:04}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let mut images = vec![[1300, 50]; 1000];
        images[500] = [732, 50];
        let survey = survey(&labels, &images);
        let text = table(&survey, 80, Some(CLASSES));
        assert_eq!(text.lines().count(), 1 + SHOWN_CLASSES + 1 + 1 + 1);
        assert!(
            text.contains("\nn0003                      1,300      50\n… 992 more\nn0996"),
            "{text}"
        );
        assert!(
            text.contains("total (1,000 classes)  1,299,432  50,000\n"),
            "{text}"
        );
        assert!(
            text.ends_with("largest n0000 (1,300), smallest n0500 (732)\n"),
            "{text}"
        );
        assert_eq!(table(&survey, 80, None).lines().count(), 1002);
    }

    #[test]
    fn rows_fit_the_terminal() {
        let long =
            "a class of a name that is much longer than any terminal has room for, whatever it is";
        for columns in [40, 60, 80] {
            let text = table(&survey(&[long, "b"], &[[5, 5], [5, 5]]), columns, None);
            let widest = text.lines().map(measure_text_width).max();
            assert_eq!(widest, Some(columns), "{text}");
        }
    }

    #[test]
    fn classes_are_called_imbalanced_from_three_times_as_many_images_on() {
        let labels = ["cat", "dog", "eel"];
        assert_eq!(
            imbalance(&survey(&labels, &[[29, 1], [10, 1], [0, 1]])),
            None
        );
        let note = imbalance(&survey(&labels, &[[30, 1], [10, 1], [0, 1]])).unwrap();
        assert!(
            note.contains("30 images of `cat`, 10 of `dog`; --class-weights auto"),
            "{note}"
        );
    }
}
