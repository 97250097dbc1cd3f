//! What a convolution reads, in terms that its gradient fits as well.

use super::super::ConvGeometry;
use super::groups::Groups;

/// A sum over taps: the output pixel at row r and column c sees the input at row `r * stride + dr` and column
/// `c * stride + dc` for each of some offsets (dr, dc), and zero outside.
#[derive(Debug, Clone)]
pub struct View {
    /// Images.
    pub batch: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Stride of both axes.
    pub stride: usize,
    /// The offsets of the taps.
    pub offsets: Vec<[isize; 2]>,
    /// Blocks of channels that are summed apart.
    pub groups: Groups,
}

impl View {
    /// What the forward pass reads: the input.
    pub fn forward(geometry: &ConvGeometry) -> Self {
        let offset = |tap: usize| (tap * geometry.dilation) as isize - geometry.padding as isize;
        let offsets = seeing_taps(geometry)
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

    /// Whether the output's pixels see the input's, each its own.
    pub fn is_pointwise(&self) -> bool {
        self.stride == 1 && self.input == self.output && self.offsets == [[0, 0]]
    }

    /// Pixels of a block of the input.
    pub fn in_pixels(&self) -> usize {
        self.batch * self.input[0] * self.input[1]
    }

    /// Pixels of a block of the output.
    pub fn out_pixels(&self) -> usize {
        self.batch * self.output[0] * self.output[1]
    }
}

/// The taps that see any pixel at all: of a 3x3 kernel on an image of one pixel only the middle one does. Where none does,
/// the first one stands for a sum of zeros.
pub fn seeing_taps(geometry: &ConvGeometry) -> Vec<usize> {
    let kernel = geometry.kernel;
    let sees = |tap: usize, length: usize, out_length: usize| {
        !geometry.inside(tap, length, out_length).is_empty()
    };
    let mut taps: Vec<usize> = (0..kernel * kernel)
        .filter(|tap| {
            sees(tap / kernel, geometry.height, geometry.out_height())
                && sees(tap % kernel, geometry.width, geometry.out_width())
        })
        .collect();
    if taps.is_empty() {
        taps.push(0);
    }
    taps
}

/// Weights as a sum over taps reads them: that of output channel o, input channel i and tap t, counted within a group, is
/// `values[group * outputs * inputs * taps_of_all + o * out_step + i * in_step + places[t]]`.
#[derive(Debug, Clone)]
pub struct Taps<'a> {
    /// All weights.
    pub values: &'a [f32],
    /// Groups, as narrow as they are.
    pub groups: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    /// From one group to the next.
    pub group_step: usize,
    /// From one output channel to the next.
    pub out_step: usize,
    /// From one input channel to the next.
    pub in_step: usize,
    /// The taps' places.
    pub places: Vec<usize>,
}

impl<'a> Taps<'a> {
    /// The weights `[C_out, C_in / groups, k, k]` of the forward pass, all taps in row-major order.
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

    /// The same with the taps alone that see anything.
    pub fn seeing(self, geometry: &ConvGeometry) -> Self {
        Self {
            places: seeing_taps(geometry),
            ..self
        }
    }

    /// The same with input and output channels exchanged, and those of the taps in `places` alone.
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
