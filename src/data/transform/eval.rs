//! Preprocessing of a decoded image for a model, as in timm's `create_transform(is_training=False)` and torchvision.
//!
//! The sizes are timm's: the image is resized so that the model's size divided by `crop_pct` fits its short edge
//! (center), both edges (squash) or its long edge (border), then the model's size is cropped from the center; a smaller
//! image is padded with black (center, squash) or the mean color (border).

use anyhow::{Result, bail};
use image::RgbImage;
use pillow_image::{Filter, Image, ImageView, Window, luma, resize_window};

use super::geometry::{Cut, Placement};
use crate::error::error_with_hint;
use crate::model::{CropMode, Interpolation, Preprocess};

/// The longest edge that an image may be resized to before the crop.
const LONGEST_SCALED_EDGE: f64 = 65_536.0;

/// A model's preprocessing, checked and ready to run.
#[derive(Debug, Clone)]
pub struct EvalTransform {
    size: [usize; 2],
    /// `size / crop_pct`, rounded down.
    scaled: [usize; 2],
    crop_mode: CropMode,
    filter: Filter,
    /// The padding color of images that are smaller than the crop, one value per channel.
    fill: Vec<u8>,
    /// The model's value for each value of a sample, one table per channel.
    normalized: Vec<[f32; 256]>,
}

impl EvalTransform {
    /// Checks `preprocess` and prepares its tables. The model's input channels are as many as its means: 3 (red,
    /// green, blue) or 1 (gray).
    ///
    /// # Errors
    /// When the size is zero, `crop_pct` is outside (0, 1], a mean or std is not finite, a std is zero, the numbers of means
    /// and stds differ, or images cannot have that many channels.
    pub fn new(preprocess: &Preprocess) -> Result<Self> {
        let Preprocess {
            size,
            crop_pct,
            crop_mode,
            interpolation,
            mean,
            std,
            ..
        } = preprocess;
        if size.contains(&0) {
            bail!("an image of {}x{} pixels has none", size[0], size[1]);
        }
        if !(*crop_pct > 0.0 && *crop_pct <= 1.0) {
            return Err(error_with_hint(
                format!("crop_pct is `{crop_pct}`, not a part of the image"),
                "it is the part of the resized image that the crop keeps: above 0, at most 1",
            ));
        }
        check_channels(mean, std)?;
        let scaled = size.map(|edge| (edge as f64 / crop_pct).floor());
        if let Some(edge) = scaled.into_iter().find(|&edge| edge > LONGEST_SCALED_EDGE) {
            bail!(
                "a size of {}x{} at crop_pct {crop_pct} resizes images to {edge:.0} pixels, more than {LONGEST_SCALED_EDGE}",
                size[0],
                size[1]
            );
        }
        Ok(Self {
            size: *size,
            scaled: scaled.map(|edge| edge as usize),
            crop_mode: *crop_mode,
            filter: (*interpolation).into(),
            fill: match crop_mode {
                CropMode::Border => mean.iter().map(|&mean| sample_of(mean)).collect(),
                CropMode::Center | CropMode::Squash => vec![0; mean.len()],
            },
            normalized: mean.iter().zip(std).map(|(&m, &s)| table(m, s)).collect(),
        })
    }

    /// Returns the height and width of the model's input.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Returns the number of channels of the model's input: 3 or 1.
    pub fn channels(&self) -> usize {
        self.normalized.len()
    }

    /// Returns the filter that images are resized by.
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// Returns the number of values in one input of the model: channels times height times width.
    pub fn input_len(&self) -> usize {
        self.channels() * self.size[0] * self.size[1]
    }

