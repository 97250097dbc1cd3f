//! The confusion matrix, legible from two classes to thousands.
//!
//! Rows are true classes, columns predicted ones. Up to [`NAMED`] classes each has its name; beyond, the whole matrix is a map
//! without names, and beside it stand those classes that are confused most.

use anyhow::{Context, Result};

use super::canvas::{Area, Stand, figure, fill, frame, letters, write};
use super::text::room;
use super::{Color, Figure};
use crate::eval::metrics::confused_pairs;
use crate::report::thumbnail::png_uri;

const TITLE: &str = "Confusion matrix";
/// Classes up to which each has a row with its name.
pub const NAMED: usize = 32;
/// Classes of the small matrix beside a map.
const WORST: usize = 16;
/// Side of the map of many classes.
const MAP: i32 = 520;
/// Cells of a map along a side, at most.
const CELLS: usize = 260;
/// Units of a name, at most.
const NAME: f64 = 165.0;

/// Draws `confusion[true][predicted]`; `labels` has one name per class.
///
/// # Errors
/// Never: any counts can be drawn.
pub fn confusion_matrix(
    labels: &[String],
    confusion: &[Vec<u64>],
    subtitle: &str,
) -> Result<Figure> {
    if labels.len() <= NAMED {
        let all: Vec<usize> = (0..labels.len()).collect();
        let matrix = Matrix::new(labels, confusion, &all);
        let size = matrix.size();
        return figure([TITLE, subtitle], size, |area| {
            matrix.draw(area, [0, 0])?;
            Ok(Vec::new())
        });
    }
    let worst = most_confused(confusion);
    let matrix = Matrix::new(labels, confusion, &worst);
    let [width, height] = matrix.size();
    let (map, left) = (map(confusion)?, 46);
    let size = [left + MAP + 40 + width, (MAP + 90).max(height + 40)];
    let place = [left, 44, left + MAP, 44 + MAP];
    let mut drawn = figure([TITLE, subtitle], size, |area| {
        axes(area, place, labels.len())?;
        let right = left + MAP + 40;
        let title = format!("The {} most confused classes", worst.len());
        let style = letters(Color::Ink, 14);
        write(area, &title, [right, 18], Stand::Right, width, &style)?;
        matrix.draw(area, [right, 30])?;
        Ok(Vec::new())
    })?;
    drawn.lay(&map, place, true);
    Ok(drawn)
}

/// Returns the classes of the pairs that are confused most, in the order of the classes.
fn most_confused(confusion: &[Vec<u64>]) -> Vec<usize> {
    let pairs = confused_pairs(confusion);
    let mut classes: Vec<usize> = Vec::new();
    // Without mistakes, the first classes.
    let any = (0..confusion.len()).map(|class| (0, class, class));
    for (_, row, column) in pairs.into_iter().chain(any) {
        for class in [row, column] {
            if classes.len() < WORST && !classes.contains(&class) {
                classes.push(class);
            }
        }
    }
    classes.sort_unstable();
    classes
}

/// A matrix of few classes with their names.
struct Matrix<'a> {
    names: Vec<&'a str>,
    counts: Vec<Vec<u64>>,
    /// Images of each row, including those outside the shown columns.
    images: Vec<u64>,
    cell: i32,
    /// Units that the names of the rows take, and of the columns.
    room: i32,
}

impl<'a> Matrix<'a> {
    fn new(labels: &'a [String], confusion: &[Vec<u64>], classes: &[usize]) -> Self {
        let names: Vec<&str> = classes
            .iter()
            .map(|&class| labels[class].as_str())
            .collect();
        let counts: Vec<Vec<u64>> = classes
            .iter()
            .map(|&row| {
                let columns = classes.iter();
                columns.map(|&column| confusion[row][column]).collect()
            })
            .collect();
        let images = classes
            .iter()
            .map(|&row| confusion[row].iter().sum())
            .collect();
        let cell = match names.len() {
            0..=4 => 64,
            5..=12 => 46,
            13..=20 => 32,
            _ => 24,
        };
        let room = (room(names.iter().copied()) * 13.0).min(NAME) as i32 + 12;
        Self {
            names,
            counts,
            images,
            cell,
            room: room.max(60),
        }
    }

