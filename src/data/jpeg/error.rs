//! Why a JPEG file is not decoded.

/// Why a JPEG file is not decoded.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// The file ends before its end-of-image marker.
    #[error("the file is truncated")]
    Truncated,
    /// The file breaks the format in a way that libjpeg does not pass over.
    #[error("{0}")]
    Damaged(String),
    /// A kind of JPEG that is not decoded here.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// A [`JpegError::Damaged`] of these words.
pub fn damaged(message: impl Into<String>) -> JpegError {
    JpegError::Damaged(message.into())
}

/// What decoding gives, or why it gives nothing.
pub type Result<T> = std::result::Result<T, JpegError>;
