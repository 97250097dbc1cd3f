//! Pictures of what a model does: learning curves, confusion, classes, calibration, the test pictures themselves.
//!
//! Each plot is a function from plain numbers to a [`Figure`], an SVG that browsers show in light and dark and at any size.
//! PNG is made of the same SVG, at two pixels a unit. Colours are named by what they mean ([`Colour`]), and nothing is told by
//! colour alone.

mod canvas;
pub mod classes;
mod colour;
pub mod comparison;
pub mod confusion;
pub mod curves;
pub mod gallery;
mod raster;
pub mod reliability;
pub(super) mod words;

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::weights::write_whole;
pub use colour::{Colour, dark_style};
use words::escaped;

/// Pixels of the PNG for a unit of the SVG.
const SCALE: f32 = 2.0;

/// A picture that can be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it shows, in words.
    pub title: String,
    /// The whole file, with its own colours for light and dark.
    pub svg: String,
    /// Where its coordinate systems are, for what is laid over them.
    pub panels: Vec<Panel>,
}

/// A coordinate system in a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Left, top, right and bottom in units of the SVG.
    pub place: [i32; 4],
    /// The numbers at the left and the right.
    pub x: [f64; 2],
    /// The numbers at the bottom and the top.
    pub y: [f64; 2],
}

impl Figure {
    /// Writes `<name>.svg` and `<name>.png` into `folder`, each whole.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn save(&self, folder: &Path, name: &str) -> Result<()> {
        write_whole(&folder.join(format!("{name}.svg")), |file| {
            Ok(file.write_all(self.svg.as_bytes())?)
        })?;
        let png = self.png()?;
        write_whole(&folder.join(format!("{name}.png")), |file| {
            Ok(file.write_all(&png)?)
        })
    }

    /// The figure as a part of a page, whose style it follows.
    pub fn inline(&self) -> String {
        let root = self.svg.find("<title>").unwrap_or(0);
        let body = self
            .svg
            .find("</style>")
            .map_or(0, |end| end + "</style>".len());
        let label = format!(" aria-label=\"{}\">", escaped(&self.title));
        let tag = self.svg[..root].trim_end().trim_end_matches('>');
        format!("{tag}{label}{}", &self.svg[body..])
    }

    /// The figure as a PNG in its light colours, two pixels a unit.
    ///
    /// # Errors
    /// Never: what is drawn here can be rasterised.
    pub fn png(&self) -> Result<Vec<u8>> {
        raster::png(&self.svg, SCALE)
    }
}
