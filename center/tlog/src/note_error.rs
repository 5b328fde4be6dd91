//! What can be wrong with a signed note, and the bounds of one.

use thiserror::Error;

/// Longest note accepted, in bytes. Room for 64 signatures of every kind in use, ML-DSA-44 included.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// Most signature lines accepted (the specification asks for at least 16).
pub const MAX_SIGNATURES: usize = 64;

/// A note that cannot be read (its writer's fault) or trusted (its signer's fault).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("note of {0} bytes is too long")]
    TooLong(usize),
    /// Not UTF-8, or a control character in it.
    #[error("note is not UTF-8 text free of control characters")]
    Characters,
    /// No empty line before the signatures, or no newline at the end.
    #[error("note has no signature lines after an empty line")]
    Form,
    /// A signature line that cannot be read; lines are counted from 1.
    #[error("signature line {0} of the note is malformed")]
    SignatureLine(usize),
    /// More than [`MAX_SIGNATURES`] signature lines.
    #[error("note has more than 64 signatures")]
    TooManySignatures,
    /// A known key's signature does not verify.
    #[error("signature of `{0}` on the note does not verify")]
    BadSignature(String),
    /// Two of the keys to verify with share name and id.
    #[error("two known keys share the name `{0}` and key id")]
    AmbiguousKeys(String),
    /// No signature is by a known key.
    #[error("note is signed by none of the known keys")]
    NoKnownSignature,
}
