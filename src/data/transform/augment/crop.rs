//! Random crops and flips, as in torchvision on PIL images: `RandomCrop` with padding, `RandomResizedCrop`,
//! `RandomHorizontalFlip`.
//!
//! Random parameters (a box, an offset) are drawn by one function and used by another, so that tests can compare the pixels
//! with torchvision's.

use pillow_image::{Image, Window};

use crate::random::Random;

/// The part of the image's area that a resized crop takes.
const SCALE: [f64; 2] = [0.08, 1.0];
/// Width over height of a resized crop.
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];
/// Boxes that are tried before the center is taken.
const TRIES: usize = 10;

/// Flips `image` left to right.
pub fn flip(image: &mut Image) {
    let (width, channels) = (image.size()[1], image.channels());
    for row in image.samples_mut().chunks_exact_mut(width * channels) {
        row.reverse();
        for pixel in row.chunks_exact_mut(channels) {
            pixel.reverse();
        }
    }
}

/// Pads `image` with `padding` (rows, columns) of black on each side and returns a window of its own size that starts at
/// row and column `start`.
///
/// # Panics
/// When `start` is more than twice the padding.
pub fn padded_crop(image: &Image, padding: [usize; 2], start: [usize; 2]) -> Image {
    assert!(
        (0..2).all(|axis| start[axis] <= 2 * padding[axis]),
        "a crop at {start:?} with a padding of {padding:?}"
    );
    image.shifted([0, 1].map(|axis| padding[axis].cast_signed() - start[axis].cast_signed()))
}

/// Returns a random start of [`padded_crop`].
pub fn draw_start(padding: [usize; 2], random: &mut Random) -> [usize; 2] {
    padding.map(|padding| random.below(2 * padding + 1))
}

/// Returns the window of a resized crop of an image of height and width `size`: torchvision's `RandomResizedCrop.get_params`
/// with a scale of .08 to 1 and a ratio of 3/4 to 4/3.
pub fn draw_window([height, width]: [usize; 2], random: &mut Random) -> Window {
    let area = (height * width) as f64;
    for _ in 0..TRIES {
        let target = area * random.between(SCALE[0], SCALE[1]);
        let ratio = random.between(RATIO[0].ln(), RATIO[1].ln()).exp();
        let w = (target * ratio).sqrt().round_ties_even() as usize;
        let h = (target / ratio).sqrt().round_ties_even() as usize;
        if 0 < w && w <= width && 0 < h && h <= height {
            let start = [random.below(height - h + 1), random.below(width - w + 1)];
            return Window {
                start,
                size: [h, w],
            };
        }
    }
    middle([height, width])
}

/// Returns the largest centered window of an image of height and width `size` with an allowed ratio.
pub fn middle([height, width]: [usize; 2]) -> Window {
    let ratio = width as f64 / height as f64;
    let size = if ratio < RATIO[0] {
        [(width as f64 / RATIO[0]).round_ties_even() as usize, width]
    } else if ratio > RATIO[1] {
        [
            height,
            (height as f64 * RATIO[1]).round_ties_even() as usize,
        ]
    } else {
        [height, width]
    };
    let start = [(height - size[0]) / 2, (width - size[1]) / 2];
    Window { start, size }
}

#[cfg(test)]
mod tests {
    use super::super::numbered;
    use super::*;
    use pillow_image::ImageView;

    #[test]
    fn a_padded_crop_shows_the_padded_image_from_any_start() {
        let image = numbered([3, 4]);
        for padding in [[0, 0], [1, 2], [4, 5]] {
            let size = [3 + 2 * padding[0], 4 + 2 * padding[1]];
            let mut padded = Image::filled(size, &[0]);
            padded.paste(&image, padding);
            for top in 0..=2 * padding[0] {
                for left in 0..=2 * padding[1] {
                    let window = Window {
                        start: [top, left],
                        size: [3, 4],
                    };
                    let expected = ImageView::from(&padded).crop(window);
                    assert_eq!(padded_crop(&image, padding, [top, left]), expected);
                }
            }
        }
    }

    #[test]
    fn flipping_turns_rows_around_and_twice_is_nothing() {
        let mut image = numbered([2, 3]);
        flip(&mut image);
        assert_eq!(image.samples(), [3, 2, 1, 6, 5, 4]);
        let mut color = Image::new([1, 2], 3, vec![1, 2, 3, 4, 5, 6]);
        flip(&mut color);
        assert_eq!(color.samples(), [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn windows_lie_inside_and_their_area_and_ratio_are_in_range() {
        let mut random = Random::new(1, "x");
        let mut areas = Vec::new();
        for _ in 0..4000 {
            let Window { start, size } = draw_window([300, 400], &mut random);
            assert!(start[0] + size[0] <= 300 && start[1] + size[1] <= 400);
            let area = (size[0] * size[1]) as f64 / 120_000.0;
            let ratio = size[1] as f64 / size[0] as f64;
            assert!((0.075..1.005).contains(&area), "{area}");
            assert!((0.735..1.36).contains(&ratio), "{ratio}");
            areas.push(area);
        }
        // Uniform, except for the largest boxes that do not fit.
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!((0.42..0.54).contains(&mean), "{mean}");
    }

    #[test]
    fn an_image_that_no_window_fits_gives_its_middle() {
        let mut random = Random::new(1, "x");
        for (size, start, cut) in [
            ([1, 900], [0, 449], [1, 1]),
            ([700, 3], [348, 0], [4, 3]),
            ([10, 300], [0, 143], [10, 13]),
        ] {
            let window = middle(size);
            assert_eq!((window.start, window.size), (start, cut));
        }
        assert_eq!(middle([30, 31]).size, [30, 31]);
        let window = draw_window([1, 5000], &mut random);
        assert_eq!(window, middle([1, 5000]));
    }
}
