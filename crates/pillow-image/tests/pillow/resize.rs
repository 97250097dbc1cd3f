//! Resizes of parts of a photograph against Pillow's.

use anyhow::{Context, Result};
use pillow_image::{DecodeOptions, Filter, ImageView, Window, open, resize};

use crate::fixture::{assert_same_pixels, path, pixels};

#[test]
fn resizing_gives_pillows_bits() -> Result<()> {
    let expected = pixels("pillow/resize.safetensors")?;
    let cat = open(
        path("../../../../assets/images/cat.png"),
        &DecodeOptions::default(),
    )?;
    assert!(expected.len() >= 60);
    for (case, expected) in &expected {
        let [filter, bounds, size] = case.split('/').collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let filter = match filter {
            "bilinear" => Filter::Bilinear,
            _ => Filter::Bicubic,
        };
        let bounds = bounds.split(',').map(str::parse);
        let bounds = bounds.collect::<Result<Vec<usize>, _>>()?;
        let [left, top, right, bottom] = bounds[..].try_into()?;
        let part = ImageView::from(&cat).crop(Window {
            start: [top, left],
            size: [bottom - top, right - left],
        });
        let (width, height) = size.split_once('x').context("a size")?;
        let resized = resize(&part, [height.parse()?, width.parse()?], filter);
        assert_same_pixels(case, &resized, expected);
    }
    Ok(())
}
