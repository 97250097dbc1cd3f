//! How a run went: its curves, and a table of its epochs.

use super::Learning;
use super::html::Html;

/// Writes the section.
pub fn section(page: &mut Html, learning: &Learning) {
    page.raw("<section id=\"learning\">\n<h2>How it went</h2>\n");
    page.raw("<figure class=\"curves\" tabindex=\"0\" aria-describedby=\"reading\">\n");
    page.raw(&learning.curves.inline());
    page.raw("</figure>\n<p id=\"reading\" class=\"reading\" aria-live=\"polite\">Point at a curve, or walk along it with the arrow keys.</p>\n");
    if !learning.epochs.is_empty() {
        page.raw("<details><summary>All epochs</summary>\n<div class=\"wide\"><table>\n");
        page.head(&[
            ("epoch", true),
            ("train loss", true),
            ("train top-1, %", true),
            ("val loss", true),
            ("val top-1, %", true),
            ("val top-5, %", true),
            ("learning rate", true),
            ("seconds", true),
        ]);
        page.raw("<tbody>\n");
        for epoch in learning.epochs {
            let is_best = Some(epoch.epoch) == learning.best;
            page.raw(if is_best {
                "<tr class=\"best\">"
            } else {
                "<tr>"
            });
            let mark = if is_best { " (best)" } else { "" };
            page.cell(&format!("{}{mark}", epoch.epoch), Some(epoch.epoch as f64));
            let mut number = |value: Option<f64>, digits: usize| match value {
                Some(value) => page.cell(&format!("{value:.digits$}"), Some(value)),
                // Below all that there is.
                None => page.cell("", Some(-1e9)),
            };
            number(Some(epoch.train_loss), 4);
            number(Some(epoch.train_top1), 2);
            number(epoch.val_loss, 4);
            number(epoch.val_top1, 2);
            number(epoch.val_top5, 2);
            page.cell(&format!("{:.2e}", epoch.lr), Some(epoch.lr));
            page.cell(&format!("{:.1}", epoch.seconds), Some(epoch.seconds));
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div></details>\n");
    }
    page.raw("</section>\n");
}
