//! The database: opening it, and one file for each group of tables. Nothing above this module writes SQL, and nothing in it decides
//! what may be written.

pub(crate) mod catalog;
pub(crate) mod log;
pub(crate) mod members;

use std::{sync::Arc, time::Duration};

use sqlx::{Any, AnyPool, Executor, Transaction, any::AnyPoolOptions};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::CenterError;

const SCHEMA: &str = include_str!("schema.sql");
/// What a connection to SQLite is told: a write-ahead log, and no answer before the disk has it.
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                              PRAGMA busy_timeout = 10000;";
const CONNECTIONS_MAX: u32 = 8;

/// The center's database. Clones share it.
#[derive(Clone)]
pub(crate) struct Database {
    pool: AnyPool,
    begin: &'static str,
    /// One writer at a time: SQLite has no more, and waiting here is fair.
    writer: Arc<Mutex<()>>,
}

/// A transaction that holds the writer's place.
pub(crate) struct Write<'a> {
    pub(crate) tx: Transaction<'static, Any>,
    _place: MutexGuard<'a, ()>,
}

impl Database {
    /// Opens (and creates, if it is a SQLite file) the database at `url`, and its tables.
    pub(crate) async fn open(url: &str) -> Result<Self, CenterError> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        connection.execute(SQLITE_PRAGMAS).await?;
                    }
                    Ok(())
                })
            });
        let pool = options.connect(&connect_url(url)).await.map_err(CenterError::database("opening it"))?;
        let begin = if is_sqlite { "BEGIN IMMEDIATE" } else { "BEGIN ISOLATION LEVEL SERIALIZABLE" };
        let database = Self { pool, begin, writer: Arc::default() };
        let mut write = database.write("creating its tables").await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *write.tx).await.map_err(CenterError::database("creating its tables"))?;
        write.commit("creating its tables").await?;
        Ok(database)
    }

    pub(crate) async fn write(&self, action: &'static str) -> Result<Write<'_>, CenterError> {
        let place = self.writer.lock().await;
        let tx = self.pool.begin_with(self.begin).await.map_err(CenterError::database(action))?;
        Ok(Write { tx, _place: place })
    }

    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Write<'_> {
    pub(crate) async fn commit(self, action: &'static str) -> Result<(), CenterError> {
        self.tx.commit().await.map_err(CenterError::database(action))
    }
}

/// A SQLite path becomes a URL that creates the file; other addresses stay as they are.
fn connect_url(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.contains('?') => {
            let path = path.trim_start_matches("//").replace('%', "%25").replace('#', "%23");
            format!("sqlite://{path}?mode=rwc")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sqlite_is_durable_and_has_its_tables() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("a %b.db").display());
        let database = Database::open(&url).await.unwrap();
        let one = |sql: &'static str| {
            let pool = database.pool().clone();
            async move { sqlx::query_scalar::<_, String>(sql).fetch_one(&pool).await.unwrap() }
        };
        assert_eq!(one("PRAGMA journal_mode").await, "wal");
        assert_eq!(one("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await, "2");
        assert!(dir.path().join("a %b.db").exists());
        // Opening again keeps what is there.
        Database::open(&url).await.unwrap();
    }
}
