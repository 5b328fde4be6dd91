//! Opening one entry: bytes to statement, with the rules that hold for every type. Signatures are checked by each type's
//! rule, which alone knows whose they must be.

use std::collections::BTreeMap;

use iog_tlog::MAX_ENTRY_BYTES;

use super::error::Invalid;
use super::flaw::Flaw;
use crate::dsse::Envelope;
use crate::ids::{Digest, KeyId};
use crate::keys::PublicKey;
use crate::statements::{PAYLOAD_TYPE, Statement, parse_payload};

/// An entry that has the form of a statement.
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) digest: Digest,
    pub(crate) statement: Statement,
    envelope: Envelope,
}

impl Entry {
    pub(crate) fn open(index: u64, bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(Invalid::TooLarge { bytes: bytes.len(), bytes_max: MAX_ENTRY_BYTES });
        }
        let envelope = Envelope::parse(bytes)?;
        if !envelope.is_canonical() {
            return Err(Invalid::NotCanonical);
        }
        if envelope.payload_type() != PAYLOAD_TYPE {
            return Err(Invalid::Statement("its media type is another one".to_owned()));
        }
        let statement = parse_payload(envelope.payload()).map_err(|error| Invalid::Statement(error.to_string()))?;
        Ok(Self { index, digest: envelope.digest(), statement, envelope })
    }

    /// The digest of what was signed: the same however many signatures are taken away, added or exchanged.
    pub(crate) fn payload_digest(&self) -> Digest {
        Digest::of(self.envelope.payload())
    }

    /// The signers, all of whom must be among `candidates`, with no signature false, strange or repeated.
    pub(crate) fn signers<'a>(
        &self,
        candidates: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Result<Vec<PublicKey>, Flaw> {
        let known: BTreeMap<KeyId, PublicKey> = candidates.into_iter().map(|key| (key.id(), *key)).collect();
        Ok(self.envelope.signers_exactly(&known)?)
    }
}
