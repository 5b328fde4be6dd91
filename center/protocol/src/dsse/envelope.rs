//! The envelope as bytes: bounded strict JSON in, the same bytes out, and the message that its signatures cover.
//! It decides nothing about trust: key ids are hints, and no signature is checked while parsing.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use super::error::{EnvelopeError, SignatureError};
use crate::ids::{Digest, KeyId};
use crate::keys::{PublicKey, SecretKey};

/// The largest envelope that fits a log entry (tlog-tiles entry bundles have 16-bit lengths), in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 65_535;

/// The most signatures of one envelope.
pub const SIGNATURES_MAX: usize = 32;

const KEY_HINT_BYTES_MAX: usize = 128;
const PAYLOAD_TYPE_BYTES_MAX: usize = 128;

/// One signature of an envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// A hint at the key, never a proof; our own signers write [`KeyId`].
    pub keyid: String,
    /// Ed25519 over [`Envelope::pae`].
    pub sig: [u8; 64],
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature by `{}`", self.keyid)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

/// An envelope and the exact bytes it came as.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
    bytes: Vec<u8>,
}

impl Envelope {
    /// An envelope without signatures yet.
    #[must_use]
    pub fn new(payload_type: &str, payload: Vec<u8>) -> Self {
        let mut envelope =
            Self { payload_type: payload_type.to_owned(), payload, signatures: Vec::new(), bytes: Vec::new() };
        envelope.bytes = envelope.encode();
        envelope
    }

    /// Reads an envelope of at most [`ENVELOPE_BYTES_MAX`].
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::parse_bounded(bytes, ENVELOPE_BYTES_MAX)
    }

    /// Reads an envelope of at most `bytes_max` bytes: unknown and repeated members are refused, base64 is canonical (the
    /// standard or the URL-safe alphabet), and there are 1 to [`SIGNATURES_MAX`] signatures.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member that is wrong.
    pub fn parse_bounded(bytes: &[u8], bytes_max: usize) -> Result<Self, EnvelopeError> {
        if bytes.len() > bytes_max {
            return Err(EnvelopeError::TooLarge { bytes: bytes.len(), bytes_max });
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Json(error.to_string()))?;
        if wire.payload_type.is_empty() || wire.payload_type.len() > PAYLOAD_TYPE_BYTES_MAX {
            return Err(EnvelopeError::Member { member: "payloadType", expected: "1 to 128 bytes" });
        }
        if wire.signatures.is_empty() || wire.signatures.len() > SIGNATURES_MAX {
            return Err(EnvelopeError::Member { member: "signatures", expected: "1 to 32 signatures" });
        }
        let payload =
            decode(&wire.payload).ok_or(EnvelopeError::Member { member: "payload", expected: "canonical base64" })?;
        let signatures = wire.signatures.iter().map(read_signature).collect::<Result<_, _>>()?;
        Ok(Self { payload_type: wire.payload_type, payload, signatures, bytes: bytes.to_vec() })
    }

    /// The media type of the payload; it is signed too.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload, **not verified**.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, **not verified**.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The envelope as JSON: the bytes it was read from, or our own encoding if it was made here or signed again.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The SHA-256 of [`Self::to_json`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// True if the bytes are the ones this crate writes: no spaces, members in order, the standard alphabet. The registry
    /// admits nothing else, so that one signed statement has one spelling and one digest.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        self.encode() == self.bytes
    }

    /// The same envelope as this crate writes it; signatures stay valid, since they do not cover the spelling.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.bytes = self.encode();
        self
    }

    /// The pre-authentication encoding, which is what a signature covers: `DSSEv1`, and type and payload with their lengths.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        let head = format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, self.payload.len());
        let mut message = head.into_bytes();
        message.extend_from_slice(&self.payload);
        message
    }

    /// Adds (or renews) the signature of `key`.
    pub fn add_signature(&mut self, key: &SecretKey) {
        let keyid = key.public().id().to_string();
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: key.sign(&self.pae()) });
        self.bytes = self.encode();
    }

    /// Adds the signatures of `other` that this envelope has not, so that people can sign copies and the copies be joined.
    ///
    /// # Errors
    /// [`SignatureError::OtherContent`] if `other` signs another type or payload.
    pub fn join(&mut self, other: &Self) -> Result<(), SignatureError> {
        if self.payload_type != other.payload_type || self.payload != other.payload {
            return Err(SignatureError::OtherContent);
        }
        for signature in &other.signatures {
            if !self.signatures.contains(signature) {
                self.signatures.push(signature.clone());
            }
        }
        self.bytes = self.encode();
        Ok(())
    }

    /// The keys of `keys` that signed: each key once, whatever its hints say.
    #[must_use]
    pub fn signers_among(&self, keys: &[PublicKey]) -> Vec<PublicKey> {
        let message = self.pae();
        let unique: BTreeSet<&PublicKey> = keys.iter().collect();
        let signed = |key: &PublicKey| self.signatures.iter().any(|signature| key.verify(&message, &signature.sig));
        unique.into_iter().filter(|key| signed(key)).copied().collect()
    }

    /// The first signer whose hint names a key that `find` knows. Each signature is looked at once at most, whatever anybody sends.
    #[must_use]
    pub fn first_signer(&self, find: impl Fn(&KeyId) -> Option<PublicKey>) -> Option<PublicKey> {
        let message = self.pae();
        self.signatures.iter().find_map(|signature| {
            let key = find(&signature.keyid.parse().ok()?)?;
            key.verify(&message, &signature.sig).then_some(key)
        })
    }

    /// The signers, when **every** signature must be by the key that `find` gives for its hint: no signature may be unknown,
    /// false or repeated. This is the registry's rule; it makes each byte of an entry count.
    ///
    /// # Errors
    /// [`SignatureError`] naming the first signature that fails.
    pub fn signers_exactly(
        &self,
        find: impl Fn(&KeyId) -> Option<PublicKey>,
    ) -> Result<Vec<PublicKey>, SignatureError> {
        let message = self.pae();
        let mut signers = Vec::new();
        for signature in &self.signatures {
            let id: KeyId = signature.keyid.parse().map_err(|_| unknown(signature))?;
            let key = find(&id).ok_or_else(|| unknown(signature))?;
            if !key.verify(&message, &signature.sig) {
                return Err(SignatureError::False { keyid: id });
            }
            if signers.contains(&key) {
                return Err(SignatureError::Repeated { keyid: id });
            }
            signers.push(key);
        }
        Ok(signers)
    }

    fn encode(&self) -> Vec<u8> {
        let sign = |s: &Signature| WireSignature { keyid: s.keyid.clone(), sig: STANDARD.encode(s.sig) };
        let wire = Wire {
            payload: STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(sign).collect(),
        };
        serde_json::to_vec(&wire).expect("a struct of strings always serialises")
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({}, {} bytes, {:?})", self.payload_type, self.payload.len(), self.signatures)
    }
}

fn unknown(signature: &Signature) -> SignatureError {
    SignatureError::Unknown { keyid: signature.keyid.clone() }
}

fn read_signature(wire: &WireSignature) -> Result<Signature, EnvelopeError> {
    if wire.keyid.len() > KEY_HINT_BYTES_MAX {
        return Err(EnvelopeError::Member { member: "keyid", expected: "at most 128 bytes" });
    }
    let sig = decode(&wire.sig).and_then(|bytes| bytes.try_into().ok());
    let sig = sig.ok_or(EnvelopeError::Member { member: "sig", expected: "canonical base64 of 64 bytes" })?;
    Ok(Signature { keyid: wire.keyid.clone(), sig })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}
