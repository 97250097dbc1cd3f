//! Estimates of coefficients that a progressive file leaves out: libjpeg's block smoothing (`jdcoefct.c`).
//!
//! If the scans of a file lack bits of the first nine coefficients, those that are zero are estimated from the coefficients
//! of index 0 of the 5x5 blocks around. Complete files need no estimates.

use super::block::{Block, COEFFICIENTS};
use super::coefficients::Coefficients;
use super::frame::{Component, Frame, Scan};
use super::markers::ZIGZAG;

/// Coefficients that are considered: that of index 0 and nine more, in zigzag order.
const SMOOTHED: usize = 10;

/// The number of missing low bits of each coefficient; negative when no scan had it.
type Missing = [i32; SMOOTHED];
/// Factors of the coefficients of index 0 around a block.
type Weights = [[i32; 5]; 5];

/// The progress of the scans of a file.
#[derive(Debug)]
pub struct ScanProgress {
    /// Per component, after the last scan and before it.
    now: Vec<Missing>,
    before: Vec<Missing>,
    scans: usize,
    /// The last row of MCUs for which the last scan had data.
    pub last_row: usize,
}

impl ScanProgress {
    /// Creates the progress before the first scan.
    pub fn new(frame: &Frame) -> Self {
        let none = vec![[-1; SMOOTHED]; frame.components.len()];
        Self {
            now: none.clone(),
            before: none,
            scans: 0,
            last_row: 0,
        }
    }

    /// Adds a scan.
    pub fn add(&mut self, scan: &Scan) {
        self.scans += 1;
        for member in &scan.members {
            let now = &mut self.now[member.component];
            self.before[member.component] = if self.scans > 1 { *now } else { [0; SMOOTHED] };
            let band = now.iter_mut().take(scan.last + 1).skip(scan.first);
            band.for_each(|missing| *missing = scan.low as i32);
        }
    }

    /// Returns whether there is something to estimate.
    pub fn is_partial(&self, frame: &Frame) -> bool {
        let has_factors = |component: &Component| {
            let table = component.quantization.unwrap_or([0; COEFFICIENTS]);
            ZIGZAG[..SMOOTHED]
                .iter()
                .all(|&index| table[usize::from(index)] != 0)
        };
        frame.components.iter().all(has_factors)
            && self.now.iter().all(|missing| missing[0] >= 0)
            && self
                .now
                .iter()
                .any(|missing| missing[1..] != [0; SMOOTHED - 1])
    }

    /// Returns the missing bits of a component in a row of MCUs.
    fn missing(&self, component: usize, mcu_row: usize) -> Missing {
        if mcu_row <= self.last_row {
            self.now[component]
        } else if self.scans > 1 {
            self.before[component]
        } else {
            [-1; SMOOTHED]
        }
    }

    /// Fills `smoothed` with a row of blocks of a component and the estimates.
    pub fn smooth(
        &self,
        coefficients: &Coefficients,
        frame: &Frame,
        index: usize,
        (mcu_row, row): (usize, usize),
        smoothed: &mut Vec<Block>,
    ) {
        let component = &frame.components[index];
        let missing = self.missing(index, mcu_row);
        let table = component.quantization.unwrap_or([1; COEFFICIENTS]);
        // libjpeg counts rows as if all rows of MCUs had as many as this one.
        let rows = if mcu_row + 1 < frame.mcus_high() {
            component.v
        } else {
            (component.blocks_high - 1) % component.v + 1
        };
        let (number, count) = (mcu_row * rows + row, rows * frame.mcus_high());
        let above = number.min(2);
        let below = (count - 1).saturating_sub(number).min(2);
        let here = mcu_row * component.v + row;
        let around = [
            here - above,
            here - above.min(1),
            here,
            here + below.min(1),
            here + below,
        ]
        .map(|row| coefficients.row(index, row));
        let last = component.blocks_wide - 1;
        smoothed.clear();
        smoothed.extend_from_slice(&around[2][..=last]);
        for (column, block) in smoothed.iter_mut().enumerate() {
            let columns = [
                column.saturating_sub(2),
                column.saturating_sub(1),
                column,
                (column + 1).min(last),
                (column + 2).min(last),
            ];
            let dc = around.map(|row| columns.map(|column| i32::from(row[column][0])));
            estimate(block, &dc, &missing, &table);
        }
    }
}

