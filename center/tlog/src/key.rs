//! Keys of signed notes (C2SP signed-note v1.0.0): verifier keys as text, and the signer of plain notes.
//! Secrets are never shown: this file must not give a signer `Display` or a telling `Debug`.

use crate::signature::{MAX_NAME_BYTES, NoteSignature, is_name};
use crate::text::{TextError, from_base64, from_hex, to_base64};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Longest verifier key text accepted, in bytes: a name, two `+`, 8 hex digits, base64 of 33 bytes.
const MAX_VKEY_BYTES: usize = MAX_NAME_BYTES + 1 + 8 + 1 + 44;

/// What a key signs, and so how its signature reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Type `0x01`: Ed25519 over the note text. What a log signs its checkpoints with.
    Ed25519,
    /// Type `0x04`: timestamped Ed25519 cosignature (C2SP tlog-cosignature, cosignature/v1). What a witness signs with.
    CosignatureV1,
}

impl KeyKind {
    /// The type byte in key ids and verifier keys.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, KeyError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            other => Err(KeyError::UnsupportedKind(other)),
        }
    }
}

/// A key or key text that cannot be used. Whoever wrote the key is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The name is empty, too long, or has a space, a control character or a `+`.
    #[error("key name `{0}` is empty, too long, or has a space, a control character or a plus sign")]
    Name(String),
    /// Not of the form `name+id+key`.
    #[error("verifier key is not of the form `name+id+key`")]
    Form,
    /// The id or the key material is misspelled.
    #[error("verifier key of `{name}` is misspelled")]
    Spelling {
        /// Key name.
        name: String,
        /// What is wrong.
        source: TextError,
    },
    /// A signature type this implementation does not know.
    #[error("signature type 0x{0:02x} is not supported")]
    UnsupportedKind(u8),
    /// Not a usable Ed25519 public key (wrong length, not on the curve, or of small order).
    #[error("verifier key of `{0}` is not a usable Ed25519 public key")]
    Material(String),
    /// The id in the text is not the one computed from name, type and key.
    #[error("verifier key of `{0}` carries a wrong key id")]
    IdMismatch(String),
}

/// A public key of a note signer: name, id hint, kind and key. Written `name+hex(id)+base64(type || key)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key of the kind given.
    ///
    /// # Errors
    /// [`KeyError::Name`] for a name notes cannot carry, [`KeyError::Material`] for a key of small order.
    pub fn new(name: &str, kind: KeyKind, key: &VerifyingKey) -> Result<Self, KeyError> {
        check_name(name)?;
        if key.is_weak() {
            return Err(KeyError::Material(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, kind, key), kind, key: *key })
    }

    /// A key that signs notes (type `0x01`), such as a log's.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn ed25519(name: &str, key: &VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, KeyKind::Ed25519, key)
    }

    /// A key that cosigns checkpoints with a time (type `0x04`), such as a witness's.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn cosigner(name: &str, key: &VerifyingKey) -> Result<Self, KeyError> {
        Self::new(name, KeyKind::CosignatureV1, key)
    }

    /// Name of the signer. For a log it is the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes, big-endian, of the SHA-256 of name, type and key. A hint to find keys, no authentication.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether a signature line claims to be of this key.
    pub fn claims(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// Strict Ed25519 verification (no malleable signature, no small-order point).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.byte()];
        material.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, to_base64(&material))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_VKEY_BYTES {
            return Err(KeyError::Form);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        check_name(name)?;
        let spelling = |source| KeyError::Spelling { name: name.to_owned(), source };
        let id = u32::from_be_bytes(from_hex(id).map_err(spelling)?);
        let material = from_base64(material).map_err(spelling)?;
        let Some((kind, bytes)) = material.split_first() else {
            return Err(KeyError::Material(name.to_owned()));
        };
        let kind = KeyKind::from_byte(*kind)?;
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Material(name.to_owned()))?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Material(name.to_owned()))?;
        let parsed = Self::new(name, kind, &key)?;
        if parsed.id == id { Ok(parsed) } else { Err(KeyError::IdMismatch(name.to_owned())) }
    }
}

/// Signs note texts with an Ed25519 key (type `0x01`). The secret is wiped on drop.
pub struct NoteSigner {
    verifier: VerifierKey,
    key: SigningKey,
}

impl NoteSigner {
    /// A signer under this name. For a log the name is its origin.
    ///
    /// # Errors
    /// As [`VerifierKey::new`].
    pub fn ed25519(name: &str, key: &SigningKey) -> Result<Self, KeyError> {
        let verifier = VerifierKey::ed25519(name, &key.verifying_key())?;
        Ok(Self { verifier, key: key.clone() })
    }

    /// Signs exactly these bytes of text. The text must be one a note can carry: UTF-8 that ends in a newline.
    pub fn sign(&self, text: &str) -> NoteSignature {
        let bytes = self.key.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.verifier.name.clone(), id: self.verifier.id, bytes }
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// Refuses names a note cannot carry: empty, too long, with white space, a control character or `+`.
pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    if is_name(name) { Ok(()) } else { Err(KeyError::Name(name.chars().take(MAX_NAME_BYTES).collect())) }
}

fn key_id(name: &str, kind: KeyKind, key: &VerifyingKey) -> u32 {
    let hash =
        Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(key.as_bytes()).finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}
