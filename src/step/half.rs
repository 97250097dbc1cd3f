//! Averages of 2x2 pixels, forward and backward.

use resnet_kernels::HalfGeometry;
use resnet_kernels::halve::{average, grad_average};
use resnet_kernels::layout::{Buffer, blocks};
use resnet_kernels::simd::ChannelBlock;

/// An average with its output.
#[derive(Debug)]
pub(super) struct Half {
    /// Shapes for one image.
    geometry: HalfGeometry,
    channels: usize,
    output: Buffer,
}

impl Half {
    /// Creates the average of values of this shape; `rounds_up` for averages of fewer pixels at an odd edge. `None` if nothing is left.
    pub fn new([channels, height, width]: [usize; 3], rounds_up: bool) -> Option<Self> {
        let size = [height, width];
        let half = |length: usize| {
            if rounds_up {
                length.div_ceil(2)
            } else {
                length / 2
            }
        };
        let out = size.map(half);
        (!out.contains(&0)).then(|| Self {
            geometry: HalfGeometry {
                planes: blocks(channels),
                size,
                out,
            },
            channels,
            output: Buffer::default(),
        })
    }

    /// Returns channels, height and width of the output.
    pub fn shape(&self) -> [usize; 3] {
        let [height, width] = self.geometry.out;
        [self.channels, height, width]
    }

    fn of(&self, batch: usize) -> HalfGeometry {
        HalfGeometry {
            planes: batch * self.geometry.planes,
            ..self.geometry
        }
    }

    fn lanes(&self, batch: usize) -> usize {
        let geometry = self.of(batch);
        geometry.planes * geometry.out[0] * geometry.out[1]
    }

    /// Returns the output of the last forward pass over `batch` images.
    pub fn output(&self, batch: usize) -> &[ChannelBlock] {
        &self.output[..self.lanes(batch)]
    }

    pub fn forward(&mut self, batch: usize, input: &[ChannelBlock]) {
        let (lanes, geometry) = (self.lanes(batch), self.of(batch));
        self.output.reserve(lanes);
        average(input, &geometry, &mut self.output[..lanes]);
    }

    /// Computes the gradient of the input from that of the output.
    pub fn backward(&self, batch: usize, gradient: &[ChannelBlock], result: &mut Buffer) {
        let geometry = self.of(batch);
        let lanes = geometry.planes * geometry.size[0] * geometry.size[1];
        result.reserve(lanes);
        let gradient = &gradient[..self.lanes(batch)];
        grad_average(gradient, &geometry, &mut result[..lanes]);
    }

    /// Releases the output, which nothing reads any more.
    pub fn release(&mut self) {
        self.output = Buffer::default();
    }
}
