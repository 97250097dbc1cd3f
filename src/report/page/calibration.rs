//! Calibration: accuracy against confidence.

use super::html::Html;
use crate::eval::calibration::MIN_IMAGES;
use crate::report::evaluation_report::EvaluationReport;

/// Writes the section.
pub fn section(page: &mut Html, evaluation_report: &EvaluationReport) {
    page.section("calibration", "Calibration", "");
    page.raw("<div class=\"two\">\n<figure class=\"chart reliability\">\n<figcaption><h3>Accuracy by confidence, %</h3></figcaption>\n<div class=\"plot\">\n");
    for percent in [0, 25, 50, 75, 100] {
        page.raw(&format!(
            "<span class=\"y\" style=\"top:{}%\">{percent}</span><span class=\"x\" style=\"left:{percent}%\">{percent}</span>",
            100 - percent
        ));
    }
    page.raw("<span class=\"axis\">confidence in the predicted class, %</span>\n");
    page.raw("<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"grid\" d=\"M0 0H1000M0 250H1000M0 500H1000M0 750H1000M0 1000H1000\"/></svg>\n");
    let bins = &evaluation_report.calibration.bins;
    let place = |index: usize| {
        let width = 100.0 / bins.len() as f64;
        format!("left:{:.3}%;width:{width:.3}%", width * index as f64)
    };
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.images > 0) {
        let [accuracy, confidence] = [bin.accuracy(), bin.confidence()].map(|part| 100.0 * part);
        let (kind, low, high) = if confidence > accuracy {
            ("over", accuracy, confidence)
        } else {
            ("under", confidence, accuracy)
        };
        page.raw(&format!(
            "<i class=\"bin\" style=\"{0};height:{accuracy:.2}%\"></i><i class=\"gap {kind}\" style=\"{0};bottom:{low:.2}%;height:{1:.2}%\" title=\"{2}: confidence {confidence:.1} %, accuracy {accuracy:.1} %\"></i>\n",
            place(index),
            high - low,
            crate::text::pluralize(bin.images as usize, "image")
        ));
    }
    page.raw("<svg class=\"ideal\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Reliability diagram\"><path d=\"M0 1000L1000 0\"/></svg>\n</div>\n<div class=\"counts\">\n");
    let most = bins.iter().map(|bin| bin.images).max().unwrap_or(0).max(1);
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.images > 0) {
        page.raw(&format!(
            "<span style=\"{0}\"><i style=\"height:{1:.2}%\"></i><b style=\"bottom:{1:.2}%\">{2}</b></span>",
            place(index),
            100.0 * bin.images as f64 / most as f64,
            short(bin.images)
        ));
    }
    page.raw(
        "</div>\n<p class=\"under\">images by confidence</p>\n</figure>\n<div class=\"words\">\n",
    );
    let images: u64 = bins.iter().map(|bin| bin.images).sum();
    if images as usize >= MIN_IMAGES {
        page.raw(&format!(
            "<p class=\"large\">{:.1}<small> %</small></p>\n<p class=\"of\"><b>expected calibration error</b>: the mean distance of accuracy from confidence</p>\n",
            100.0 * evaluation_report.calibration.expected_error()
        ));
    } else {
        page.raw(&format!(
            "<p class=\"note\">Too few images ({images}) for a calibration error, which needs {MIN_IMAGES}.</p>\n"
        ));
    }
    page.raw("<p>Images are grouped by the model's confidence in its prediction. In each group, a well calibrated model is right as often as its confidence says: the bars reach the diagonal.</p>\n");
    page.raw("<ul class=\"legend stacked\"><li><i class=\"swatch bin\"></i>accuracy of the group</li><li><i class=\"swatch gap over\"></i>overconfident: less accurate than confident</li><li><i class=\"swatch gap under\"></i>underconfident: more accurate than confident</li><li><i class=\"key ideal\"></i>perfect calibration</li></ul>\n</div>\n</div>\n</section>\n");
}

/// Formats a count in four letters.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}
