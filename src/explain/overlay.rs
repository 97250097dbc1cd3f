//! Drawing of a class activation map over an image.

use super::colours::tints;
use super::largest;
use super::upsample::{Between, row};
use crate::data::{Placement, Transform};
use crate::infer::Heat;
use image::{Rgb, RgbImage};

/// Remaining brightness where the image was cropped.
const DIMMED: f64 = 0.35;

/// The part of an image that the model sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Location of the image in the model's input.
    placement: Placement,
    /// Height and width of the model's input.
    input: [usize; 2],
}

/// Draws the class activation map `heat`, computed from the input that `transform` creates, over `picture`.
pub(crate) fn overlay(picture: &RgbImage, heat: &Heat, transform: &Transform) -> RgbImage {
    Seen::new(picture, transform).overlay(picture, heat)
}

impl Seen {
    /// Returns the part of `picture` that is in the input that `transform` creates.
    pub fn new(picture: &RgbImage, transform: &Transform) -> Self {
        Self {
            placement: transform.placement([picture.height() as usize, picture.width() as usize]),
            input: transform.size(),
        }
    }

    /// Returns the two of `cells` cells along `axis` around the center of each of `length` pixels; `None` where the
    /// model does not see the pixel.
    fn between(&self, axis: usize, length: u32, cells: usize) -> Vec<Option<Between>> {
        (0..length)
            .map(|pixel| {
                let part = (f64::from(pixel) + 0.5) / f64::from(length);
                let place = self.placement.in_input(axis, part)?;
                Some(Between::new(place, self.input[axis], cells))
            })
            .collect()
    }

    /// Interpolates `values` `[height, width]`, of the given `size`, at the center of each pixel of an image, row by
    /// row; `None` where the model does not see the pixel.
    fn spread(
        &self,
        values: &[f64],
        size: [usize; 2],
        [down, across]: [u32; 2],
    ) -> impl Iterator<Item = Vec<Option<f64>>> {
        let columns = self.between(1, across, size[1]);
        let rows = self.between(0, down, size[0]).into_iter();
        rows.map(move |down| {
            let row = down.map(|down| row(values, size[1], down));
            let at = |across: &Option<Between>| {
                let (across, row) = (across.as_ref()?, row.as_ref()?);
                Some(across.of(|x| row[x]))
            };
            columns.iter().map(at).collect()
        })
    }

    /// Draws the heat map over the image, or over the same at another size. Besides the result, it needs memory for one
    /// row and one column.
    pub fn overlay(&self, picture: &RgbImage, heat: &Heat) -> RgbImage {
        let mut drawn = picture.clone();
        let tints = tints();
        // An infinite map, which no intact network produces, tints nothing.
        let scale = match 255.0 / largest(heat) {
            scale if scale.is_finite() => scale,
            _ => 0.0,
        };
        let warm: Vec<f64> = heat.values.iter().map(|value| value.max(0.0)).collect();
        let rows = self.spread(&warm, heat.size, [picture.height(), picture.width()]);
        for (pixels, row) in drawn.rows_mut().zip(rows) {
            for (Rgb(pixel), value) in pixels.zip(row) {
                *pixel = match value {
                    // Rounds half up; NaN becomes 0.
                    Some(value) => tints[usize::from((value * scale + 0.5) as u8)].over(*pixel),
                    None => pixel.map(|sample| (f64::from(sample) * DIMMED + 0.5) as u8),
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
    use candle_core::Device;
    use std::path::Path;

    fn heat(size: [usize; 2], values: &[f64]) -> Heat {
        Heat {
            class: 0,
            size,
            values: values.to_vec(),
        }
    }

    /// Draws `heat` over a gray image for a model with an input of 8x8 pixels.
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

    /// Marks the pixels of a row as dimmed (`-`), unchanged (`.`) or tinted (`*`).
    fn marks(picture: &RgbImage, y: u32) -> String {
        let mark = |x: u32| match picture.get_pixel(x, y).0 {
            [35, 35, 35] => '-',
            [100, 100, 100] => '.',
            _ => '*',
        };
        (0..picture.width()).map(mark).collect()
    }

    /// Images have the size of the model's input, so that a pixel is a pixel of the input.
    #[test]
    fn heats_are_spread_over_the_input_as_pytorch_spreads_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixture = root.join("tests/fixtures/explain/explain.safetensors");
        let fixture = candle_core::safetensors::load(fixture, &Device::Cpu).unwrap();
        for index in 0..5 {
            let get = |what: &str| &fixture[&format!("upsample.{index}.{what}")];
            let target = get("size").to_vec1::<i64>().unwrap();
            let target = [target[0], target[1]].map(|edge| edge as usize);
            let preprocess = Preprocess {
                size: target,
                crop_mode: CropMode::Squash,
                crop_pct: 1.0,
                ..Preprocess::default()
            };
            let transform = Transform::new(&preprocess).unwrap();
            let [height, width] = target.map(|edge| edge as u32);
            let seen = Seen::new(&RgbImage::new(width, height), &transform);
            let map = get("map").to_vec2::<f64>().unwrap();
            let size = [map.len(), map[0].len()];
            let rows: Vec<_> = seen.spread(&map.concat(), size, [height, width]).collect();
            assert_eq!(rows.len(), target[0]);
            // The fixture holds some of the rows.
            let kept = rows.iter().step_by((target[0] / 16).max(1));
            let expected = get("up").to_vec2::<f64>().unwrap();
            assert_eq!(kept.len(), expected.len());
            for (ours, expected) in kept.flatten().zip(expected.concat()) {
                let ours = ours.unwrap();
                assert!(
                    (ours - expected).abs() <= 1e-12,
                    "{index}: {ours} {expected}"
                );
            }
        }
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
