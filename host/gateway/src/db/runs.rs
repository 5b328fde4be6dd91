//! The table `runs`: every request that was ever accepted, and its answer once there is one. It knows rows, not what a
//! request may do.

use iog_protocol::ids::{Digest, DomainId, EntryName, RequestId};
use iog_protocol::time::Timestamp;
use sqlx::{Any, Executor, Row as _};

use super::{Reader, StoreError, Write, damaged, position};

/// What names a run: a caller takes an id once, for ever.
#[derive(Debug, Clone, Copy)]
pub struct RunKey<'a> {
    /// Who asks.
    pub caller: &'a DomainId,
    /// The caller's name for the request.
    pub request_id: &'a RequestId,
}

/// A request as it is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    /// Its name.
    pub key: RunKey<'a>,
    /// The digest of the signed request.
    pub request_digest: &'a Digest,
    /// The service; empty where none could be told.
    pub service: &'a str,
    /// The module asked for.
    pub module: &'a Digest,
    /// The entry asked for.
    pub entry: &'a EntryName,
    /// When it came.
    pub accepted_at: Timestamp,
    /// The signed request.
    pub envelope: &'a [u8],
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The digest of the signed request.
    pub request_digest: Digest,
    /// Its answer, once there is one.
    pub answer: Option<Vec<u8>>,
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The digest of the signed request.
    pub request_digest: Digest,
    /// The signed request.
    pub envelope: Vec<u8>,
}

/// Records a request that was not known.
///
/// # Errors
/// [`StoreError`].
pub async fn insert(write: &mut Write, run: &Accepted<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO runs (caller, request_id, request_digest, service, module, entry, accepted_at, envelope)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(run.key.caller.as_str())
    .bind(run.key.request_id.as_str())
    .bind(run.request_digest.to_string())
    .bind(run.service)
    .bind(run.module.to_string())
    .bind(run.entry.as_str())
    .bind(run.accepted_at.unix())
    .bind(run.envelope.to_vec())
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// What is known of a request.
///
/// # Errors
/// [`StoreError`].
pub async fn find<'e>(
    database: impl Executor<'e, Database = Any>,
    key: RunKey<'_>,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query("SELECT request_digest, answer FROM runs WHERE caller = $1 AND request_id = $2")
        .bind(key.caller.as_str())
        .bind(key.request_id.as_str())
        .fetch_optional(database)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Known { request_digest: row.try_get::<String, _>(0)?.parse().map_err(damaged)?, answer: row.try_get(1)? }))
}

/// Every request without an answer, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn unanswered(readers: &Reader) -> Result<Vec<Unanswered>, StoreError> {
    let rows = sqlx::query(
        "SELECT request_digest, envelope FROM runs
         WHERE answer IS NULL ORDER BY accepted_at, caller, request_id",
    )
    .fetch_all(readers)
    .await?;
    let unanswered = |row: &sqlx::any::AnyRow| {
        Ok(Unanswered {
            request_digest: row.try_get::<String, _>(0)?.parse().map_err(damaged)?,
            envelope: row.try_get(1)?,
        })
    };
    rows.iter().map(unanswered).collect()
}

/// Stores the answer and where its receipt is in the log. An answer that is there stays.
///
/// # Errors
/// [`StoreError`].
pub async fn answer(write: &mut Write, key: RunKey<'_>, at: u64, answer: &[u8]) -> Result<(), StoreError> {
    sqlx::query("UPDATE runs SET position = $1, answer = $2 WHERE caller = $3 AND request_id = $4 AND answer IS NULL")
        .bind(position(at))
        .bind(answer.to_vec())
        .bind(key.caller.as_str())
        .bind(key.request_id.as_str())
        .execute(&mut **write)
        .await?;
    Ok(())
}
