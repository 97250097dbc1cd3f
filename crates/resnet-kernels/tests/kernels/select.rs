//! The choice of an algorithm.

use resnet_kernels::ConvGeometry;
use resnet_kernels::conv::{Algorithm, choose, winograd};
use resnet_kernels::cpu::{self, Isa};

#[test]
fn algorithms_are_chosen_by_shape_and_instruction_set() {
    use Algorithm::{Direct, Winograd};
    use winograd::Tile::{Four, Two};
    // (batch, channels, side, what AVX-512, AVX2 and the portable loops take), kernel 3 and stride 1.
    for (batch, channels, side, taken) in [
        (1, 64, 56, [Winograd(Four); 3]),
        (1, 256, 14, [Winograd(Two), Winograd(Four), Winograd(Four)]),
        (1, 512, 7, [Direct, Winograd(Two), Winograd(Four)]),
        (8, 512, 7, [Winograd(Four); 3]),
        (128, 64, 32, [Winograd(Four); 3]),
        (1, 512, 1, [Direct; 3]),
    ] {
        let geometry = ConvGeometry {
            batch,
            in_channels: channels,
            out_channels: channels,
            groups: 1,
            height: side,
            width: side,
            kernel: 3,
            stride: 1,
            padding: 1,
            dilation: 1,
        };
        for isa in cpu::available() {
            let chosen = cpu::with(isa, || choose(&geometry));
            let set = match isa {
                Isa::Avx512 => 0,
                Isa::Avx2 => 1,
                Isa::Portable => 2,
            };
            assert_eq!(chosen, taken[set], "{isa:?}, {geometry:?}");
            // What Winograd cannot do is done directly.
            for other in [
                ConvGeometry {
                    stride: 2,
                    ..geometry
                },
                ConvGeometry {
                    groups: 2,
                    ..geometry
                },
                ConvGeometry {
                    kernel: 1,
                    padding: 0,
                    ..geometry
                },
            ] {
                assert_eq!(cpu::with(isa, || choose(&other)), Direct, "{other:?}");
            }
        }
    }
}
