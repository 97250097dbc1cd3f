//! Conversion of a level of heat to a color and its opacity.
//!
//! The colors are matplotlib's `inferno` (<https://bids.github.io/colormap/>, CC0), ten of them with linear
//! interpolation: brightness grows evenly with the level, also for color-blind readers. Cold places leave the image
//! unchanged.

/// `inferno` at 0/9, 1/9 ... 9/9: red, green and blue.
const INFERNO: [[u8; 3]; 10] = [
    [0x00, 0x00, 0x04],
    [0x1b, 0x0c, 0x42],
    [0x4b, 0x0c, 0x6b],
    [0x78, 0x1c, 0x6d],
    [0xa5, 0x2c, 0x60],
    [0xcf, 0x44, 0x46],
    [0xed, 0x69, 0x25],
    [0xfb, 0x9a, 0x06],
    [0xf7, 0xd0, 0x3c],
    [0xfc, 0xff, 0xa4],
];
/// Opacity of the hottest color.
const COVER: f64 = 0.65;
/// Fractional bits of an opacity.
const BITS: u32 = 16;

/// A color blended over the image.
#[derive(Debug, Clone, Copy)]
pub struct Tint {
    /// Color times its opacity, in fixed point.
    color: [u32; 3],
    /// Remaining weight of the image, in fixed point.
    left: u32,
}

/// Returns the tints of levels 0, 1 ... 255.
pub fn tints() -> Vec<Tint> {
    (0..=255)
        .map(|level| {
            let level = f64::from(level) / 255.0;
            // Rises fast at first, so that mild heat is visible; starts at 0, so that there is no edge.
            let cover = COVER * level.sqrt() * f64::from(1 << BITS);
            Tint {
                color: color(level).map(|channel| (channel * cover) as u32),
                left: (1 << BITS) - cover as u32,
            }
        })
        .collect()
}

/// Returns the color of a level from 0 to 1.
fn color(level: f64) -> [f64; 3] {
    let place = level * (INFERNO.len() - 1) as f64;
    let first = (place as usize).min(INFERNO.len() - 2);
    let part = place - first as f64;
    std::array::from_fn(|channel| {
        let [a, b] = [first, first + 1].map(|at| f64::from(INFERNO[at][channel]));
        a + (b - a) * part
    })
}

impl Tint {
    /// Blends the tint over a pixel.
    pub fn over(self, pixel: [u8; 3]) -> [u8; 3] {
        const HALF: u32 = 1 << (BITS - 1);
        std::array::from_fn(|channel| {
            let sum = u32::from(pixel[channel]) * self.left + self.color[channel];
            ((sum + HALF) >> BITS) as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cold_keeps_the_pixel_and_hotter_is_brighter() {
        let tints = tints();
        assert_eq!(tints[0].over([10, 200, 255]), [10, 200, 255]);
        let brightness =
            |[red, green, blue]: [f64; 3]| 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let levels: Vec<f64> = (0..=255).map(|level| f64::from(level) / 255.0).collect();
        for (levels, tints) in levels.windows(2).zip(tints.windows(2)) {
            assert!(brightness(color(levels[0])) < brightness(color(levels[1])));
            let [colder, hotter] = [0, 1].map(|at| tints[at].over([0; 3]).map(f64::from));
            assert!(brightness(colder) <= brightness(hotter));
        }
        assert_eq!(color(1.0).map(|channel| channel as u8), INFERNO[9]);
        let [red, green, blue] = tints[255].over([0; 3]);
        assert_eq!([red, green, blue], [164, 166, 107]);
    }

    #[test]
    fn no_tint_overflows() {
        for tint in tints() {
            let [black, white] = [0, 255].map(|sample| tint.over([sample; 3]));
            assert!(black.iter().zip(white).all(|(black, white)| *black < white));
        }
    }
}
