//! The confusion matrix and the pairs that are confused most, with the images behind each number.

use std::collections::HashSet;

use anyhow::Result;

use super::html::{Html, escape, name};
use crate::eval::metrics::confused_pairs;
use crate::report::evaluation_report::{ConfusionCell, EvaluationReport, PAIRS};
use crate::report::plot::confusion::{NAMED, map, most_wrong};

/// Columns of a name beside the matrix, at most.
const NAME: usize = 22;

/// Writes the section.
///
/// # Errors
/// Never: any counts can be drawn.
pub fn section(page: &mut Html, evaluation_report: &EvaluationReport) -> Result<()> {
    page.section("confusion", "Confusion", "");
    let few = evaluation_report.labels.len() <= NAMED;
    page.raw("<div class=\"two\">\n<div>\n");
    if few {
        matrix(page, evaluation_report);
    } else {
        whole(page, evaluation_report)?;
    }
    page.raw("</div>\n<div>\n");
    pairs(page, evaluation_report);
    page.raw("</div>\n</div>\n</section>\n");
    Ok(())
}

/// Writes the matrix of few classes, each cell a button that opens its images.
fn matrix(page: &mut Html, evaluation_report: &EvaluationReport) {
    let count = evaluation_report.labels.len();
    let size = match count {
        0..=12 => "",
        13..=20 => " dense",
        _ => " denser",
    };
    page.raw("<p class=\"lead\">Rows are true classes, columns are predictions.<span class=\"screen\"> Select a number to see its images.</span></p>\n");
    page.raw(&format!(
        "<div class=\"scroll\"><table class=\"matrix{size}\" style=\"--count:{count}\"><thead><tr><td colspan=\"2\"></td><th colspan=\"{count}\" class=\"axis\">predicted</th></tr>\n<tr><td colspan=\"2\"></td>"
    ));
    for label in &evaluation_report.labels {
        page.raw(&format!(
            "<th scope=\"col\"><span>{}</span></th>",
            name(label, NAME)
        ));
    }
    page.raw("</tr></thead><tbody>\n");
    let confusion = &evaluation_report.evaluation.confusion;
    let totals: Vec<u64> = confusion.iter().map(|counts| counts.iter().sum()).collect();
    let most_wrong = most_wrong(confusion, &totals);
    let with_images: HashSet<(usize, usize)> = evaluation_report
        .cells
        .iter()
        .filter(|cell| !cell.thumbnails.is_empty())
        .map(|cell| (cell.class as usize, cell.predicted as usize))
        .collect();
    for (class, counts) in confusion.iter().enumerate() {
        let label = &evaluation_report.labels[class];
        page.raw("<tr>");
        if class == 0 {
            page.raw(&format!(
                "<th rowspan=\"{count}\" class=\"axis\"><span>true</span></th>"
            ));
        }
        page.raw(&format!("<th scope=\"row\">{}</th>", name(label, NAME)));
        let total = totals[class].max(1);
        for (predicted, &count) in counts.iter().enumerate() {
            let part = count as f64 / total as f64;
            let (kind, part) = match (count, class == predicted) {
                (0, _) => ("empty", 0.0),
                (_, true) => ("right", part),
                (_, false) => ("wrong", part / most_wrong.max(1e-12)),
            };
            page.raw(&format!("<td class=\"{kind}\" style=\"--part:{part:.3}\">"));
            if with_images.contains(&(class, predicted)) {
                page.raw(&format!(
                    "<button type=\"button\" data-cell=\"{class},{predicted}\" aria-label=\"{count} of {} predicted as {}\">{count}</button>",
                    escape(label),
                    escape(&evaluation_report.labels[predicted])
                ));
            } else if count > 0 {
                page.raw(&count.to_string());
            }
            page.raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    legend(page, "share of the row", 100.0 * most_wrong);
}

/// Writes the meaning of the colors.
fn legend(page: &mut Html, of: &str, most_wrong: f64) {
    page.raw(&format!(
        "<ul class=\"legend ramps\"><li>correct, {of}: 0 <i class=\"ramp right\"></i> 100&nbsp;%</li>"
    ));
    if most_wrong > 0.0 {
        page.raw(&format!(
            "<li>wrong: 0 <i class=\"ramp wrong\"></i> {most_wrong:.0}&nbsp;%</li>"
        ));
    }
    page.raw("</ul>\n");
}

/// Writes the matrix of many classes as an image of one pixel per cell.
fn whole(page: &mut Html, evaluation_report: &EvaluationReport) -> Result<()> {
    let count = evaluation_report.labels.len();
    let uri = map(&evaluation_report.evaluation.confusion)?;
    page.raw("<p class=\"lead\">Rows are true classes, columns are predictions, both in the order of their numbers.</p>\n");
    page.raw(&format!(
        "<figure class=\"map\"><span class=\"axis\">predicted</span><span class=\"axis down\">true</span><img src=\"{uri}\" alt=\"Confusion matrix of {count} classes\"><span class=\"x\">0</span><span class=\"x last\">{}</span></figure>\n",
        count.saturating_sub(1)
    ));
    page.raw("<ul class=\"legend\"><li><i class=\"key recall\"></i>correct</li><li><i class=\"key mistake\"></i>wrong</li><li>strength: logarithm of the count</li></ul>\n");
    Ok(())
}

/// Writes the pairs that are confused most, each with a button that opens its images.
fn pairs(page: &mut Html, evaluation_report: &EvaluationReport) {
    let wrong = evaluation_report
        .cells
        .iter()
        .filter(|cell| cell.class != cell.predicted);
    let pairs: Vec<&ConfusionCell> = wrong.take(PAIRS).collect();
    let all = confused_pairs(&evaluation_report.evaluation.confusion).len();
    page.element("h3", "Most confused");
    if pairs.is_empty() {
        page.raw("<p>No mistakes.</p>\n");
        return;
    }
    if all > PAIRS {
        page.raw(&format!("<p>The first {PAIRS} of {all} pairs.</p>\n"));
    }
    if pairs.len() > 30 {
        page.filter("pair-table", "Filter pairs");
    }
    page.raw("<div class=\"scroll tall\"><table id=\"pair-table\" class=\"full\">\n");
    page.head(
        &[
            ("true", false),
            ("predicted", false),
            ("images", true),
            ("of class, %", true),
        ],
        None,
    );
    page.raw("<tbody>\n");
    for cell in pairs {
        let label = |class: u32| evaluation_report.labels[class as usize].as_str();
        page.raw("<tr>");
        page.cell(label(cell.class), None);
        page.raw(&format!(
            "<td class=\"name mistake\">{}</td>",
            name(label(cell.predicted), 44)
        ));
        let (class, predicted) = (cell.class, cell.predicted);
        page.raw(&format!(
            "<td class=\"number\" data-value=\"{}\">",
            cell.images
        ));
        if cell.thumbnails.is_empty() {
            page.raw(&cell.images.to_string());
        } else {
            page.raw(&format!(
                "<button type=\"button\" data-cell=\"{class},{predicted}\" aria-label=\"{0}: show them\">{0}</button>",
                cell.images
            ));
        }
        page.raw("</td>");
        let row: u64 = evaluation_report.evaluation.confusion[class as usize]
            .iter()
            .sum();
        let part = 100.0 * cell.images as f64 / row.max(1) as f64;
        page.cell(&format!("{part:.1}"), Some(part));
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}