    fn size(&self) -> [i32; 2] {
        let side = self.cell * self.names.len() as i32;
        [
            (24 + self.room + side + 16).max(380),
            self.room + side + 24 + 36,
        ]
    }

    fn draw(&self, area: &Area, [x, y]: [i32; 2]) -> Result<()> {
        let (left, top) = (x + 24 + self.room, y + 24 + self.room);
        let side = self.cell * self.names.len() as i32;
        let style = letters(Color::Ink, 13);
        let axis = letters(Color::Muted, 13);
        let middle = left + side / 2;
        // Above the longest name, whose letters are narrower than the room for them.
        let longest = 0.85 * room(self.names.iter().copied()) * 13.0;
        let above = (longest as i32).min(self.room - 8) + 22;
        write(
            area,
            "predicted",
            [middle, (top - above).max(y + 12)],
            Stand::Middle,
            100,
            &axis,
        )?;
        let at = [x + 12, top + side / 2 + 14];
        write(area, "true", at, Stand::Upwards, 100, &axis)?;
        for (index, name) in self.names.iter().enumerate() {
            let at = self.cell * index as i32 + self.cell / 2;
            let room = self.room - 8;
            write(area, name, [left - 6, top + at], Stand::Left, room, &style)?;
            write(
                area,
                name,
                [left + at, top - 6],
                Stand::Upwards,
                room,
                &style,
            )?;
        }
        let most_wrong = most_wrong(&self.counts, &self.images);
        for (row, counts) in self.counts.iter().enumerate() {
            for (column, &count) in counts.iter().enumerate() {
                let cell = [
                    left + self.cell * column as i32,
                    top + self.cell * row as i32,
                    left + self.cell * (column as i32 + 1),
                    top + self.cell * (row as i32 + 1),
                ];
                self.cell(area, cell, (row, column), count, most_wrong)?;
            }
        }
        frame(area, [left, top, left + side, top + side], Color::Muted, 1)?;
        let legend = "share of the row: correct blue, wrong red";
        let at = [x + 24, top + side + 18];
        write(area, legend, at, Stand::Right, self.size()[0] - 30, &axis)
    }

    fn cell(
        &self,
        area: &Area,
        place: [i32; 4],
        (row, column): (usize, usize),
        count: u64,
        most_wrong: f64,
    ) -> Result<()> {
        let part = part(count, self.images[row]);
        let (color, opacity) = if row == column {
            (Color::Blue, part)
        } else {
            (Color::Red, 0.85 * part / most_wrong.max(1e-12))
        };
        if count > 0 {
            // What is there at all can be seen.
            fill(area, place, &color.part(opacity.max(0.06)))?;
        }
        frame(area, place, Color::Grid, 1)?;
        if count > 0 {
            let ink = if opacity > 0.55 {
                Color::Paper
            } else {
                Color::Ink
            };
            let middle = [0, 1].map(|axis| i32::midpoint(place[axis], place[axis + 2]));
            let height = if self.cell >= 40 { 14 } else { 11 };
            let text = compact(count);
            write(
                area,
                &text,
                middle,
                Stand::Middle,
                self.cell,
                &letters(ink, height),
            )?;
        }
        Ok(())
    }
}

/// Returns the largest part of a row of `counts` that is wrong in one way; `images` has the number of images of each row.
pub fn most_wrong(counts: &[Vec<u64>], images: &[u64]) -> f64 {
    let mut most = 0.0f64;
    for (row, (counts, &images)) in counts.iter().zip(images).enumerate() {
        for (column, &count) in counts.iter().enumerate() {
            if row != column {
                most = most.max(part(count, images));
            }
        }
    }
    most
}

