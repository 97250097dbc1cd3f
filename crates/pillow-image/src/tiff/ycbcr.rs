//! Conversion of luma and chroma to red, green and blue, in fixed-point arithmetic: that of libtiff (`tif_color.c`), which
//! Pillow uses for compressed files, or that of Pillow (`ConvertYCbCr.c`) for others.

use crate::directory::{Directory, tag};

/// Bits after the binary point in libtiff, and in Pillow.
const PLACES: i32 = 16;
const FEW_PLACES: i32 = 6;
/// The weights of red, green and blue in luma, and the codes of black and white of each component, if a file has none.
const WEIGHTS: [f32; 3] = [0.299, 0.587, 0.114];
const RANGES: [f32; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];

/// The terms of red, green and blue for each code of luma and chroma.
#[derive(Debug)]
pub struct YCbCr {
    luma: [i32; 256],
    red_cr: [i32; 256],
    blue_cb: [i32; 256],
    /// With `places` fractional bits.
    green_cr: [i32; 256],
    green_cb: [i32; 256],
    places: i32,
}

impl YCbCr {
    /// Builds the tables of Pillow.
    pub fn of_pillow() -> Self {
        let table = |factor: f64| {
            let scaled = factor * f64::from(1 << FEW_PLACES);
            std::array::from_fn(|code| (scaled * (code as f64 - 128.0) + 0.5) as i32)
        };
        let whole = |factor| table(factor).map(|value: i32| value >> FEW_PLACES);
        Self {
            luma: std::array::from_fn(|code| code as i32),
            red_cr: whole(1.402),
            blue_cb: whole(1.772),
            green_cr: table(-0.71414),
            green_cb: table(-0.34414),
            places: FEW_PLACES,
        }
    }

    /// Builds the tables of libtiff for an image by its directory.
    pub fn of_libtiff(directory: &Directory) -> Self {
        let fractions = |tag| directory.fractions(tag).unwrap_or_default();
        let weights = fractions(tag::YCBCR_COEFFICIENTS);
        let weights = weights.first_chunk().copied().unwrap_or(WEIGHTS);
        let ranges = fractions(tag::REFERENCE_BLACK_WHITE);
        let ranges = ranges.first_chunk().copied().unwrap_or(RANGES);
        Self::with(weights, ranges)
    }

    fn with([red, green, blue]: [f32; 3], ranges: [f32; 6]) -> Self {
        let fixed = |factor: f32| (f64::from(factor.clamp(0.0, 2.0)) * 65536.0 + 0.5) as i32;
        let for_red = 2.0 - 2.0 * red;
        let for_blue = 2.0 - 2.0 * blue;
        let red_cr = fixed(for_red);
        let green_cr = -fixed(red * for_red / green);
        let blue_cb = fixed(for_blue);
        let green_cb = -fixed(blue * for_blue / green);
        // The value of a code between those of black and white.
        let value = |code: usize, black: f32, white: f32, scale: f32| {
            let range = white - black;
            let range = if range == 0.0 { 1.0 } else { range };
            ((code as f32 - black) * scale / range).clamp(-4096.0, 4096.0) as i32
        };
        let half = 1 << (PLACES - 1);
        // libtiff subtracts 128 from codes and ranges alike.
        let cb = |code| value(code, ranges[2], ranges[3], 127.0);
        let cr = |code| value(code, ranges[4], ranges[5], 127.0);
        Self {
            luma: std::array::from_fn(|code| value(code, ranges[0], ranges[1], 255.0)),
            red_cr: std::array::from_fn(|code| (red_cr * cr(code) + half) >> PLACES),
            blue_cb: std::array::from_fn(|code| (blue_cb * cb(code) + half) >> PLACES),
            green_cr: std::array::from_fn(|code| green_cr * cr(code)),
            green_cb: std::array::from_fn(|code| green_cb * cb(code) + half),
            places: PLACES,
        }
    }

    /// Returns red, green and blue.
    pub fn convert(&self, samples: [u8; 3]) -> [u8; 3] {
        let [y, cb, cr] = samples.map(usize::from);
        let green = (self.green_cb[cb] + self.green_cr[cr]) >> self.places;
        let colors = [self.red_cr[cr], green, self.blue_cb[cb]];
        colors.map(|color| (self.luma[y] + color).clamp(0, 255) as u8)
    }
}
