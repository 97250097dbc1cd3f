//! The error of the library's functions, by what went wrong.

use super::message::Message;
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::sync::Arc;

/// An error of the library. [`Display`](std::fmt::Display) shows all causes on one line, outermost first.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// There is no model, run, file, folder or repository of this name.
    ModelNotFound(Cause),
    /// The model is not of the `ResNet` family, or has an option that is not supported.
    UnsupportedArchitecture(Cause),
    /// A weights file or the state of a run is damaged, truncated, incomplete or another file.
    DamagedWeights(Cause),
    /// A configuration or setting is invalid or contradicts another one.
    InvalidConfiguration(Cause),
    /// An image cannot be read, decoded or transformed.
    Image(Cause),
    /// A dataset does not exist, its files are damaged, or its images are not those of the run.
    Dataset(Cause),
    /// The hub cannot be reached, or refuses a download.
    Hub(Cause),
    /// The model's output is infinite or NaN.
    NotFinite(Cause),
    /// The machine or the device has too little memory.
    OutOfMemory(Cause),
    /// The device is absent, or an operation on it failed.
    Device(Cause),
    /// A file or folder cannot be read or written, or another process writes to it.
    Io(Cause),
    /// Any other failure.
    Other(Cause),
}

/// A failure with its causes and a hint, if any: the error's [`Display`](std::fmt::Display) and [`Error::hint`].
#[derive(Clone)]
pub struct Cause(Arc<anyhow::Error>);

/// A variant of [`Error`].
pub type Kind = fn(Cause) -> Error;

impl Error {
    /// Classifies `error`: by the outermost kind in its chain (`WithKind`), as [`Error::Io`] if it has an I/O error, or
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

/// An error with a hint for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ErrorWithHint {
    pub(super) message: Message,
    pub(super) hint: Message,
    pub(super) fault: Fault,
    /// Variant of [`Error`], if known.
    kind: Option<Kind>,
}

/// The cause of an error, which decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something is missing or failed.
    Failure,
    /// The command line is wrong.
    Usage,
}

/// Creates an error whose `hint` the command line prints on its own line; the exit status is 1.
///
/// Text is `&str`, `String` or, if it names settings, a [`message!`](crate::message).
pub fn error_with_hint(message: impl Into<Message>, hint: impl Into<Message>) -> anyhow::Error {
    with_fault(message.into(), hint.into(), Fault::Failure)
}

/// Creates an [`error_with_hint`] for wrong usage: the exit status is 2.
pub fn usage_error(message: impl Into<Message>, hint: impl Into<Message>) -> anyhow::Error {
    let error = with_fault(message.into(), hint.into(), Fault::Usage);
    error.with_kind(Error::InvalidConfiguration)
}

pub(super) fn with_fault(message: Message, hint: Message, fault: Fault) -> anyhow::Error {
    anyhow::Error::new(ErrorWithHint {
        message,
        hint,
        fault,
        kind: None,
    })
}
