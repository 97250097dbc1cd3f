//! Training images after augmentation, as a grid in one PNG.

use crate::model::Preprocess;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// Maximum number of images.
const MOST: usize = 16;
/// Maximum number of pixels, beyond those of the first image.
const MOST_PIXELS: usize = 1 << 21;
/// Pixels between two images.
const GAP: usize = 2;
/// The gray level between them.
const GRAY: u8 = 128;

/// A grid of images.
#[derive(Debug)]
pub struct Grid {
    pub width: u32,
    pub height: u32,
    /// 1 for gray, 3 for RGB.
    pub channels: usize,
    pub png: Vec<u8>,
}

impl Grid {
    /// Creates a grid of the first `images`, `[N, C, H, W]` normalized by `preprocess`; `None` if there are none or they have
    /// other than 1 or 3 channels.
    ///
    /// # Errors
    /// If the device lacks memory.
    pub fn of(images: &Tensor, preprocess: &Preprocess) -> Result<Option<Self>> {
        let (all, channels, height, width) = images.dims4()?;
        let count = (MOST_PIXELS / (height * width)).clamp(1, MOST).min(all);
        let colors = match channels {
            1 => ExtendedColorType::L8,
            3 => ExtendedColorType::Rgb8,
            _ => return Ok(None),
        };
        if count == 0 {
            return Ok(None);
        }
        let shown = images.narrow(0, 0, count)?.permute((0, 2, 3, 1))?;
        let shown = shown.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        let shown: Vec<f32> = shown.flatten_all()?.to_vec1()?;
        let columns = (1..=count).find(|n| n * n >= count).unwrap_or(1);
        let rows = count.div_ceil(columns);
        let size = |edge: usize, count: usize| (edge + GAP) * count - GAP;
        let (grid_width, grid_height) = (size(width, columns), size(height, rows));
        let mut bytes = vec![GRAY; grid_height * grid_width * channels];
        for (number, image) in shown.chunks(height * width * channels).enumerate() {
            let (top, left) = (
                number / columns * (height + GAP),
                number % columns * (width + GAP),
            );
            for (y, row) in image.chunks(width * channels).enumerate() {
                let start = ((top + y) * grid_width + left) * channels;
                for (index, (byte, value)) in bytes[start..].iter_mut().zip(row).enumerate() {
                    let channel = index % channels;
                    let value = value * preprocess.std[channel] + preprocess.mean[channel];
                    *byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
                }
            }
        }
        let mut png = Vec::new();
        let (width, height) = (grid_width as u32, grid_height as u32);
        PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
            .write_image(&bytes, width, height, colors)?;
        Ok(Some(Self {
            width,
            height,
            channels,
            png,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocess(mean: &[f32]) -> Preprocess {
        Preprocess {
            mean: mean.to_vec(),
            std: vec![0.5; mean.len()],
            ..Preprocess::default()
        }
    }

    #[test]
    fn images_are_placed_row_by_row_in_their_own_colors() {
        // Three images of 1x2 pixels: the value of image n, column x and channel c is 40 n + 10 x + c.
        let sample = |n: usize, c: usize, x: usize| (40 * n + 10 * x + c) as f32 / 255.0;
        let mut values = Vec::new();
        for n in 0..3 {
            for c in 0..3 {
                values.extend((0..2).map(|x| (sample(n, c, x) - 0.25) / 0.5));
            }
        }
        let images = Tensor::from_vec(values, (3, 3, 1, 2), &Device::Cpu).unwrap();
        let grid = Grid::of(&images, &preprocess(&[0.25; 3])).unwrap().unwrap();
        let shown = image::load_from_memory(&grid.png).unwrap().to_rgb8();
        assert_eq!(shown.dimensions(), (grid.width, grid.height));
        assert_eq!(shown.dimensions(), (6, 4));
        for (n, left, top) in [(0, 0, 0), (1, 4, 0), (2, 0, 3)] {
            for x in 0..2 {
                let expected = [0, 1, 2].map(|c| (40 * n + 10 * x + c) as u8);
                assert_eq!(shown.get_pixel(left + x, top).0, expected, "{n}");
            }
        }
        // Between them and in the place of a fourth.
        for (x, y) in [(2, 0), (3, 0), (0, 1), (5, 2), (4, 3)] {
            assert_eq!(shown.get_pixel(x, y).0, [GRAY; 3], "{x} {y}");
        }
    }

    #[test]
    fn other_channels_and_other_numbers_of_images_are_taken_as_they_are() {
        let of = |shape: (usize, usize, usize, usize)| {
            let images = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            Grid::of(&images, &preprocess(&vec![0.5; shape.1])).unwrap()
        };
        assert!(of((4, 5, 8, 8)).is_none() && of((0, 3, 8, 8)).is_none());
        let size = |shape| of(shape).map(|grid| [grid.width, grid.height]);
        assert_eq!(size((1, 1, 8, 4)), Some([4, 8]));
        assert_eq!(size((128, 3, 8, 8)), Some([38, 38]));
        assert_eq!(size((5, 3, 1024, 1024)), Some([2050, 1024]));
    }
}
