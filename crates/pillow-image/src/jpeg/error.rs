//! Errors of decoding a JPEG file.

use crate::error::Error;
use crate::format::Format;

/// An error of decoding a JPEG file.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its end-of-image marker.
    #[error("the file is truncated")]
    Truncated,
    /// The file violates the format in a way that libjpeg does not tolerate.
    #[error("{0}")]
    Damaged(String),
    /// An unsupported kind of JPEG.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Returns a [`JpegError::Damaged`] with this message.
pub fn damaged(message: impl Into<String>) -> JpegError {
    JpegError::Damaged(message.into())
}

/// The result of decoding.
pub type Result<T> = std::result::Result<T, JpegError>;

impl From<JpegError> for Error {
    fn from(error: JpegError) -> Self {
        let format = Format::Jpeg;
        match error {
            JpegError::Truncated => Self::Truncated,
            JpegError::Unsupported(feature) => Self::UnsupportedFeature {
                format,
                feature: feature.to_owned(),
            },
            JpegError::Damaged(reason) => Self::Damaged { format, reason },
        }
    }
}
