//! BMP files, as Pillow reads them: run lengths, palettes, 16 to 32 bits, rows from below or from above.
//!
//! Kinds that Pillow rejects (2 bits, unusual color masks) are left to another decoder.

mod header;
mod run_length;

use image::{Rgb, RgbImage};

use crate::codec::{open_decoder, read_samples};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::options::DecodeOptions;
use crate::rgb;

use header::{Header, Layout};

/// Returns the width and height by the header of a BMP file; `None` when it is truncated or of another kind.
pub fn dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    Header::read(bytes).map(|header| (header.width, header.height))
}

/// Decodes a BMP file.
///
/// # Errors
/// When the file is damaged, truncated, or too large.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage> {
    let Some(header) = Header::read(bytes) else {
        let decoder = open_decoder(bytes, Format::Bmp, options)?;
        return rgb::to_rgb(read_samples(decoder, Format::Bmp)?);
    };
    options.check_size((header.width, header.height))?;
    let width = header.width as usize;
    let mut image = RgbImage::new(header.width, header.height);
    let indices;
    let (pixels, layout, stride) = match header.layout {
        Layout::RunLength { bits } => {
            let size = [header.height as usize, width];
            indices = run_length::decode(bytes, header.pixels, bits, size)?;
            (&indices[..], Layout::Indexed { bits: 8 }, width)
        }
        layout => {
            // Rows are whole words of 32 bits.
            let stride = (width * layout.bits()).div_ceil(32) * 4;
            let pixels = bytes.get(header.pixels..).ok_or(Error::Truncated)?;
            (pixels, layout, stride)
        }
    };
    let length = (width * layout.bits()).div_ceil(8);
    for (index, row) in image.as_chunks_mut::<3>().0.chunks_mut(width).enumerate() {
        let stored = if header.is_top_down {
            index
        } else {
            header.height as usize - 1 - index
        };
        let start = stored * stride;
        let samples = pixels.get(start..start + length).ok_or(Error::Truncated)?;
        convert(samples, layout, &header.palette, row);
    }
    Ok(image)
}

/// Converts a row of samples to red, green and blue.
fn convert(samples: &[u8], layout: Layout, palette: &[Rgb<u8>; 256], row: &mut [[u8; 3]]) {
    match layout {
        Layout::Indexed { bits } | Layout::RunLength { bits } => {
            let per_byte = 8 / bits;
            for (column, pixel) in row.iter_mut().enumerate() {
                let shift = 8 - bits - column % per_byte * bits;
                let index = samples[column / per_byte] >> shift & (0xff >> (8 - bits));
                *pixel = palette[usize::from(index)].0;
            }
        }
        Layout::Short { green_bits } => {
            for (pixel, &sample) in row.iter_mut().zip(samples.as_chunks::<2>().0) {
                let sample = u32::from(u16::from_le_bytes(sample));
                let level = |shift: u32, bits: u32| {
                    let most = (1 << bits) - 1;
                    ((sample >> shift & most) * 255 / most) as u8
                };
                *pixel = [level(5 + green_bits, 5), level(5, green_bits), level(0, 5)];
            }
        }
        Layout::Bytes { count, colors } => {
            for (pixel, sample) in row.iter_mut().zip(samples.chunks_exact(count)) {
                *pixel = colors.map(|at| sample[at]);
            }
        }
    }
}