/// Estimates the coefficients of a block that are missing, from those of index 0 around.
fn estimate(block: &mut Block, dc: &[[i32; 5]; 5], missing: &Missing, table: &[u16; COEFFICIENTS]) {
    let has_only_dc = missing[1..].iter().all(|&missing| missing == -1);
    let weights: &[Weights] = if has_only_dc { &WIDE } else { &NARROW };
    let factor = |index: usize| i64::from(table[index]);
    let predict = |weights: &Weights, index: usize, missing: i32| {
        let terms = weights.as_flattened().iter().zip(dc.as_flattened());
        let sum = factor(0) * i64::from(terms.map(|(weight, dc)| weight * dc).sum::<i32>());
        let size = ((factor(index) << 7) + sum.abs()) / (factor(index) << 8);
        let size = if missing > 0 {
            size.min((1 << missing) - 1)
        } else {
            size
        };
        (if sum < 0 { -size } else { size }) as i16
    };
    for ((weights, &index), &missing) in weights.iter().zip(&ZIGZAG[1..]).zip(&missing[1..]) {
        let index = usize::from(index);
        if missing != 0 && block[index] == 0 {
            block[index] = predict(weights, index, missing);
        }
    }
    if has_only_dc {
        block[0] = predict(&WIDE_DC, 0, 0);
    }
}

const NONE: [i32; 5] = [0; 5];

/// The weights of the nine coefficients when none of them is known.
const WIDE: [Weights; 9] = [
    [
        [-1, -1, 0, 1, 1],
        [-3, 13, 0, -13, 3],
        [-3, 38, 0, -38, 3],
        [-3, 13, 0, -13, 3],
        [-1, -1, 0, 1, 1],
    ],
    [
        [-1, -3, -3, -3, -1],
        [-1, 13, 38, 13, -1],
        NONE,
        [1, -13, -38, -13, 1],
        [1, 3, 3, 3, 1],
    ],
    [
        [0, 0, 1, 0, 0],
        [0, 2, 7, 2, 0],
        [0, -5, -14, -5, 0],
        [0, 2, 7, 2, 0],
        [0, 0, 1, 0, 0],
    ],
    [
        [-1, 0, 0, 0, 1],
        [0, 9, 0, -9, 0],
        NONE,
        [0, -9, 0, 9, 0],
        [1, 0, 0, 0, -1],
    ],
    [
        NONE,
        [0, 2, -5, 2, 0],
        [1, 7, -14, 7, 1],
        [0, 2, -5, 2, 0],
        NONE,
    ],
    [
        NONE,
        [0, 1, 0, -1, 0],
        [0, 2, 0, -2, 0],
        [0, 1, 0, -1, 0],
        NONE,
    ],
    [NONE, [0, 1, -3, 1, 0], NONE, [0, -1, 3, -1, 0], NONE],
    [
        NONE,
        [0, 1, 0, -1, 0],
        [0, -3, 0, 3, 0],
        [0, 1, 0, -1, 0],
        NONE,
    ],
    [NONE, [0, 1, 2, 1, 0], NONE, [0, -1, -2, -1, 0], NONE],
];
/// The weights of the coefficient of index 0 itself.
const WIDE_DC: Weights = [
    [-2, -6, -8, -6, -2],
    [-6, 6, 42, 6, -6],
    [-8, 42, 152, 42, -8],
    [-6, 6, 42, 6, -6],
    [-2, -6, -8, -6, -2],
];
/// The weights of the first five coefficients when some are known.
const NARROW: [Weights; 5] = [
    [NONE, NONE, [-7, 50, 0, -50, 7], NONE, NONE],
    [
        [0, 0, -7, 0, 0],
        [0, 0, 50, 0, 0],
        NONE,
        [0, 0, -50, 0, 0],
        [0, 0, 7, 0, 0],
    ],
    [
        [0, 0, -1, 0, 0],
        [0, 0, 13, 0, 0],
        [0, 0, -24, 0, 0],
        [0, 0, 13, 0, 0],
        [0, 0, -1, 0, 0],
    ],
    [
        [0, -1, 0, 1, 0],
        [-1, 10, 0, -10, 1],
        NONE,
        [1, -10, 0, 10, -1],
        [0, 1, 0, -1, 0],
    ],
    [NONE, NONE, [-1, 13, -24, 13, -1], NONE, NONE],
];
