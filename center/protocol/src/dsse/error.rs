//! Why bytes are not an envelope, and why what an envelope carries is not to be believed.

use crate::ids::KeyId;

/// Why bytes are not an envelope: the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than the kind of content allows.
    #[error("the envelope has {bytes} bytes, more than {bytes_max}")]
    TooLarge {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// Not the JSON of an envelope.
    #[error("the envelope is not DSSE JSON: {0}")]
    Json(String),
    /// A member is present but malformed.
    #[error("`{member}` of the envelope is not {expected}")]
    Member {
        /// The JSON member.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The payload type is another one than the content's.
    #[error("the payload type is `{found}`, expected `{expected}`")]
    PayloadType {
        /// What the envelope says.
        found: String,
        /// What this kind of content has.
        expected: &'static str,
    },
}

/// Why content is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not enough of the expected keys signed.
    #[error("{found} of the expected keys signed, {needed} must")]
    Threshold {
        /// Expected keys with a valid signature.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A signature names a key that may not sign this.
    #[error("key `{keyid}` may not sign this")]
    Unknown {
        /// The hint, as received.
        keyid: String,
    },
    /// A signature does not verify.
    #[error("the signature of key `{keyid}` does not verify")]
    False {
        /// The key it names.
        keyid: KeyId,
    },
    /// One key signed twice.
    #[error("key `{keyid}` signed more than once")]
    Repeated {
        /// The key.
        keyid: KeyId,
    },
    /// Two envelopes to be joined sign different things.
    #[error("the two envelopes do not sign the same content")]
    OtherContent,
    /// The signatures hold, but the content is not what its type says: the signer's fault.
    #[error("the signed content is malformed: {0}")]
    Content(String),
}
