//! The paper that plots are drawn on: plotters' SVG under a title, with colors for dark screens.

use anyhow::{Result, anyhow};
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont, ShapeStyle, TextStyle};

use super::color::{Color, dark_style};
use super::text::{escaped, printable, shortened};
use super::{Figure, Panel};

/// Units of the letters' height.
pub const LETTERS: i32 = 13;
/// Units of the title's letters.
const TITLE: i32 = 17;
/// Units above the drawing with a title alone, and with a subtitle.
const HEAD: [i32; 2] = [40, 60];
/// Units between the edge and the title.
const MARGIN: i32 = 16;

/// The whole figure, or a part of it.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The side of a point that a line of words is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// The point is at the middle of its left.
    Right,
    /// The point is at the middle of its right.
    Left,
    /// The point is its middle.
    Middle,
    /// The point is at its left, the words going upwards.
    Upwards,
}

/// Draws a figure under its title and subtitle, of the given size without them, by `draw`, which returns where its coordinate
/// systems are.
pub fn figure(
    [title, subtitle]: [&str; 2],
    [width, height]: [i32; 2],
    draw: impl FnOnce(&Area) -> Result<Vec<Panel>>,
) -> Result<Figure> {
    let mut svg = String::new();
    let head = HEAD[usize::from(!subtitle.is_empty())];
    let panels = {
        let size = [width, height + head].map(i32::unsigned_abs);
        let area = SVGBackend::with_string(&mut svg, (size[0], size[1])).into_drawing_area();
        area.fill(&Color::Paper.solid()).map_err(drawing)?;
        let room = width - 2 * MARGIN;
        let style = letters(Color::Ink, TITLE);
        write(&area, title, [MARGIN, 22], Stand::Right, room, &style)?;
        let style = letters(Color::Muted, LETTERS);
        write(&area, subtitle, [MARGIN, 43], Stand::Right, room, &style)?;
        let (_, below) = area.split_vertically(head);
        let panels = draw(&below)?;
        area.present().map_err(drawing)?;
        panels
    };
    let (tag, rest) = svg
        .split_once('>')
        .ok_or_else(|| anyhow!("a figure has no root"))?;
    let title = printable(&match subtitle {
        "" => title.to_owned(),
        _ => format!("{title}, {subtitle}"),
    });
    let svg = format!(
        "{tag} role=\"img\">\n<title>{}</title>\n<style>{}</style>{rest}",
        escaped(&title),
        dark_style()
    );
    Ok(Figure {
        title,
        svg,
        panels,
        head,
    })
}

/// Returns an error of plotters as one of ours.
pub fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

/// Returns a style of letters.
pub fn letters(color: Color, height: i32) -> TextStyle<'static> {
    ("sans-serif", height).into_font().color(&color.solid())
}

/// Writes `text` at a point, cut to `room` units where it is longer.
pub fn write(
    area: &Area,
    text: &str,
    at: [i32; 2],
    stand: Stand,
    room: i32,
    style: &TextStyle<'static>,
) -> Result<()> {
    let height = f64::from(style.font.get_size() as i32);
    let text = shortened(&printable(text), f64::from(room) / height);
    let (horizontal, vertical) = match stand {
        Stand::Right | Stand::Upwards => (HPos::Left, VPos::Center),
        Stand::Left => (HPos::Right, VPos::Center),
        Stand::Middle => (HPos::Center, VPos::Center),
    };
    let mut style = style.pos(Pos::new(horizontal, vertical));
    if stand == Stand::Upwards {
        style = style.transform(FontTransform::Rotate270);
    }
    area.draw(&Text::new(text, (at[0], at[1]), style))
        .map_err(drawing)
}

/// Fills a rectangle from its left top to its right bottom.
pub fn fill(
    area: &Area,
    [left, top, right, bottom]: [i32; 4],
    color: &impl plotters::style::Color,
) -> Result<()> {
    let style = ShapeStyle::from(color).filled();
    area.draw(&Rectangle::new([(left, top), (right, bottom)], style))
        .map_err(drawing)
}

/// Draws the border of a rectangle.
pub fn frame(
    area: &Area,
    [left, top, right, bottom]: [i32; 4],
    color: Color,
    width: u32,
) -> Result<()> {
    let style = color.solid().stroke_width(width);
    area.draw(&Rectangle::new([(left, top), (right, bottom)], style))
        .map_err(drawing)
}

/// Draws a line through points.
pub fn line(area: &Area, points: &[(i32, i32)], color: Color, width: u32) -> Result<()> {
    let style = color.solid().stroke_width(width);
    area.draw(&PathElement::new(points.to_vec(), style))
        .map_err(drawing)
}

impl Figure {
    /// Lays an image (a data URI) over a rectangle of the drawing below the title; few pixels stay squares.
    pub(super) fn lay(&mut self, uri: &str, [left, top, right, bottom]: [i32; 4], is_small: bool) {
        let style = if is_small {
            " style=\"image-rendering:pixelated\""
        } else {
            ""
        };
        let (top, bottom) = (top + self.head, bottom + self.head);
        let image = format!(
            "<image x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\"{style} href=\"{uri}\"/>\n",
            right - left,
            bottom - top
        );
        if let Some(end) = self.svg.rfind("</svg>") {
            self.svg.insert_str(end, &image);
        }
    }
}
