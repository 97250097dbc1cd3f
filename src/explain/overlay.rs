//! Draws a heat on a picture.

use super::colours::tints;
use super::largest;
use super::upsample::{Between, row};
use crate::data::{Placement, Transform};
use crate::infer::Heat;
use image::{Rgb, RgbImage};

/// What is left of the brightness where the crop cut the picture off.
const DIMMED: f64 = 0.35;

/// What of a picture the model saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Where the picture lies in the model's input.
    placement: Placement,
    /// Height and width of the model's input.
    input: [usize; 2],
}

/// `picture` with the `heat` that a model gave of it by `transform`.
pub(crate) fn overlay(picture: &RgbImage, heat: &Heat, transform: &Transform) -> RgbImage {
    Seen::new(picture, transform).overlay(picture, heat)
}

impl Seen {
    /// What of `picture` is in the input that `transform` makes of it.
    pub fn new(picture: &RgbImage, transform: &Transform) -> Self {
        Self {
            placement: transform.placement([picture.height() as usize, picture.width() as usize]),
            input: transform.size(),
        }
    }

    /// The cells of a heat, which has so many along `axis`, around the middle of each of `length` pixels; none where the
    /// model did not see it.
    fn between(&self, axis: usize, length: u32, cells: usize) -> Vec<Option<Between>> {
        (0..length)
            .map(|pixel| {
                let part = (f64::from(pixel) + 0.5) / f64::from(length);
                let place = self.placement.in_input(axis, part)?;
                Some(Between::new(place, self.input[axis], cells))
            })
            .collect()
    }

    /// The picture, or the same at another size, with the `heat` on it. Beside the result it takes memory for a row and a
    /// column.
    pub fn overlay(&self, picture: &RgbImage, heat: &Heat) -> RgbImage {
        let mut drawn = picture.clone();
        let tints = tints();
        // An infinite heat, which no sound net has, tints nothing.
        let scale = match 255.0 / largest(heat) {
            scale if scale.is_finite() => scale,
            _ => 0.0,
        };
        let warm: Vec<f64> = heat.values.iter().map(|value| value.max(0.0)).collect();
        let [height, width] = heat.size;
        let rows = self.between(0, picture.height(), height);
        let columns = self.between(1, picture.width(), width);
        for (pixels, down) in drawn.rows_mut().zip(rows) {
            let row = down.map(|down| row(&warm, width, down));
            for (Rgb(pixel), across) in pixels.zip(&columns) {
                *pixel = match (&row, across) {
                    (Some(row), Some(across)) => {
                        let level = across.of(|x| row[x]) * scale;
                        // Half up; what is no number is 0.
                        tints[usize::from((level + 0.5) as u8)].over(*pixel)
                    }
                    _ => pixel.map(|sample| (f64::from(sample) * DIMMED + 0.5) as u8),
                };
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CropMode, Preprocess};

    fn heat(size: [usize; 2], values: &[f64]) -> Heat {
        Heat {
            class: 0,
            size,
            values: values.to_vec(),
        }
    }

    /// `heat` on a grey picture that a model of 8x8 pixels reads so.
    fn drawn(
        [height, width]: [u32; 2],
        crop_mode: CropMode,
        crop_pct: f64,
        heat: &Heat,
    ) -> RgbImage {
        let preprocess = Preprocess {
            size: [8, 8],
            crop_mode,
            crop_pct,
            ..Preprocess::default()
        };
        let transform = Transform::new(&preprocess).unwrap();
        let picture = RgbImage::from_pixel(width, height, Rgb([100; 3]));
        overlay(&picture, heat, &transform)
    }

    /// Which pixels of a row are dimmed (`-`), as they were (`.`) or tinted (`*`).
    fn marks(picture: &RgbImage, y: u32) -> String {
        let mark = |x: u32| match picture.get_pixel(x, y).0 {
            [35, 35, 35] => '-',
            [100, 100, 100] => '.',
            _ => '*',
        };
        (0..picture.width()).map(mark).collect()
    }

    #[test]
    fn what_the_crop_cuts_off_is_dimmed_and_the_heat_lies_where_the_model_saw_it() {
        // The right half of the input speaks for the class, the left one against it.
        let heat = heat([1, 2], &[-1.0, 1.0]);
        // Twice as wide as high: the middle half is seen.
        let picture = drawn([16, 32], CropMode::Center, 1.0, &heat);
        assert_eq!(marks(&picture, 8), "--------....************--------");
        // Both edges shrink by 8/10, so that a tenth of each side is cut off.
        let picture = drawn([20, 40], CropMode::Squash, 0.8, &heat);
        assert_eq!(marks(&picture, 1), "-".repeat(40));
        assert_eq!(marks(&picture, 18), "-".repeat(40));
        assert_eq!(
            marks(&picture, 2),
            format!("----{}{}----", ".".repeat(8), "*".repeat(24))
        );
        // All of the picture is seen.
        let picture = drawn([4, 8], CropMode::Border, 1.0, &heat);
        assert_eq!(marks(&picture, 3), "..******");
    }

    #[test]
    fn the_hottest_place_has_the_hottest_colour_whatever_the_heats_size() {
        let hottest = tints()[255].over([100; 3]);
        for factor in [1e-30, 1.0, 1e30] {
            let heat = heat([2, 2], &[0.0, 0.2, 0.5, 1.0].map(|value| value * factor));
            let picture = drawn([8, 8], CropMode::Center, 1.0, &heat);
            assert_eq!(picture.get_pixel(7, 7).0, hottest);
            assert_eq!(picture.get_pixel(0, 0).0, [100; 3]);
        }
    }

    #[test]
    fn a_heat_that_is_nothing_or_no_number_leaves_the_picture() {
        for values in [
            [0.0, -0.0],
            [-1.0, -2.0],
            [f64::NAN, 0.0],
            [f64::INFINITY, 1.0],
        ] {
            let picture = drawn([8, 8], CropMode::Center, 1.0, &heat([1, 2], &values));
            assert_eq!(marks(&picture, 4), "........", "{values:?}");
        }
    }
}
