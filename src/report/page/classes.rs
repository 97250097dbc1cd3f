//! The figures of each class: bars beside a table.

use super::html::{Html, name};
use crate::eval::ClassMetrics;
use crate::report::evaluation_report::EvaluationReport;

/// Classes that have a bar; of more, the worst.
const BARS: usize = 30;
/// Classes that are printed on paper; a screen scrolls to the others.
const PRINTED: usize = 100;

/// Writes the section.
pub fn section(page: &mut Html, evaluation_report: &EvaluationReport) {
    page.section("classes", "Classes", "");
    page.raw("<div class=\"two\">\n");
    bars(page, &evaluation_report.evaluation.classes);
    table(page, &evaluation_report.evaluation.classes);
    page.raw("</div>\n</section>\n");
}

/// Classes that have images, the lowest F1 first.
fn worst_first(classes: &[ClassMetrics]) -> Vec<&ClassMetrics> {
    let mut sorted: Vec<&ClassMetrics> = classes.iter().filter(|class| class.images > 0).collect();
    sorted.sort_by(|a, b| a.f1.total_cmp(&b.f1));
    sorted
}

fn bars(page: &mut Html, classes: &[ClassMetrics]) {
    let mut shown = worst_first(classes);
    let all = shown.len();
    shown.truncate(BARS);
    let title = if all > BARS {
        format!("The {BARS} worst of {all} classes")
    } else {
        "Worst class first".to_owned()
    };
    page.raw("<figure class=\"bars\">\n<figcaption>");
    page.element("h3", &title);
    page.raw("<ul class=\"legend\"><li><i class=\"key recall\"></i>recall</li><li><i class=\"key precision\"></i>precision</li></ul></figcaption>\n<ol>\n");
    for class in shown {
        let [recall, precision] = [class.recall, class.precision].map(|part| 100.0 * part);
        page.raw(&format!(
            "<li><span class=\"label\">{}</span><span class=\"track\"><i class=\"recall\" style=\"width:{recall:.2}%\"></i><i class=\"precision\" style=\"left:{precision:.2}%\"></i></span></li>\n",
            name(&class.label, 28)
        ));
    }
    page.raw("</ol>\n<p class=\"scale\"><span>0</span><span>25</span><span>50</span><span>75</span><span>100 %</span></p>\n</figure>\n");
}

fn table(page: &mut Html, classes: &[ClassMetrics]) {
    page.raw("<div>\n");
    if classes.len() > 20 {
        page.filter("class-table", "Filter classes");
    }
    if classes.len() > PRINTED {
        page.raw(&format!(
            "<p class=\"paper\">The {PRINTED} worst of {} classes.</p>\n",
            classes.len()
        ));
    }
    // As tall as the bars beside it.
    let tall = if classes.len() > BARS { " tall" } else { "" };
    page.raw(&format!(
        "<div class=\"scroll{tall}\"><table id=\"class-table\" class=\"full\">\n"
    ));
    let columns = ["images", "precision, %", "recall, %", "F1, %"].map(|name| (name, true));
    page.head(&[&[("class", false)][..], &columns[..]].concat(), Some(4));
    page.raw("<tbody>\n");
    let sorted = worst_first(classes);
    for class in &sorted {
        page.raw("<tr>");
        page.cell(&class.label, None);
        page.cell(
            &crate::text::thousands(class.images),
            Some(class.images as f64),
        );
        for part in [class.precision, class.recall, class.f1] {
            page.cell(&format!("{:.1}", 100.0 * part), Some(part));
        }
        page.raw("</tr>\n");
    }
    for class in classes.iter().filter(|class| class.images == 0) {
        page.raw("<tr>");
        page.cell(&class.label, None);
        page.cell("0", Some(0.0));
        for _ in 0..3 {
            page.cell("–", Some(-1.0));
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n<tfoot><tr><th scope=\"row\">average</th>");
    let images: usize = sorted.iter().map(|class| class.images).sum();
    page.raw(&format!(
        "<td class=\"number\">{}</td>",
        crate::text::thousands(images)
    ));
    let count = sorted.len().max(1) as f64;
    for of in [
        |class: &ClassMetrics| class.precision,
        |class: &ClassMetrics| class.recall,
        |class: &ClassMetrics| class.f1,
    ] {
        let mean = sorted.iter().map(|class| of(class)).sum::<f64>() / count;
        page.raw(&format!("<td class=\"number\">{:.1}</td>", 100.0 * mean));
    }
    page.raw("</tr></tfoot></table></div>\n</div>\n");
}
