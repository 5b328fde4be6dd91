//! How an accepted request ended: what its caller learns, what its receipt says, and what stays with the operators.

use iog_data::QueryError;
use iog_machine::error::chain;
use iog_module::NotRun;
use iog_protocol::ids::Digest;
use iog_protocol::manifest::ReleaseClass;
use iog_protocol::run::{LimitKind, Outcome, ResultJson, RunRequest};
use iog_sandbox::{Blame, RunOutcome, TrapKind, Usage};

use crate::admit::Refusal;
use crate::executor::{Executed, Snapshots};
use crate::prepare::Runnable;
use crate::release::{self, Withheld};

/// A request that was accepted, as its receipt names it.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    /// What was asked.
    pub request: &'a RunRequest,
    /// The digest of the signed request.
    pub digest: Digest,
    /// The digest of the policy that it fell under.
    pub policy: Digest,
}

/// How a request ended, before it is signed.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The outcome.
    pub outcome: Outcome,
    /// The result that was released.
    pub result: Option<ResultJson>,
    /// What the run used; `None` where nothing ran.
    pub usage: Option<Usage>,
    /// The release class of what ran; `None` where nothing ran.
    pub class: Option<ReleaseClass>,
    /// Index of the module's approval in the registry's log, where it ran.
    pub approval_index: Option<u64>,
    /// Entries of the registry's log on which the decision rested.
    pub registry_size: u64,
    /// What the data of each slot were; empty where nothing ran.
    pub snapshots: Snapshots,
    /// Whether the request counts against quotas.
    pub counted: bool,
    /// What the operators are told and the caller is not.
    pub detail: Option<String>,
}

impl Ending {
    /// An end without a run, decided on so many entries of the registry's log.
    #[must_use]
    pub fn without_run(outcome: Outcome, registry_size: u64) -> Self {
        Self {
            outcome,
            result: None,
            usage: None,
            class: None,
            approval_index: None,
            registry_size,
            snapshots: Snapshots::new(),
            counted: true,
            detail: None,
        }
    }

    /// The gateway's own fault: the caller learns that, the operators why, and it costs nobody's quota.
    #[must_use]
    pub fn ours(problem: String, registry_size: u64) -> Self {
        Self { detail: Some(problem), ..Self::failed("the gateway failed", registry_size) }
    }

    /// A run that a stop of the gateway cut off: its own fault as well.
    #[must_use]
    pub fn cut_off(registry_size: u64) -> Self {
        Self::failed("the gateway stopped before the run had ended", registry_size)
    }

    fn failed(reason: &str, registry_size: u64) -> Self {
        let outcome = Outcome::Failed { reason: reason.to_owned() };
        Self { counted: false, ..Self::without_run(outcome, registry_size) }
    }

    /// A refusal, which costs no quota.
    #[must_use]
    pub fn refused(refusal: &Refusal, registry_size: u64) -> Self {
        let outcome = Outcome::refused(refusal.code(), refusal.to_string());
        Self { counted: false, ..Self::without_run(outcome, registry_size) }
    }

    /// A guest that was never started, though it was admitted.
    #[must_use]
    pub fn not_run(why: &NotRun<QueryError>, registry_size: u64) -> Self {
        let outcome = match why {
            NotRun::Late | NotRun::NoGround(QueryError::Deadline) => Outcome::Limit { which: LimitKind::Time },
            NotRun::Cancelled | NotRun::NoGround(QueryError::Cancelled) => Outcome::Cancelled,
            NotRun::NoGround(error) => return Self::ours(chain(error), registry_size),
        };
        Self::without_run(outcome, registry_size)
    }

    /// The end of a guest that was started, with its result where it may leave.
    #[must_use]
    pub fn of_run(runnable: &Runnable, request: &RunRequest, executed: Executed, registry_size: u64) -> Self {
        let plain = |outcome| Self::without_run(outcome, registry_size);
        let ending = match executed.report.outcome {
            RunOutcome::Succeeded { json } => match release::release(json, runnable.limits.result_bytes()) {
                Ok(released) => Self { result: Some(released), ..plain(Outcome::Succeeded) },
                Err(Withheld::TooLarge) => plain(Outcome::Limit { which: LimitKind::Output }),
                Err(Withheld::Malformed) => {
                    Self::ours("the sandbox wrote a result that is not JSON".to_owned(), registry_size)
                }
            },
            RunOutcome::Trapped { kind } => {
                let (shown, detail) = trap(runnable.class, kind);
                Self { detail: Some(detail), ..plain(Outcome::Trapped { kind: shown }) }
            }
            RunOutcome::Limit(limit) => plain(Outcome::Limit { which: limit_kind(limit) }),
            RunOutcome::BadParams(problem) => {
                Self::refused(&Refusal::Params { problem: problem.to_string() }, registry_size)
            }
            RunOutcome::ParamsTooLarge(problem) => match problem.blame {
                Blame::Caller => Self::refused(&Refusal::Params { problem: problem.to_string() }, registry_size),
                Blame::Module => {
                    let detail = Some(format!("the parameters: {problem}"));
                    Self { detail, ..plain(Outcome::Limit { which: LimitKind::Memory }) }
                }
            },
            RunOutcome::UnknownEntry { .. } => {
                Self::refused(&Refusal::NoEntry { entry: request.entry.clone() }, registry_size)
            }
            RunOutcome::NotGranted { interface } => Self::refused(&Refusal::NotGranted { interface }, registry_size),
            RunOutcome::Cancelled => plain(Outcome::Cancelled),
            RunOutcome::Failed(problem) => Self::ours(problem, registry_size),
        };
        let (usage, class) = (Some(executed.report.usage), Some(runnable.class));
        Self { usage, class, snapshots: executed.snapshots, ..ending }
    }
}

/// Where a guest trapped can tell of the data; only for open data does the caller learn the kind. What the caller is shown,
/// and what the operators are.
fn trap(class: ReleaseClass, kind: TrapKind) -> (String, String) {
    let kind = kind.to_string().replace('_', "-");
    let shown = if class == ReleaseClass::Open { kind.clone() } else { "trap".to_owned() };
    (shown, kind)
}

fn limit_kind(limit: iog_sandbox::LimitKind) -> LimitKind {
    match limit {
        iog_sandbox::LimitKind::Fuel => LimitKind::Fuel,
        iog_sandbox::LimitKind::Memory => LimitKind::Memory,
        iog_sandbox::LimitKind::Time => LimitKind::Time,
        iog_sandbox::LimitKind::Output => LimitKind::Output,
        iog_sandbox::LimitKind::HostCalls => LimitKind::HostCalls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_learns_neither_where_a_guest_trapped_nor_why_we_failed() {
        let shown = |class| trap(class, TrapKind::MemoryOutOfBounds);
        let detail = "memory-out-of-bounds".to_owned();
        assert_eq!(shown(ReleaseClass::Reviewed), ("trap".to_owned(), detail.clone()));
        assert_eq!(shown(ReleaseClass::Open), (detail.clone(), detail));
        let ended = Ending::ours("postgres://user:secret@db: row 7 does not fit".to_owned(), 3);
        assert_eq!(ended.outcome, Outcome::Failed { reason: "the gateway failed".to_owned() });
        assert!(ended.detail.is_some_and(|detail| detail.contains("row 7")), "the operators learn it");
        assert!(!ended.counted, "and it costs nobody's quota");
    }
}
