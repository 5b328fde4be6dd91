//! Why bytes are not an analysis. In every case it is the fault of whoever built them.

use crate::text::clean;

/// Longest text of a reader that an error repeats, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Not a component at all.
    #[error("module is not a component: {0}")]
    NotAComponent(&'static str),
    /// Larger than a limit.
    #[error("module has {found} {what}, allowed are {max}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How many there are; where counting stopped early, at least so many.
        found: u64,
        /// How many there may be.
        max: u64,
    },
    /// Not valid WebAssembly by any feature set.
    #[error("module is not valid: {0}")]
    Invalid(String),
    /// Valid, but with a feature that is off.
    #[error("module uses a feature that is off: {0}")]
    Feature(String),
    /// Strings in another encoding than UTF-8.
    #[error("module passes strings as {0}, allowed is UTF-8")]
    Encoding(&'static str),
    /// Imports something that is not an interface of `iog:guest`.
    #[error("module imports `{name}`: allowed are the interfaces context, data, log and progress of iog:guest@0.1")]
    Import {
        /// What it imports.
        name: String,
    },
    /// Exports something that is not a function.
    #[error("module exports {what} `{name}`: allowed are functions")]
    Export {
        /// What it exports.
        name: String,
        /// The kind of thing that is.
        what: &'static str,
    },
    /// A type that cannot cross the boundary.
    #[error("function `{function}` has a {what} in its signature")]
    Type {
        /// Whose signature.
        function: String,
        /// The kind of type.
        what: &'static str,
    },
    /// A component whose interface cannot be described as WIT.
    #[error("module has an interface that is not WIT: {0}")]
    Interface(String),
}

impl InspectError {
    pub(crate) fn invalid(error: &wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(clean(&error.to_string(), MESSAGE_CHARS_MAX))
    }

    pub(crate) fn feature(error: &wasmparser::BinaryReaderError) -> Self {
        Self::Feature(clean(&error.to_string(), MESSAGE_CHARS_MAX))
    }

    pub(crate) fn interface(message: &str) -> Self {
        Self::Interface(clean(message, MESSAGE_CHARS_MAX))
    }
}

/// Counts, and refuses what is too much.
pub(crate) fn at_most(what: &'static str, found: u64, max: u64) -> Result<(), InspectError> {
    if found > max { Err(InspectError::Limit { what, found, max }) } else { Ok(()) }
}
