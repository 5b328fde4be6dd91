//! DSSE v1: a signed envelope around exact bytes (github.com/secure-systems-lab/dsse). Content is reached by verifying, and only so:
//! [`Signed`] shows nothing of what it carries, [`Verified`] has no public constructor.

mod envelope;
mod error;
mod signed;

pub use envelope::{ENVELOPE_BYTES_MAX, Envelope, SIGNATURES_MAX, Signature};
pub use error::{EnvelopeError, SignatureError};
pub use signed::{Content, Signed, Verified};

#[cfg(test)]
mod tests;
