//! Receipts: what a gateway states about one run, as one leaf of its own log with two views. Every field is committed to
//! by a salted hash; a view discloses some of the fields and proves them all to be in the same leaf. So caller and
//! provider hold the same statement, and the caller learns nothing of the fields it is not shown, not even by guessing.
//!
//! Drawing salts, signing checkpoints and keeping receipts is the gateway's work.

mod canonical;
mod fields;
mod seal;
mod verify;

pub use canonical::{CanonicalError, canonical_json};
pub use fields::{CALLER_FIELDS, CallerFields, Cost, PROVIDER_FIELDS, ProviderFields, quantise};
pub use seal::{Audience, ReceiptDraft, SealedReceipt};
pub use verify::{RECEIPT_VIEW_BYTES_MAX, ReceiptError, VerifiedReceipt};

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::ids::{Digest, DomainId, TrustDomain};

/// The version of the receipt format.
pub const RECEIPT_VERSION: u32 = 1;
/// Bytes of a salt: 128 bits, so that no field can be guessed from its commitment.
pub const SALT_BYTES: usize = 16;
/// Largest canonical JSON value of one field, in bytes.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;
/// Domain separation of commitments.
const COMMITMENT_PREFIX: &[u8] = b"iog-receipt-field/v1\0";

/// Origin and key name of a gateway's receipt log: `<trust domain>/receipts/<domain>`.
#[must_use]
pub fn log_origin(trust_domain: &TrustDomain, gateway: &DomainId) -> String {
    format!("{trust_domain}/receipts/{gateway}")
}

/// What a receipt is about. Leases and measurements are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// One run of an analysis.
    Run,
}

/// The leaf: a commitment to each field and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBody {
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    /// What it is about.
    pub kind: ReceiptKind,
    /// Commitment of each field of [`CALLER_FIELDS`] and [`PROVIDER_FIELDS`].
    pub commitments: BTreeMap<String, Digest>,
}

impl ReceiptBody {
    /// The log entry: canonical JSON (sorted members, no spaces).
    ///
    /// # Errors
    /// [`CanonicalError`], which no body of text and digests causes.
    pub fn entry(&self) -> Result<Vec<u8>, CanonicalError> {
        let value = serde_json::to_value(self).map_err(|_| CanonicalError::NotJson)?;
        canonical_json(&value).map(String::into_bytes)
    }
}

/// A field opened: with the salt anybody can compute its commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Random bytes, different for each field of each receipt.
    pub salt: Salt,
    /// The value.
    pub value: serde_json::Value,
}

impl Disclosure {
    /// SHA-256 of prefix, field name, a zero byte, salt and canonical JSON of the value.
    ///
    /// # Errors
    /// [`CanonicalError`] if the value has no canonical form or is longer than [`VALUE_BYTES_MAX`].
    pub fn commitment(&self, field: &str) -> Result<Digest, CanonicalError> {
        let value = canonical_json(&self.value)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(CanonicalError::TooLong);
        }
        let mut hash = Sha256::new();
        hash.update(COMMITMENT_PREFIX);
        hash.update(field.as_bytes());
        hash.update([0]);
        hash.update(self.salt.0);
        hash.update(value.as_bytes());
        Ok(Digest::from_bytes(hash.finalize().into()))
    }
}

/// Salt of one field, base64 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; SALT_BYTES]);

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| de::Error::custom("a salt is 16 bytes in base64"))
    }
}

/// A receipt as somebody holds it: the leaf, the fields opened to them, and the proof that the leaf is in the gateway's
/// log. Nothing in it may be believed before [`ReceiptView::verify`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptView {
    /// The leaf.
    pub body: ReceiptBody,
    /// The fields opened.
    pub disclosed: BTreeMap<String, Disclosure>,
    /// Inclusion proof with signed checkpoint (C2SP tlog-proof text).
    pub proof: String,
}

#[cfg(test)]
mod tests;
