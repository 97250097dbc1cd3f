//! Images with their predictions, each a button that enlarges it.

use super::html::{Html, escape, file_name, name};
use crate::report::evaluation_report::{EvaluationReport, Thumbnail};

/// Columns of a class name below an image, at most.
const NAME: usize = 30;
/// Columns of a file name below an image, at most.
const FILE: usize = 34;
/// Longer side, in pixels, up to which pixels are drawn as squares.
const PIXELATED: u32 = 64;

/// Writes the mistakes that the model was most confident of.
pub fn mistakes(page: &mut Html, evaluation_report: &EvaluationReport) {
    page.section(
        "mistakes",
        "Mistakes",
        match evaluation_report.mistakes.len() {
            0 => "No image was misclassified.",
            _ => "Most confident first: true class → predicted class.",
        },
    );
    tiles(page, evaluation_report, &evaluation_report.mistakes);
    page.raw("</section>\n");
}

/// Writes images with the regions that speak for the predicted class.
pub fn cams(page: &mut Html, evaluation_report: &EvaluationReport) {
    if evaluation_report.explained.is_empty() {
        return;
    }
    page.section(
        "cam",
        "Grad-CAM",
        "The regions that speak for the predicted class. Each map is scaled to its own maximum. Regions that the crop removes before the model sees the image are dimmed.",
    );
    page.raw("<p class=\"heat\">no evidence <i></i> most evidence</p>\n<ul class=\"cams\">\n");
    for one in &evaluation_report.explained {
        let image = &evaluation_report.thumbnails[one.place];
        page.raw("<li><figure><div>");
        img(page, image);
        page.raw(&format!(
            "<img src=\"{}\" alt=\"Grad-CAM of {}\">",
            one.uri,
            escape(&image.name)
        ));
        page.raw("</div><figcaption>");
        caption(page, evaluation_report, image);
        page.raw("</figcaption></figure></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// Writes a list of images.
pub fn tiles(page: &mut Html, evaluation_report: &EvaluationReport, places: &[usize]) {
    if places.is_empty() {
        return;
    }
    page.raw("<ul class=\"tiles\">\n");
    for &place in places {
        let image = &evaluation_report.thumbnails[place];
        page.raw(&format!(
            "<li><button type=\"button\" data-image=\"{place}\">"
        ));
        img(page, image);
        caption(page, evaluation_report, image);
        page.raw("</button></li>\n");
    }
    page.raw("</ul>\n");
}

fn img(page: &mut Html, image: &Thumbnail) {
    let small = if image.size.iter().all(|side| *side <= PIXELATED) {
        " class=\"small\""
    } else {
        ""
    };
    page.raw(&format!(
        "<img{small} src=\"{}\" alt=\"{}\" width=\"{}\" height=\"{}\">",
        image.uri,
        escape(&image.name),
        image.size[0],
        image.size[1]
    ));
}

/// Writes the true class, the predicted one, the confidence, and the file.
fn caption(page: &mut Html, evaluation_report: &EvaluationReport, image: &Thumbnail) {
    let label = |class: u32| name(&evaluation_report.labels[class as usize], NAME);
    let confidence = 100.0 * image.probability;
    page.raw("<span class=\"verdict\">");
    if image.class == image.predicted {
        page.raw(&format!(
            "<span class=\"correct\" aria-hidden=\"true\">✓</span> {}",
            label(image.class)
        ));
    } else {
        page.raw(&format!(
            "{} <span aria-label=\"predicted as\">→</span> <b class=\"mistake\">{}</b>",
            label(image.class),
            label(image.predicted)
        ));
    }
    page.raw(&format!(
        " <span class=\"percent\">{confidence:.0} %</span></span> <span class=\"file\">{}</span>",
        file_name(&image.name, FILE)
    ));
}
