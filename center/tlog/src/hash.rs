//! The hashes of the RFC 6962 section 2.1 Merkle tree (SHA-256 with domain separation).
//! This file must not know sizes or indexes; the shape of the tree is in `tree`.

use crate::text::{TextError, from_base64, from_hex, to_base64, to_hex};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// Length of a hash in bytes.
pub const HASH_BYTES: usize = 32;

/// A SHA-256 hash of the tree: of a leaf, of an inner node, or a root. Displayed and parsed as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }

    /// Padded standard base64, 44 characters; the spelling inside checkpoints and proofs.
    pub fn to_base64(&self) -> String {
        to_base64(&self.0)
    }

    /// Reads 64 characters of lower-case hexadecimal.
    ///
    /// # Errors
    /// [`TextError::Hex`] for any other spelling.
    pub fn from_hex(text: &str) -> Result<Self, TextError> {
        from_hex(text).map(Self)
    }

    /// Reads 44 characters of canonical base64.
    ///
    /// # Errors
    /// [`TextError::Base64`] or [`TextError::HashLength`].
    pub fn from_base64(text: &str) -> Result<Self, TextError> {
        let bytes = from_base64(text)?;
        Self::try_from(bytes.as_slice())
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl From<Hash> for [u8; HASH_BYTES] {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = TextError;

    fn try_from(bytes: &[u8]) -> Result<Self, TextError> {
        bytes.try_into().map(Self).map_err(|_| TextError::HashLength(bytes.len()))
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({})", self.to_hex())
    }
}

impl FromStr for Hash {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::from_hex(text)
    }
}

/// Hash of a log entry: `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// Hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// Root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}
