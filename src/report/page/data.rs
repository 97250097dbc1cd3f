//! The dataset of a run: counts per class and split, duplicates, unreadable images, and examples.

use super::html::{Html, name};
use super::images::tiles;
use crate::data::DatasetSurvey;
use crate::data::survey::{DuplicateGroup, SplitOverlap};
use crate::report::evaluation_report::EvaluationReport;
use crate::text::{pluralize, thousands};

/// Files that are listed, at most.
const LISTED: usize = 20;
/// Columns of a class name in a sentence.
const NAME: usize = 40;

/// Writes the section.
pub fn section(
    page: &mut Html,
    data: Option<&DatasetSurvey>,
    evaluation_report: Option<&EvaluationReport>,
) {
    let spread = evaluation_report.map_or(&[][..], |evaluation_report| &evaluation_report.spread);
    if data.is_none() && spread.is_empty() {
        return;
    }
    page.section("data", "Data", "");
    if let Some(data) = data {
        page.raw("<div class=\"two\">\n<div>\n");
        counts(page, data);
        page.raw("</div>\n<div>\n");
        problems(page, data);
        page.raw("</div>\n</div>\n");
    }
    if let Some(evaluation_report) = evaluation_report.filter(|_| !spread.is_empty()) {
        page.element("h3", "Examples");
        page.raw("<p class=\"lead\">Evenly spread over the measured images.</p>\n");
        tiles(page, evaluation_report, spread);
    }
    page.raw("</section>\n");
}

/// Writes the images of each class in each split.
fn counts(page: &mut Html, data: &DatasetSurvey) {
    page.raw("<div class=\"scroll tall\"><table id=\"data-table\" class=\"full\">\n");
    let columns = data.splits.iter().map(|split| (whole(&split.name), true));
    let columns: Vec<(&str, bool)> = std::iter::once(("class", false)).chain(columns).collect();
    page.head(&columns, None);
    page.raw("<tbody>\n");
    for class in &data.classes {
        page.raw("<tr>");
        page.cell(&class.label, None);
        for &images in &class.images {
            page.cell(&thousands(images), Some(images as f64));
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n<tfoot><tr><th scope=\"row\">all</th>");
    for split in &data.splits {
        page.raw(&format!(
            "<td class=\"number\">{}</td>",
            thousands(split.images)
        ));
    }
    page.raw("</tr></tfoot></table></div>\n");
}

/// Writes the images that cannot be read, and those that occur more than once.
fn problems(page: &mut Html, data: &DatasetSurvey) {
    if !data.unreadable.is_empty() {
        page.raw(&format!(
            "<p class=\"warning\"><b>Unreadable</b> {}, left out</p>\n",
            pluralize(data.unreadable.len(), "image")
        ));
        let files = data.unreadable.iter();
        let files = files.map(|one| format!("{}: {}", one.image.image, one.reason));
        list(page, files, data.unreadable.len());
    }
    for overlap in data.overlaps() {
        page.raw(&format!(
            "<p class=\"warning\"><b>Duplicates</b> {}</p>\n",
            shared(&overlap)
        ));
    }
    let labels = data.across_classes().count();
    if labels > 0 {
        page.raw(&format!(
            "<p class=\"warning\"><b>Duplicates</b> {} in two classes: one of the labels is wrong</p>\n",
            pluralize(labels, "image")
        ));
    }
    let spread =
        |group: &&DuplicateGroup| group.kind.is_across_splits() || group.kind.is_across_classes();
    let groups: Vec<&DuplicateGroup> = data.duplicates.iter().filter(spread).collect();
    if groups.is_empty() {
        page.raw("<p>No image is in two splits or in two classes.</p>\n");
    } else {
        let files = groups.iter().map(|group| {
            let images = group.images.iter();
            let names: Vec<&str> = images.map(|image| image.image.as_str()).collect();
            names.join(" = ")
        });
        list(page, files, groups.len());
    }
    let within = data.duplicates.len() - groups.len();
    if within > 0 {
        page.raw(&format!(
            "<p>{} more than once within a class and split.</p>\n",
            match within {
                1 => "1 image occurs".to_owned(),
                many => format!("{} images occur", thousands(many)),
            }
        ));
    }
    if let Some(imbalance) = data.imbalance().filter(|found| found.ratio() > 1.0) {
        let (largest, smallest) = (imbalance.largest, imbalance.smallest);
        page.raw(&format!(
            "<p>Largest class: {} ({}); smallest: {} ({}).</p>\n",
            name(largest.0, NAME),
            pluralize(largest.1, "training image"),
            name(smallest.0, NAME),
            pluralize(smallest.1, "training image"),
        ));
    }
    for note in &data.notes {
        page.element("p", &note.to_string());
    }
}

/// Returns the images that two splits share, in words.
pub fn shared(overlap: &SplitOverlap) -> String {
    let [first, second] = overlap.splits.map(whole);
    let verb = if overlap.images == 1 { "is" } else { "are" };
    let images = pluralize(overlap.images, &format!("{second} image"));
    format!("{images} {verb} in the {first} set, too")
}

/// Returns a split's name as a whole word.
fn whole(split: &str) -> &str {
    match split {
        "train" => "training",
        "val" => "validation",
        other => other,
    }
}

/// Writes a folded list of `all` lines, cut after [`LISTED`].
fn list(page: &mut Html, lines: impl Iterator<Item = String>, all: usize) {
    page.raw("<details><summary>Files</summary>\n<ul class=\"files\">\n");
    for line in lines.take(LISTED) {
        page.element("li", &line);
    }
    if all > LISTED {
        page.element(
            "li",
            &format!("and {} more, in data.json", thousands(all - LISTED)),
        );
    }
    page.raw("</ul></details>\n");
}
