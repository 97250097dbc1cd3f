//! Samples of a TIFF file, unpacked and converted to red, green and blue by the rules of Pillow.

use std::io::{Cursor, ErrorKind};

use image::RgbImage;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::{TiffError, TiffResult};

use crate::directory::{Directory, tag};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::options::DecodeOptions;
use crate::rgb::{clipped, from_cmyk, from_multiplied, high_byte};

use super::layout::{self, Layout, unsupported};
use super::ycbcr::YCbCr;
use super::{fax, palette, parts};

/// The samples of an image, 8 bits each.
struct Samples {
    levels: Vec<u8>,
    /// The distance from one pixel to the next, and from one sample of a pixel to the next.
    pixel: usize,
    sample: usize,
}

/// Decodes an image whose samples are not coded as JPEG.
///
/// # Errors
/// When the file is damaged, truncated, or takes too much memory.
pub fn decode(
    bytes: &[u8],
    directory: &Directory,
    layout: &Layout,
    options: &DecodeOptions,
) -> Result<RgbImage> {
    let is_subsampled = || directory.numbers(tag::YCBCR_SUBSAMPLING).as_deref() != Some(&[1, 1]);
    if layout.photometric == layout::YCBCR && is_subsampled() {
        return Err(unsupported("chroma of a lower resolution without JPEG"));
    }
    let mut file = parts::highest_first(bytes, directory, layout)?;
    if layout.photometric == layout::PALETTE {
        palette::declare_gray(file.to_mut(), directory)?;
    }
    let samples = if layout.is_fax() {
        Samples {
            levels: fax::decode(&file, directory, layout)?,
            pixel: 1,
            sample: 1,
        }
    } else {
        read(&file, layout, options)?
    };
    let at = |pixel: usize, sample: usize| {
        let at = pixel * samples.pixel + sample * samples.sample;
        samples.levels[at]
    };
    let three = |pixel| [0, 1, 2].map(|sample| at(pixel, sample));
    Ok(match layout.photometric {
        layout::PALETTE => {
            let colors = palette::colors(directory, layout.bits)?;
            image(layout, |pixel| colors[usize::from(at(pixel, 0))])
        }
        layout::CMYK => image(layout, |pixel| from_cmyk(three(pixel), at(pixel, 3))),
        layout::YCBCR => {
            let colors = if layout.compression == layout::UNCOMPRESSED {
                YCbCr::of_pillow()
            } else {
                YCbCr::of_libtiff(directory)
            };
            image(layout, |pixel| colors.convert(three(pixel)))
        }
        layout::RGB if layout.has_associated_alpha => {
            image(layout, |pixel| from_multiplied(three(pixel), at(pixel, 3)))
        }
        layout::RGB => image(layout, three),
        _ => image(layout, |pixel| [at(pixel, 0); 3]),
    })
}

/// Returns an image of the colors of each pixel.
fn image(layout: &Layout, color: impl Fn(usize) -> [u8; 3]) -> RgbImage {
    let mut image = RgbImage::new(layout.size.0, layout.size.1);
    for (index, pixel) in image.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        *pixel = color(index);
    }
    image
}

/// Unpacks the samples.
fn read(file: &[u8], layout: &Layout, options: &DecodeOptions) -> Result<Samples> {
    let pixels = layout.size.0 as usize * layout.size.1 as usize;
    let (result, plane) = unpack(file, options).map_err(explain)?;
    let levels = match result {
        DecodingResult::U8(levels) if layout.bits < 8 => expand(&levels, layout),
        DecodingResult::U8(levels) => levels,
        DecodingResult::U16(levels) if layout.samples == 1 => {
            levels.into_iter().map(clipped).collect()
        }
        DecodingResult::U16(levels) => levels.into_iter().map(high_byte).collect(),
        _ => return Err(unsupported(format!("samples of {} bits", layout.bits))),
    };
    // The unpacked samples are fewer than the stored ones when some are of no color.
    let samples = levels.len() / pixels;
    let colors = match layout.photometric {
        layout::RGB if layout.has_associated_alpha => 4,
        layout::RGB | layout::YCBCR => 3,
        layout::CMYK => 4,
        _ => 1,
    };
    if samples < colors {
        return Err(Error::Truncated);
    }
    Ok(match plane {
        Some(plane) => Samples {
            levels,
            pixel: 1,
            sample: plane * 8 / layout.bits as usize,
        },
        None => Samples {
            levels,
            pixel: samples,
            sample: 1,
        },
    })
}

/// Returns the samples as the file has them, and the bytes of a plane, if planes are stored one after another.
fn unpack(file: &[u8], options: &DecodeOptions) -> TiffResult<(DecodingResult, Option<usize>)> {
    let most = usize::try_from(options.max_pixels.saturating_mul(8)).unwrap_or(usize::MAX);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most;
    limits.ifd_value_size = most;
    let mut decoder = Decoder::new(Cursor::new(file))?.with_limits(limits);
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result)?;
    if result.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(TiffError::LimitsExceeded);
    }
    let plane = layout.plane_stride.filter(|_| layout.planes > 1);
    Ok((result, plane.map(Into::into)))
}

/// Returns one byte per sample of 1, 2 or 4 bits: a gray level, or an index.
fn expand(rows: &[u8], layout: &Layout) -> Vec<u8> {
    let bits = layout.bits as usize;
    let most = (1 << bits) - 1;
    let scale = match layout.photometric {
        layout::PALETTE => 1,
        _ => 255 / most,
    };
    let width = layout.size.0 as usize;
    let rows = rows.chunks_exact((width * bits).div_ceil(8));
    rows.flat_map(|row| {
        let samples = row.iter().flat_map(|byte| {
            (1..=8 / bits).map(move |nth| (byte >> (8 - nth * bits) & most) * scale)
        });
        samples.take(width)
    })
    .collect()
}

/// Converts an error of the `tiff` crate.
fn explain(error: TiffError) -> Error {
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Error::Truncated,
        TiffError::LimitsExceeded => Error::TooMuchMemory {
            format: Format::Tiff,
        },
        TiffError::UnsupportedError(error) => unsupported(error.to_string()),
        error => layout::damaged(error.to_string()),
    }
}
