//! Colors by meaning, in light and in dark: those of GitHub's Primer, whose contrast is known
//! (<https://primer.style/product/primitives/color>).

use std::fmt::Write;

use plotters::style::{Color as _, RGBAColor, RGBColor};

/// The meaning of a color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Behind everything.
    Paper,
    /// Words and axes.
    Ink,
    /// Words of less weight.
    Muted,
    /// Lines that help the eye.
    Grid,
    /// Correct predictions; the validation set.
    Blue,
    /// Mistakes.
    Red,
    /// The training set.
    Orange,
    /// The best.
    Green,
    /// A fourth thing among things.
    Purple,
    /// A fifth.
    Teal,
    /// A sixth.
    Pink,
}

/// Each color on light and on dark paper.
const COLORS: [(Color, u32, u32); 11] = [
    (Color::Paper, 0xFF_FFFF, 0x0D_1117),
    (Color::Ink, 0x1F_2328, 0xE6_EDF3),
    (Color::Muted, 0x59_636E, 0x91_98A1),
    (Color::Grid, 0xD1_D9E0, 0x30_363D),
    (Color::Blue, 0x09_69DA, 0x58_A6FF),
    (Color::Red, 0xCF_222E, 0xF8_5149),
    (Color::Orange, 0xBC_4C00, 0xF0_883E),
    (Color::Green, 0x1A_7F37, 0x3F_B950),
    (Color::Purple, 0x82_50DF, 0xBC_8CFF),
    (Color::Teal, 0x1B_7C83, 0x39_C5CF),
    (Color::Pink, 0xBF_3989, 0xF7_78BA),
];

/// The colors of things that are told apart, in their order.
pub(super) const SERIES: [Color; 8] = [
    Color::Blue,
    Color::Orange,
    Color::Green,
    Color::Purple,
    Color::Red,
    Color::Teal,
    Color::Pink,
    Color::Ink,
];

impl Color {
    /// Returns the color on light paper.
    pub(super) fn solid(self) -> RGBColor {
        let found = COLORS.iter().find(|(color, ..)| *color == self);
        let [_, red, green, blue] = found.map_or(0, |(_, light, _)| *light).to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// Returns the color at an opacity.
    pub(super) fn part(self, opacity: f64) -> RGBAColor {
        self.solid().mix(opacity)
    }
}

/// Returns a style sheet that turns the colors of figures on light paper to those on dark paper, if a screen asks for them.
pub fn dark_style() -> String {
    let mut style = String::from("@media screen and (prefers-color-scheme:dark){");
    for (_, light, dark) in COLORS {
        for what in ["fill", "stroke"] {
            // Writing into a string cannot fail.
            let _ = write!(style, "[{what}=\"#{light:06X}\"]{{{what}:#{dark:06X}}}");
        }
    }
    style + "}"
}
