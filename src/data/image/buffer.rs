//! An image in memory: 8 bits per sample, channels last.

/// An image of 8-bit samples, `[height, width, channels]`, row by row from the top left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    size: [usize; 2],
    channels: usize,
    samples: Vec<u8>,
}

impl Picture {
    /// Creates an image of `size` (height, width) from its samples.
    ///
    /// # Panics
    /// When the number of samples is not height times width times channels.
    pub fn new(size: [usize; 2], channels: usize, samples: Vec<u8>) -> Self {
        assert_eq!(
            samples.len(),
            size[0] * size[1] * channels,
            "samples of an image of {size:?} and {channels} channels"
        );
        Self {
            size,
            channels,
            samples,
        }
    }

    /// Creates an image of one color, given as one value per channel.
    pub fn filled(size: [usize; 2], colour: &[u8]) -> Self {
        let samples = colour.repeat(size[0] * size[1]);
        Self::new(size, colour.len(), samples)
    }

    /// Returns height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Returns the number of samples per pixel.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the samples, `[height, width, channels]`.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Returns the samples for changes in place.
    pub fn samples_mut(&mut self) -> &mut [u8] {
        &mut self.samples
    }

    /// Returns the samples of row `y`, `[width, channels]`.
    pub fn row(&self, y: usize) -> &[u8] {
        View::from(self).row(y)
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

    /// Copies `picture` into this one with its top left corner at row `top` and column `left`.
    ///
    /// # Panics
    /// When it extends beyond this image or has another number of channels.
    pub fn paste(&mut self, picture: &Self, [top, left]: [usize; 2]) {
        assert_eq!(self.channels, picture.channels, "channels of both images");
        assert!(
            left + picture.size[1] <= self.size[1],
            "the pasted image is too wide"
        );
        let (length, inset) = (self.size[1] * self.channels, left * self.channels);
        for y in 0..picture.size[0] {
            let row = picture.row(y);
            self.samples[(top + y) * length + inset..][..row.len()].copy_from_slice(row);
        }
    }
}

/// A borrowed image, `[height, width, channels]`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// Samples per pixel.
    pub channels: usize,
    /// The samples, row by row from the top left.
    pub samples: &'a [u8],
}

impl<'a> View<'a> {
    /// Returns the samples of row `y`, `[width, channels]`.
    pub fn row(&self, y: usize) -> &'a [u8] {
        let length = self.size[1] * self.channels;
        &self.samples[y * length..][..length]
    }
}

impl<'a> From<&'a Picture> for View<'a> {
    fn from(picture: &'a Picture) -> Self {
        Self {
            size: picture.size,
            channels: picture.channels,
            samples: &picture.samples,
        }
    }
}

impl<'a> From<&'a image::RgbImage> for View<'a> {
    fn from(image: &'a image::RgbImage) -> Self {
        Self {
            size: [image.height() as usize, image.width() as usize],
            channels: 3,
            samples: image.as_raw(),
        }
    }
}

impl From<image::RgbImage> for Picture {
    fn from(image: image::RgbImage) -> Self {
        let size = [image.height() as usize, image.width() as usize];
        Self::new(size, 3, image.into_raw())
    }
}
