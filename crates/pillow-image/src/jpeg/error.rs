//! Errors of decoding a JPEG file.

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
