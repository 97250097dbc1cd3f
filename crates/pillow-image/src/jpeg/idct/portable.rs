//! The transform in plain arithmetic.

use super::{
    BLOCK, Block, FACTOR_BITS, Kernel, Portable, Quantization, SHIFT_1, SHIFT_2, Samples, factors,
};

impl Kernel for Portable {
    #[inline]
    fn transform<const SMALL: bool>(self, block: &Block, quantization: &Quantization) -> Samples {
        transform(block, quantization)
    }

    fn repeat_row(self, row: [i16; BLOCK]) -> Samples {
        second_pass(&[row; BLOCK])
    }
}

fn transform(block: &Block, quantization: &Quantization) -> Samples {
    let mut rows = [[0; BLOCK]; BLOCK];
    for (at, value) in rows.as_flattened_mut().iter_mut().enumerate() {
        *value = block[at].wrapping_mul(quantization[at]);
    }
    second_pass(&pass::<SHIFT_1>(&rows))
}

fn second_pass(rows: &[[i16; BLOCK]; BLOCK]) -> Samples {
    let rows = transpose(&pass::<SHIFT_2>(&transpose(rows)));
    rows.map(|row| row.map(|sample| (sample.clamp(-128, 127) + 128) as u8))
}

/// Returns the transform along the eight rows.
fn pass<const SHIFT: u32>(rows: &[[i16; BLOCK]; BLOCK]) -> [[i16; BLOCK]; BLOCK] {
    let mut results = [[0; BLOCK]; BLOCK];
    for column in 0..BLOCK {
        let value = |row: usize| rows[row][column];
        let product = |a: i16, b: i16, factors: [i16; 2]| {
            let [a, b] =
                [(a, factors[0]), (b, factors[1])].map(|(a, b)| i32::from(a) * i32::from(b));
            a.wrapping_add(b)
        };
        let wide = |value: i16| (i32::from(value) << FACTOR_BITS) + (1 << (SHIFT - 1));
        let even_0 = wide(value(0).wrapping_add(value(4)));
        let even_1 = wide(value(0).wrapping_sub(value(4)));
        let even_2 = product(value(2), value(6), factors::EVEN_2);
        let even_3 = product(value(2), value(6), factors::EVEN_3);
        let even = [
            even_0.wrapping_add(even_3),
            even_1.wrapping_add(even_2),
            even_1.wrapping_sub(even_2),
            even_0.wrapping_sub(even_3),
        ];
        let (z3, z4) = (
            value(7).wrapping_add(value(3)),
            value(5).wrapping_add(value(1)),
        );
        let (z3, z4) = (
            product(z3, z4, factors::SUM_3),
            product(z3, z4, factors::SUM_4),
        );
        let odd = [
            product(value(7), value(1), factors::ODD_3).wrapping_add(z4),
            product(value(5), value(3), factors::ODD_2).wrapping_add(z3),
            product(value(5), value(3), factors::ODD_1).wrapping_add(z4),
            product(value(7), value(1), factors::ODD_0).wrapping_add(z3),
        ];
        let narrow = |value: i32| (value >> SHIFT).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        for at in 0..4 {
            results[at][column] = narrow(even[at].wrapping_add(odd[at]));
            results[7 - at][column] = narrow(even[at].wrapping_sub(odd[at]));
        }
    }
    results
}

fn transpose(rows: &[[i16; BLOCK]; BLOCK]) -> [[i16; BLOCK]; BLOCK] {
    let mut columns = [[0; BLOCK]; BLOCK];
    for (at, column) in columns.iter_mut().enumerate() {
        *column = rows.map(|row| row[at]);
    }
    columns
}
