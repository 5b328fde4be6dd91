//! The table `receipts`: the leaves of the receipt log in order, each with the provider's view of it. It knows rows, not
//! what a receipt says.

use sqlx::Row as _;

use super::runs::RunKey;
use super::{Reader, StoreError, Write, position};

/// A receipt as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct NewReceipt<'a> {
    /// Its index in the log.
    pub position: u64,
    /// The run it is of.
    pub run: RunKey<'a>,
    /// The log's entry.
    pub entry: &'a [u8],
    /// What the provider keeps.
    pub provider_view: &'a [u8],
}

/// Stores a receipt. One that is there already stays: after an unclear failure it is the same one.
///
/// # Errors
/// [`StoreError`].
pub async fn insert(write: &mut Write, receipt: &NewReceipt<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO receipts (position, caller, request_id, entry, provider_view) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (position) DO NOTHING",
    )
    .bind(position(receipt.position))
    .bind(receipt.run.caller.as_str())
    .bind(receipt.run.request_id.as_str())
    .bind(receipt.entry.to_vec())
    .bind(receipt.provider_view.to_vec())
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// At most `count` entries from index `first` on, in order, each with its index.
///
/// # Errors
/// [`StoreError`].
pub async fn entries(readers: &Reader, first: u64, count: u64) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let rows = sqlx::query("SELECT position, entry FROM receipts WHERE position >= $1 ORDER BY position LIMIT $2")
        .bind(position(first))
        .bind(position(count))
        .fetch_all(readers)
        .await?;
    let entry =
        |row: &sqlx::any::AnyRow| Ok((u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(u64::MAX), row.try_get(1)?));
    rows.iter().map(entry).collect()
}

/// How many bytes each of the same has, with its index.
///
/// # Errors
/// [`StoreError`].
pub async fn lengths(readers: &Reader, first: u64, count: u64) -> Result<Vec<(u64, u64)>, StoreError> {
    let sql = "SELECT position, CAST(OCTET_LENGTH(entry) AS BIGINT) FROM receipts WHERE position >= $1
               ORDER BY position LIMIT $2";
    let rows = sqlx::query(sql).bind(position(first)).bind(position(count)).fetch_all(readers).await?;
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    let length = |row: &sqlx::any::AnyRow| Ok((unsigned(row.try_get(0)?), unsigned(row.try_get(1)?)));
    rows.iter().map(length).collect()
}
