//! The schema, version after version. Nothing here knows what the columns mean to the gateway; each table's own file does.

use std::path::Path;

use sqlx::{AnyPool, Executor};

use super::error::StoreError;

/// Each step takes a database from its index to the next version; a step is never changed once released.
const STEPS: &[&[&str]] = &[FOUNDED, WITH_LEDGER];

const FOUNDED: &[&str] = &[
    "CREATE TABLE runs (
        caller TEXT NOT NULL, request_id TEXT NOT NULL, request_digest TEXT NOT NULL,
        service TEXT NOT NULL, module TEXT NOT NULL, entry TEXT NOT NULL,
        accepted_at BIGINT NOT NULL, counted BIGINT NOT NULL, envelope BLOB NOT NULL, position BIGINT, answer BLOB,
        PRIMARY KEY (caller, request_id))",
    "CREATE INDEX runs_used ON runs (caller, service, accepted_at) WHERE counted = 1",
    "CREATE INDEX runs_unfinished ON runs (accepted_at) WHERE answer IS NULL",
    "CREATE TABLE targets (
        caller TEXT NOT NULL, request_id TEXT NOT NULL, service TEXT NOT NULL,
        parameter TEXT NOT NULL, value TEXT NOT NULL, asked_at BIGINT NOT NULL,
        PRIMARY KEY (caller, request_id))",
    "CREATE INDEX targets_used ON targets (caller, service, parameter, asked_at)",
    "CREATE TABLE receipts (
        position BIGINT PRIMARY KEY, caller TEXT NOT NULL, request_id TEXT NOT NULL,
        entry BLOB NOT NULL, provider_view BLOB NOT NULL)",
    "CREATE TABLE checkpoint (only_row BIGINT PRIMARY KEY CHECK (only_row = 0), note BLOB NOT NULL)",
];

/// What `runs.counted` and `targets` said becomes entries of the ledger, which alone says it from then on.
const WITH_LEDGER: &[&str] = &[
    "CREATE TABLE ledger (
        caller TEXT NOT NULL, request_id TEXT NOT NULL, service TEXT NOT NULL,
        kind TEXT NOT NULL, item TEXT NOT NULL, amount BIGINT NOT NULL, reserved_at BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'released')),
        PRIMARY KEY (caller, request_id, kind))",
    "INSERT INTO ledger (caller, request_id, service, kind, item, amount, reserved_at, state)
        SELECT caller, request_id, service, 'runs', '', 1, accepted_at,
            CASE WHEN counted = 0 THEN 'released' WHEN answer IS NULL THEN 'reserved' ELSE 'settled' END FROM runs",
    "INSERT INTO ledger (caller, request_id, service, kind, item, amount, reserved_at, state)
        SELECT caller, request_id, targets.service, 'targets/' || parameter, value, 1, asked_at,
            CASE WHEN answer IS NULL THEN 'reserved' ELSE 'settled' END
        FROM targets JOIN runs USING (caller, request_id)",
    "CREATE INDEX ledger_used ON ledger (caller, service, kind, reserved_at) WHERE state <> 'released'",
    "DROP TABLE targets",
    "DROP INDEX runs_used",
    "ALTER TABLE runs DROP COLUMN counted",
];

/// Brings a database to the present version, in one transaction.
pub(super) async fn migrate(writer: &AnyPool, path: &Path) -> Result<(), StoreError> {
    migrate_with(writer, path, STEPS).await
}

async fn migrate_with(writer: &AnyPool, path: &Path, steps: &[&[&'static str]]) -> Result<(), StoreError> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let known = steps.len();
    let done = usize::try_from(found).ok().filter(|done| *done <= known);
    let done = done.ok_or_else(|| StoreError::TooNew { path: path.to_owned(), found, known })?;
    for statement in steps[done..].iter().copied().flatten() {
        transaction.execute(*statement).await?;
    }
    transaction.execute(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {known}"))).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;
    use sqlx::any::AnyPoolOptions;

    use super::*;

    #[tokio::test]
    async fn what_an_older_version_counted_is_in_the_ledger() {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        migrate_with(&pool, Path::new("memory"), &STEPS[..1]).await.unwrap();
        for (id, counted, answer) in [("answered", 1, "x'00'"), ("refused", 0, "x'00'"), ("cut-off", 1, "NULL")] {
            let run = format!(
                "INSERT INTO runs VALUES ('c', '{id}', 'd', 's', 'm', 'e', 7, {counted}, x'00', NULL, {answer})"
            );
            pool.execute(sqlx::AssertSqlSafe(run)).await.unwrap();
        }
        pool.execute("INSERT INTO targets VALUES ('c', 'answered', 's', 'target', 'v', 7)").await.unwrap();
        migrate(&pool, Path::new("memory")).await.unwrap();
        let rows = sqlx::query(
            "SELECT request_id || ' ' || service || ' ' || kind || ' ' || item || ' ' || state, amount, reserved_at
             FROM ledger ORDER BY 1",
        );
        let rows = rows.fetch_all(&pool).await.unwrap();
        let texts: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            "answered s runs  settled",
            "answered s targets/target v settled",
            "cut-off s runs  reserved",
            "refused s runs  released",
        ];
        assert_eq!(texts, expected);
        assert!(rows.iter().all(|row| (row.get::<i64, _>(1), row.get::<i64, _>(2)) == (1, 7)));
    }
}
