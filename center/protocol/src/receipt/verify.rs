//! Believing a receipt: every opened field against its commitment, all of them against the leaf, the leaf against the
//! gateway's signed log. Needs only the view and the gateway's key.

use std::ops::Deref;

use iog_tlog::{Checkpoint, InclusionError, InclusionProof, VerifierKey, leaf_hash};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fields::{CALLER_FIELDS, CallerFields, PROVIDER_FIELDS, ProviderFields};
use super::{CanonicalError, RECEIPT_VERSION, ReceiptView};
use crate::ids::Digest;
use crate::run::{Outcome, ResultJson, RunAnswer};

/// Largest receipt view, in bytes of JSON: all fields at their longest, a proof of 64 hashes and a checkpoint with many
/// cosignatures fit. Readers bound what they receive by it.
pub const RECEIPT_VIEW_BYTES_MAX: usize = 256 * 1024;

/// Why a receipt proves nothing: the fault of whoever supplied it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Another version of the format.
    #[error("receipt has version {found}, known is {RECEIPT_VERSION}")]
    Version {
        /// The version it states.
        found: u32,
    },
    /// The leaf does not commit to exactly the fields of its version.
    #[error("receipt does not commit to field `{field}`, or commits to it though its version has none")]
    Fields {
        /// The first field lacking or too many.
        field: String,
    },
    /// A field this view must show is not opened.
    #[error("receipt does not disclose field `{field}`")]
    Undisclosed {
        /// The field.
        field: String,
    },
    /// A value or salt does not fit its commitment.
    #[error("field `{field}` of the receipt does not fit its commitment")]
    Commitment {
        /// The field.
        field: String,
    },
    /// A value has no canonical form, so nothing can commit to it.
    #[error("field `{field}` of the receipt cannot be committed to")]
    Value {
        /// The field.
        field: String,
        /// Why not.
        source: CanonicalError,
    },
    /// The disclosed values are not those of a receipt.
    #[error("receipt fields are malformed: {0}")]
    Malformed(String),
    /// Two fields contradict each other.
    #[error("receipt contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The proof carries data that nothing authenticates.
    #[error("receipt proof has unauthenticated extra data")]
    Extra,
    /// The key is of another gateway's log.
    #[error("receipt of domain `{gateway}` cannot be in log `{log}`")]
    WrongLog {
        /// The domain in the receipt.
        gateway: String,
        /// Name of the key given.
        log: String,
    },
    /// The leaf is not in the log, or the log's signature does not hold.
    #[error("receipt is not proven to be in the log of its gateway")]
    Proof(#[source] InclusionError),
    /// The answer that came with it says something else.
    #[error("answer and receipt differ in `{member}`")]
    Answer {
        /// Where.
        member: &'static str,
    },
}

/// A receipt that holds: what its gateway stated, and cannot take back or state otherwise to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    caller: CallerFields,
    provider: Option<ProviderFields>,
    snapshot_commitment: Digest,
    leaf_index: u64,
    checkpoint: Checkpoint,
}

impl Deref for VerifiedReceipt {
    type Target = CallerFields;

    fn deref(&self) -> &CallerFields {
        &self.caller
    }
}

impl VerifiedReceipt {
    /// The provider's fields, if the view was the provider's.
    #[must_use]
    pub const fn provider(&self) -> Option<&ProviderFields> {
        self.provider.as_ref()
    }

    /// Salted commitment to the state of the datasets read: the provider can open it later, and only truthfully.
    #[must_use]
    pub const fn snapshot_commitment(&self) -> &Digest {
        &self.snapshot_commitment
    }

    /// Index of the leaf in the gateway's log.
    #[must_use]
    pub const fn leaf_index(&self) -> u64 {
        self.leaf_index
    }

    /// The signed head of the gateway's log that includes it.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Checks that an answer says what this receipt states.
    ///
    /// # Errors
    /// [`ReceiptError::Answer`], naming the first difference.
    pub fn fits(&self, answer: &RunAnswer) -> Result<(), ReceiptError> {
        let digest = answer.result.as_ref().map(ResultJson::digest);
        let rules = [
            (answer.request_id == self.request_id, "request_id"),
            (answer.domain == self.gateway, "domain"),
            (answer.outcome == self.outcome, "outcome"),
            (digest == self.result_digest, "result"),
        ];
        match rules.into_iter().find(|(fits, _)| !fits) {
            Some((_, member)) => Err(ReceiptError::Answer { member }),
            None => Ok(()),
        }
    }
}

