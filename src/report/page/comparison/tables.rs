//! Tables of a comparison: the models' figures, the paired tests, and the settings that differ.

use super::super::html::{Html, escape, name};
use super::model_names::{COLORS, NAME, badge, best};
use crate::report::comparison::{Comparison, LEVEL};
use crate::text::thousands;

/// Writes the figures of each model.
pub fn models(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section("models", "Models", "");
    let low = comparison.models.iter().map(|model| model.top1_low);
    let low = low.fold(100.0, f64::min);
    let high = comparison.models.iter().map(|model| model.top1_high);
    let high = high.fold(0.0, f64::max);
    let extent = (high - low).max(1e-9);
    page.raw("<div class=\"scroll\"><table id=\"model-table\" class=\"full cards\">\n");
    page.head(
        &[
            ("model", false),
            ("top-1, %", true),
            ("95 % interval", true),
            ("top-5, %", true),
            ("loss", true),
            ("parameters", true),
            ("mult-adds", true),
            ("images/s", true),
        ],
        None,
    );
    page.raw("<tbody>\n");
    let best = best(&comparison.models);
    for (place, (model, model_name)) in comparison.models.iter().zip(names).enumerate() {
        page.raw(if place == best {
            "<tr class=\"top\">"
        } else {
            "<tr>"
        });
        page.raw(&format!(
            "<td class=\"name\">{} {}</td>",
            badge(place),
            name(model_name, NAME)
        ));
        page.named_cell("top-1, %", &format!("{:.2}", model.top1), model.top1);
        let at = |value: f64| 100.0 * (value - low) / extent;
        page.raw(&format!(
            "<td class=\"number range\" data-name=\"95 % interval\" data-value=\"{}\"><span class=\"s{}\"><i style=\"left:{:.1}%;right:{:.1}%\"></i><b style=\"left:{:.1}%\"></b></span>{:.2}–{:.2}</td>",
            model.top1_low,
            place % COLORS,
            at(model.top1_low),
            100.0 - at(model.top1_high),
            at(model.top1),
            model.top1_low,
            model.top1_high
        ));
        let top5 = model.top5.map(|top5| format!("{top5:.2}"));
        page.named_cell(
            "top-5, %",
            top5.as_deref().unwrap_or("–"),
            model.top5.unwrap_or(-1.0),
        );
        page.named_cell("loss", &format!("{:.4}", model.loss), model.loss);
        let parameters = thousands(model.parameters as usize);
        page.named_cell("parameters", &parameters, model.parameters as f64);
        let mult_adds = match model.mult_adds as f64 {
            many if many >= 1e9 => format!("{:.2} G", many / 1e9),
            few => format!("{:.1} M", few / 1e6),
        };
        page.named_cell("mult-adds", &mult_adds, model.mult_adds as f64);
        let speed = thousands(model.images_per_second.round() as usize);
        page.named_cell("images/s", &speed, model.images_per_second);
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

/// Writes every two models, and if they differ.
pub fn tests(page: &mut Html, comparison: &Comparison, names: &[String]) {
    page.section(
        "tests",
        "Paired tests",
        "McNemar's exact test of the images that only one of two models classifies correctly.",
    );
    let place = |model: &str| {
        let place = comparison.models.iter().position(|one| one.model == model);
        place.unwrap_or(0)
    };
    let several = comparison.pairs.len() > 1;
    page.raw("<div class=\"scroll tall\"><table id=\"test-table\" class=\"full cards\">\n");
    let mut columns = vec![
        ("first", false),
        ("second", false),
        ("only first correct", true),
        ("only second correct", true),
        ("p", true),
    ];
    if several {
        columns.push(("p, adjusted", true));
    }
    columns.push(("verdict", false));
    page.head(&columns, None);
    page.raw("<tbody>\n");
    for pair in &comparison.pairs {
        let [first, second] = pair.models.each_ref().map(|model| place(model));
        page.raw("<tr>");
        for place in [first, second] {
            page.raw(&format!(
                "<td class=\"name\">{} {}</td>",
                badge(place),
                name(&names[place], NAME)
            ));
        }
        for (column, images) in [
            ("only first correct", pair.only_first),
            ("only second correct", pair.only_second),
        ] {
            page.named_cell(column, &thousands(images), images as f64);
        }
        page.named_cell("p", &probability(pair.p), pair.p);
        if several {
            page.named_cell("p, adjusted", &probability(pair.p_holm), pair.p_holm);
        }
        let verdict = match (pair.differs(), pair.only_first > pair.only_second) {
            (false, _) => "no difference shown".to_owned(),
            (true, is_first) => format!(
                "{} <b>is better</b>",
                badge(if is_first { first } else { second })
            ),
        };
        page.raw(&format!("<td class=\"verdict\">{verdict}</td></tr>\n"));
    }
    page.raw("</tbody></table></div>\n");
    let adjusted = if several {
        format!(
            ", adjusted for {} pairs by Holm's method",
            comparison.pairs.len()
        )
    } else {
        String::new()
    };
    page.raw(&format!(
        "<p class=\"note\">Two models differ if p{adjusted} is below {LEVEL}.</p>\n</section>\n"
    ));
}

/// Formats a p value in few letters.
fn probability(p: f64) -> String {
    match p {
        none if none < 1e-300 => "<1e-300".to_owned(),
        small if small < 0.001 => format!("{small:.0e}"),
        p => format!("{p:.4}"),
    }
}

/// Writes the settings in which the runs differ.
pub fn settings(page: &mut Html, comparison: &Comparison, names: &[String]) {
    if comparison.settings.is_empty() {
        return;
    }
    page.section("settings", "Settings", "Only those that differ.");
    page.raw("<div class=\"scroll\"><table id=\"settings-table\">\n<thead><tr><th scope=\"col\">setting</th>");
    for (place, model) in names.iter().enumerate() {
        page.raw(&format!(
            "<th scope=\"col\">{} {}</th>",
            badge(place),
            name(model, NAME)
        ));
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for difference in &comparison.settings {
        page.raw(&format!(
            "<tr><th scope=\"row\"><code>{}</code></th>",
            escape(&difference.key)
        ));
        for value in &difference.values {
            page.cell(value.as_deref().unwrap_or("–").trim_matches('"'), None);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_short() {
        let shown = [1.0, 0.05, 0.000_33, 1.2e-55, 0.0].map(probability);
        assert_eq!(shown, ["1.0000", "0.0500", "3e-4", "1e-55", "<1e-300"]);
    }
}
