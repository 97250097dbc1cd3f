//! The reliability diagram: accuracy by confidence
//! ([Guo et al., 2017](https://arxiv.org/abs/1706.04599)).

use anyhow::Result;

use super::canvas::{Area, Stand, figure, fill, frame, letters, line, write};
use super::{Color, Figure, Panel};
use crate::eval::Calibration;
use crate::eval::calibration::MIN_IMAGES;

const SIZE: [i32; 2] = [480, 580];
const LEFT: i32 = 64;
const TOP: i32 = 12;
const SIDE: i32 = 380;
/// Height of the bars that count images.
const COUNTS: i32 = 50;
/// Units between the lines of a hatch.
const HATCH: i32 = 6;

/// Draws the accuracy of each bin of confidence, and the number of images in it; `subtitle` names the run and its data.
///
/// # Errors
/// Never: any bins can be drawn.
pub fn reliability_diagram(calibration: &Calibration, subtitle: &str) -> Result<Figure> {
    // The error of few images says nothing.
    let images: u64 = calibration.bins.iter().map(|bin| bin.images).sum();
    let title = if images as usize >= MIN_IMAGES {
        let error = 100.0 * calibration.expected_error();
        format!("Expected calibration error {error:.2} %")
    } else {
        "Accuracy by confidence".to_owned()
    };
    figure([&title, subtitle], SIZE, |area| {
        let ink = letters(Color::Ink, 13);
        let muted = letters(Color::Muted, 12);
        let bottom = TOP + SIDE;
        for percent in [0, 20, 40, 60, 80, 100] {
            let at = SIDE * percent / 100;
            line(
                area,
                &[(LEFT, bottom - at), (LEFT + SIDE, bottom - at)],
                Color::Grid,
                1,
            )?;
            let text = percent.to_string();
            write(
                area,
                &text,
                [LEFT - 6, bottom - at],
                Stand::Left,
                40,
                &muted,
            )?;
            write(
                area,
                &text,
                [LEFT + at, bottom + 12],
                Stand::Middle,
                40,
                &muted,
            )?;
        }
        let at = |part: f64| (part * f64::from(SIDE)).round() as i32;
        let bins = &calibration.bins;
        let most = bins.iter().map(|bin| bin.images).max().unwrap_or(0).max(1);
        for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.images > 0) {
            let left = LEFT + SIDE * index as i32 / bins.len() as i32;
            let right = LEFT + SIDE * (index as i32 + 1) / bins.len() as i32;
            let (accuracy, confidence) = (bin.accuracy(), bin.confidence());
            let bar = [left, bottom - at(accuracy), right, bottom];
            fill(area, bar, &Color::Blue.part(0.7))?;
            let (low, high) = (accuracy.min(confidence), accuracy.max(confidence));
            let gap = [left, bottom - at(high), right, bottom - at(low)];
            let kind = Gap::of(accuracy, confidence);
            hatch(area, gap, kind)?;
            frame(area, bar, Color::Blue, 1)?;
            let height = (bin.images as f64 / most as f64 * f64::from(COUNTS)).ceil() as i32;
            let floor = bottom + 60 + COUNTS;
            let above = [i32::midpoint(left, right), floor - height - 8];
            let small = letters(Color::Muted, 10);
            let count = compact(bin.images);
            write(area, &count, above, Stand::Middle, 30, &small)?;
            fill(
                area,
                [left, floor - height, right, floor],
                &Color::Muted.part(0.6),
            )?;
        }
        line(area, &[(LEFT, bottom), (LEFT + SIDE, TOP)], Color::Ink, 1)?;
        frame(area, [LEFT, TOP, LEFT + SIDE, bottom], Color::Muted, 1)?;
        let label = "accuracy, %";
        write(
            area,
            label,
            [16, TOP + SIDE / 2 + 40],
            Stand::Upwards,
            120,
            &ink,
        )?;
        let label = "confidence, %";
        let at = [LEFT + SIDE / 2, bottom + 30];
        write(area, label, at, Stand::Middle, SIDE, &ink)?;
        let at = [16, bottom + 60 + COUNTS];
        write(area, "images", at, Stand::Upwards, 60, &muted)?;
        legend(area, SIZE[1] - 38)?;
        Ok(vec![Panel {
            title: "reliability".to_owned(),
            place: [LEFT, TOP, LEFT + SIDE, bottom],
            x: [0.0, 1.0],
            y: [0.0, 1.0],
        }])
    })
}

