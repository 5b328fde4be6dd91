//! The gateway's database: one SQLite file with the journal and the receipt log, opened by one process at a time, written
//! durably (WAL, `synchronous=FULL`) through one connection. One file for each table; nothing outside this folder writes
//! SQL. It knows tables and durability, not what may be written.

pub mod checkpoint;
mod error;
pub mod ledger;
mod migrations;
pub mod receipts;
pub mod runs;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor, Transaction};

pub use error::StoreError;
pub(crate) use error::damaged;

/// Readers beside the one writer.
const READERS_MAX: u32 = 4;

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// A transaction that writes.
pub type Write = Transaction<'static, Any>;

/// Connections that read.
pub type Reader = AnyPool;

/// The open database. Dropping it gives the lock back.
#[derive(Debug)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
    _lock: File,
}

impl Store {
    /// Opens or creates the database, takes the lock, checks the file and brings it to the present version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let lock = lock(path)?;
        let url = url(path);
        check(&url, path).await?;
        let writer = pool(1).connect(&url).await?;
        migrations::migrate(&writer, path).await?;
        let readers = pool(READERS_MAX).connect(&url).await?;
        Ok(Self { writer, readers, _lock: lock })
    }

    /// Begins to write. What is written is durable, all of it or nothing, once the transaction is committed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write(&self) -> Result<Write, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// The only connection that writes, for a test that damages what it holds.
    #[cfg(test)]
    pub(crate) fn writer(&self) -> &AnyPool {
        &self.writer
    }

    /// Connections that read.
    #[must_use]
    pub fn readers(&self) -> &Reader {
        &self.readers
    }

    /// Closes every connection; what was committed is on disk already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let path = path.with_extension("lock");
    let io = |source| StoreError::Io { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
    }
}

/// A path as a SQLite address: bytes that mean something in an address are escaped.
fn url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url + "?mode=rwc"
}

fn pool(connections_max: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections_max).acquire_timeout(Duration::from_secs(10)).after_connect(
        |connection, _| {
            Box::pin(async move {
                connection.execute("PRAGMA journal_mode = WAL").await?;
                connection.execute("PRAGMA synchronous = FULL").await?;
                connection.execute("PRAGMA foreign_keys = ON").await?;
                let timeout = format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}");
                connection.execute(sqlx::AssertSqlSafe(timeout)).await?;
                Ok(())
            })
        },
    )
}

/// Looks at the file before anything is written to it.
async fn check(url: &str, path: &Path) -> Result<(), StoreError> {
    let mut probe = AnyConnection::connect(url).await?;
    let found = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut probe).await;
    let damaged = |report| StoreError::Damaged { path: path.to_owned(), report };
    let report: String = found.map_err(|e| match e {
        sqlx::Error::Database(said) => damaged(said.message().to_owned()),
        other => StoreError::Database(other),
    })?;
    probe.close().await?;
    if report == "ok" { Ok(()) } else { Err(damaged(report)) }
}

/// An index or a number of rows as the database's integer; a log does not grow beyond it.
fn position(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_gateway_is_kept_out_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b%.sqlite");
        let store = Store::open(&path).await.unwrap();
        assert!(path.is_file(), "the address reaches the file that was meant");
        assert!(matches!(Store::open(&path).await, Err(StoreError::InUse { .. })));
        store.close().await;
        drop(store);
        Store::open(&path).await.unwrap();
    }

    #[tokio::test]
    async fn writes_are_durable_by_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("j.sqlite")).await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(store.writer()).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(store.writer()).await.unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[tokio::test]
    async fn a_newer_journal_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.sqlite");
        let store = Store::open(&path).await.unwrap();
        store.writer().execute("PRAGMA user_version = 99").await.unwrap();
        store.close().await;
        drop(store);
        assert!(matches!(Store::open(&path).await, Err(StoreError::TooNew { found: 99, .. })));
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.sqlite");
        std::fs::write(&path, vec![7; 8_192]).unwrap();
        assert!(matches!(Store::open(&path).await, Err(StoreError::Damaged { .. })));
    }
}
