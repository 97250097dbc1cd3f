//! Images of the dataset, evenly spread.

use super::html::Html;
use super::images::tiles;
use crate::report::examined::Examined;

/// Writes the section.
pub fn section(page: &mut Html, examined: Option<&Examined>) {
    let Some(examined) = examined.filter(|examined| !examined.spread.is_empty()) else {
        return;
    };
    page.section(
        "data",
        "Data",
        "Examples, evenly spread over the measured images.",
    );
    tiles(page, examined, &examined.spread);
    page.raw("</section>\n");
}
