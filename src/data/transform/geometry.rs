//! The position of an image in a model's input, and the part that the crop cuts off.

/// Placement of images of one size in the model's input by [`EvalTransform::apply`](super::eval::EvalTransform::apply).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Height and width that the image is resized to.
    pub(super) resized: [usize; 2],
    /// The crop of the resized image, down and across.
    pub(super) cuts: [Cut; 2],
}

impl Placement {
    /// Returns the position of a point of the image in the model's input, down (axis 0) or across (axis 1), in pixels from
    /// the input's edge; `None` when the crop cuts it off. `part` is the position along the image's edge, 0 to 1.
    pub fn in_input(&self, axis: usize, part: f64) -> Option<f64> {
        let Cut {
            start,
            length,
            padding,
        } = self.cuts[axis];
        let place = part * self.resized[axis] as f64 - start as f64;
        (0.0..length as f64)
            .contains(&place)
            .then_some(place + padding as f64)
    }
}

/// A centered crop along one axis, with padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The first pixel taken.
    pub start: usize,
    /// Pixels taken.
    pub length: usize,
    /// Pixels of the fill color before them.
    pub padding: usize,
}

impl Cut {
    /// Returns a crop to `target` pixels of an axis of `length`: torchvision's `center_crop`, whose offset is rounded half to
    /// even, and whose padding has the odd pixel at the end.
    pub fn new(length: usize, target: usize) -> Self {
        if length < target {
            return Self {
                start: 0,
                length,
                padding: (target - length) / 2,
            };
        }
        Self {
            start: ((length - target) as f64 / 2.0).round_ties_even() as usize,
            length: target,
            padding: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crop_offset_is_rounded_half_to_even_and_the_odd_pixel_of_padding_comes_last() {
        let start = |length, target| Cut::new(length, target).start;
        assert_eq!(
            [start(10, 9), start(12, 9), start(14, 9), start(9, 9)],
            [0, 2, 2, 0]
        );
        let expected = Cut {
            start: 0,
            length: 4,
            padding: 2,
        };
        assert_eq!(Cut::new(4, 9), expected);
    }

    #[test]
    fn a_point_of_the_image_is_found_in_the_input_or_known_to_be_cut_off() {
        // Twelve pixels, of which the crop keeps the middle eight; five, with two before and two behind.
        let placement = Placement {
            resized: [12, 5],
            cuts: [Cut::new(12, 8), Cut::new(5, 9)],
        };
        let down = |part| placement.in_input(0, part);
        assert_eq!(
            [down(0.1), down(0.5), down(0.75), down(0.9)],
            [None, Some(4.0), Some(7.0), None]
        );
        assert_eq!(placement.in_input(1, 0.0), Some(2.0));
        assert_eq!(placement.in_input(1, 0.5), Some(4.5));
    }
}
