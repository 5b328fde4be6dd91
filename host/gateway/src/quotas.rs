//! Quotas as entries of the ledger: a run counts once against the runs of the last hour and day, and its target against the
//! distinct targets of the last day. It counts and leaves it to the policy whether that is too much.

use iog_protocol::ids::{Digest, DomainId, ServiceName};
use iog_protocol::time::Timestamp;

use crate::db::ledger::{self, Account, Entry, Kind};
use crate::db::{Store, StoreError, Write};
use crate::policy::Used;

/// Seconds of the hourly quota.
const HOUR_S: i64 = 3_600;
/// Seconds of the daily quotas.
const DAY_S: i64 = 86_400;

/// A counted parameter with its value.
#[derive(Debug, Clone)]
pub struct Target {
    /// The parameter's name.
    pub parameter: String,
    /// The digest of the value's canonical text, by which distinct values are counted.
    pub value: Digest,
}

impl Target {
    fn kind(&self) -> Kind {
        Kind::Targets { parameter: self.parameter.clone() }
    }
}

/// What one run takes.
pub(crate) fn entries(target: Option<&Target>) -> Vec<Entry> {
    let run = Entry { kind: Kind::Runs, item: String::new(), amount: 1 };
    let target = target.map(|target| Entry { kind: target.kind(), item: target.value.to_string(), amount: 1 });
    [run].into_iter().chain(target).collect()
}

/// What a caller has used before the run that this transaction begins.
pub(crate) async fn used(
    write: &mut Write,
    caller: &DomainId,
    service: &str,
    target: Option<&Target>,
    now: Timestamp,
) -> Result<Used, StoreError> {
    let runs = Account { caller, service, kind: &Kind::Runs };
    let [runs_last_hour, runs_last_day] = ledger::used_since(&mut **write, runs, windows(now)).await?;
    let other_targets_last_day = match target {
        None => 0,
        Some(target) => {
            let targets = Account { caller, service, kind: &target.kind() };
            let [_, day] = windows(now);
            ledger::other_items_since(&mut **write, targets, &target.value.to_string(), day).await?
        }
    };
    Ok(Used { runs_last_hour, runs_last_day, other_targets_last_day })
}

/// Runs of a caller at a service.
#[derive(Debug, Clone, Copy)]
pub struct RunsUsed {
    /// In the last hour.
    pub last_hour: u64,
    /// In the last day.
    pub last_day: u64,
}

/// Runs that a caller has used at a service.
///
/// # Errors
/// [`StoreError`].
pub async fn runs_used(
    store: &Store,
    caller: &DomainId,
    service: &ServiceName,
    now: Timestamp,
) -> Result<RunsUsed, StoreError> {
    let runs = Account { caller, service: service.as_str(), kind: &Kind::Runs };
    let [last_hour, last_day] = ledger::used_since(store.readers(), runs, windows(now)).await?;
    Ok(RunsUsed { last_hour, last_day })
}

/// When the last hour and the last day began.
fn windows(now: Timestamp) -> [Timestamp; 2] {
    [HOUR_S, DAY_S].map(|seconds| Timestamp::from_unix(now.unix() - seconds))
}
