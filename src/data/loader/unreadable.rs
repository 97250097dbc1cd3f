//! Images that are left out of batches.

/// An image that could not be read.
#[derive(Debug)]
pub struct UnreadableImage {
    /// Its number in the split.
    pub index: usize,
    /// The reason, with the name of the image.
    pub error: anyhow::Error,
}
