//! Operations with one lookup table per channel: Pillow's `ImageOps.posterize`, `solarize`, `autocontrast`
//! and `equalize`.

use pillow_image::Image;

/// The new value of each value of a sample.
pub(super) type Table = [u8; 256];

/// Keeps the `bits` highest bits (1 to 8).
pub fn posterize(image: &mut Image, bits: u32) {
    let lost = 8 - bits.clamp(1, 8);
    every_channel(image, |sample| sample >> lost << lost);
}

/// Inverts the samples of `threshold` and above.
pub fn solarize(image: &mut Image, threshold: f64) {
    every_channel(image, |sample| {
        if f64::from(sample) < threshold {
            sample
        } else {
            255 - sample
        }
    });
}

/// Stretches each channel so that its darkest sample becomes 0 and its brightest 255.
pub fn autocontrast(image: &mut Image) {
    by_histogram(image, |counts| {
        let lowest = counts.iter().position(|&count| count > 0)?;
        let highest = counts.iter().rposition(|&count| count > 0)?;
        if highest == lowest {
            return None;
        }
        let scale = 255.0 / (highest - lowest) as f64;
        let offset = -(lowest as f64) * scale;
        // Not fused: Pillow rounds the product.
        Some(std::array::from_fn(|value| {
            (value as f64 * scale + offset) as u8
        }))
    });
}

/// Equalizes the histogram of each channel.
pub fn equalize(image: &mut Image) {
    by_histogram(image, |counts| {
        let last = counts.iter().rfind(|&&count| count > 0)?;
        let step = (counts.iter().sum::<usize>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut sum = step / 2;
        Some(std::array::from_fn(|value| {
            let level = sum / step;
            sum += counts[value];
            level.min(255) as u8
        }))
    });
}

/// Maps each channel by the table that `table` makes from its histogram; without one, the channel stays the same.
fn by_histogram(image: &mut Image, table: impl Fn(&[usize; 256]) -> Option<Table>) {
    let channels = image.channels();
    let mut counts = vec![[0; 256]; channels];
    for pixel in image.samples().chunks_exact(channels) {
        for (counts, &sample) in counts.iter_mut().zip(pixel) {
            counts[usize::from(sample)] += 1;
        }
    }
    let same = || std::array::from_fn(|value| value as u8);
    let tables: Vec<Table> = counts
        .iter()
        .map(|counts| table(counts).unwrap_or_else(same))
        .collect();
    look_up(image, &tables);
}

/// Maps every sample by `change`.
fn every_channel(image: &mut Image, change: impl Fn(u8) -> u8) {
    let table = std::array::from_fn(|value| change(value as u8));
    let channels = image.channels();
    look_up(image, &for_each_channel(channels, table));
}

/// Returns the same table for all channels.
pub(super) fn for_each_channel(channels: usize, table: Table) -> Vec<Table> {
    vec![table; channels]
}

/// Maps every sample by the table of its channel.
pub(super) fn look_up(image: &mut Image, tables: &[Table]) {
    for pixel in image.samples_mut().chunks_exact_mut(tables.len()) {
        for (sample, table) in pixel.iter_mut().zip(tables) {
            *sample = table[usize::from(*sample)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_no_levels_to_spread() {
        for change in [autocontrast, equalize] {
            let mut image = Image::filled([40, 40], &[9, 200, 77]);
            change(&mut image);
            assert_eq!(image, Image::filled([40, 40], &[9, 200, 77]));
        }
    }

    #[test]
    fn autocontrast_reaches_both_ends() {
        let mut image = Image::new([1, 3], 1, vec![50, 60, 70]);
        autocontrast(&mut image);
        assert_eq!(image.samples(), [0, 127, 255]);
    }

    #[test]
    fn posterizing_to_eight_bits_is_nothing() {
        let mut image = Image::new([1, 3], 1, vec![1, 130, 255]);
        posterize(&mut image, 8);
        assert_eq!(image.samples(), [1, 130, 255]);
        posterize(&mut image, 1);
        assert_eq!(image.samples(), [0, 128, 128]);
    }
}
