//! Colors by meaning, in light and in dark: those of GitHub's Primer, whose contrast is known
//! (<https://primer.style/product/primitives/color>).

use std::fmt::Write;

use plotters::style::{Color as _, RGBAColor, RGBColor};

/// The meaning of a color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
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
const COLOURS: [(Colour, u32, u32); 11] = [
    (Colour::Paper, 0xFF_FFFF, 0x0D_1117),
    (Colour::Ink, 0x1F_2328, 0xE6_EDF3),
    (Colour::Muted, 0x59_636E, 0x91_98A1),
    (Colour::Grid, 0xD1_D9E0, 0x30_363D),
    (Colour::Blue, 0x09_69DA, 0x58_A6FF),
    (Colour::Red, 0xCF_222E, 0xF8_5149),
    (Colour::Orange, 0xBC_4C00, 0xF0_883E),
    (Colour::Green, 0x1A_7F37, 0x3F_B950),
    (Colour::Purple, 0x82_50DF, 0xBC_8CFF),
    (Colour::Teal, 0x1B_7C83, 0x39_C5CF),
    (Colour::Pink, 0xBF_3989, 0xF7_78BA),
];

/// The colors of things that are told apart, in their order.
pub(super) const SERIES: [Colour; 8] = [
    Colour::Blue,
    Colour::Orange,
    Colour::Green,
    Colour::Purple,
    Colour::Red,
    Colour::Teal,
    Colour::Pink,
    Colour::Ink,
];

impl Colour {
    /// The color on light paper.
    pub(super) fn solid(self) -> RGBColor {
        let found = COLOURS.iter().find(|(colour, ..)| *colour == self);
        let [_, red, green, blue] = found.map_or(0, |(_, light, _)| *light).to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// The color at an opacity.
    pub(super) fn part(self, opacity: f64) -> RGBAColor {
        self.solid().mix(opacity)
    }
}

/// A style sheet that turns the colors of figures on light paper to those on dark paper, if a screen asks for them.
pub fn dark_style() -> String {
    let mut style = String::from("@media screen and (prefers-color-scheme:dark){");
    for (_, light, dark) in COLOURS {
        for what in ["fill", "stroke"] {
            // Writing into a string cannot fail.
            let _ = write!(style, "[{what}=\"#{light:06X}\"]{{{what}:#{dark:06X}}}");
        }
    }
    style + "}"
}
