//! Making a receipt: fields in, leaf and disclosures out, and from these the two views. Salts are passed in.

use std::collections::BTreeMap;

use iog_tlog::InclusionProof;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{CALLER_FIELDS, CallerFields, Cost, ProviderFields};
use super::{CanonicalError, Disclosure, RECEIPT_VERSION, ReceiptBody, ReceiptKind, ReceiptView, SALT_BYTES, Salt};

/// Who is to hold a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The domain that asked: [`CALLER_FIELDS`].
    Caller,
    /// The domain that answered: everything.
    Provider,
}

/// A receipt before it is sealed. The caller's cost is derived from the exact one, so that it cannot be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptDraft {
    caller: CallerFields,
    provider: ProviderFields,
}

impl ReceiptDraft {
    /// Takes the fields. `caller.cost` is overwritten by what `provider.cost_exact` and the release class allow.
    #[must_use]
    pub fn new(mut caller: CallerFields, provider: ProviderFields) -> Self {
        caller.cost = Cost::for_caller(&provider.cost_exact, caller.release);
        Self { caller, provider }
    }

    /// Commits to every field. `salts` must give fresh random bytes at each call.
    ///
    /// # Errors
    /// [`CanonicalError`] if a field is longer than a receipt may hold.
    pub fn seal(&self, mut salts: impl FnMut() -> [u8; SALT_BYTES]) -> Result<SealedReceipt, CanonicalError> {
        let mut commitments = BTreeMap::new();
        let mut disclosures = BTreeMap::new();
        for (field, value) in members(&self.caller)?.into_iter().chain(members(&self.provider)?) {
            let disclosure = Disclosure { salt: Salt(salts()), value };
            commitments.insert(field.clone(), disclosure.commitment(&field)?);
            disclosures.insert(field, disclosure);
        }
        let body = ReceiptBody { version: RECEIPT_VERSION, kind: ReceiptKind::Run, commitments };
        Ok(SealedReceipt { body, disclosures })
    }
}

fn members(fields: &impl Serialize) -> Result<Map<String, Value>, CanonicalError> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(CanonicalError::NotJson),
    }
}

/// A receipt with everything opened: what the gateway keeps. Not a statement before its leaf is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedReceipt {
    /// The leaf.
    pub body: ReceiptBody,
    /// Every field with its salt.
    pub disclosures: BTreeMap<String, Disclosure>,
}

impl SealedReceipt {
    /// The log entry.
    ///
    /// # Errors
    /// [`CanonicalError`], which no sealed body causes.
    pub fn entry(&self) -> Result<Vec<u8>, CanonicalError> {
        self.body.entry()
    }

    /// The view of one side, with the proof that the leaf is in the log.
    #[must_use]
    pub fn view(&self, audience: Audience, proof: &InclusionProof) -> ReceiptView {
        let shown = |field: &str| audience == Audience::Provider || CALLER_FIELDS.contains(&field);
        let disclosed = self.disclosures.iter().filter(|(field, _)| shown(field));
        ReceiptView {
            body: self.body.clone(),
            disclosed: disclosed.map(|(field, disclosure)| (field.clone(), disclosure.clone())).collect(),
            proof: proof.to_string(),
        }
    }
}
