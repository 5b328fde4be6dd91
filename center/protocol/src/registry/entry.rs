//! Opening one entry: bytes to statement, with the rules that hold for every type. Signatures are checked by each type's
//! rule, which alone knows whose they must be.

use iog_tlog::MAX_ENTRY_BYTES;

use super::error::Invalid;
use super::flaw::Flaw;
use super::said::Said;
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
    /// What it says, where nobody has verified who says it.
    pub(super) fn said_by_nobody(self) -> Said {
        Said { signers: Vec::new(), statement: self.statement }
    }

    /// What it says and whose signatures it has. Only a judge knows whether they hold.
    pub(super) fn said(self) -> Said {
        let hints = self.envelope.signatures().iter().filter_map(|signature| signature.keyid.parse().ok());
        Said { signers: hints.collect(), statement: self.statement }
    }

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

    /// The signers, whose keys `find` must all know, with no signature false, strange or repeated.
    pub(crate) fn signers(&self, find: impl Fn(&KeyId) -> Option<PublicKey>) -> Result<Vec<PublicKey>, Flaw> {
        Ok(self.envelope.signers_exactly(find)?)
    }
}

impl Said {
    /// Reads an entry of the log without judging it; `None` for what is not a statement. Nothing in it is verified.
    #[must_use]
    pub fn read(entry: &[u8]) -> Option<Self> {
        Some(Entry::open(0, entry).ok()?.said())
    }
}
