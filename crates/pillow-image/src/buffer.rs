//! An image in memory: 8 bits per sample, channels last.

/// An image of 8-bit samples, `[height, width, channels]`, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    size: [usize; 2],
    channels: usize,
    samples: Vec<u8>,
}

impl Image {
    /// Creates an image of `size` (height, width) from its samples.
    ///
    /// # Panics
    /// When the number of samples is not height times width times channels.
    pub fn new(size: [usize; 2], channels: usize, samples: Vec<u8>) -> Self {
        check_len(samples.len(), size, channels);
        Self {
            size,
            channels,
            samples,
        }
    }

    /// Creates an image of one color, given as one value per channel.
    pub fn filled(size: [usize; 2], color: &[u8]) -> Self {
        let samples = color.repeat(size[0] * size[1]);
        Self::new(size, color.len(), samples)
    }

    /// Returns height and width in pixels.
    #[inline]
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Returns the number of samples per pixel.
    #[inline]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the samples, `[height, width, channels]`.
    #[inline]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Returns the samples for changes in place.
    #[inline]
    pub fn samples_mut(&mut self) -> &mut [u8] {
        &mut self.samples
    }

    /// Returns the samples of row `y`, `[width, channels]`.
    #[inline]
    pub fn row(&self, y: usize) -> &[u8] {
        ImageView::from(self).row(y)
    }

    /// Returns the image moved by pixels down and to the right, or up and to the left when they are negative; the uncovered
    /// part is black.
    #[must_use]
    pub fn shifted(&self, by: [isize; 2]) -> Self {
        let (size, channels) = (self.size, self.channels);
        let mut moved = Self::filled(size, &vec![0; channels]);
        // For each axis: the first visible pixel, its target, and the number of pixels.
        let [(top, y, rows), (left, x, columns)] = [0, 1].map(|axis| {
            let pixels = by[axis].unsigned_abs().min(size[axis]);
            let [from, to] = if by[axis] < 0 {
                [pixels, 0]
            } else {
                [0, pixels]
            };
            (from, to, size[axis] - pixels)
        });
        let lines = moved.samples.chunks_exact_mut(size[1] * channels);
        for (line, source) in lines.skip(y).take(rows).zip(top..) {
            let row = &self.row(source)[left * channels..][..columns * channels];
            line[x * channels..][..row.len()].copy_from_slice(row);
        }
        moved
    }

    /// Copies `image` into this one with its top left corner at row `top` and column `left`.
    ///
    /// # Panics
    /// When it extends beyond this image or has another number of channels.
    pub fn paste(&mut self, image: &Self, [top, left]: [usize; 2]) {
        assert_eq!(self.channels, image.channels, "channels of both images");
        assert!(
            left + image.size[1] <= self.size[1],
            "the pasted image is too wide"
        );
        let (length, inset) = (self.size[1] * self.channels, left * self.channels);
        for y in 0..image.size[0] {
            let row = image.row(y);
            self.samples[(top + y) * length + inset..][..row.len()].copy_from_slice(row);
        }
    }
}

/// A rectangle of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first row and the first column.
    pub start: [usize; 2],
    /// Height and width.
    pub size: [usize; 2],
}

/// A borrowed image, `[height, width, channels]`.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    size: [usize; 2],
    channels: usize,
    samples: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// Borrows `samples`, row by row from the top left, as an image of `size` (height, width).
    ///
    /// # Panics
    /// When the number of samples is not height times width times channels.
    pub fn new(size: [usize; 2], channels: usize, samples: &'a [u8]) -> Self {
        check_len(samples.len(), size, channels);
        Self {
            size,
            channels,
            samples,
        }
    }

    /// Returns height and width in pixels.
    #[inline]
    pub fn size(self) -> [usize; 2] {
        self.size
    }

    /// Returns the number of samples per pixel.
    #[inline]
    pub fn channels(self) -> usize {
        self.channels
    }

    /// Copies `window`.
    ///
    /// # Panics
    /// When the window extends beyond the image.
    #[must_use]
    pub fn crop(self, window: Window) -> Image {
        let (channels, [top, left]) = (self.channels, window.start);
        let mut samples = Vec::with_capacity(window.size[0] * window.size[1] * channels);
        for y in top..top + window.size[0] {
            let row = &self.row(y)[left * channels..][..window.size[1] * channels];
            samples.extend_from_slice(row);
        }
        Image::new(window.size, channels, samples)
    }

    /// Returns the samples of row `y`, `[width, channels]`.
    #[inline]
    pub fn row(self, y: usize) -> &'a [u8] {
        let length = self.size[1] * self.channels;
        &self.samples[y * length..][..length]
    }
}

impl<'a> From<&'a Image> for ImageView<'a> {
    fn from(image: &'a Image) -> Self {
        Self {
            size: image.size,
            channels: image.channels,
            samples: &image.samples,
        }
    }
}

impl<'a> From<&'a image::RgbImage> for ImageView<'a> {
    fn from(image: &'a image::RgbImage) -> Self {
        Self {
            size: [image.height() as usize, image.width() as usize],
            channels: 3,
            samples: image.as_raw(),
        }
    }
}

impl From<image::RgbImage> for Image {
    fn from(image: image::RgbImage) -> Self {
        let size = [image.height() as usize, image.width() as usize];
        Self::new(size, 3, image.into_raw())
    }
}

/// Panics when `len` samples are not those of an image of `size` and `channels`.
fn check_len(len: usize, size: [usize; 2], channels: usize) {
    assert_eq!(
        len,
        size[0] * size[1] * channels,
        "samples of an image of {size:?} and {channels} channels"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(size: [usize; 2]) -> Image {
        let samples = (0..size[0] * size[1]).map(|at| at as u8 + 1).collect();
        Image::new(size, 1, samples)
    }

    #[test]
    fn a_shifted_image_leaves_black_behind() {
        let image = numbered([2, 3]);
        assert_eq!(image.shifted([0, 1]).samples(), [0, 1, 2, 0, 4, 5]);
        assert_eq!(image.shifted([-1, -2]).samples(), [6, 0, 0, 0, 0, 0]);
        assert_eq!(image.shifted([9, 0]).samples(), [0; 6]);
        assert_eq!(image.shifted([0, 0]), image);
    }

    #[test]
    fn a_pasted_image_can_be_cropped_out_again() {
        let mut canvas = Image::filled([5, 7], &[9]);
        let image = numbered([2, 3]);
        canvas.paste(&image, [3, 4]);
        let window = Window {
            start: [3, 4],
            size: [2, 3],
        };
        assert_eq!(ImageView::from(&canvas).crop(window), image);
        assert_eq!(canvas.row(2), [9; 7]);
    }
}
