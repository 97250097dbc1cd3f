//! Factors of channels: each channel of each image is multiplied by the sigmoid of a score.

use crate::norm::{Affine, apply, apply_onto};
use crate::simd::{ChannelBlock, LANES};

/// Returns `1 / (1 + exp(-x))`.
fn sigmoid(x: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(x)).exp())) as f32
}

/// Returns the maps that multiply channels by the sigmoids of `scores`, `[C / 16, N, 16]`.
fn factors(scores: &[ChannelBlock]) -> Vec<Affine> {
    let map = |scores: &ChannelBlock| Affine {
        scale: scores.map(sigmoid),
        shift: [0.0; LANES],
    };
    scores.iter().map(map).collect()
}

/// Multiplies the channels of `input` `[C / 16, N, H, W, 16]` by the sigmoids of `scores` `[C / 16, N, 16]` and applies `ReLU`. With
/// `residual`, the output's old values are added before.
///
/// # Panics
/// If input and output differ in size.
pub fn gate(
    input: &[ChannelBlock],
    scores: &[ChannelBlock],
    residual: bool,
    output: &mut [ChannelBlock],
) {
    let factors = factors(scores);
    if residual {
        apply_onto(input, &factors, output);
    } else {
        apply(input, &factors, None, true, output);
    }
}

/// Convolves the channels of each vector of `input` `[C / 16, N, 16]` with `weight`, of odd length, between zeros.
pub fn channel_convolution(
    input: &[ChannelBlock],
    batch: usize,
    channels: usize,
    weight: &[f32],
    output: &mut [ChannelBlock],
) {
    output.fill([0.0; LANES]);
    for image in 0..batch {
        let middle = weight.len() / 2;
        let value = |channel: usize| input[channel / LANES * batch + image][channel % LANES];
        for channel in 0..channels {
            let taps = weight.iter().enumerate().filter_map(|(tap, weight)| {
                let place = (channel + tap).checked_sub(middle)?;
                (place < channels).then(|| weight * value(place))
            });
            output[channel / LANES * batch + image][channel % LANES] = taps.sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_scaled_by_their_images_factors_and_added_to_the_residual() {
        // Two images of two pixels; a score of ln 3 is a factor of 3 / 4.
        let input = [1.0, -2.0, 3.0, 4.0].map(|value| [value; LANES]);
        let scores = [[0.0; LANES], [3.0_f32.ln(); LANES]];
        let mut output = [[1.0; LANES]; 4];
        gate(&input, &scores, true, &mut output);
        assert_eq!(output, [1.5, 0.0, 3.25, 4.0].map(|value| [value; LANES]));
        gate(&input, &scores, false, &mut output);
        assert_eq!(output, [0.5, 0.0, 2.25, 3.0].map(|value| [value; LANES]));
    }

    #[test]
    fn channels_are_convolved_between_zeros_and_across_blocks() {
        let (batch, channels) = (2, 18);
        let value = |image: usize, channel: usize| (10 * image + channel) as f32;
        let mut input = [[9.0; LANES]; 4];
        for (image, channel) in (0..batch).flat_map(|i| (0..channels).map(move |c| (i, c))) {
            input[channel / LANES * batch + image][channel % LANES] = value(image, channel);
        }
        let mut output = [[7.0; LANES]; 4];
        channel_convolution(&input, batch, channels, &[1.0, 2.0, -1.0], &mut output);
        for (image, channel) in (0..batch).flat_map(|i| (0..channels).map(move |c| (i, c))) {
            let before = channel.checked_sub(1).map_or(0.0, |c| value(image, c));
            let after = if channel + 1 < channels {
                value(image, channel + 1)
            } else {
                0.0
            };
            let expected = before + 2.0 * value(image, channel) - after;
            let found = output[channel / LANES * batch + image][channel % LANES];
            assert!((found - expected).abs() < 1e-5, "{image}, {channel}");
        }
        assert_eq!(output[2][2..], [0.0; LANES - 2]);
    }
}
