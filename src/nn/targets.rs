//! Target classes of a batch.

/// Target classes of the images of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class per image.
    Classes(Vec<u32>),
    /// Two classes per image, for images mixed from two.
    Mixed {
        /// Class of each image's first part.
        first: Vec<u32>,
        /// Class of its second part.
        second: Vec<u32>,
        /// Share of the first part, in 0..=1.
        share: f64,
    },
}

impl Targets {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) | Self::Mixed { first: classes, .. } => classes.len(),
        }
    }

    /// Returns true if there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
