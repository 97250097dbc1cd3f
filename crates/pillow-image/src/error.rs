//! The errors of decoding.

use crate::format::Format;

/// The result of decoding.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of reading or decoding an image.
///
/// Messages are in lower case and name neither the file nor a remedy, so that a caller can put both around them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The path is a folder.
    #[error("it is a folder")]
    Folder,
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is longer than [`MAX_FILE_BYTES`](crate::MAX_FILE_BYTES).
    #[error("the file is longer than {} MiB", .max_bytes >> 20)]
    FileTooLong {
        /// The limit in bytes.
        max_bytes: u64,
    },
    /// The file is not an image.
    #[error("it is {kind}, not an image")]
    NotAnImage {
        /// The kind of file, with its article, such as `an HTML page`.
        kind: &'static str,
    },
    /// The file is an image of a format that is not decoded.
    #[error("it is {kind}, which is not supported")]
    UnsupportedFormat {
        /// The kind of file, with its article, such as `an AVIF image`.
        kind: &'static str,
    },
    /// The format is decoded, but not this kind of it.
    #[error("this kind of {format} is not supported: {feature}")]
    UnsupportedFeature {
        /// The format of the file.
        format: Format,
        /// The missing feature.
        feature: String,
    },
    /// The samples are floating-point numbers, whose black and white are unknown.
    #[error("its samples are floating-point numbers")]
    FloatSamples,
    /// The file ends too early.
    #[error("the file is truncated")]
    Truncated,
    /// The file violates its format in a way that Pillow does not tolerate.
    #[error("the {format} is damaged: {reason}")]
    Damaged {
        /// The format of the file.
        format: Format,
        /// The violation, in words.
        reason: String,
    },
    /// The image has no pixels.
    #[error("it has {width}x{height} pixels")]
    NoPixels {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The image has more pixels than [`DecodeOptions::max_pixels`](crate::DecodeOptions::max_pixels).
    #[error("it has {width}x{height} pixels, more than the limit of {max_pixels}")]
    TooManyPixels {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// An edge of the image is longer than [`MAX_EDGE`](crate::MAX_EDGE).
    #[error("it has {width}x{height} pixels, an edge longer than {max_edge}")]
    EdgeTooLong {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit in pixels.
        max_edge: u32,
    },
    /// The decoder would need more memory than the limit on pixels allows.
    #[error("decoding this {format} takes more memory than the limit on pixels allows")]
    TooMuchMemory {
        /// The format of the file.
        format: Format,
    },
}
