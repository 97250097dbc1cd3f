//! The decoders of the crate `image`, within the limits of the options, and their errors.

use std::io::{self, Cursor};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use crate::error::{Error, Result};
use crate::format::Format;
use crate::options::DecodeOptions;

/// Bytes per pixel of the widest decoded samples: 16 bits, four channels.
const WIDEST_PIXEL: u64 = 8;

/// Opens a file whose samples another crate decodes.
pub fn open_decoder<'a>(
    file: &'a [u8],
    format: Format,
    options: &DecodeOptions,
) -> Result<impl ImageDecoder + use<'a>> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format.into());
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(options.max_pixels.saturating_mul(WIDEST_PIXEL));
    reader.limits(limits);
    let decoder = reader
        .into_decoder()
        .map_err(|error| explain(error, format))?;
    options.check_size(decoder.dimensions())?;
    Ok(decoder)
}

/// Returns the samples of a file as they are stored.
pub fn read_samples(decoder: impl ImageDecoder, format: Format) -> Result<DynamicImage> {
    DynamicImage::from_decoder(decoder).map_err(|error| explain(error, format))
}

/// Converts an error of a decoder.
fn explain(error: ImageError, format: Format) -> Error {
    match error {
        error if is_unexpected_end(&error) => Error::Truncated,
        ImageError::Limits(_) => Error::TooMuchMemory { format },
        ImageError::Unsupported(error) => Error::UnsupportedFeature {
            format,
            feature: one_line(&error),
        },
        other => Error::Damaged {
            format,
            reason: one_line(&other),
        },
    }
}

/// Returns whether a decoder ran out of bytes.
fn is_unexpected_end(error: &ImageError) -> bool {
    match error {
        ImageError::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        // The GIF decoder has a message for it, but no kind.
        ImageError::Decoding(error) => error.to_string().contains("Unexpected End of File"),
        _ => false,
    }
}

/// Returns an error's message without line breaks.
fn one_line(error: &impl std::fmt::Display) -> String {
    let message = error.to_string();
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
