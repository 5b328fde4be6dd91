//! Typed content behind a signature: [`Signed`] is what arrives, [`Verified`] is what may be believed.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::envelope::{ENVELOPE_BYTES_MAX, Envelope};
use super::error::{EnvelopeError, SignatureError};
use crate::ids::{Digest, KeyId};
use crate::keys::{PublicKey, SecretKey};

/// Content that travels signed: JSON under a media type of its own, so that no signature fits two kinds of content.
pub trait Content: Serialize + DeserializeOwned {
    /// The media type, signed with the content.
    const PAYLOAD_TYPE: &'static str;
    /// The largest envelope of this content, in bytes.
    const ENVELOPE_BYTES_MAX: usize = ENVELOPE_BYTES_MAX;

    /// Reads the payload, after its signatures were checked.
    ///
    /// # Errors
    /// The JSON reader's words.
    fn from_payload(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// Signed content that nobody has verified yet, and which therefore cannot be read.
pub struct Signed<T> {
    envelope: Envelope,
    content: PhantomData<fn() -> T>,
}

impl<T: Content> Signed<T> {
    /// Signs `content` with each of `keys`.
    ///
    /// # Errors
    /// [`EnvelopeError::Json`] if the content has no JSON form (a map whose keys are not text).
    pub fn sign(content: &T, keys: &[&SecretKey]) -> Result<Self, EnvelopeError> {
        let payload = serde_json::to_vec(content).map_err(|error| EnvelopeError::Json(error.to_string()))?;
        let mut envelope = Envelope::new(T::PAYLOAD_TYPE, payload);
        for key in keys {
            envelope.add_signature(key);
        }
        Ok(Self { envelope, content: PhantomData })
    }

    /// Reads an envelope of this content, without looking inside.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it is not an envelope, is too large or holds another type.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::from_envelope(Envelope::parse_bounded(bytes, T::ENVELOPE_BYTES_MAX)?)
    }

    /// Takes an envelope for one of this content.
    ///
    /// # Errors
    /// [`EnvelopeError::PayloadType`] if it holds another type.
    pub fn from_envelope(envelope: Envelope) -> Result<Self, EnvelopeError> {
        if envelope.payload_type() != T::PAYLOAD_TYPE {
            let found = envelope.payload_type().chars().flat_map(char::escape_default).collect();
            return Err(EnvelopeError::PayloadType { found, expected: T::PAYLOAD_TYPE });
        }
        Ok(Self { envelope, content: PhantomData })
    }

    /// The content, if at least one of `keys` signed it.
    ///
    /// # Errors
    /// [`SignatureError`] if none did, or what they signed is malformed.
    pub fn verify(&self, keys: &[PublicKey]) -> Result<Verified<T>, SignatureError> {
        self.verify_threshold(keys, 1)
    }

    /// The content, if at least `needed` different keys of `keys` signed it. A threshold of 0 counts as 1.
    ///
    /// # Errors
    /// [`SignatureError`] if fewer did, or what they signed is malformed.
    pub fn verify_threshold(&self, keys: &[PublicKey], needed: usize) -> Result<Verified<T>, SignatureError> {
        let needed = needed.max(1);
        let signers = self.envelope.signers_among(keys);
        if signers.len() < needed {
            return Err(SignatureError::Threshold { found: signers.len(), needed });
        }
        let content =
            T::from_payload(self.envelope.payload()).map_err(|error| SignatureError::Content(error.to_string()))?;
        Ok(Verified { content, signers })
    }
}

impl<T> Signed<T> {
    /// The envelope's bytes, as received.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.envelope.to_json()
    }

    /// The envelope.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The SHA-256 of the envelope's bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.envelope.digest()
    }

    /// The well-formed key ids that the signatures name: where to look for keys, not a proof of anything.
    #[must_use]
    pub fn key_hints(&self) -> Vec<KeyId> {
        self.envelope.signatures().iter().filter_map(|signature| signature.keyid.parse().ok()).collect()
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { envelope: self.envelope.clone(), content: PhantomData }
    }
}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({:?})", self.envelope)
    }
}

/// Content whose signatures were checked. Only [`Signed`]'s `verify` functions make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    content: T,
    signers: Vec<PublicKey>,
}

impl<T> Verified<T> {
    /// The content on its own.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.content
    }

    /// The keys, of those asked for, that signed.
    #[must_use]
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}
