//! Random erasing of a rectangle of the model's input, as in torchvision's `RandomErasing`: Random Erasing Data
//! Augmentation, <https://arxiv.org/abs/1708.04896>.

use crate::random::Random;
use pillow_image::Window;

/// The part of the input's area that is erased.
const SCALE: [f64; 2] = [0.02, 0.33];
/// Height over width of the rectangle.
const RATIO: [f64; 2] = [0.3, 3.3];
/// Rectangles that are tried before nothing is erased.
const TRIES: usize = 10;

/// Sets `window` of every channel of `input`, `[channels, height, width]`, to 0 (the mean color, once normalized).
///
/// # Panics
/// When the window extends beyond the input.
pub fn erase(input: &mut [f32], [height, width]: [usize; 2], window: Window) {
    for plane in input.chunks_exact_mut(height * width) {
        let rows = plane.chunks_exact_mut(width).skip(window.start[0]);
        for row in rows.take(window.size[0]) {
            row[window.start[1]..][..window.size[1]].fill(0.0);
        }
    }
}

/// Returns a random rectangle of an input of height and width `size`; `None` when ten did not fit.
pub fn draw_window([height, width]: [usize; 2], random: &mut Random) -> Option<Window> {
    let area = (height * width) as f64;
    (0..TRIES).find_map(|_| {
        let target = area * random.between(SCALE[0], SCALE[1]);
        let ratio = random.between(RATIO[0].ln(), RATIO[1].ln()).exp();
        let h = (target * ratio).sqrt().round_ties_even() as usize;
        let w = (target / ratio).sqrt().round_ties_even() as usize;
        (h < height && w < width).then(|| Window {
            start: [random.below(height - h + 1), random.below(width - w + 1)],
            size: [h, w],
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_of_every_channel_becomes_zero_and_the_rest_stays() {
        let mut input: Vec<f32> = (1..=40).map(|at| at as f32).collect();
        let mut expected = input.clone();
        let window = Window {
            start: [1, 2],
            size: [2, 3],
        };
        erase(&mut input, [4, 5], window);
        for start in [7, 12, 27, 32] {
            expected[start..start + 3].fill(0.0);
        }
        assert_eq!(input, expected);
    }

    #[test]
    fn rectangles_lie_inside_and_cover_a_sixth_on_average() {
        let mut random = Random::new(1, "x");
        let mut areas = Vec::new();
        for _ in 0..4000 {
            let Window { start, size } = draw_window([32, 48], &mut random).unwrap();
            assert!(start[0] + size[0] <= 32 && start[1] + size[1] <= 48);
            areas.push((size[0] * size[1]) as f64 / (32.0 * 48.0));
        }
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!((0.15..0.19).contains(&mean), "{mean}");
        assert!(areas.iter().all(|area| (0.01..0.36).contains(area)));
        assert!(draw_window([1, 2000], &mut random).is_none());
    }
}
