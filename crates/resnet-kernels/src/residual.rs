//! The parameter-free shortcut of the paper's CIFAR networks: every `stride`-th pixel, between zero channels.

use crate::layout::blocks;
use crate::simd::{ChannelBlock, LANES};

/// Shapes of the shortcut.
#[derive(Debug, Clone, Copy)]
pub struct PaddedShortcut {
    /// Input and output channels; half of the missing ones are on each side, the smaller half first.
    pub channels: [usize; 2],
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Stride of both axes.
    pub stride: usize,
}

impl PaddedShortcut {
    fn out_size(&self) -> [usize; 2] {
        self.size.map(|length| length.div_ceil(self.stride))
    }

    /// Returns the number of channel blocks of the output.
    pub fn out_blocks(&self, batch: usize) -> usize {
        blocks(self.channels[1]) * batch * self.out_size().iter().product::<usize>()
    }

    /// Calls `visit` for each input channel and line of outputs with the positions of the channel and of its output
    /// channel within their blocks, the first input and output pixel, the stride, and the number of outputs.
    fn each(&self, batch: usize, mut visit: impl FnMut([usize; 2], [usize; 2], usize, usize)) {
        let [height, width] = self.size;
        let [out_height, out_width] = self.out_size();
        let (plane, out_plane) = (batch * height * width, batch * out_height * out_width);
        let before = (self.channels[1] - self.channels[0]) / 2;
        for channel in 0..self.channels[0] {
            let target = channel + before;
            for line in 0..batch * out_height {
                let (image, row) = (line / out_height, line % out_height);
                let from = channel / LANES * plane + (image * height + row * self.stride) * width;
                let to = target / LANES * out_plane + line * out_width;
                visit(
                    [channel % LANES, target % LANES],
                    [from, to],
                    self.stride,
                    out_width,
                );
            }
        }
    }
}

/// Computes `[C_out / 16, N, H', W', 16]` from `[C_in / 16, N, H, W, 16]`.
pub fn padded_shortcut(
    batch: usize,
    input: &[ChannelBlock],
    shortcut: &PaddedShortcut,
    output: &mut [ChannelBlock],
) {
    output.fill([0.0; LANES]);
    shortcut.each(batch, |[i, o], [from, to], stride, width| {
        let pixels = input[from..].iter().step_by(stride);
        for (output, input) in output[to..to + width].iter_mut().zip(pixels) {
            output[o] = input[i];
        }
    });
}

/// Computes the gradient of the input of [`padded_shortcut`].
pub fn grad_padded_shortcut(
    batch: usize,
    gradient: &[ChannelBlock],
    shortcut: &PaddedShortcut,
    result: &mut [ChannelBlock],
) {
    result.fill([0.0; LANES]);
    shortcut.each(batch, |[i, o], [from, to], stride, width| {
        let pixels = result[from..].iter_mut().step_by(stride);
        for (result, gradient) in pixels.zip(&gradient[to..to + width]) {
            result[i] = gradient[o];
        }
    });
}
