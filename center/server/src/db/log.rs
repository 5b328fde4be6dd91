//! The log's tables: entries in order, and the newest checkpoint. What is appended, and when, is the keeper's business.

use std::collections::BTreeMap;

use iog_keeper::{SignedHead, Storage};
use sqlx::Row;

use super::{Database, Write};
use crate::error::CenterError;

/// Entries asked for at once, of which only the times come.
const PAGE: i64 = 4_096;
const READ: &str = "reading the log";
const APPEND: &str = "appending to the log";

/// An entry as it is stored.
pub(crate) struct NewEntry {
    /// The envelope, which is JSON.
    pub(crate) text: String,
    /// When it was appended, in POSIX seconds.
    pub(crate) appended: i64,
}

impl Storage for Database {
    type Entry = NewEntry;
    type Error = CenterError;

    async fn entries(&self, first: u64, count: u64) -> Result<Vec<(u64, Vec<u8>)>, CenterError> {
        let rows =
            sqlx::query("SELECT log_index, entry FROM entries WHERE log_index >= $1 ORDER BY log_index LIMIT $2")
                .bind(signed(first))
                .bind(signed(count))
                .fetch_all(self.pool())
                .await
                .map_err(CenterError::database(READ))?;
        let entry = |row: &sqlx::any::AnyRow| {
            let index: i64 = row.try_get(0)?;
            let entry: String = row.try_get(1)?;
            Ok((u64::try_from(index).unwrap_or(u64::MAX), entry.into_bytes()))
        };
        rows.iter().map(entry).collect::<Result<_, sqlx::Error>>().map_err(CenterError::database(READ))
    }

    async fn lengths(&self, first: u64, count: u64) -> Result<Vec<(u64, u64)>, CenterError> {
        let sql = "SELECT log_index, CAST(OCTET_LENGTH(entry) AS BIGINT) FROM entries WHERE log_index >= $1 \
                   ORDER BY log_index LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(signed(first))
            .bind(signed(count))
            .fetch_all(self.pool())
            .await
            .map_err(CenterError::database(READ))?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
        let length = |row: &sqlx::any::AnyRow| Ok((unsigned(row.try_get(0)?), unsigned(row.try_get(1)?)));
        rows.iter().map(length).collect::<Result<_, sqlx::Error>>().map_err(CenterError::database(READ))
    }

    async fn head(&self) -> Result<Option<Vec<u8>>, CenterError> {
        let note: Option<String> = sqlx::query_scalar("SELECT note FROM checkpoint WHERE id = 0")
            .fetch_optional(self.pool())
            .await
            .map_err(CenterError::database(READ))?;
        Ok(note.map(String::into_bytes))
    }

    async fn commit(&self, entries: &[NewEntry], head: &SignedHead) -> Result<(), CenterError> {
        let mut write = self.write(APPEND).await?;
        for (index, entry) in (head.first..).zip(entries) {
            insert(&mut write, index, entry).await?;
        }
        set_checkpoint(&mut write, head).await?;
        write.commit(APPEND).await
    }
}

impl Database {
    /// Stores the genesis as entry 0 of a log that has none, before there is any checkpoint.
    pub(crate) async fn found(&self, genesis: &NewEntry) -> Result<(), CenterError> {
        let mut write = self.write(APPEND).await?;
        insert(&mut write, 0, genesis).await?;
        write.commit(APPEND).await
    }
}

impl Database {
    /// When the entries were appended that were so since `since`, POSIX seconds, by index.
    pub(crate) async fn appended_since(&self, since: i64) -> Result<BTreeMap<u64, i64>, CenterError> {
        let mut recent = BTreeMap::new();
        let mut before = i64::MAX;
        loop {
            let rows = sqlx::query(
                "SELECT log_index, appended FROM entries WHERE log_index < $1 ORDER BY log_index DESC LIMIT $2",
            )
            .bind(before)
            .bind(PAGE)
            .fetch_all(self.pool())
            .await
            .map_err(CenterError::database(READ))?;
            let read = |row: &sqlx::any::AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
            let page: Result<Vec<(i64, i64)>, sqlx::Error> = rows.iter().map(read).collect();
            let page = page.map_err(CenterError::database(READ))?;
            before = page.last().map_or(0, |(index, _)| *index);
            let is_last = page.iter().all(|(_, at)| *at < since);
            let fresh = page.into_iter().filter(|(_, at)| *at >= since);
            recent.extend(fresh.map(|(index, at)| (u64::try_from(index).unwrap_or(u64::MAX), at)));
            if is_last {
                return Ok(recent);
            }
        }
    }
}

async fn insert(write: &mut Write<'_>, index: u64, entry: &NewEntry) -> Result<(), CenterError> {
    sqlx::query("INSERT INTO entries (log_index, entry, appended) VALUES ($1, $2, $3)")
        .bind(signed(index))
        .bind(entry.text.as_str())
        .bind(entry.appended)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(APPEND))?;
    Ok(())
}

async fn set_checkpoint(write: &mut Write<'_>, head: &SignedHead) -> Result<(), CenterError> {
    sqlx::query(
        "INSERT INTO checkpoint (id, size, note) VALUES (0, $1, $2) \
         ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note",
    )
    .bind(signed(head.size))
    .bind(String::from_utf8_lossy(&head.note).into_owned())
    .execute(&mut *write.tx)
    .await
    .map_err(CenterError::database("keeping the checkpoint"))?;
    Ok(())
}

/// A log index as the database's integer; a log does not grow beyond it.
fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
