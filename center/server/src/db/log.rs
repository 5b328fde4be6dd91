//! The log's tables: entries in order, and the newest checkpoint.

use sqlx::Row;

use super::{Database, Write};
use crate::error::CenterError;

const READ: &str = "reading the log";
const APPEND: &str = "appending to the log";

impl Database {
    /// All entries from `start` on, at most `count`, in order. A gap is an error.
    pub(crate) async fn entries(&self, start: u64, count: u64) -> Result<Vec<Vec<u8>>, CenterError> {
        let rows = sqlx::query(
            "SELECT log_index, entry FROM entries WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index",
        )
        .bind(signed(start))
        .bind(signed(start.saturating_add(count)))
        .fetch_all(self.pool())
        .await
        .map_err(CenterError::database(READ))?;
        let mut entries = Vec::with_capacity(rows.len());
        for (expected, row) in (start..).zip(rows) {
            let index: i64 = row.try_get(0).map_err(CenterError::database(READ))?;
            let entry: String = row.try_get(1).map_err(CenterError::database(READ))?;
            if index != signed(expected) {
                return Err(CenterError::Log { reason: format!("entry {expected} is missing") });
            }
            entries.push(entry.into_bytes());
        }
        Ok(entries)
    }

    /// The newest checkpoint note, if one was ever signed.
    pub(crate) async fn checkpoint(&self) -> Result<Option<String>, CenterError> {
        sqlx::query_scalar("SELECT note FROM checkpoint WHERE id = 0")
            .fetch_optional(self.pool())
            .await
            .map_err(CenterError::database(READ))
    }

    /// Keeps a newer checkpoint.
    pub(crate) async fn set_checkpoint(&self, size: u64, note: &str) -> Result<(), CenterError> {
        let action = "keeping the checkpoint";
        let mut write = self.write(action).await?;
        sqlx::query(
            "INSERT INTO checkpoint (id, size, note) VALUES (0, $1, $2) \
             ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note",
        )
        .bind(signed(size))
        .bind(note)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(action))?;
        write.commit(action).await
    }

    /// Appends entries from index `first` on, all or none.
    pub(crate) async fn append(&self, first: u64, entries: &[String], now: i64) -> Result<(), CenterError> {
        let mut write = self.write(APPEND).await?;
        for (index, entry) in (first..).zip(entries) {
            insert(&mut write, index, entry, now).await?;
        }
        write.commit(APPEND).await
    }
}

async fn insert(write: &mut Write<'_>, index: u64, entry: &str, now: i64) -> Result<(), CenterError> {
    sqlx::query("INSERT INTO entries (log_index, entry, appended) VALUES ($1, $2, $3)")
        .bind(signed(index))
        .bind(entry)
        .bind(now)
        .execute(&mut *write.tx)
        .await
        .map_err(CenterError::database(APPEND))?;
    Ok(())
}

/// A log index as the database's integer; a log does not grow beyond it.
fn signed(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
