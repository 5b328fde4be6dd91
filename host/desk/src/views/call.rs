//! One question and what came of it: every domain's part with its receipt, and the merged answer. Results are what receipts
//! proved; `iog_caller` has verified them.

use std::path::PathBuf;

use iog_caller::verify::ReceiptSummary;
use iog_caller::{CallReport, LeftOut, LimitKind, Merged, Part, PartOutcome, Unmerged, Usage, Why};
use iog_protocol::ids::{Asn, Digest, DomainId, EntryName, ModuleName, ModuleVersion, RequestId};
use iog_protocol::run::ResultJson;
use serde::Serialize;
use serde_json::Value;

/// A result that cannot be read, though its receipt proves it; the module's author's.
#[derive(Debug, thiserror::Error)]
#[error("a result is not JSON")]
pub struct NotJson(#[from] serde_json::Error);

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallView {
    /// The module asked.
    pub module: AskedModule,
    /// The entry called.
    pub entry: EntryName,
    /// Entries of the registry's log that was used.
    pub log_size: u64,
    /// Why the center was not reached, where it was not.
    pub offline: Option<String>,
    /// Domains whose answer counts.
    pub answered: usize,
    /// Domains asked.
    pub asked: usize,
    /// Bytes that left all domains together.
    pub left_bytes: u64,
    /// By domain.
    pub parts: Vec<PartView>,
    /// The merged answer, where one was wanted.
    pub merged: Option<MergedView>,
}

/// The module of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedModule {
    /// Its name.
    pub name: ModuleName,
    /// Its version.
    pub version: ModuleVersion,
    /// SHA-256 of the component.
    pub digest: Digest,
}

/// One domain's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartView {
    /// The domain.
    pub domain: DomainId,
    /// Its first AS number.
    pub asn: Option<Asn>,
    /// The request it was sent.
    pub request_id: Option<RequestId>,
    /// Its result, where it gave one.
    pub result: Option<Value>,
    /// Why there is none.
    pub missing: Option<MissingView>,
    /// What its receipt says.
    pub receipt: Option<ReceiptSummary>,
    /// Bytes of all its responses on the wire.
    pub left_bytes: u64,
    /// Where request, result and receipt are stored.
    pub bundle: Option<PathBuf>,
}

/// Why a part is missing: for machines, and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingView {
    /// Why.
    #[serde(flatten)]
    pub why: Why,
    /// In words; they may be another domain's.
    pub message: String,
}

/// What `merge` gave.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MergedView {
    /// A result.
    Result {
        /// The result.
        result: Value,
        /// What merging cost here.
        usage: Usage,
        /// Whose answers are not in it, and why; sorted by domain.
        without: Vec<LeftOut>,
    },
    /// None; the results of the parts are there all the same.
    Failed {
        /// Why, in words.
        problem: String,
        /// Whose fault it is: the `module`'s, the `caller`'s own limit, or `here`.
        whose: &'static str,
        /// The limit that was reached, where it was one.
        limit: Option<MergeLimitView>,
    },
}

/// A limit of the caller's own that a merge reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MergeLimitView {
    /// Which.
    pub which: LimitKind,
    /// How much was allowed: bytes, seconds or fuel.
    pub max: u64,
    /// Whose answer is the largest.
    pub largest: Option<DomainId>,
}

impl MergedView {
    fn failed(why: &Unmerged) -> Self {
        let limit = match why {
            Unmerged::Limit { which, max, largest, .. } => {
                Some(MergeLimitView { which: *which, max: *max, largest: largest.clone() })
            }
            _ => None,
        };
        Self::Failed { problem: why.to_string(), whose: why.whose(), limit }
    }
}

impl CallView {
    /// A call that came to its end.
    ///
    /// # Errors
    /// [`NotJson`].
    pub fn of(report: &CallReport) -> Result<Self, NotJson> {
        let merged = match &report.merged {
            Some(Merged::Result { result, usage, without }) => {
                Some(MergedView::Result { result: value(result)?, usage: *usage, without: without.clone() })
            }
            Some(Merged::Failed { why }) => Some(MergedView::failed(why)),
            None => None,
        };
        Ok(Self {
            module: AskedModule {
                name: report.module_name.clone(),
                version: report.module_version.clone(),
                digest: report.module,
            },
            entry: report.entry.clone(),
            log_size: report.log_size,
            offline: report.offline.clone(),
            answered: report.answered(),
            asked: report.parts.len(),
            left_bytes: report.left_bytes(),
            parts: report.parts.iter().map(PartView::of).collect::<Result<_, _>>()?,
            merged,
        })
    }
}

impl PartView {
    fn of(part: &Part) -> Result<Self, NotJson> {
        let (result, missing) = match &part.outcome {
            PartOutcome::Result(result) => (Some(value(result)?), None),
            PartOutcome::Missing(why) => (None, Some(MissingView { why: why.clone(), message: why.to_string() })),
        };
        Ok(Self {
            domain: part.domain.clone(),
            asn: part.asn,
            request_id: part.request_id.clone(),
            result,
            missing,
            receipt: part.receipt.clone(),
            left_bytes: part.left_bytes,
            bundle: part.bundle.clone(),
        })
    }
}

fn value(result: &ResultJson) -> Result<Value, NotJson> {
    Ok(serde_json::from_str(result.as_str())?)
}