    /// Resizes and crops `image` to the model's size, in the model's channels.
    ///
    /// The result has the bytes of timm's on the same RGB image. (A very thin image that would be resized to no pixels at
    /// all, which timm rejects, keeps one row or column.)
    ///
    /// # Errors
    /// When the image has no pixels.
    pub fn apply(&self, image: &RgbImage) -> Result<Image> {
        let mut source = ImageView::from(image);
        let size = source.size();
        if size.contains(&0) {
            bail!("the image has {}x{} pixels", size[0], size[1]);
        }
        let grays;
        if self.channels() == 1 {
            grays = luma(image.as_raw());
            source = ImageView::new(size, 1, &grays);
        }
        let Placement {
            resized,
            cuts: [vertical, horizontal],
        } = self.placement(size);
        let window = Window {
            start: [vertical.start, horizontal.start],
            size: [vertical.length, horizontal.length],
        };
        let cut = resize_window(source, resized, window, self.filter);
        if window.size == self.size {
            return Ok(cut);
        }
        let mut padded = Image::filled(self.size, &self.fill);
        padded.paste(&cut, [vertical.padding, horizontal.padding]);
        Ok(padded)
    }

    /// Returns the placement of images of height and width `source` in the model's input.
    pub fn placement(&self, source: [usize; 2]) -> Placement {
        let resized = self.resized_size(source);
        Placement {
            resized,
            cuts: [0, 1].map(|axis| Cut::new(resized[axis], self.size[axis])),
        }
    }

    /// Converts a color `image` to the model's channels.
    pub(super) fn in_channels(&self, image: Image) -> Image {
        if self.channels() == image.channels() {
            return image;
        }
        Image::new(image.size(), 1, luma(image.samples()))
    }

    /// Writes the model's input for `image`, `[channels, height, width]`: each sample divided by 255, minus the channel's
    /// mean, divided by its std, each step rounded to `f32` as in torchvision's `ToTensor` and `Normalize`.
    ///
    /// # Panics
    /// When the image does not come from [`Self::apply`], or `input` is not [`Self::input_len`] long.
    pub fn normalize_into(&self, image: &Image, input: &mut [f32]) {
        assert_eq!(image.size(), self.size, "size of the image");
        assert_eq!(image.channels(), self.channels(), "channels of the image");
        assert_eq!(input.len(), self.input_len(), "length of the model's input");
        let planes = input.chunks_exact_mut(self.size[0] * self.size[1]);
        for (channel, (plane, table)) in planes.zip(&self.normalized).enumerate() {
            let samples = image.samples()[channel..].iter().step_by(self.channels());
            for (number, &sample) in plane.iter_mut().zip(samples) {
                *number = table[usize::from(sample)];
            }
        }
    }

    /// Returns the height and width that an image of height and width `source` is resized to.
    fn resized_size(&self, source: [usize; 2]) -> [usize; 2] {
        let scaled = self.scaled;
        match self.crop_mode {
            CropMode::Squash => scaled,
            // torchvision's `Resize` of one number: the short edge is exact, the long one rounded down.
            CropMode::Center if scaled[0] == scaled[1] => {
                let long =
                    |long: usize, short: usize| ((scaled[0] * long) as f64 / short as f64) as usize;
                if source[1] <= source[0] {
                    [long(source[0], source[1]), scaled[0]]
                } else {
                    [scaled[0], long(source[1], source[0])]
                }
            }
            // timm's `ResizeKeepRatio`: both edges divided by one ratio and rounded half to even.
            CropMode::Center | CropMode::Border => {
                let ratios = [0, 1].map(|axis| source[axis] as f64 / scaled[axis] as f64);
                let ratio = if self.crop_mode == CropMode::Border {
                    ratios[0].max(ratios[1])
                } else {
                    ratios[0].min(ratios[1])
                };
                source.map(|edge| ((edge as f64 / ratio).round_ties_even() as usize).max(1))
            }
        }
    }
}

impl From<Interpolation> for Filter {
    fn from(interpolation: Interpolation) -> Self {
        match interpolation {
            Interpolation::Bilinear => Self::Bilinear,
            Interpolation::Bicubic => Self::Bicubic,
        }
    }
}

