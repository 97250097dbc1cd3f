//! The output of a convolution in training, where the weights change at each step.

use super::geometry::ConvGeometry;
use super::groups::Groups;
use super::offsets::{OffsetConv, TapWeights};
use super::select::{Algorithm, choose};
use super::workspace::Workspace;
use super::{direct, stem, winograd};
use crate::simd::ChannelBlock;
use crate::tile::{Epilogue, OutputInit};

/// Computes the output `[C_out / 16, N, H', W', 16]` of the input `[C_in / 16, N, H, W, 16]` and weights `[C_out, C_in
/// / groups, k, k]`.
pub fn forward(
    input: &[ChannelBlock],
    weight: &[f32],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    output: &mut [ChannelBlock],
) {
    let taps = TapWeights::forward(weight, geometry);
    let packed = &mut workspace.packed;
    if let Algorithm::Winograd(tile) = choose(geometry) {
        winograd::pack(&taps, tile, packed);
        winograd::forward(
            input,
            packed,
            geometry,
            tile,
            OutputInit::Overwrite,
            Epilogue::default(),
            output,
        );
    } else {
        direct::pack(&taps.contributing(geometry), Groups::of(geometry), packed);
        direct::forward(
            input,
            packed,
            &OffsetConv::forward(geometry),
            OutputInit::Overwrite,
            Epilogue::default(),
            output,
        );
    }
}

/// Computes [`forward`] for images `[N, C, H, W]` of few channels ([`stem::applies`]).
pub fn forward_on_images(
    images: &[f32],
    weight: &[f32],
    geometry: &ConvGeometry,
    workspace: &mut Workspace,
    output: &mut [ChannelBlock],
) {
    stem::pack(weight, geometry, &mut workspace.packed);
    let length = stem::expanded_len(geometry);
    let buffer = &mut workspace.images;
    buffer.resize(length.max(buffer.len()), 0.0);
    let (packed, buffer) = (&workspace.packed, &mut buffer[..length]);
    stem::forward(
        images,
        buffer,
        packed,
        geometry,
        Epilogue::default(),
        output,
    );
}
