//! Which database a table is in, without saying where that is.

use sha2::{Digest, Sha256};

/// Tells databases apart without saying where they are: the SHA-256 of kind and place.
pub(super) type Place = [u8; 32];

pub(super) fn place(kind: &str, at: &[u8]) -> Place {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(at).finalize().into()
}