/// Rejects invalid means and stds.
fn check_channels(mean: &[f32], std: &[f32]) -> Result<()> {
    if mean.len() != std.len() {
        return Err(error_with_hint(
            format!("{} means but {} stds", mean.len(), std.len()),
            "give one mean and one standard deviation a channel",
        ));
    }
    if ![1, 3].contains(&mean.len()) {
        return Err(error_with_hint(
            format!("a model of {} input channels takes no images", mean.len()),
            "images have 3 channels (color) or 1 (gray)",
        ));
    }
    if let Some(mean) = mean.iter().find(|mean| !mean.is_finite()) {
        bail!("the mean `{mean}` is no finite number");
    }
    if let Some(std) = std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
        bail!("the standard deviation `{std}` is not above zero");
    }
    Ok(())
}

/// Returns the model's value for each value of a sample.
fn table(mean: f32, std: f32) -> [f32; 256] {
    std::array::from_fn(|sample| (sample as f32 / 255.0 - mean) / std)
}

/// Converts a mean in 0..=1 to a sample: timm's `round(255 * mean)`, half to even, of the decimal number in the config (the
/// nearest `f32` may be on the other side of a half).
fn sample_of(mean: f32) -> u8 {
    let decimal = mean.to_string().parse().unwrap_or_else(|_| f64::from(mean));
    (255.0 * decimal).round_ties_even().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    fn preprocess(crop_mode: CropMode, size: [usize; 2], crop_pct: f64) -> Preprocess {
        Preprocess {
            size,
            crop_pct,
            crop_mode,
            ..Preprocess::default()
        }
    }

    #[test]
    fn the_border_is_the_mean_as_written_in_the_config() {
        // 255 * 0.3 is 76.5 and 255 * 0.5 is 127.5: Python rounds both to even.
        assert_eq!(
            [0.3, 0.5, 0.485, 0.0, 1.0, 2.0].map(sample_of),
            [76, 128, 124, 0, 255, 255]
        );
    }

    #[test]
    fn an_image_long_beyond_measure_is_cropped_without_being_resized_whole() {
        let image = RgbImage::from_pixel(300_000, 1, image::Rgb([9, 8, 7]));
        let transform =
            EvalTransform::new(&preprocess(CropMode::Center, [224, 224], 0.875)).unwrap();
        let expected = Image::filled([224, 224], &[9, 8, 7]);
        assert_eq!(transform.apply(&image).unwrap(), expected);
        let transform = EvalTransform::new(&preprocess(CropMode::Border, [16, 16], 1.0)).unwrap();
        assert_eq!(
            transform.apply(&image).unwrap().row(7),
            [9, 8, 7].repeat(16)
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_way_out() {
        let refused = |change: fn(&mut Preprocess)| {
            let mut preprocess = Preprocess::default();
            change(&mut preprocess);
            EvalTransform::new(&preprocess).unwrap_err()
        };
        assert!(refused(|p| p.size = [0, 224]).to_string().contains("0x224"));
        assert!(refused(|p| p.crop_pct = 1e-9).to_string().contains("65536"));
        assert!(
            refused(|p| p.std[1] = 0.0)
                .to_string()
                .contains("not above zero")
        );
        assert!(
            refused(|p| p.mean[2] = f32::NAN)
                .to_string()
                .contains("NaN")
        );
        for change in [
            (|p: &mut Preprocess| p.crop_pct = 0.0) as fn(&mut Preprocess),
            |p| p.crop_pct = f64::NAN,
            |p| p.crop_pct = 1.5,
            |p| p.mean = vec![0.5],
            |p| (p.mean, p.std) = (vec![0.5; 4], vec![0.5; 4]),
            |p| (p.mean, p.std) = (vec![], vec![]),
        ] {
            assert!(hint_of(&refused(change)).is_some());
        }
    }
}