/// Returns a count in at most four letters.
fn compact(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn part(count: u64, total: u64) -> f64 {
    count as f64 / total.max(1) as f64
}

/// Draws the ticks around the map of `classes` classes.
fn axes(area: &Area, [left, top, right, bottom]: [i32; 4], classes: usize) -> Result<()> {
    let title = letters(Color::Ink, 14);
    let text = format!("All {classes} classes");
    write(area, &text, [left, 18], Stand::Right, MAP, &title)?;
    let style = letters(Color::Muted, 12);
    let step = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
    let step = step.into_iter().find(|step| classes / step <= 10);
    for class in (0..classes).step_by(step.unwrap_or(classes)) {
        let at = (class as f64 + 0.5) / classes as f64 * f64::from(MAP);
        let at = at as i32;
        let text = class.to_string();
        write(area, &text, [left - 5, top + at], Stand::Left, 40, &style)?;
        write(area, &text, [left + at, top - 8], Stand::Middle, 40, &style)?;
    }
    frame(
        area,
        [left - 1, top - 1, right + 1, bottom + 1],
        Color::Muted,
        1,
    )?;
    let legend = "rows: true, columns: predicted; blue: correct, red: wrong; logarithmic";
    write(area, legend, [left, bottom + 18], Stand::Right, MAP, &style)
}

/// Returns the matrix as an image of one pixel per cell; a cell stands for several classes if there are too many.
pub fn map(confusion: &[Vec<u64>]) -> Result<String> {
    let classes = confusion.len();
    let side = classes.min(CELLS);
    let place = |class: usize| class * side / classes;
    let mut cells = vec![[0u64; 2]; side * side];
    for (row, counts) in confusion.iter().enumerate() {
        for (column, &count) in counts.iter().enumerate() {
            let is_wrong = usize::from(row != column);
            cells[place(row) * side + place(column)][is_wrong] += count;
        }
    }
    let most = |of: usize| cells.iter().map(|cell| cell[of]).max().unwrap_or(0);
    let most = [most(0), most(1)];
    // Few mistakes beside many can be seen: a logarithm.
    let strength =
        |count: u64, most: u64| ((1 + count) as f64).ln() / ((1 + most.max(1)) as f64).ln();
    let mut pixels = image::RgbaImage::new(side as u32, side as u32);
    for (pixel, [right, wrong]) in pixels.pixels_mut().zip(cells) {
        // A cell that stands for several shows what there is more of.
        let (color, strength) = if right > wrong {
            ([0x3B, 0x82, 0xF6], strength(right, most[0]))
        } else {
            ([0xE5, 0x48, 0x4D], strength(wrong, most[1]))
        };
        let opacity = match right + wrong {
            0 => 0.0,
            _ => 0.15 + 0.85 * strength,
        };
        *pixel = image::Rgba([color[0], color[1], color[2], (255.0 * opacity) as u8]);
    }
    png_uri(&pixels.into()).context("cannot draw a confusion matrix")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn every_count_stands_in_its_cell() {
        let confusion = vec![vec![90, 10, 0], vec![7, 93, 0], vec![0, 0, 0]];
        let figure = confusion_matrix(&labels(3), &confusion, "").unwrap();
        for text in ["90", "93", "10", "7", "class 2", "predicted"] {
            assert!(figure.svg.contains(&format!("\n{text}\n")), "{text}");
        }
        let red = format!("fill=\"#{:06X}\"", 0xCF_222E);
        let cells = figure
            .svg
            .lines()
            .filter(|line| line.contains("<rect") && line.contains(&red));
        assert_eq!(cells.count(), 2);
    }

    #[test]
    fn of_many_classes_those_confused_most_have_names() {
        let mut confusion = vec![vec![0; 1000]; 1000];
        for (class, row) in confusion.iter_mut().enumerate() {
            row[class] = 40;
        }
        confusion[17][999] = 8;
        confusion[500][3] = 1;
        assert!(most_confused(&confusion).starts_with(&[0, 1]));
        let figure = confusion_matrix(&labels(1000), &confusion, "").unwrap();
        for class in [3, 17, 500, 999] {
            assert!(
                figure.svg.contains(&format!("\nclass {class}\n")),
                "{class}"
            );
        }
        assert!(figure.svg.contains("data:image/png;base64,"));
        assert!(figure.svg.len() < 200_000, "{}", figure.svg.len());
    }

    #[test]
    fn one_class_and_classes_without_images_can_be_drawn() {
        for count in [1, 2, NAMED, NAMED + 1] {
            let empty = vec![vec![0; count]; count];
            let figure = confusion_matrix(&labels(count), &empty, "").unwrap();
            assert!(!figure.svg.contains("NaN"));
        }
    }
}