/// The difference of accuracy and confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The model is less accurate than confident.
    Over,
    /// The model is more accurate than confident.
    Under,
}

impl Gap {
    fn of(accuracy: f64, confidence: f64) -> Self {
        if confidence > accuracy {
            Self::Over
        } else {
            Self::Under
        }
    }

    fn color(self) -> Color {
        match self {
            Self::Over => Color::Red,
            Self::Under => Color::Purple,
        }
    }
}

/// Hatches a rectangle in the color of a gap, rising lines for one kind and falling ones for the other.
fn hatch(area: &Area, place: [i32; 4], gap: Gap) -> Result<()> {
    let [left, top, right, bottom] = place;
    let (color, height) = (gap.color(), bottom - top);
    fill(area, place, &Color::Paper.solid())?;
    for start in (left - height..right).step_by(HATCH.unsigned_abs() as usize) {
        // From the bottom at `start` upwards to the right, as far as it is inside.
        let (from, to) = (start.max(left), (start + height).min(right));
        if from >= to {
            continue;
        }
        let y = |x: i32| match gap {
            Gap::Over => bottom - (x - start),
            Gap::Under => top + (x - start),
        };
        line(area, &[(from, y(from)), (to, y(to))], color, 1)?;
    }
    frame(area, place, color, 1)
}

/// Draws the meaning of bars and hatches.
fn legend(area: &Area, y: i32) -> Result<()> {
    let ink = letters(Color::Ink, 12);
    let entry = |x: i32, y: i32, text: &str, gap: Option<Gap>| -> Result<()> {
        let place = [x, y - 6, x + 20, y + 6];
        match gap {
            Some(gap) => hatch(area, place, gap)?,
            None => fill(area, place, &Color::Blue.part(0.7))?,
        }
        write(area, text, [x + 26, y], Stand::Right, 180, &ink)
    };
    entry(LEFT, y, "accuracy", None)?;
    entry(LEFT + 110, y, "overconfident", Some(Gap::Over))?;
    entry(LEFT + 240, y, "underconfident", Some(Gap::Under))?;
    line(area, &[(LEFT, y + 22), (LEFT + 20, y + 22)], Color::Ink, 1)?;
    let text = "perfect calibration";
    write(area, text, [LEFT + 26, y + 22], Stand::Right, 180, &ink)
}

/// Returns a count in four letters.
fn compact(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibrated_model_has_no_gap() {
        let mut calibration = Calibration::default();
        for index in 0..100 {
            calibration.add(0.75, index % 4 != 0);
        }
        let figure = reliability_diagram(&calibration, "").unwrap();
        assert!(figure.svg.contains("Expected calibration error 0.00 %"));
        assert!(gaps(&figure).is_empty());
        for _ in 0..100 {
            calibration.add(0.75, false);
        }
        let figure = reliability_diagram(&calibration, "").unwrap();
        assert!(figure.svg.contains("Expected calibration error 37.50 %"));
        // Three of eight are right.
        assert_eq!(gaps(&figure), [SIDE * 3 / 4 - (SIDE * 3 + 4) / 8]);
    }

    #[test]
    fn few_images_have_no_calibration_error() {
        let mut calibration = Calibration::default();
        for _ in 1..MIN_IMAGES {
            calibration.add(0.75, true);
        }
        let figure = reliability_diagram(&calibration, "").unwrap();
        assert!(figure.svg.contains("Accuracy by confidence"));
        assert!(!figure.svg.contains("error"));
    }

    /// Returns the heights of the gaps where the model is overconfident; the last red rectangle is the legend's.
    fn gaps(figure: &Figure) -> Vec<i32> {
        let red = format!("{:06X}", 0xCF_222E);
        let gaps = figure.svg.lines().filter(|line| line.contains(&red));
        let height = |line: &str| {
            let (_, rest) = line.split_once("height=\"")?;
            rest.split_once('"')?.0.parse().ok()
        };
        let mut heights: Vec<i32> = gaps.filter_map(height).collect();
        heights.pop();
        heights
    }

    #[test]
    fn no_image_can_be_drawn() {
        let figure = reliability_diagram(&Calibration::default(), "").unwrap();
        assert!(!figure.svg.contains("NaN"));
    }
}
