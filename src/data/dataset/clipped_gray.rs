//! The note on images of 16-bit gray, which become nearly white.
//!
//! At most a hundred images of a split are inspected, evenly spaced, by their headers.

use std::path::PathBuf;

use pillow_image::{Format, detect, is_16_bit_gray};

use super::{ImageStore, Split};
use crate::error::Message;

/// The most images of a split that are inspected.
const LOOKED_AT: usize = 100;

/// Returns the note that names an image of 16-bit gray in one of `splits`; `None` if none is found.
pub(crate) fn note<'a>(splits: impl IntoIterator<Item = &'a Split>) -> Option<Message> {
    let name = splits.into_iter().find_map(find)?;
    Some(Message::from(format!(
        "16-bit gray is clipped at level 255, as in Pillow, and becomes nearly white: convert images such as `{name}` to 8 bits"
    )))
}

/// Returns the note on the images at `paths`.
pub(crate) fn note_of_files(paths: &[PathBuf]) -> Option<Message> {
    let images = ImageStore::Files(paths.to_vec());
    note([&Split::new(images, vec![0; paths.len()])])
}

/// Returns the name of an image of 16-bit gray.
fn find(split: &Split) -> Option<String> {
    if !split.is_of_files() || split.is_slow_to_inspect() {
        return None;
    }
    let looked_at = split.len().min(LOOKED_AT);
    let mut picked = (0..looked_at).map(|nth| nth * split.len() / looked_at);
    picked
        .find(|&index| is_clipped(split, index).unwrap_or(false))
        .map(|index| split.name(index))
}

/// Returns whether an image is of 16-bit gray; `None` when it cannot be read.
fn is_clipped(split: &Split, index: usize) -> Option<bool> {
    let (_, ends) = split.encoded_ends(index)?.ok()?;
    match detect(&ends).ok()? {
        Format::Png => Some(is_16_bit_gray(&ends)),
        // The directory may be anywhere.
        Format::Tiff => Some(is_16_bit_gray(&split.encoded(index)?.ok()?)),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage, ImageBuffer, Luma, LumaA};

    #[test]
    fn an_image_of_16_bit_gray_is_named_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let gray = ImageBuffer::<Luma<u16>, _>::from_pixel(8, 8, Luma([20_000]));
        let with_alpha = ImageBuffer::<LumaA<u16>, _>::from_pixel(8, 8, LumaA([20_000, 9]));
        let images = [
            ("a.jpg.png", DynamicImage::from(GrayImage::new(8, 8)), false),
            ("alpha.png", with_alpha.into(), false),
            ("gray.png", gray.clone().into(), true),
            ("gray.tiff", gray.into(), true),
        ];
        for (name, image, is_named) in images {
            let path = folder.path().join(name);
            image.save(&path).unwrap();
            let split = Split::new(ImageStore::Files(vec![path]), vec![0]);
            let note = note([&split]).map(|note| note.to_string());
            assert_eq!(note.is_some(), is_named, "{name}");
            assert!(note.is_none_or(|note| note.contains(name)));
        }
        let missing = Split::new(ImageStore::Files(vec!["missing.png".into()]), vec![0]);
        assert!(note([&missing]).is_none());
    }
}
