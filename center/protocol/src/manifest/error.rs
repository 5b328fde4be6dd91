//! Why a text is not a manifest, always with the full key and what is allowed there.

use super::bounds::MANIFEST_BYTES_MAX;

/// Why a text is not a manifest: the module author's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MANIFEST_BYTES_MAX`].
    #[error("manifest has {found} bytes, allowed are {MANIFEST_BYTES_MAX}")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("manifest is not UTF-8")]
    NotUtf8,
    /// Not TOML.
    #[error("manifest is not TOML: line {line}: {message}")]
    Syntax {
        /// Line of the fault, from 1.
        line: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// A key that must be there is not.
    #[error("manifest lacks `{key}`: expected {expected}")]
    Missing {
        /// Full path of the key.
        key: String,
        /// What belongs there.
        expected: String,
    },
    /// A key that does not exist.
    #[error("manifest has unknown key `{key}`: allowed are {allowed}")]
    UnknownKey {
        /// Full path of the key.
        key: String,
        /// The keys that exist at this place.
        allowed: String,
    },
    /// A value that does not fit its key.
    #[error("manifest key `{key}` is {found}: expected {expected}")]
    Value {
        /// Full path of the key.
        key: String,
        /// What was found, shortened.
        found: String,
        /// What fits.
        expected: String,
    },
}
