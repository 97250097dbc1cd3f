//! Images: decoded by [`pillow_image`], large ones one at a time.

pub(crate) mod decode;
pub mod large_images;
