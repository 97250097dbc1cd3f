//! What a batch should be recognised as.

/// The classes of a batch's pictures.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class a picture.
    Classes(Vec<u32>),
    /// Two classes a picture, for pictures mixed of two.
    Mixed {
        /// The class of each picture's first part.
        first: Vec<u32>,
        /// The class of its second part.
        second: Vec<u32>,
        /// The share of the first part, in 0..=1.
        share: f64,
    },
}

impl Targets {
    /// Pictures.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) | Self::Mixed { first: classes, .. } => classes.len(),
        }
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
