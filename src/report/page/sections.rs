//! Where a net fails, the pictures, and what makes it all again.

use std::collections::HashSet;

use anyhow::Result;

use super::Again;
use super::html::{Html, escape};
use crate::eval::metrics::confused_pairs;
use crate::report::examined::{Cell, Examined, PAIRS};
use crate::report::plot::confusion::{NAMED, confusion_matrix, most_wrong};
use crate::report::plot::reliability::reliability_diagram;

/// Classes that are printed on paper; a screen scrolls to the others.
const PRINTED: usize = 100;

/// Writes the sections of classes, confusion, mistakes and confidence.
pub fn failures(page: &mut Html, examined: &Examined) -> Result<()> {
    classes(page, examined);
    page.raw("<section id=\"confusion\">\n<h2>What it takes for what</h2>\n");
    if examined.labels.len() <= NAMED {
        matrix(page, examined);
    } else {
        page.raw("<figure class=\"large\">\n");
        page.raw(&confusion_matrix(&examined.labels, &examined.evaluation.confusion)?.inline());
        page.raw("</figure>\n");
    }
    pairs(page, examined);
    page.raw("<div id=\"behind\" class=\"behind\" tabindex=\"-1\" aria-live=\"polite\" hidden></div>\n</section>\n");
    page.raw("<section id=\"mistakes\">\n<h2>The mistakes that it was surest of</h2>\n");
    tiles(page, examined, &examined.mistakes);
    page.raw("</section>\n<section id=\"calibration\">\n<h2>Is it as right as it is sure?</h2>\n");
    page.raw("<p>Pictures are grouped by the probability of the predicted class; a bar is the part of a group that was recognised. A net that knows itself follows the line; the calibration error is the mean distance from it.</p>\n<figure class=\"narrow\">\n");
    page.raw(&reliability_diagram(&examined.calibration)?.inline());
    page.raw("</figure>\n</section>\n");
    Ok(())
}

