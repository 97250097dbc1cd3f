//! Mixing of two images: mixup, <https://arxiv.org/abs/1710.09412>, and `CutMix`, <https://arxiv.org/abs/1905.04899>, per
//! batch as in timm.
//!
//! The partner of an image is the one at the same position from the end of the batch; the batch shares one draw.

use super::Augmentation;
use crate::random::Random;
use pillow_image::Window;

/// The mix of the images of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mix {
    /// A blend of each image, weighted by `share`, and its partner.
    Mixup {
        /// The weight of the image, in 0..=1.
        share: f64,
    },
    /// A rectangle of each image replaced by its partner's.
    CutMix {
        /// The rectangle; it may be empty.
        window: Window,
        /// The image's share of the area.
        share: f64,
    },
}

impl Mix {
    /// Draws the mix of a batch of inputs of height and width `size`; `None` when `augmentation` has both off.
    pub fn draw(
        augmentation: &Augmentation,
        size: [usize; 2],
        random: &mut Random,
    ) -> Option<Self> {
        let Augmentation { mixup, cutmix, .. } = *augmentation;
        let cuts = match (mixup > 0.0, cutmix > 0.0) {
            (false, false) => return None,
            (true, true) => random.chance(0.5),
            (_, cuts) => cuts,
        };
        if !cuts {
            let share = random.beta(mixup, mixup);
            return Some(Self::Mixup { share });
        }
        let share = random.beta(cutmix, cutmix);
        let center = size.map(|edge| random.below(edge));
        Some(Self::cut_around(center, size, share))
    }

    /// Returns the rectangle of `1 - share` of the area around `center` (row, column), clipped to an input of height and width
    /// `size`; the share becomes that of the clipped rectangle.
    pub fn cut_around(center: [usize; 2], size: [usize; 2], share: f64) -> Self {
        let [rows, columns] = [0, 1].map(|axis| {
            let length = (size[axis] as f64 * (1.0 - share).sqrt()) as usize;
            let start = center[axis].saturating_sub(length / 2);
            start..(center[axis] + length.div_ceil(2)).min(size[axis])
        });
        let window = Window {
            start: [rows.start, columns.start],
            size: [rows.len(), columns.len()],
        };
        let area = (window.size[0] * window.size[1]) as f64;
        Self::CutMix {
            window,
            share: 1.0 - area / (size[0] * size[1]) as f64,
        }
    }

    /// Returns the weight of the image's own target, in 0..=1.
    pub fn share(&self) -> f64 {
        match *self {
            Self::Mixup { share } | Self::CutMix { share, .. } => share,
        }
    }

    /// Mixes `inputs`, `[images, length]`, each `[channels, height, width]` of height and width `size`.
    ///
    /// # Panics
    /// When `inputs` is not a whole number of images, or the window extends beyond them.
    pub fn apply(&self, inputs: &mut [f32], length: usize, size: [usize; 2]) {
        let images = inputs.len() / length;
        assert_eq!(inputs.len(), images * length, "values of {images} inputs");
        // In an odd batch, the image in the middle is its own partner.
        let (first, rest) = inputs.split_at_mut(images / 2 * length);
        let (middle, last) = rest.split_at_mut(images % 2 * length);
        let partners = last.chunks_exact_mut(length).rev();
        for (one, other) in first.chunks_exact_mut(length).zip(partners) {
            match *self {
                Self::Mixup { share } => blend(one, other, share),
                Self::CutMix { window, .. } => swap(one, other, size, window),
            }
        }
        if let Self::Mixup { share } = *self {
            let mut twin = middle.to_vec();
            blend(middle, &mut twin, share);
        }
    }
}

/// Replaces two inputs by their two blends.
fn blend(one: &mut [f32], other: &mut [f32], share: f64) {
    let (own, rest) = (share as f32, (1.0 - share) as f32);
    for (a, b) in one.iter_mut().zip(other) {
        (*a, *b) = (own * *a + rest * *b, own * *b + rest * *a);
    }
}

/// Swaps the window of two inputs.
fn swap(one: &mut [f32], other: &mut [f32], [height, width]: [usize; 2], window: Window) {
    let planes = one.chunks_exact_mut(height * width);
    for (one, other) in planes.zip(other.chunks_exact_mut(height * width)) {
        for y in window.start[0]..window.start[0] + window.size[0] {
            let row = y * width + window.start[1]..y * width + window.start[1] + window.size[1];
            one[row.clone()].swap_with_slice(&mut other[row]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::transform::augment::Policy;

    fn augmentation(mixup: f64, cutmix: f64) -> Augmentation {
        Augmentation {
            mixup,
            cutmix,
            ..Augmentation::of(Policy::None, true)
        }
    }

    fn draws(mixup: f64, cutmix: f64) -> Vec<Mix> {
        let mut random = Random::new(5, "x");
        let augmentation = augmentation(mixup, cutmix);
        (0..4000)
            .filter_map(|_| Mix::draw(&augmentation, [32, 32], &mut random))
            .collect()
    }

    #[test]
    fn what_is_off_is_never_drawn_and_two_share_the_batches_by_a_coin() {
        let cuts = |mixes: &[Mix]| {
            let cut = |mix: &&Mix| matches!(mix, Mix::CutMix { .. });
            mixes.iter().filter(cut).count()
        };
        assert!(draws(0.0, 0.0).is_empty());
        assert_eq!(cuts(&draws(0.2, 0.0)), 0);
        assert_eq!(cuts(&draws(0.0, 1.0)), 4000);
        assert!((1850..2150).contains(&cuts(&draws(0.2, 1.0))));
    }

    #[test]
    fn shares_of_mixup_are_one_half_on_average_and_lie_at_the_ends_for_a_small_alpha() {
        for (alpha, middling) in [(0.2, 0.30..0.38), (1.0, 0.77..0.83)] {
            let shares: Vec<f64> = draws(alpha, 0.0).iter().map(Mix::share).collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            assert!((0.47..0.53).contains(&mean), "{mean}");
            let part = shares.iter().filter(|share| (0.1..0.9).contains(*share));
            let part = part.count() as f64 / shares.len() as f64;
            assert!(middling.contains(&part), "{part}");
        }
    }

    #[test]
    fn the_share_of_a_cut_is_the_area_that_is_left() {
        let mut fewer = 0;
        for mix in draws(0.0, 1.0) {
            let Mix::CutMix { window, share } = mix else {
                panic!("{mix:?}")
            };
            assert!((0..2).all(|axis| window.start[axis] + window.size[axis] <= 32));
            let area = (window.size[0] * window.size[1]) as f64;
            assert!((share - (1.0 - area / 1024.0)).abs() < 1e-12);
            fewer += usize::from(window.size[0] != window.size[1]);
        }
        assert!(fewer > 1000, "windows are cut at the border");
    }
}