impl ReceiptView {
    /// Checks everything: form, commitments, log membership and that the fields agree with each other. `log` is the key
    /// of the gateway's receipt log, from the registry; its name is the log's origin.
    ///
    /// # Errors
    /// [`ReceiptError`], naming the field or the part that fails.
    pub fn verify(&self, log: &VerifierKey) -> Result<VerifiedReceipt, ReceiptError> {
        self.check_form()?;
        self.check_commitments()?;
        let (leaf_index, checkpoint) = self.check_proof(log)?;
        let caller: CallerFields = self.read(&CALLER_FIELDS)?;
        let shows_all = PROVIDER_FIELDS.iter().all(|field| self.disclosed.contains_key(*field));
        let provider = if shows_all { Some(self.read(&PROVIDER_FIELDS)?) } else { None };
        check_agreement(&caller, provider.as_ref())?;
        if !log.name().ends_with(&format!("/receipts/{}", caller.gateway)) {
            return Err(ReceiptError::WrongLog { gateway: caller.gateway.to_string(), log: log.name().to_owned() });
        }
        let snapshots = self.body.commitments.get("snapshots");
        let snapshot_commitment = *snapshots.ok_or_else(|| ReceiptError::Fields { field: "snapshots".into() })?;
        Ok(VerifiedReceipt { caller, provider, snapshot_commitment, leaf_index, checkpoint })
    }

    fn check_form(&self) -> Result<(), ReceiptError> {
        if self.body.version != RECEIPT_VERSION {
            return Err(ReceiptError::Version { found: self.body.version });
        }
        let known = || CALLER_FIELDS.iter().chain(&PROVIDER_FIELDS);
        if let Some(field) = known().find(|field| !self.body.commitments.contains_key(**field)) {
            return Err(ReceiptError::Fields { field: (*field).to_owned() });
        }
        if let Some(field) = self.body.commitments.keys().find(|field| !known().any(|name| name == field)) {
            return Err(ReceiptError::Fields { field: field.clone() });
        }
        match CALLER_FIELDS.iter().find(|field| !self.disclosed.contains_key(**field)) {
            Some(field) => Err(ReceiptError::Undisclosed { field: (*field).to_owned() }),
            None => Ok(()),
        }
    }

    fn check_commitments(&self) -> Result<(), ReceiptError> {
        for (field, disclosure) in &self.disclosed {
            let found = disclosure.commitment(field);
            let found = found.map_err(|source| ReceiptError::Value { field: field.clone(), source })?;
            if self.body.commitments.get(field) != Some(&found) {
                return Err(ReceiptError::Commitment { field: field.clone() });
            }
        }
        Ok(())
    }

    fn check_proof(&self, log: &VerifierKey) -> Result<(u64, Checkpoint), ReceiptError> {
        let proof: InclusionProof = self.proof.parse().map_err(ReceiptError::Proof)?;
        if proof.extra.is_some() {
            return Err(ReceiptError::Extra);
        }
        let entry = self.body.entry().map_err(|source| ReceiptError::Value { field: "body".into(), source })?;
        let checkpoint = proof.verify(log, &leaf_hash(&entry)).map_err(ReceiptError::Proof)?;
        Ok((proof.index, checkpoint))
    }

    fn read<T: DeserializeOwned>(&self, fields: &[&str]) -> Result<T, ReceiptError> {
        let mut members = Map::new();
        for field in fields {
            let disclosure = self.disclosed.get(*field);
            let disclosure = disclosure.ok_or_else(|| ReceiptError::Undisclosed { field: (*field).to_owned() })?;
            members.insert((*field).to_owned(), disclosure.value.clone());
        }
        serde_json::from_value(Value::Object(members)).map_err(|error| ReceiptError::Malformed(error.to_string()))
    }
}

fn check_agreement(caller: &CallerFields, provider: Option<&ProviderFields>) -> Result<(), ReceiptError> {
    if (caller.outcome == Outcome::Succeeded) != caller.result_digest.is_some() {
        return Err(ReceiptError::Contradiction("there is a result if and only if the run succeeded"));
    }
    if provider.is_some_and(|provider| provider.cost_exact.for_caller(caller.release) != caller.cost) {
        return Err(ReceiptError::Contradiction("the caller's cost is not the exact cost quantised"));
    }
    Ok(())
}
