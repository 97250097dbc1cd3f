//! Convolutions by the offsets of their taps, a form that the forward pass and the input gradient share.

use super::geometry::ConvGeometry;
use super::groups::Groups;

/// A convolution as a sum over taps: the output pixel at row r and column c reads the input at row `r * stride + dr` and column `c *
/// stride + dc` for each of several offsets (dr, dc), and zero outside.
#[derive(Debug, Clone)]
pub struct OffsetConv {
    /// Number of images.
    pub batch: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Stride of both axes.
    pub stride: usize,
    /// Offsets of the taps.
    pub offsets: Vec<[isize; 2]>,
    /// Blocks of channels that are summed separately.
    pub groups: Groups,
}

impl OffsetConv {
    /// Returns the forward pass, with only the taps that read any pixel.
    pub fn forward(geometry: &ConvGeometry) -> Self {
        let offset = |tap: usize| (tap * geometry.dilation) as isize - geometry.padding as isize;
        let offsets = contributing_taps(geometry)
            .into_iter()
            .map(|tap| [offset(tap / geometry.kernel), offset(tap % geometry.kernel)]);
        Self {
            batch: geometry.batch,
            input: [geometry.height, geometry.width],
            output: [geometry.out_height(), geometry.out_width()],
            stride: geometry.stride,
            offsets: offsets.collect(),
            groups: Groups::of(geometry),
        }
    }

    /// Returns true if each output pixel reads exactly the input pixel at its position.
    pub fn is_pointwise(&self) -> bool {
        self.stride == 1 && self.input == self.output && self.offsets == [[0, 0]]
    }

    /// Returns the number of pixels of a block of the input.
    pub fn in_pixels(&self) -> usize {
        self.batch * self.input[0] * self.input[1]
    }

    /// Returns the number of pixels of a block of the output.
    pub fn out_pixels(&self) -> usize {
        self.batch * self.output[0] * self.output[1]
    }
}

/// Returns the taps that read any pixel at all: of a 3x3 kernel on an image of one pixel, only the middle one does. If
/// none does, the first one stands for a sum of zeros.
pub fn contributing_taps(geometry: &ConvGeometry) -> Vec<usize> {
    let kernel = geometry.kernel;
    let reads = |tap: usize, length: usize, out_length: usize| {
        !geometry.inside(tap, length, out_length).is_empty()
    };
    let mut taps: Vec<usize> = (0..kernel * kernel)
        .filter(|tap| {
            reads(tap / kernel, geometry.height, geometry.out_height())
                && reads(tap % kernel, geometry.width, geometry.out_width())
        })
        .collect();
    if taps.is_empty() {
        taps.push(0);
    }
    taps
}

/// Weights as a sum over taps reads them: that of output channel o, input channel i and tap t, counted within a group,
/// is `values[group * outputs * inputs * taps_of_all + o * out_step + i * in_step + places[t]]`.
#[derive(Debug, Clone)]
pub struct TapWeights<'a> {
    /// All weights.
    pub values: &'a [f32],
    /// Number of groups, before any are joined.
    pub groups: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    /// Distance from one group to the next.
    pub group_step: usize,
    /// Distance from one output channel to the next.
    pub out_step: usize,
    /// Distance from one input channel to the next.
    pub in_step: usize,
    /// Positions of the taps.
    pub places: Vec<usize>,
}

impl<'a> TapWeights<'a> {
    /// Returns the weights `[C_out, C_in / groups, k, k]` of the forward pass, with all taps in row-major order.
    pub fn forward(values: &'a [f32], geometry: &ConvGeometry) -> Self {
        let taps = geometry.kernel * geometry.kernel;
        let [inputs, outputs] = [geometry.in_channels, geometry.out_channels]
            .map(|channels| channels / geometry.groups);
        Self {
            values,
            groups: geometry.groups,
            inputs,
            outputs,
            group_step: outputs * inputs * taps,
            out_step: inputs * taps,
            in_step: taps,
            places: (0..taps).collect(),
        }
    }

    /// Returns the same weights with only the taps that read any pixel.
    pub fn contributing(self, geometry: &ConvGeometry) -> Self {
        Self {
            places: contributing_taps(geometry),
            ..self
        }
    }

    /// Returns the weights with input and output channels exchanged, and only the taps in `places`.
    pub fn transposed(values: &'a [f32], geometry: &ConvGeometry, places: Vec<usize>) -> Self {
        let forward = Self::forward(values, geometry);
        Self {
            inputs: forward.outputs,
            outputs: forward.inputs,
            out_step: forward.in_step,
            in_step: forward.out_step,
            places,
            ..forward
        }
    }
}
