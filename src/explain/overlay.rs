//! Drawing of a class activation map over an image.

use super::colors::tints;
use super::upsample::{Between, row};
use crate::data::{EvalTransform, Placement};
use crate::infer::ClassActivationMap;
use image::{Rgb, RgbImage};

/// Remaining brightness where the image was cropped.
const DIMMED: f64 = 0.35;

/// The part of an image that the model sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct VisiblePart {
    /// Location of the image in the model's input.
    placement: Placement,
    /// Height and width of the model's input.
    input: [usize; 2],
}

/// Draws the class activation map `cam`, computed from the input that `transform` creates, over `image`.
pub(crate) fn overlay(
    image: &RgbImage,
    cam: &ClassActivationMap,
    transform: &EvalTransform,
) -> RgbImage {
    VisiblePart::new(image, transform).overlay(image, cam)
}

impl VisiblePart {
    /// Returns the part of `image` that is in the input that `transform` creates.
    pub fn new(image: &RgbImage, transform: &EvalTransform) -> Self {
        Self {
            placement: transform.placement([image.height() as usize, image.width() as usize]),
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
    pub fn overlay(&self, image: &RgbImage, cam: &ClassActivationMap) -> RgbImage {
        let mut drawn = image.clone();
        let tints = tints();
        // An infinite map, which no intact network produces, tints nothing.
        let scale = match 255.0 / cam.largest() {
            scale if scale.is_finite() => scale,
            _ => 0.0,
        };
        let warm: Vec<f64> = cam.values.iter().map(|value| value.max(0.0)).collect();
        let rows = self.spread(&warm, cam.size, [image.height(), image.width()]);
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

    fn cam(size: [usize; 2], values: &[f64]) -> ClassActivationMap {
        ClassActivationMap {
            class: 0,
            size,
            values: values.to_vec(),
        }
    }

    /// Draws `cam` over a gray image for a model with an input of 8x8 pixels.
    fn drawn(
        [height, width]: [u32; 2],
        crop_mode: CropMode,
        crop_pct: f64,
        cam: &ClassActivationMap,
    ) -> RgbImage {
        let preprocess = Preprocess {
            size: [8, 8],
            crop_mode,
            crop_pct,
            ..Preprocess::default()
        };
        let transform = EvalTransform::new(&preprocess).unwrap();
        let image = RgbImage::from_pixel(width, height, Rgb([100; 3]));
        overlay(&image, cam, &transform)
    }

    /// Marks the pixels of a row as dimmed (`-`), unchanged (`.`) or tinted (`*`).
    fn marks(image: &RgbImage, y: u32) -> String {
        let mark = |x: u32| match image.get_pixel(x, y).0 {
            [35, 35, 35] => '-',
            [100, 100, 100] => '.',
            _ => '*',
        };
        (0..image.width()).map(mark).collect()
    }

    /// Images have the size of the model's input, so that a pixel is a pixel of the input.
    #[test]
    fn maps_are_spread_over_the_input_as_pytorch_spreads_them() {
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
            let transform = EvalTransform::new(&preprocess).unwrap();
            let [height, width] = target.map(|edge| edge as u32);
            let seen = VisiblePart::new(&RgbImage::new(width, height), &transform);
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
    fn what_the_crop_cuts_off_is_dimmed_and_the_map_lies_where_the_model_saw_it() {
        // The right half of the input speaks for the class, the left one against it.
        let cam = cam([1, 2], &[-1.0, 1.0]);
        // Twice as wide as high: the middle half is seen.
        let image = drawn([16, 32], CropMode::Center, 1.0, &cam);
        assert_eq!(marks(&image, 8), "--------....************--------");
        // Both edges shrink by 8/10, so that a tenth of each side is cut off.
        let image = drawn([20, 40], CropMode::Squash, 0.8, &cam);
        assert_eq!(marks(&image, 1), "-".repeat(40));
        assert_eq!(marks(&image, 18), "-".repeat(40));
        assert_eq!(
            marks(&image, 2),
            format!("----{}{}----", ".".repeat(8), "*".repeat(24))
        );
        // All of the image is seen.
        let image = drawn([4, 8], CropMode::Border, 1.0, &cam);
        assert_eq!(marks(&image, 3), "..******");
    }

    #[test]
    fn the_hottest_place_has_the_hottest_color_whatever_the_size_of_the_values() {
        let hottest = tints()[255].over([100; 3]);
        for factor in [1e-30, 1.0, 1e30] {
            let cam = cam([2, 2], &[0.0, 0.2, 0.5, 1.0].map(|value| value * factor));
            let image = drawn([8, 8], CropMode::Center, 1.0, &cam);
            assert_eq!(image.get_pixel(7, 7).0, hottest);
            assert_eq!(image.get_pixel(0, 0).0, [100; 3]);
        }
    }

    #[test]
    fn a_map_of_zeros_or_nan_leaves_the_image_unchanged() {
        for values in [
            [0.0, -0.0],
            [-1.0, -2.0],
            [f64::NAN, 0.0],
            [f64::INFINITY, 1.0],
        ] {
            let image = drawn([8, 8], CropMode::Center, 1.0, &cam([1, 2], &values));
            assert_eq!(marks(&image, 4), "........", "{values:?}");
        }
    }
}
