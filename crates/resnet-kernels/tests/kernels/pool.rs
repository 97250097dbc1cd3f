//! Pooling.

use resnet_kernels::{PoolGeometry, cpu, pool};

#[test]
fn max_pooling_gives_each_gradient_to_the_first_of_equal_maxima() {
    let geometry = PoolGeometry {
        planes: 1,
        height: 3,
        width: 3,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    // Each channel with two equal maxima in the overlap of all four windows, and one with two NaN in the first
    // and of which the third sees one.
    let mut input = vec![[0.0f32; 16]; 9];
    for pixel in [4, 5] {
        input[pixel][..15].fill(5.0);
    }
    for pixel in [0, 3] {
        input[pixel][15] = f32::NAN;
    }
    let gradient = [[1.0; 16], [2.0; 16], [3.0; 16], [4.0; 16]];
    for isa in cpu::available() {
        cpu::with(isa, || {
            let (mut maxima, mut result) = (vec![[0.0; 16]; 4], vec![[f32::NAN; 16]; 9]);
            pool::max_pool(&input, &geometry, &mut maxima);
            assert!(maxima[0][15].is_nan() && maxima[3][15] == 0.0, "{isa:?}");
            assert!(maxima.iter().all(|lane| lane[..15] == [5.0; 15]), "{isa:?}");
            pool::grad_max_pool(&input, &maxima, &gradient, &geometry, &mut result);
            let of =
                |channel: usize| -> Vec<f32> { result.iter().map(|lane| lane[channel]).collect() };
            let expected = [0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0];
            assert_eq!(of(0), expected, "{isa:?}");
            let expected = [0.0, 2.0, 0.0, 4.0, 4.0, 0.0, 0.0, 0.0, 0.0];
            assert_eq!(of(15), expected, "{isa:?}");
        });
    }
}
