//! Where a picture comes to lie in a model's input, and what of it the crop cuts off.

/// How [`Transform::apply`](super::Transform::apply) lays pictures of one size into the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Height and width that the picture is resized to.
    pub(super) resized: [usize; 2],
    /// What the crop takes of the resized picture, down and across.
    pub(super) cuts: [Cut; 2],
}

impl Placement {
    /// Where a point of the picture lies in the model's input, down (axis 0) or across it (axis 1), in the input's pixels
    /// from its edge; nothing where the crop cuts it off. `part` is how far along the picture's edge the point is, 0 to 1.
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

/// What a centred crop takes of one axis, and what it adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// The first pixel taken.
    pub start: usize,
    /// Pixels taken.
    pub length: usize,
    /// Pixels of the fill colour before them.
    pub padding: usize,
}

impl Cut {
    /// A crop to `target` pixels of an axis of `length`: torchvision's `center_crop`, whose offset is rounded, halves
    /// to even, and whose padding has the odd pixel at the end.
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
    fn a_point_of_the_picture_is_found_in_the_input_or_known_to_be_cut_off() {
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
