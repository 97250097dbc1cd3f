//! The reliability diagram: how often the net is right when it is so sure
//! ([Guo et al., 2017](https://arxiv.org/abs/1706.04599)).

use anyhow::Result;

use super::canvas::{Stand, figure, fill, frame, letters, line, write};
use super::{Colour, Figure, Panel};
use crate::eval::Calibration;

const SIZE: [i32; 2] = [460, 540];
const LEFT: i32 = 60;
const TOP: i32 = 44;
const SIDE: i32 = 380;
/// Height of the bars that count pictures.
const COUNTS: i32 = 50;

/// Draws the accuracy of each bin of confidence, and how many pictures are in it.
///
/// # Errors
/// Never: any bins can be drawn.
pub fn reliability_diagram(calibration: &Calibration) -> Result<Figure> {
    figure("reliability diagram", SIZE, |area| {
        let ink = letters(Colour::Ink, 12);
        let muted = letters(Colour::Muted, 11);
        let title = format!(
            "expected calibration error {:.2} %",
            100.0 * calibration.expected_error()
        );
        write(
            area,
            &title,
            [LEFT, 18],
            Stand::Right,
            SIDE,
            &letters(Colour::Ink, 14),
        )?;
        let bottom = TOP + SIDE;
        for percent in [0, 20, 40, 60, 80, 100] {
            let at = SIDE * percent / 100;
            line(
                area,
                &[(LEFT, bottom - at), (LEFT + SIDE, bottom - at)],
                Colour::Grid,
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
            fill(area, bar, &Colour::Blue.part(0.7))?;
            let (low, high) = (accuracy.min(confidence), accuracy.max(confidence));
            let gap = [left, bottom - at(high), right, bottom - at(low)];
            fill(area, gap, &Colour::Red.part(0.35))?;
            frame(area, bar, Colour::Blue, 1)?;
            let height = (bin.images as f64 / most as f64 * f64::from(COUNTS)).ceil() as i32;
            let floor = bottom + 36 + COUNTS;
            fill(
                area,
                [left, floor - height, right, floor],
                &Colour::Muted.part(0.6),
            )?;
        }
        line(area, &[(LEFT, bottom), (LEFT + SIDE, TOP)], Colour::Ink, 1)?;
        frame(area, [LEFT, TOP, LEFT + SIDE, bottom], Colour::Muted, 1)?;
        let label = "accuracy, %";
        write(
            area,
            label,
            [14, TOP + SIDE / 2 + 34],
            Stand::Upwards,
            120,
            &ink,
        )?;
        let label = "confidence, %; below: pictures";
        let at = [LEFT + SIDE / 2, bottom + 28];
        write(area, label, at, Stand::Middle, SIDE, &ink)?;
        let legend = "blue: accuracy; red: too sure; dark: not sure enough";
        let at = [LEFT, SIZE[1] - 12];
        write(area, legend, at, Stand::Right, SIDE, &ink)?;
        Ok(vec![Panel {
            title: "reliability".to_owned(),
            place: [LEFT, TOP, LEFT + SIDE, bottom],
            x: [0.0, 1.0],
            y: [0.0, 1.0],
        }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_net_that_is_as_right_as_it_is_sure_has_no_gap() {
        let mut calibration = Calibration::default();
        for right in [true, true, true, false] {
            calibration.add(0.75, right);
        }
        let figure = reliability_diagram(&calibration).unwrap();
        assert!(figure.svg.contains("expected calibration error 0.00 %"));
        assert_eq!(gaps(&figure), [0]);
        for _ in 0..4 {
            calibration.add(0.75, false);
        }
        let figure = reliability_diagram(&calibration).unwrap();
        assert!(figure.svg.contains("expected calibration error 37.50 %"));
        // Three of eight are right.
        assert_eq!(gaps(&figure), [SIDE * 3 / 4 - (SIDE * 3 + 4) / 8]);
    }

    /// The heights of the gaps.
    fn gaps(figure: &Figure) -> Vec<i32> {
        let red = format!("{:06X}", 0xCF_222E);
        let gaps = figure.svg.lines().filter(|line| line.contains(&red));
        let height = |line: &str| {
            let (_, rest) = line.split_once("height=\"")?;
            rest.split_once('"')?.0.parse().ok()
        };
        gaps.filter_map(height).collect()
    }

    #[test]
    fn no_picture_can_be_drawn() {
        let figure = reliability_diagram(&Calibration::default()).unwrap();
        assert!(!figure.svg.contains("NaN"));
    }
}
