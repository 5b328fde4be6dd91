//! What providers signed, checked again here: a list that says which receipts hold, and each in full.

use std::path::{Path, PathBuf};

use iog_caller::verify::ReceiptSummary;
use iog_caller::{VerifiedBundle, VerifyError};
use iog_machine::error::chain;
use iog_protocol::ids::Digest;
use iog_protocol::run::RunRequest;
use serde::Serialize;
use serde_json::Value;

use crate::text::escaped;

/// Receipts and whether each holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptChecks {
    /// How many hold.
    pub verified: usize,
    /// How many do not.
    pub failed: usize,
    /// The genesis that everything rests on.
    pub genesis: Digest,
    /// Entries of the log at hand.
    pub log_size: u64,
    /// In the order of their files.
    pub receipts: Vec<ReceiptCheck>,
}

/// One receipt and whether it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptCheck {
    /// Its file.
    pub file: String,
    /// Whether it holds.
    pub ok: bool,
    /// What it says, or why it does not hold.
    #[serde(flatten)]
    pub found: Found,
}

/// What came of one receipt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// It holds.
    Holds {
        /// What it says.
        receipt: Box<ReceiptSummary>,
        /// What today's registry says against the module at that time, where it does.
        module_today: Option<String>,
    },
    /// It does not.
    Not {
        /// Why, without control characters.
        reason: String,
    },
}

impl ReceiptChecks {
    /// What verifying `found` gave, against the first `log_size` entries of the log that `genesis` founds.
    #[must_use]
    pub fn of(genesis: Digest, log_size: u64, found: &[(PathBuf, Result<VerifiedBundle, VerifyError>)]) -> Self {
        let receipts: Vec<ReceiptCheck> = found.iter().map(|(file, found)| ReceiptCheck::of(file, found)).collect();
        let verified = receipts.iter().filter(|check| check.ok).count();
        Self { verified, failed: receipts.len() - verified, genesis, log_size, receipts }
    }
}

impl ReceiptCheck {
    fn of(file: &Path, found: &Result<VerifiedBundle, VerifyError>) -> Self {
        let result = match found {
            Ok(held) => {
                Found::Holds { receipt: Box::new(held.receipt.clone()), module_today: held.module_today.clone().err() }
            }
            Err(error) => Found::Not { reason: escaped(&chain(error)) },
        };
        Self { file: file.to_string_lossy().into_owned(), ok: found.is_ok(), found: result }
    }

    /// The file with its call's folder, which tells the calls apart.
    #[must_use]
    pub fn short_name(&self) -> String {
        let parts: Vec<_> = Path::new(&self.file).iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        parts.into_iter().rev().collect::<Vec<_>>().join("/")
    }
}

/// Receipts in full.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipts {
    /// In the order of their files.
    pub receipts: Vec<ReceiptPage>,
}

/// One receipt that holds, with its request and result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptPage {
    /// Its file.
    pub file: String,
    /// What was asked.
    pub request: RunRequest,
    /// What the provider signed.
    pub receipt: ReceiptSummary,
    /// The result, where there is one.
    pub result: Option<Value>,
    /// What today's registry says against the module at that time, where it does.
    pub module_today: Option<String>,
}

impl ReceiptPage {
    /// A bundle that holds.
    ///
    /// # Errors
    /// When the result is not JSON, which a verified one always is.
    pub fn of(file: &Path, held: VerifiedBundle) -> Result<Self, serde_json::Error> {
        Ok(Self {
            file: file.to_string_lossy().into_owned(),
            result: held.result.map(|result| serde_json::from_str(result.as_str())).transpose()?,
            request: held.request,
            receipt: held.receipt,
            module_today: held.module_today.err(),
        })
    }
}
