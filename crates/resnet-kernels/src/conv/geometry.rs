//! The shapes of convolutions and poolings, and quantities derived from them.

use std::ops::Range;

/// The shapes of a convolution. Images are `[N, C, H, W]`, weights `[C_out, C_in / groups, k, k]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Number of images.
    pub batch: usize,
    /// Channels of an input image.
    pub in_channels: usize,
    /// Channels of an output image.
    pub out_channels: usize,
    /// Number of groups of channels that are convolved separately.
    pub groups: usize,
    /// Height of an input image.
    pub height: usize,
    /// Width of an input image.
    pub width: usize,
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Stride of both axes.
    pub stride: usize,
    /// Zeros added on each side of both axes.
    pub padding: usize,
    /// Spacing of the kernel's taps on both axes.
    pub dilation: usize,
}

impl ConvGeometry {
    /// Returns the height of an output image.
    pub fn out_height(&self) -> usize {
        self.out_length(self.height)
    }

    /// Returns the width of an output image.
    pub fn out_width(&self) -> usize {
        self.out_length(self.width)
    }

    /// Returns the number of pixels of an output image.
    pub fn out_pixels(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Returns the number of inputs of one output within a group: `C_in / groups * k * k`.
    pub fn patch(&self) -> usize {
        self.in_channels / self.groups * self.kernel * self.kernel
    }

    /// Returns the number of values of one input image.
    pub fn image(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    /// Returns the number of values of one output image.
    pub fn out_image(&self) -> usize {
        self.out_channels * self.out_pixels()
    }

    /// Returns the number of weights.
    pub fn weights(&self) -> usize {
        self.out_channels * self.patch()
    }

    /// Returns the effective kernel size: the extent of the dilated kernel on one axis, in input pixels.
    pub fn effective_kernel_size(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Returns true if the kernel fits on the padded image.
    pub fn fits(&self) -> bool {
        self.height.min(self.width) + 2 * self.padding >= self.effective_kernel_size()
    }

    fn out_length(&self, length: usize) -> usize {
        (length + 2 * self.padding - self.effective_kernel_size()) / self.stride + 1
    }

    /// Returns the outputs, out of `out_length`, whose tap `tap` lies inside an input of `length` pixels.
    pub fn inside(&self, tap: usize, length: usize, out_length: usize) -> Range<usize> {
        let offset = tap * self.dilation;
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride);
        let end = (length + self.padding)
            .saturating_sub(offset)
            .div_ceil(self.stride);
        let end = end.min(out_length);
        first.min(end)..end
    }
}
