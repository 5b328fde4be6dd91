//! What a call tells while it runs and what it hands back at its end: plain data, for people and for machines.

use std::fmt;
use std::path::PathBuf;

use iog_inspect::WitTypeFact;
use iog_protocol::ids::{Asn, Digest, DomainId, EntryName, ModuleName, ModuleVersion, RequestId};
use iog_protocol::run::{Outcome, ResultJson};
use iog_sandbox::{LimitKind, Usage};
use serde::Serialize;

use crate::unmerged::Unmerged;
use crate::verify::ReceiptSummary;

/// Is told what happens. Called from several tasks; must return at once.
pub trait Events: Send + Sync {
    /// Something happened.
    fn event(&self, event: CallEvent);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Events for Quiet {
    fn event(&self, _event: CallEvent) {}
}

/// A step of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEvent {
    /// The registry is as new as it can be had.
    Synced {
        /// Entries of the log.
        log_size: u64,
        /// Why the center was not reached, where it was not.
        offline: Option<String>,
    },
    /// These domains will be asked.
    Found {
        /// The domains, sorted.
        domains: Vec<DomainId>,
    },
    /// A domain is being asked.
    Asked {
        /// Which.
        domain: DomainId,
    },
    /// A domain answered and its receipt verified.
    Answered {
        /// Which.
        domain: DomainId,
        /// How its run ended.
        outcome: Outcome,
    },
    /// A domain gave nothing that counts.
    Missing {
        /// Which.
        domain: DomainId,
        /// Why.
        why: Why,
    },
    /// The answers are being merged.
    Merging {
        /// Answers that count.
        answers: usize,
    },
}

/// Why a domain's answer is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// It did not accept the request.
    #[error("not accepted ({code}): {detail}")]
    NotAccepted {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        detail: String,
    },
    /// Its policy, quota or registry refused the run.
    #[error("refused ({code}): {reason}")]
    Refused {
        /// The gateway's code.
        code: String,
        /// The gateway's words.
        reason: String,
    },
    /// The run ended without a result.
    #[error("{outcome}")]
    NoResult {
        /// How it ended.
        outcome: Outcome,
    },
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    TimedOut {
        /// How long it was waited.
        seconds: u64,
    },
    /// No connection.
    #[error("unreachable: {detail}")]
    Unreachable {
        /// What the transport said.
        detail: String,
    },
    /// It answered, but its receipt does not prove the answer.
    #[error("not believed: {problem}")]
    NotBelieved {
        /// What does not hold.
        problem: String,
    },
    /// Its receipt proves what it answered, and that is not a value of the type that the entry returns: the provider's fault.
    #[error("answered something else than the entry returns: {problem}")]
    WrongType {
        /// What does not fit, and where.
        problem: String,
    },
    /// The registry has no such domain in force, or no address for it.
    #[error("{problem}")]
    NotInRegistry {
        /// What is missing.
        problem: String,
    },
    /// Something failed on this side.
    #[error("failed here: {problem}")]
    Here {
        /// What.
        problem: String,
    },
}

/// What came of one domain.
#[derive(Debug, Clone)]
pub enum PartOutcome {
    /// A result that its receipt proves.
    Result(ResultJson),
    /// Nothing that counts.
    Missing(Why),
}

/// One domain's part of a call.
#[derive(Debug, Clone)]
pub struct Part {
    /// The domain.
    pub domain: DomainId,
    /// Its first AS number in the registry.
    pub asn: Option<Asn>,
    /// Where it is asked, as the registry has it.
    pub address: Option<String>,
    /// The request it was sent.
    pub request_id: Option<RequestId>,
    /// What came of it.
    pub outcome: PartOutcome,
    /// What its receipt says; present whenever a receipt verified, also without a result.
    pub receipt: Option<ReceiptSummary>,
    /// Bytes of all response bodies of this domain on the wire.
    pub left_bytes: u64,
    /// Where request, receipt and result were stored.
    pub bundle: Option<PathBuf>,
}

impl Part {
    /// The result, where there is one.
    #[must_use]
    pub fn result(&self) -> Option<&ResultJson> {
        match &self.outcome {
            PartOutcome::Result(result) => Some(result),
            PartOutcome::Missing(_) => None,
        }
    }
}

/// What `merge` made of the answers.
#[derive(Debug, Clone)]
pub enum Merged {
    /// Its result and what it cost here.
    Result {
        /// Canonical JSON.
        result: ResultJson,
        /// What the local run used.
        usage: Usage,
        /// Whose answers are not in it, and why; sorted by domain.
        without: Vec<LeftOut>,
    },
    /// It did not end with a result; the parts are there all the same.
    Failed {
        /// Why, and whose fault it is.
        why: Unmerged,
    },
}

/// An answer without which the others could be joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Whose.
    pub domain: DomainId,
    /// Why.
    #[serde(flatten)]
    pub why: Spoils,
}

/// What the module's `merge` does with an answer that the others cannot be joined with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Spoils {
    /// It traps.
    Trapped,
    /// It reaches a limit, by this answer alone or by this one and those that are kept.
    Limit {
        /// Which.
        which: LimitKind,
    },
}

impl Spoils {
    /// Why answers cannot be joined, where it may be for some of them.
    #[must_use]
    pub fn by(why: &Unmerged) -> Option<Self> {
        match why {
            Unmerged::Trapped { .. } => Some(Self::Trapped),
            Unmerged::Limit { which, .. } => Some(Self::Limit { which: *which }),
            Unmerged::Shape { .. } | Unmerged::Here { .. } => None,
        }
    }
}

impl fmt::Display for Spoils {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trapped => f.write_str("the module's `merge` traps on it"),
            Self::Limit { which } => {
                let limit = match which {
                    LimitKind::Fuel => "fuel",
                    LimitKind::Memory => "memory",
                    LimitKind::Time => "time",
                    LimitKind::Output => "the joint answer's length",
                    LimitKind::HostCalls => "host calls",
                };
                write!(f, "with it `merge` reaches the limit of {limit}")
            }
        }
    }
}

/// What the functions of a call return, as the module's file says it; nothing where they return nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returns {
    /// The entry.
    pub entry: Option<WitTypeFact>,
    /// `merge`, where the module has one.
    pub merge: Option<WitTypeFact>,
}

/// What a call hands back. Parts are sorted by domain.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The module asked.
    pub module: Digest,
    /// Its name.
    pub module_name: ModuleName,
    /// Its version.
    pub module_version: ModuleVersion,
    /// The entry called.
    pub entry: EntryName,
    /// The types of what came back.
    pub returns: Returns,
    /// Entries of the registry's log that was used.
    pub log_size: u64,
    /// Why the center was not reached, where it was not.
    pub offline: Option<String>,
    /// Every domain asked.
    pub parts: Vec<Part>,
    /// The merged answer; `None` where the module has no `merge` or it was not wanted.
    pub merged: Option<Merged>,
}

impl CallReport {
    /// Domains whose answer counts.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.parts.iter().filter(|part| part.result().is_some()).count()
    }

    /// Bytes that left all domains together.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.left_bytes).sum()
    }
}
