//! The ledger: what callers use up at a service, each entry reserved in the transaction that begins a run and closed in the
//! transaction of its receipt. It is the table `ledger` and nothing else; how much may be used up is its clients' business
//! (`quotas.rs` is the first).
//!
//! An entry is an amount of one kind, at most one of a kind for a run. It is `reserved` while the run is under way, then
//! `settled` (that much was used, at most what was reserved) or `released` (nothing was). Reserved and settled entries
//! count alike, from the moment at which they were reserved: what is used at a moment is the sum of both. A crash leaves
//! reservations, which count until the run gets its receipt at the next start.

use std::fmt;

use iog_protocol::ids::DomainId;
use iog_protocol::time::Timestamp;
use sqlx::{Any, Executor, Row as _};

use super::runs::RunKey;
use super::{StoreError, Write};

/// What is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Runs.
    Runs,
    /// Distinct values of a parameter.
    Targets {
        /// The parameter's name.
        parameter: String,
    },
}

impl fmt::Display for Kind {
    /// As it is stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs => f.write_str("runs"),
            Self::Targets { parameter } => write!(f, "targets/{parameter}"),
        }
    }
}

/// Whose use of what is added up.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Who uses it up.
    pub caller: &'a DomainId,
    /// At which service; empty where none could be told.
    pub service: &'a str,
    /// What.
    pub kind: &'a Kind,
}

/// An amount to be reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is used up.
    pub kind: Kind,
    /// Which one, where distinct ones are counted; else empty.
    pub item: String,
    /// How much, at most.
    pub amount: u64,
}

/// What a run has used of all that was reserved for it and is not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// All of it.
    Everything,
    /// Nothing.
    Nothing,
}

/// Reserves entries for a run that begins.
///
/// # Errors
/// [`StoreError`], also if an entry of the kind is there for the run.
pub async fn reserve(
    write: &mut Write,
    run: RunKey<'_>,
    service: &str,
    at: Timestamp,
    entries: &[Entry],
) -> Result<(), StoreError> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO ledger (caller, request_id, service, kind, item, amount, reserved_at, state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'reserved')",
        )
        .bind(run.caller.as_str())
        .bind(run.request_id.as_str())
        .bind(service)
        .bind(entry.kind.to_string())
        .bind(entry.item.as_str())
        .bind(stored(entry.amount))
        .bind(at.unix())
        .execute(&mut **write)
        .await?;
    }
    Ok(())
}

/// Settles one kind for less than was reserved (never for more), before the rest is closed. An entry that is closed stays
/// as it is.
///
/// # Errors
/// [`StoreError`].
pub async fn settle(write: &mut Write, run: RunKey<'_>, kind: &Kind, amount: u64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE ledger SET state = 'settled', amount = min(amount, $1)
         WHERE caller = $2 AND request_id = $3 AND kind = $4 AND state = 'reserved'",
    )
    .bind(stored(amount))
    .bind(run.caller.as_str())
    .bind(run.request_id.as_str())
    .bind(kind.to_string())
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// Closes what is still reserved for a run, in the transaction of its receipt. What is closed stays as it is, so that the
/// transaction may be tried again.
///
/// # Errors
/// [`StoreError`].
pub async fn close(write: &mut Write, run: RunKey<'_>, spent: Spent) -> Result<(), StoreError> {
    let state = match spent {
        Spent::Everything => "settled",
        Spent::Nothing => "released",
    };
    sqlx::query("UPDATE ledger SET state = $1 WHERE caller = $2 AND request_id = $3 AND state = 'reserved'")
        .bind(state)
        .bind(run.caller.as_str())
        .bind(run.request_id.as_str())
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// What was used after each of two moments, the later one first: settled and reserved, not released.
///
/// # Errors
/// [`StoreError`].
pub async fn used_since<'e>(
    database: impl Executor<'e, Database = Any>,
    account: Account<'_>,
    [later, earlier]: [Timestamp; 2],
) -> Result<[u64; 2], StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(sum(CASE WHEN reserved_at > $4 THEN amount ELSE 0 END), 0), coalesce(sum(amount), 0)
         FROM ledger
         WHERE caller = $1 AND service = $2 AND kind = $3 AND state <> 'released' AND reserved_at > $5",
    )
    .bind(account.caller.as_str())
    .bind(account.service)
    .bind(account.kind.to_string())
    .bind(later.unix())
    .bind(earlier.unix())
    .fetch_one(database)
    .await?;
    Ok([read(row.try_get(0)?), read(row.try_get(1)?)])
}

/// How many distinct items other than `item` were used after a moment: settled and reserved, not released.
///
/// # Errors
/// [`StoreError`].
pub async fn other_items_since<'e>(
    database: impl Executor<'e, Database = Any>,
    account: Account<'_>,
    item: &str,
    moment: Timestamp,
) -> Result<u64, StoreError> {
    let others = sqlx::query_scalar(
        "SELECT count(DISTINCT item) FROM ledger
         WHERE caller = $1 AND service = $2 AND kind = $3 AND item <> $4 AND state <> 'released' AND reserved_at > $5",
    )
    .bind(account.caller.as_str())
    .bind(account.service)
    .bind(account.kind.to_string())
    .bind(item)
    .bind(moment.unix())
    .fetch_one(database)
    .await?;
    Ok(read(others))
}

/// An amount as the database's integer; none is that large.
fn stored(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// An amount of the database; none is stored that is below nothing.
fn read(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or(0)
}

#[cfg(test)]
mod tests;
