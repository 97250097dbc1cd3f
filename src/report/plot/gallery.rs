//! Images in rows with their true and predicted classes, the wrong ones marked.

use anyhow::Result;

use super::canvas::{Stand, figure, frame, letters, write};
use super::{Color, Figure};
use crate::text::cut_middle;

/// Images per row, at most and at least.
const COLUMNS: [usize; 2] = [6, 4];
/// Units of an image's longer side.
const SIDE: i32 = 150;
/// Units between images.
const GAP: i32 = 16;
/// Units of the words below an image.
const WORDS: i32 = 62;
/// Columns of words below an image.
const LETTERS: usize = 20;

/// An image with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// The image as a data URI.
    pub uri: String,
    /// Its width and height.
    pub size: [u32; 2],
    /// Its file, or its name in the dataset.
    pub name: String,
    /// The predicted class, and the model's confidence.
    pub predicted: (String, f64),
    /// The true class, if it is another.
    pub wrong: Option<String>,
}

/// Returns the images per row that leave the fewest places of the last one empty.
fn columns(count: usize) -> usize {
    let [most, least] = COLUMNS;
    if count <= most {
        return count.clamp(3, most);
    }
    let empty = |columns: &usize| count.next_multiple_of(*columns) - count;
    (least..=most).rev().min_by_key(empty).unwrap_or(most)
}

/// Draws images under a title; `subtitle` names the run and its data.
///
/// # Errors
/// Never: any images can be drawn.
pub fn gallery(title: &str, subtitle: &str, tiles: &[Tile]) -> Result<Figure> {
    let columns = columns(tiles.len());
    let rows = tiles.len().div_ceil(columns).max(1) as i32;
    let size = [
        GAP + columns as i32 * (SIDE + GAP),
        8 + rows * (SIDE + WORDS + GAP),
    ];
    let place = |index: usize| {
        let (row, column) = ((index / columns) as i32, (index % columns) as i32);
        [GAP + column * (SIDE + GAP), 8 + row * (SIDE + WORDS + GAP)]
    };
    let mut drawn = figure([title, subtitle], size, |area| {
        if tiles.is_empty() {
            let muted = letters(Color::Muted, 14);
            let middle = [size[0] / 2, size[1] / 2];
            write(area, "none", middle, Stand::Middle, 100, &muted)?;
        }
        for (index, tile) in tiles.iter().enumerate() {
            let [x, y] = place(index);
            let (name, probability) = &tile.predicted;
            let sure = format!("{:.0} %", 100.0 * probability);
            let lines = match &tile.wrong {
                None => [
                    (format!("✓ {}", cut_middle(name, LETTERS - 2)), Color::Green),
                    (sure, Color::Muted),
                ],
                Some(truth) => [
                    (format!("{} →", cut_middle(truth, LETTERS - 2)), Color::Ink),
                    (
                        format!("✗ {} {sure}", cut_middle(name, LETTERS - 3 - sure.len())),
                        Color::Red,
                    ),
                ],
            };
            let file = cut_middle(&tile.name, LETTERS + 2);
            let lines = lines.into_iter().chain([(file, Color::Muted)]);
            for ((text, color), line) in lines.zip(0..) {
                let height = if line == 2 { 11 } else { 13 };
                let at = [x, y + SIDE + 14 + 18 * line];
                write(
                    area,
                    &text,
                    at,
                    Stand::Right,
                    SIDE + GAP,
                    &letters(color, height),
                )?;
            }
            if tile.wrong.is_some() {
                let edge = [x - 2, y - 2, x + SIDE + 2, y + SIDE + 2];
                frame(area, edge, Color::Red, 2)?;
            }
        }
        Ok(Vec::new())
    })?;
    for (index, tile) in tiles.iter().enumerate() {
        let [x, y] = place(index);
        let [width, height] = tile.size.map(|side| side.max(1) as i32);
        let longer = width.max(height);
        let (wide, high) = (SIDE * width / longer, SIDE * height / longer);
        let (x, y) = (x + (SIDE - wide) / 2, y + (SIDE - high) / 2);
        drawn.lay(&tile.uri, [x, y, x + wide, y + high], longer <= 64);
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(predicted: &str, wrong: Option<&str>) -> Tile {
        Tile {
            uri: "data:image/png;base64,".to_owned(),
            size: [10, 20],
            name: "folder/file.png".to_owned(),
            predicted: (predicted.to_owned(), 0.876),
            wrong: wrong.map(str::to_owned),
        }
    }

    #[test]
    fn mistakes_are_marked_by_a_sign_a_word_and_a_frame() {
        let tiles = [tile("Coat", None), tile("Shirt", Some("<b>&\"Coat"))];
        let figure = gallery("test images", "run", &tiles).unwrap();
        assert_eq!(figure.svg.matches('✗').count(), 1);
        assert_eq!(figure.svg.matches('✓').count(), 1);
        assert!(
            figure.svg.contains("&lt;b&gt;&amp;&quot;Coat →"),
            "{}",
            figure.svg
        );
        assert!(!figure.svg.contains("<b>"));
        // An image keeps its shape.
        assert!(
            figure
                .svg
                .contains(&format!("width=\"{}\" height=\"{SIDE}\"", SIDE / 2))
        );
    }

    #[test]
    fn a_gallery_without_mistakes_says_none() {
        assert!(
            gallery("mistakes", "", &[])
                .unwrap()
                .svg
                .contains("\nnone\n")
        );
    }

    #[test]
    fn few_places_are_left_empty() {
        for (count, expected) in [(1, 3), (3, 3), (6, 6), (8, 4), (10, 5), (24, 6)] {
            assert_eq!(columns(count), expected, "{count}");
        }
    }
}
