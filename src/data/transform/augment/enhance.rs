//! Pillow's `ImageEnhance`: an image blended with a degraded version of itself (black, uniform gray, without color, smooth),
//! or moved away from it by a factor above 1.

use super::levels::{for_each_channel, look_up};
use pillow_image::{Image, luma};

/// Changes the brightness: 0 is black, 1 the image itself, more is brighter.
pub fn brightness(image: &mut Image, factor: f64) {
    towards(image, 0, factor);
}

/// Changes the contrast: 0 is the image's mean gray, 1 the image itself.
pub fn contrast(image: &mut Image, factor: f64) {
    let grays;
    let samples = if image.channels() == 3 {
        grays = luma(image.samples());
        &grays
    } else {
        image.samples()
    };
    let sum: u64 = samples.iter().map(|&sample| u64::from(sample)).sum();
    let mean = (sum as f64 / samples.len() as f64 + 0.5) as u8;
    towards(image, mean, factor);
}

/// Changes the saturation: 0 is without color, 1 the image itself; a gray image stays the same.
pub fn color(image: &mut Image, factor: f64) {
    if image.channels() != 3 {
        return;
    }
    let grays = luma(image.samples());
    let (pixels, _) = image.samples_mut().as_chunks_mut::<3>();
    for (pixel, gray) in pixels.iter_mut().zip(grays) {
        *pixel = pixel.map(|sample| blend(gray, sample, factor as f32));
    }
}

/// Changes the sharpness: 0 is smooth, 1 the image itself.
pub fn sharpness(image: &mut Image, factor: f64) {
    let smooth = smooth(image);
    for (sample, &smooth) in image.samples_mut().iter_mut().zip(smooth.samples()) {
        *sample = blend(smooth, *sample, factor as f32);
    }
}

/// Blends every sample with one value.
fn towards(image: &mut Image, value: u8, factor: f64) {
    let table = std::array::from_fn(|sample| blend(value, sample as u8, factor as f32));
    let channels = image.channels();
    look_up(image, &for_each_channel(channels, table));
}

/// Blends two samples as Pillow's `Image.blend`, which truncates.
fn blend(poor: u8, sample: u8, factor: f32) -> u8 {
    let difference = i16::from(sample) - i16::from(poor);
    (f32::from(poor) + factor * f32::from(difference)) as u8
}

/// Smooths as Pillow's `ImageFilter.SMOOTH`: a pixel has weight five, each of its eight neighbors one; the border stays.
fn smooth(image: &Image) -> Image {
    let ([height, width], channels) = (image.size(), image.channels());
    let mut smooth = image.clone();
    let length = width * channels;
    let rows = smooth.samples_mut().chunks_exact_mut(length).enumerate();
    for (y, row) in rows.skip(1).take(height.saturating_sub(2)) {
        let [above, here, below] = [y - 1, y, y + 1].map(|y| image.row(y));
        for at in channels..length.saturating_sub(channels) {
            let three = |row: &[u8]| {
                [at - channels, at, at + channels]
                    .map(|at| u16::from(row[at]))
                    .iter()
                    .sum::<u16>()
            };
            let sum = three(above) + three(here) + three(below) + 4 * u16::from(here[at]);
            // To nearest; 13 parts have no half.
            row[at] = ((2 * sum + 13) / 26) as u8;
        }
    }
    smooth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let samples = (0..60).map(|at| (at * 37 % 256) as u8).collect();
        let image = Image::new([4, 5], 3, samples);
        for enhance in [brightness, contrast, color, sharpness] {
            let mut same = image.clone();
            enhance(&mut same, 1.0);
            assert_eq!(same, image);
        }
    }

    #[test]
    fn images_too_small_to_have_an_inside_stay_as_sharp_as_they_are() {
        for size in [[1, 1], [1, 9], [2, 2], [9, 2]] {
            let samples = (0..size[0] * size[1]).map(|at| at as u8 * 9).collect();
            let image = Image::new(size, 1, samples);
            let mut sharper = image.clone();
            sharpness(&mut sharper, 1.9);
            assert_eq!(sharper, image);
        }
    }
}
