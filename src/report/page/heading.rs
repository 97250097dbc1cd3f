//! The top of a page: its name and date, and the result in large letters.

use super::html::{Html, escape};
use crate::eval::interval::wilson;
use crate::report::date::Date;

/// The subject of a page, and its date.
#[derive(Debug, Clone, Default)]
pub struct Heading {
    /// The run's folder name, or the model that was evaluated.
    pub name: String,
    /// The work, such as `resnet20 trained on sample`.
    pub what: String,
    /// More of it in a sentence.
    pub detail: String,
    /// The date of the report.
    pub date: Option<Date>,
}

impl Heading {
    /// Returns the page's title.
    pub fn title(&self) -> String {
        let date = self.date.map_or(String::new(), Date::day);
        let parts = [self.name.as_str(), date.as_str(), self.what.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" · ")
    }

    /// Writes the name, the date and what was done.
    pub fn write(&self, page: &mut Html) {
        page.raw("<header id=\"top\">\n<h1>");
        page.raw(&format!("<bdi>{}</bdi>", escape(&self.name)));
        if let Some(date) = self.date {
            page.raw(&format!(" <time>{}</time>", date.minute()));
        }
        page.raw("</h1>\n");
        page.raw(&format!("<p class=\"what\">{}", escape(&self.what)));
        if !self.detail.is_empty() {
            page.raw(&format!(" <span>{}</span>", escape(&self.detail)));
        }
        page.raw("</p>\n");
    }
}

/// The result of a run or an evaluation.
#[derive(Debug, Clone, Default)]
pub struct Headline {
    /// Correct images and all images; `None` if nothing was measured.
    pub measured: Option<[usize; 2]>,
    /// The images, such as `1,000 test images of sample`.
    pub on: String,
    /// Further figures under their names.
    pub figures: Vec<(&'static str, String)>,
    /// Reasons why the result is optimistic.
    pub warnings: Vec<String>,
    /// Further sentences about the run.
    pub notes: Vec<String>,
}

impl Headline {
    /// Writes the result, and ends the header.
    pub fn write(&self, page: &mut Html) {
        page.raw("<div class=\"result\">\n");
        match self.measured {
            Some([right, total]) if total > 0 => {
                let top1 = 100.0 * right as f64 / total as f64;
                let [low, high] = wilson(right, total).map(|end| 100.0 * end);
                page.raw(&format!(
                    "<div class=\"score\"><p class=\"large\">{top1:.2}<small> %</small></p>\n<p class=\"of\"><b>top-1 accuracy</b> on {}</p>\n<p class=\"interval\"><i style=\"--low:{low:.2};--high:{high:.2};--at:{top1:.2}\"></i><span>95&nbsp;% interval {low:.1} to {high:.1}&nbsp;%</span></p></div>\n",
                    escape(&self.on)
                ));
            }
            _ => page.raw("<div class=\"score\"><p class=\"large none\">–</p>\n<p class=\"of\">No images were measured.</p></div>\n"),
        }
        page.facts("figures", &self.figures);
        page.raw("</div>\n");
        for warning in &self.warnings {
            page.raw(&format!(
                "<p class=\"warning\" role=\"note\"><b>Optimistic</b> {}</p>\n",
                escape(warning)
            ));
        }
        for note in &self.notes {
            page.raw(&format!("<p class=\"note\">{}</p>\n", escape(note)));
        }
        page.raw("</header>\n");
    }
}
