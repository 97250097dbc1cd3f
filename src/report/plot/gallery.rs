//! Pictures in rows with what they are and what they were taken for, the wrong ones marked.

use anyhow::Result;

use super::canvas::{Stand, figure, frame, letters, write};
use super::{Colour, Figure};

/// Pictures a row.
const COLUMNS: usize = 6;
/// Units of a picture's longer side.
const SIDE: i32 = 128;
/// Units between pictures.
const GAP: i32 = 14;
/// Units of the words below a picture.
const WORDS: i32 = 58;

/// A picture with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// The picture as a data URI.
    pub uri: String,
    /// Its width and height.
    pub size: [u32; 2],
    /// The class that it was taken for, and how sure the net was.
    pub predicted: (String, f64),
    /// Its class, where that is another.
    pub wrong: Option<String>,
}

/// Draws the pictures under a title.
///
/// # Errors
/// Never: any pictures can be drawn.
pub fn gallery(title: &str, tiles: &[Tile]) -> Result<Figure> {
    let rows = tiles.len().div_ceil(COLUMNS).max(1) as i32;
    let size = [
        GAP + COLUMNS as i32 * (SIDE + GAP),
        40 + rows * (SIDE + WORDS + GAP),
    ];
    let place = |index: usize| {
        let (row, column) = ((index / COLUMNS) as i32, (index % COLUMNS) as i32);
        [GAP + column * (SIDE + GAP), 40 + row * (SIDE + WORDS + GAP)]
    };
    let mut drawn = figure(title, size, |area| {
        write(
            area,
            title,
            [GAP, 20],
            Stand::Right,
            size[0] - GAP,
            &letters(Colour::Ink, 15),
        )?;
        if tiles.is_empty() {
            let muted = letters(Colour::Muted, 14);
            write(
                area,
                "none",
                [size[0] / 2, size[1] / 2],
                Stand::Middle,
                100,
                &muted,
            )?;
        }
        for (index, tile) in tiles.iter().enumerate() {
            let [x, y] = place(index);
            let (name, probability) = &tile.predicted;
            let (mark, colour) = match tile.wrong {
                None => ("✓", Colour::Green),
                Some(_) => ("✗", Colour::Red),
            };
            let sure = format!("{:.0} %", 100.0 * probability);
            let first = y + SIDE + 14;
            write(
                area,
                mark,
                [x, first],
                Stand::Right,
                14,
                &letters(colour, 13),
            )?;
            let ink = letters(Colour::Ink, 12);
            write(area, name, [x + 15, first], Stand::Right, SIDE - 15, &ink)?;
            let (second, muted) = ([x + 15, first + 17], letters(Colour::Muted, 12));
            write(area, &sure, second, Stand::Right, SIDE - 15, &muted)?;
            if let Some(truth) = &tile.wrong {
                let third = [x, first + 34];
                let red = letters(Colour::Red, 12);
                write(
                    area,
                    &format!("is {truth}"),
                    third,
                    Stand::Right,
                    SIDE,
                    &red,
                )?;
                frame(
                    area,
                    [x - 2, y - 2, x + SIDE + 2, y + SIDE + 2],
                    Colour::Red,
                    3,
                )?;
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
            predicted: (predicted.to_owned(), 0.876),
            wrong: wrong.map(str::to_owned),
        }
    }

    #[test]
    fn wrong_pictures_are_marked_by_sign_word_and_frame() {
        let tiles = [tile("Coat", None), tile("Shirt", Some("<b>&\"Coat"))];
        let figure = gallery("test pictures", &tiles).unwrap();
        assert_eq!(figure.svg.matches('✗').count(), 1);
        assert_eq!(figure.svg.matches('✓').count(), 1);
        assert!(
            figure.svg.contains("is &lt;b&gt;&amp;&quot;Coat"),
            "{}",
            figure.svg
        );
        assert!(!figure.svg.contains("<b>"));
        // A picture keeps its shape.
        assert!(
            figure
                .svg
                .contains(&format!("width=\"{}\" height=\"{SIDE}\"", SIDE / 2))
        );
    }

    #[test]
    fn no_mistake_is_said_to_be_none() {
        assert!(gallery("mistakes", &[]).unwrap().svg.contains("\nnone\n"));
    }
}
