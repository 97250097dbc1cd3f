//! TIFF files whose strips or tiles are JPEG data: each is a file of its own, the tables of which may be in the directory.

use image::RgbImage;

use crate::directory::{Directory, tag};
use crate::error::Result;
use crate::jpeg::{ColorTransform, Jpeg};
use crate::options::DecodeOptions;

use super::layout::{self, Layout, damaged, unsupported};
use super::parts::Parts;

/// Decodes an image.
///
/// # Errors
/// When a part is damaged, truncated or of a wrong size.
pub fn decode(
    bytes: &[u8],
    directory: &Directory,
    layout: &Layout,
    options: &DecodeOptions,
) -> Result<RgbImage> {
    let planes = if layout.is_planar {
        layout.samples as usize
    } else {
        1
    };
    if planes > 1 && layout.photometric != layout::RGB {
        return Err(unsupported("planes that are coded as JPEG one by one"));
    }
    if layout.photometric == layout::PALETTE || layout.bits != 8 {
        return Err(unsupported(
            "JPEG compression of samples that are no colors of 8 bits",
        ));
    }
    let (width, height) = (layout.size.0 as usize, layout.size.1 as usize);
    let parts = Parts::read(directory, layout)?;
    let [across, down] = [
        width.div_ceil(parts.size[0]),
        height.div_ceil(parts.size[1]),
    ];
    let tables = directory.data(tag::JPEG_TABLES);
    let mut image = RgbImage::new(layout.size.0, layout.size.1);
    // Planes beyond the three colors are of no color.
    for plane in 0..planes.min(3) {
        for part in 0..across * down {
            let data = parts.data(bytes, plane * across * down + part)?;
            let origin = [part % across * parts.size[0], part / across * parts.size[1]];
            let jpeg = Jpeg::open_part(tables, data)?;
            options.check_size(jpeg.dimensions())?;
            let decoded = decode_part(jpeg, layout, parts.size)?;
            let size = [
                parts.size[0].min(width - origin[0]),
                parts.size[1].min(height - origin[1]),
            ];
            let plane = (planes > 1).then_some(plane);
            place(&decoded, size, &mut image, origin, plane)?;
        }
    }
    if layout.photometric == layout::WHITE_IS_ZERO {
        image.iter_mut().for_each(|level| *level = 255 - *level);
    }
    Ok(image)
}

/// Decodes a part of at most `size`.
fn decode_part(jpeg: Jpeg, layout: &Layout, size: [usize; 2]) -> Result<RgbImage> {
    let (width, height) = jpeg.dimensions();
    if width as usize > size[0] || height as usize > size[1] {
        return Err(damaged("a part of the image is larger than it should be"));
    }
    // libtiff has colors converted only if they are luma and chroma.
    let transform = match (jpeg.components(), layout.photometric) {
        (3, layout::YCBCR) => ColorTransform::YCbCr,
        (3 | 4, layout::RGB) => ColorTransform::Rgb,
        (4, layout::CMYK) => ColorTransform::Ink,
        (1 | 2, layout::WHITE_IS_ZERO | layout::BLACK_IS_ZERO) => ColorTransform::Gray,
        (1, layout::RGB) if layout.is_planar => ColorTransform::Gray,
        _ => {
            return Err(damaged(
                "a part of the image has other colors than the rest",
            ));
        }
    };
    Ok(jpeg.decode_as(transform)?)
}

/// Copies the first pixels of `part`, or one color of them, to their place in `image`.
fn place(
    part: &RgbImage,
    [width, height]: [usize; 2],
    image: &mut RgbImage,
    [left, top]: [usize; 2],
    plane: Option<usize>,
) -> Result<()> {
    let (stride, image_stride) = (part.width() as usize, image.width() as usize);
    if stride < width || (part.height() as usize) < height {
        return Err(damaged("a part of the image is smaller than it should be"));
    }
    let source = part.as_chunks::<3>().0.chunks(stride).take(height);
    let target = image
        .as_chunks_mut::<3>()
        .0
        .chunks_mut(image_stride)
        .skip(top);
    for (source, target) in source.zip(target) {
        let target = &mut target[left..left + width];
        match plane {
            None => target.copy_from_slice(&source[..width]),
            Some(plane) => {
                for (pixel, source) in target.iter_mut().zip(source) {
                    pixel[plane] = source[0];
                }
            }
        }
    }
    Ok(())
}
