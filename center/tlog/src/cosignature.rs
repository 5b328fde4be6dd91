//! Timestamped Ed25519 cosignatures of checkpoints (C2SP tlog-cosignature, cosignature/v1, type `0x04`).
//! It says "at this time this was the largest consistent head I had seen"; who keeps that promise is not decided here.

use crate::key::{KeyError, KeyKind, VerifierKey};
use crate::note_error::NoteError;
use crate::signature::NoteSignature;
use ed25519_dalek::{Signer as _, SigningKey};
use std::fmt;

/// Bytes of a cosignature after the key id: time (8, big-endian) and Ed25519 signature (64).
pub const COSIGNATURE_BYTES: usize = 72;

/// Signs checkpoints with a time. The secret is wiped on drop.
pub struct Cosigner {
    verifier: VerifierKey,
    key: SigningKey,
}

impl Cosigner {
    /// A cosigner under this name.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn new(name: &str, key: &SigningKey) -> Result<Self, KeyError> {
        let verifier = VerifierKey::cosigner(name, &key.verifying_key())?;
        Ok(Self { verifier, key: key.clone() })
    }

    /// Cosigns a checkpoint text (with its final newline) at a time in POSIX seconds.
    pub fn cosign(&self, checkpoint_text: &str, time: u64) -> NoteSignature {
        let signature = self.key.sign(message(checkpoint_text, time).as_bytes());
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        NoteSignature { name: self.verifier.name().to_owned(), id: self.verifier.id(), bytes }
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Verifies a cosignature line on a checkpoint text and gives its time in POSIX seconds.
///
/// # Errors
/// [`NoteError::BadSignature`] if the line is not this key's valid cosignature, or the key is of another kind.
pub fn verify(key: &VerifierKey, checkpoint_text: &str, signature: &NoteSignature) -> Result<u64, NoteError> {
    let bad = || NoteError::BadSignature(key.name().to_owned());
    if key.kind() != KeyKind::CosignatureV1 || !key.claims(signature) {
        return Err(bad());
    }
    let bytes: &[u8; COSIGNATURE_BYTES] = signature.bytes.as_slice().try_into().map_err(|_| bad())?;
    let (time, rest) = bytes.split_first_chunk::<8>().ok_or_else(bad)?;
    let ed25519: &[u8; 64] = rest.try_into().map_err(|_| bad())?;
    let time = u64::from_be_bytes(*time);
    if key.verifies(message(checkpoint_text, time).as_bytes(), ed25519) { Ok(time) } else { Err(bad()) }
}

fn message(checkpoint_text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{checkpoint_text}")
}
