//! Group norm, whose statistics are those of a group of channels of one image. <https://arxiv.org/abs/1803.08494>

use super::affine::Affine;
use super::statistics::Statistics;
use crate::layout::blocks;
use crate::simd::LANES;

/// Returns the maps `[C / 16, N]` with which [`apply`](super::apply) normalizes each image by the statistics of its `groups` of channels,
/// given those of each channel of each image, in the same order. `weight` and `bias` have one number per channel.
///
/// # Panics
/// If `weight`, `bias` and `statistics` are not of as many channels, or these cannot be divided into the groups.
pub fn group_affine(
    statistics: &[Statistics],
    weight: &[f32],
    bias: &[f32],
    groups: usize,
    eps: f64,
) -> Vec<Affine> {
    let channels = weight.len();
    let batch = statistics.len() / blocks(channels);
    assert!(
        bias.len() == channels
            && channels.is_multiple_of(groups)
            && statistics.len() == batch * blocks(channels)
    );
    let size = channels / groups;
    let identity = Affine {
        scale: [0.0; LANES],
        shift: [0.0; LANES],
    };
    let mut maps = vec![identity; statistics.len()];
    for image in 0..batch {
        for group in 0..groups {
            let members = group * size..(group + 1) * size;
            let of_channel = |channel: usize| {
                let found = &statistics[channel / LANES * batch + image];
                let lane = channel % LANES;
                (f64::from(found.mean[lane]), f64::from(found.variance[lane]))
            };
            let count = size as f64;
            let mean = members.clone().map(|i| of_channel(i).0).sum::<f64>() / count;
            let variance = members.clone().map(|i| {
                let (own, variance) = of_channel(i);
                variance + (own - mean) * (own - mean)
            });
            let inverse = (variance.sum::<f64>() / count + eps).sqrt().recip();
            for channel in members {
                let map = &mut maps[channel / LANES * batch + image];
                let scale = f64::from(weight[channel]) * inverse;
                map.scale[channel % LANES] = scale as f32;
                map.shift[channel % LANES] = (f64::from(bias[channel]) - mean * scale) as f32;
            }
        }
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::{apply, statistics};
    use crate::simd::ChannelBlock;

    #[test]
    fn each_image_is_normalized_by_its_groups() {
        let (channels, groups, batch, pixels) = (24, 3, 2, 5);
        let value = |channel: usize, image: usize, pixel: usize| {
            ((channel * 7 + image * 13 + pixel * 5) % 11) as f32 * 0.5 - 1.0
        };
        let mut input: Vec<ChannelBlock> = vec![[0.0; LANES]; 2 * batch * pixels];
        for channel in 0..channels {
            for (image, pixel) in (0..batch).flat_map(|i| (0..pixels).map(move |p| (i, p))) {
                let place = (channel / LANES * batch + image) * pixels + pixel;
                input[place][channel % LANES] = value(channel, image, pixel);
            }
        }
        let weight: Vec<f32> = (0..channels).map(|c| 1.0 + c as f32 / 8.0).collect();
        let bias: Vec<f32> = (0..channels).map(|c| c as f32 / 16.0).collect();
        let maps = group_affine(&statistics(&input, pixels), &weight, &bias, groups, 1e-5);
        let mut output = vec![[0.0; LANES]; input.len()];
        apply(&input, &maps, None, false, &mut output);
        let size = channels / groups;
        for image in 0..batch {
            for channel in 0..channels {
                let group = channel / size * size..(channel / size + 1) * size;
                let all: Vec<f64> = group
                    .flat_map(|c| (0..pixels).map(move |p| f64::from(value(c, image, p))))
                    .collect();
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
                let std = (variance / all.len() as f64 + 1e-5).sqrt();
                for pixel in 0..pixels {
                    let normalized = (f64::from(value(channel, image, pixel)) - mean) / std;
                    let expected =
                        normalized * f64::from(weight[channel]) + f64::from(bias[channel]);
                    let place = (channel / LANES * batch + image) * pixels + pixel;
                    let found = f64::from(output[place][channel % LANES]);
                    assert!((found - expected).abs() < 1e-5, "{found} and {expected}");
                }
            }
        }
    }
}
