//! The error of the library's functions, by what went wrong.

use super::{ErrorWithHint, Message, hint_of, one_line};
use std::fmt::{self, Debug, Display, Formatter};
use std::io;
use std::sync::Arc;

/// An error of the library. [`Display`] shows all causes on one line, outermost first.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// There is no model, file, folder or repository of this name.
    ModelNotFound(Cause),
    /// The model is not of the `ResNet` family, or has an option that is not supported.
    UnsupportedArchitecture(Cause),
    /// A weights file is damaged, truncated, incomplete or not a weights file.
    DamagedWeights(Cause),
    /// A configuration or setting is invalid or contradicts another one.
    InvalidConfiguration(Cause),
    /// An image cannot be read, decoded or transformed.
    Image(Cause),
    /// A dataset does not exist, or its files are damaged.
    Dataset(Cause),
    /// The hub cannot be reached, or refuses a download.
    Hub(Cause),
    /// The model's output is infinite or NaN.
    NotFinite(Cause),
    /// The machine or the device has too little memory.
    OutOfMemory(Cause),
    /// The device is absent, or an operation on it failed.
    Device(Cause),
    /// A file or folder cannot be read or written.
    Io(Cause),
    /// Any other failure.
    Other(Cause),
}

/// A failure, with its causes and a hint if any.
#[derive(Clone)]
pub struct Cause(Arc<anyhow::Error>);

/// A variant of [`Error`].
pub type Kind = fn(Cause) -> Error;

impl Error {
    /// Classifies `error`: by the outermost kind in its chain ([`WithKind`]), as [`Error::Io`] if it has an I/O error, or
    /// as `otherwise`.
    pub fn classify(error: anyhow::Error, otherwise: Kind) -> Self {
        let mut kinds = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<ErrorWithHint>()?.kind);
        let kind = kinds.next().unwrap_or_else(|| {
            if error.chain().any(<dyn std::error::Error>::is::<io::Error>) {
                Self::Io
            } else {
                otherwise
            }
        });
        kind(Cause(Arc::new(error)))
    }

    /// Returns the way out, if one is known.
    pub fn hint(&self) -> Option<&Message> {
        hint_of(self.inner())
    }

    /// Returns the error and its causes, outermost first.
    pub(super) fn inner(&self) -> &anyhow::Error {
        &self.cause().0
    }

    fn cause(&self) -> &Cause {
        match self {
            Self::ModelNotFound(cause)
            | Self::UnsupportedArchitecture(cause)
            | Self::DamagedWeights(cause)
            | Self::InvalidConfiguration(cause)
            | Self::Image(cause)
            | Self::Dataset(cause)
            | Self::Hub(cause)
            | Self::NotFinite(cause)
            | Self::OutOfMemory(cause)
            | Self::Device(cause)
            | Self::Io(cause)
            | Self::Other(cause) => cause,
        }
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self.cause(), f)
    }
}

impl Display for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.0))
    }
}

impl Debug for Cause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

/// Classification of errors where their kind is known.
pub trait WithKind {
    /// Gives the error the variant of [`Error`] that a library user receives, unless it has one.
    ///
    /// Only an [`ErrorWithHint`] in its chain can carry it; other errors stay unclassified.
    #[must_use]
    fn with_kind(self, kind: Kind) -> Self;
}

impl WithKind for anyhow::Error {
    fn with_kind(mut self, kind: Kind) -> Self {
        if let Some(error) = self.downcast_mut::<ErrorWithHint>() {
            error.kind.get_or_insert(kind);
        }
        self
    }
}

impl<T> WithKind for anyhow::Result<T> {
    fn with_kind(self, kind: Kind) -> Self {
        self.map_err(|error| error.with_kind(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::error_with_hint;
    use anyhow::{Context, anyhow};

    #[test]
    fn the_first_kind_that_an_error_is_given_holds() {
        let error = Err::<(), _>(error_with_hint("not an image", "pass a JPEG"))
            .with_kind(Error::Image)
            .context("cannot read `x`")
            .with_kind(Error::Dataset)
            .context("cannot predict")
            .unwrap_err();
        let error = Error::classify(error, Error::Other);
        assert!(matches!(error, Error::Image(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            "cannot predict: cannot read `x`: not an image"
        );
        assert_eq!(error.hint().unwrap().to_string(), "pass a JPEG");
    }

    #[test]
    fn an_unclassified_error_is_io_or_what_the_caller_says() {
        let missing = std::fs::read("no/such/file")
            .context("cannot read")
            .unwrap_err();
        assert!(matches!(
            Error::classify(missing, Error::Other),
            Error::Io(_)
        ));
        let error = Error::classify(anyhow!("bad"), Error::DamagedWeights);
        assert!(matches!(error, Error::DamagedWeights(_)));
        assert!(error.hint().is_none());
    }
}