fn classes(page: &mut Html, examined: &Examined) {
    page.raw("<section id=\"classes\">\n<h2>How well it knows each class</h2>\n");
    filter(page, "class-table", "Filter classes");
    let classes = &examined.evaluation.classes;
    let tall = if classes.len() > PRINTED {
        page.raw(&format!(
            "<p class=\"paper\">The first {PRINTED} of {} classes.</p>\n",
            classes.len()
        ));
        " tall"
    } else {
        ""
    };
    page.raw(&format!(
        "<div class=\"wide{tall}\"><table id=\"class-table\">\n"
    ));
    let columns = ["images", "precision", "recall", "F1"].map(|name| (name, true));
    page.head(&[&[("class", false)][..], &columns[..]].concat());
    page.raw("<tbody>\n");
    for class in classes {
        page.raw("<tr>");
        page.cell(&class.label, None);
        page.cell(&class.images.to_string(), Some(class.images as f64));
        for figure in [class.precision, class.recall, class.f1] {
            if class.images == 0 {
                page.cell("–", Some(-1.0));
            } else {
                page.raw(&format!(
                    "<td class=\"number bar\" style=\"--part:{figure:.4}\" data-value=\"{figure}\">{figure:.4}</td>"
                ));
            }
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

/// A field that filters the rows of a table by the text in them.
fn filter(page: &mut Html, table: &str, label: &str) {
    page.raw(&format!(
        "<p class=\"filter\"><label>{label} <input type=\"search\" data-table=\"{table}\" autocomplete=\"off\"></label> <output></output></p>\n"
    ));
}

/// The confusion matrix of few classes, each cell a button that shows its pictures.
fn matrix(page: &mut Html, examined: &Examined) {
    page.raw("<p>Rows are what pictures show, columns what they were taken for.<span class=\"screen\"> Press a number to see its pictures.</span></p>\n");
    page.raw("<div class=\"wide\"><table class=\"matrix\"><thead><tr><td></td>");
    for label in &examined.labels {
        page.raw(&format!(
            "<th scope=\"col\"><span>{}</span></th>",
            escape(label)
        ));
    }
    page.raw("</tr></thead><tbody>\n");
    let confusion = &examined.evaluation.confusion;
    let totals: Vec<u64> = confusion.iter().map(|counts| counts.iter().sum()).collect();
    let most_wrong = most_wrong(confusion, &totals).max(1e-12);
    let with_pictures: HashSet<(usize, usize)> = examined
        .cells
        .iter()
        .filter(|cell| !cell.pictures.is_empty())
        .map(|cell| (cell.class as usize, cell.predicted as usize))
        .collect();
    for (class, counts) in confusion.iter().enumerate() {
        let label = escape(&examined.labels[class]);
        page.raw(&format!("<tr><th scope=\"row\">{label}</th>"));
        let total = totals[class].max(1);
        for (predicted, &count) in counts.iter().enumerate() {
            let part = count as f64 / total as f64;
            let (kind, part) = match (count, class == predicted) {
                (0, _) => ("empty", 0.0),
                (_, true) => ("right", part),
                (_, false) => ("wrong", part / most_wrong),
            };
            page.raw(&format!("<td class=\"{kind}\" style=\"--part:{part:.3}\">"));
            if with_pictures.contains(&(class, predicted)) {
                let other = escape(&examined.labels[predicted]);
                page.raw(&format!(
                    "<button type=\"button\" data-cell=\"{class},{predicted}\" aria-label=\"{count} of {label} taken for {other}\">{count}</button>"
                ));
            } else if count > 0 {
                page.raw(&count.to_string());
            }
            page.raw("</td>");
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

/// The pairs that are confused most, each with a button that shows its pictures.
fn pairs(page: &mut Html, examined: &Examined) {
    let wrong = examined
        .cells
        .iter()
        .filter(|cell| cell.class != cell.predicted);
    let pairs: Vec<&Cell> = wrong.take(PAIRS).collect();
    let all = confused_pairs(&examined.evaluation.confusion).len();
    if pairs.is_empty() {
        page.raw("<p>It made no mistake.</p>\n");
        return;
    }
    page.raw("<h3>Confused pairs</h3>\n");
    if all > PAIRS {
        page.raw(&format!("<p>The first {PAIRS} of {all}.</p>\n"));
    }
    filter(page, "pair-table", "Filter pairs");
    page.raw("<div class=\"wide tall\"><table id=\"pair-table\">\n");
    page.head(&[
        ("is", false),
        ("taken for", false),
        ("pictures", true),
        ("of the class, %", true),
    ]);
    page.raw("<tbody>\n");
    for cell in pairs {
        let label = |class: u32| examined.labels[class as usize].as_str();
        page.raw("<tr>");
        page.cell(label(cell.class), None);
        page.cell(label(cell.predicted), None);
        let (class, predicted) = (cell.class, cell.predicted);
        page.raw(&format!(
            "<td class=\"number\" data-value=\"{0}\"><button type=\"button\" data-cell=\"{class},{predicted}\" aria-label=\"{0}: show them\">{0}</button></td>",
            cell.images
        ));
        let row: u64 = examined.evaluation.confusion[class as usize].iter().sum();
        let part = 100.0 * cell.images as f64 / row.max(1) as f64;
        page.cell(&format!("{part:.1}"), Some(part));
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}

/// Writes the pictures of all kinds, and those with what the net looked at.
pub fn pictures(page: &mut Html, examined: &Examined) {
    if !examined.explained.is_empty() {
        page.raw("<section id=\"looks\">\n<h2>What it looks at</h2>\n<p>Grad-CAM: the warmer, the more a place speaks for the predicted class; dimmed is what the net does not see.</p>\n<ul class=\"tiles\">\n");
        for one in &examined.explained {
            tile(page, examined, one.place, Some(&one.uri));
        }
        page.raw("</ul>\n</section>\n");
    }
    page.raw("<section id=\"pictures\">\n<h2>Pictures of all kinds</h2>\n");
    tiles(page, examined, &examined.spread);
    page.raw("</section>\n");
}

fn tiles(page: &mut Html, examined: &Examined, places: &[usize]) {
    if places.is_empty() {
        page.raw("<p>None.</p>\n");
        return;
    }
    page.raw("<ul class=\"tiles\">\n");
    for &place in places {
        tile(page, examined, place, None);
    }
    page.raw("</ul>\n");
}

/// A picture with what it was taken for, and the same with something over it where there is that.
fn tile(page: &mut Html, examined: &Examined, place: usize, over: Option<&str>) {
    let picture = &examined.pictures[place];
    let label = |class: u32| escape(&examined.labels[class as usize]);
    let (predicted, name) = (label(picture.predicted), escape(&picture.name));
    let is_right = picture.class == picture.predicted;
    let class = if is_right { "right" } else { "wrong" };
    let uris = [Some(picture.uri.as_str()), over];
    page.raw(&format!("<li class=\"{class}\" title=\"{name}\">"));
    for uri in uris.into_iter().flatten() {
        let small = if picture.size.iter().all(|side| *side <= 64) && over != Some(uri) {
            " class=\"small\""
        } else {
            ""
        };
        page.raw(&format!("<img{small} src=\"{uri}\" alt=\"{name}\">"));
    }
    let mark = if is_right { "✓" } else { "✗" };
    let sure = 100.0 * picture.probability;
    page.raw(&format!(
        "<span class=\"mark\">{mark}</span> <bdi>{predicted}</bdi> <small>{sure:.0} %</small>"
    ));
    if !is_right {
        page.raw(&format!("<em>is <bdi>{}</bdi></em>", label(picture.class)));
    }
    page.raw("</li>\n");
}

/// Writes what makes it again.
pub fn again(page: &mut Html, again: &Again) {
    page.raw("<section id=\"again\">\n<h2>Make it again</h2>\n");
    if let Some(command) = &again.command {
        page.raw(&format!(
            "<pre class=\"command\"><code>{}</code></pre>\n",
            escape(command)
        ));
    }
    if let Some((name, text)) = &again.config {
        // Line ends stay: each line by itself is without control characters.
        let lines: Vec<String> = text.lines().map(escape).collect();
        page.raw("<p>That began it (into a folder that is there already it does not go again); all that was decided is in its configuration, which <code>--recipe</code> takes.</p>\n");
        page.raw(&format!(
            "<details><summary>{}</summary>\n<pre><code>{}</code></pre>\n</details>\n",
            escape(name),
            lines.join("\n")
        ));
    }
    page.facts(&again.environment);
    page.raw("</section>\n");
}
