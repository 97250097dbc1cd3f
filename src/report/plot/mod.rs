//! Plots of what a model does: learning curves, confusion, classes, calibration, and images with their predictions.
//!
//! Each plot is a function from plain numbers to a [`Figure`], an SVG that browsers show in light and dark and at any size, with
//! a title that names the run and the data. PNG is made of the same SVG, at two pixels per unit. Colors are named by what they
//! mean ([`Color`]), and nothing is told by color alone.

mod canvas;
pub mod classes;
mod color;
pub mod comparison;
pub mod confusion;
mod curve_panel;
pub mod curves;
pub mod gallery;
#[cfg(feature = "png-plots")]
mod raster;
pub mod reliability;
pub(super) mod scale;
pub(super) mod text;

use std::path::Path;

use anyhow::Result;

use crate::fs::write_whole;
pub use color::Color;

/// Pixels of the PNG per unit of the SVG.
#[cfg(feature = "png-plots")]
const SCALE: f32 = 2.0;

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The title and the subtitle.
    pub title: String,
    /// The whole file, with its own colors for light and dark.
    pub svg: String,
    /// The coordinate systems.
    pub panels: Vec<Panel>,
    /// Units above the drawing, of its title.
    head: i32,
}

/// A coordinate system in a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// Left, top, right and bottom in units of the SVG.
    pub place: [i32; 4],
    /// The numbers at the left and the right.
    pub x: [f64; 2],
    /// The numbers at the bottom and the top.
    pub y: [f64; 2],
}

impl Figure {
    /// Writes `<name>.svg` and, with the feature `png-plots`, `<name>.png` into `folder`, each atomically.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path, name: &str) -> Result<()> {
        write_whole(&folder.join(format!("{name}.svg")), |file| {
            Ok(file.write_all(self.svg.as_bytes())?)
        })?;
        #[cfg(feature = "png-plots")]
        {
            let png = self.png()?;
            write_whole(&folder.join(format!("{name}.png")), |file| {
                Ok(file.write_all(&png)?)
            })?;
        }
        Ok(())
    }

    /// Returns the figure as a PNG in its light colors, two pixels per unit.
    ///
    /// # Errors
    /// Never: these drawings can be rasterized.
    #[cfg(feature = "png-plots")]
    pub fn png(&self) -> Result<Vec<u8>> {
        raster::png(&self.svg, SCALE)
    }
}
