//! What a run sees of a database: one state of it, another one after the data have changed, and a name for each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use iog_data::{
    DataError, DatabaseUrl, Dataset, Engine, Planned, QueryError, QueryLimits, Relation, Snapshot, SourceSpec,
    TableSpec, TimestampUnit,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::common::{all, flow_schema, flows, open, plan, query, rows, run};
use crate::postgres::Postgres;
use crate::tables::{Form, sqlite, sqlite_run, statements, table};

const BYTES: &str = "SELECT bytes FROM flows";

async fn planned(dataset: &Arc<Dataset>) -> Planned {
    plan(dataset, query(BYTES, &[])).await.unwrap()
}

async fn pin(planned: &Planned, limits: &QueryLimits) -> Snapshot {
    planned.pin(limits).await.unwrap()["flows"].clone()
}

async fn count(planned: &Planned, limits: &QueryLimits) -> Result<usize, QueryError> {
    let open = planned.open("q", vec![], limits.clone()).await?;
    all(open).await.map(|batches| rows(&batches))
}

fn flows_of(postgres: &Postgres) -> SourceSpec {
    SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: table("flows", TimestampUnit::Micros) }
}

async fn filled(rows: u64) -> Option<Postgres> {
    let postgres = Postgres::start().await?;
    postgres.run(&statements("flows", &flows(0, rows), Form::Native, true).join(";\n")).await;
    Some(postgres)
}

/// A writer that stays: in WAL mode what it wrote is in the log and not yet in the file.
async fn writer(path: &Path, mode: &'static str) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(path).pragma("journal_mode", mode).connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_sees_one_state_of_a_sqlite_file_and_the_next_run_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    sqlite_run(&path, &statements("flows", &flows(0, 100), Form::Text, false)).await;
    let dataset = open(sqlite(path.clone(), table("flows", TimestampUnit::Micros))).await.unwrap();
    let planned = planned(&dataset).await;
    let mut left = 100;
    for mode in ["DELETE", "WAL"] {
        let mut writer = writer(&path, mode).await;
        sqlx::query("DELETE FROM flows WHERE id = -1").execute(&mut writer).await.unwrap();
        let (first, again, second) = (QueryLimits::default(), QueryLimits::default(), QueryLimits::default());
        let before = pin(&planned, &first).await;
        assert_eq!(count(&planned, &first).await.unwrap(), left);
        assert_eq!(pin(&planned, &again).await, before, "{mode}: nothing has changed");
        sqlx::query("DELETE FROM flows WHERE id = (SELECT max(id) FROM flows)").execute(&mut writer).await.unwrap();
        let error = count(&planned, &first).await.unwrap_err();
        assert!(matches!(error, QueryError::Data(DataError::Changed { .. })), "{mode}: {error}");
        left -= 1;
        assert_ne!(pin(&planned, &second).await.digest, before.digest, "{mode}");
        assert_eq!(count(&planned, &second).await.unwrap(), left);
        assert!(dataset.is_current().await, "what is in it may change");
        writer.close().await.unwrap();
    }
    let other = dir.path().join("other.db");
    sqlite_run(&other, &statements("flows", &flows(0, 7), Form::Text, false)).await;
    let limits = QueryLimits::default();
    pin(&planned, &limits).await;
    std::fs::rename(&other, &path).unwrap();
    assert!(count(&planned, &limits).await.is_err(), "another file took its place");
    assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 7);
    sqlite_run(&path, &["ALTER TABLE flows RENAME COLUMN bytes TO octets".into()]).await;
    assert!(!dataset.is_current().await);
    assert!(count(&planned, &QueryLimits::default()).await.is_err(), "a name is never taken for a text");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_sees_one_state_of_postgres_and_the_next_run_the_next() {
    let Some(postgres) = filled(100).await else { return };
    let dataset = open(flows_of(&postgres)).await.unwrap();
    let planned = planned(&dataset).await;
    let (first, again, second) = (QueryLimits::default(), QueryLimits::default(), QueryLimits::default());
    let before = pin(&planned, &first).await;
    assert_eq!(pin(&planned, &again).await, before, "nothing has changed");
    assert_eq!(open(flows_of(&postgres)).await.unwrap().snapshot(), &before);
    drop(again);
    postgres.run("DELETE FROM flows WHERE id = 1; UPDATE flows SET bytes = bytes + 1 WHERE id = 2").await;
    assert_eq!(count(&planned, &first).await.unwrap(), 100);
    assert_ne!(pin(&planned, &second).await.digest, before.digest);
    assert_eq!(count(&planned, &second).await.unwrap(), 99);
    assert_eq!(count(&planned, &first).await.unwrap(), 100, "and still");
    assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 99, "without pinning, too");
    assert!(dataset.is_current().await);
    let mut other = postgres.connect().await;
    let blocked = sqlx::raw_sql("SET lock_timeout = 300; TRUNCATE flows").execute(&mut other).await.unwrap_err();
    assert_eq!(blocked.as_database_error().unwrap().code().unwrap(), "55P03", "TRUNCATE would empty old states, too");
    drop((first, second));
    postgres.run("TRUNCATE flows").await;
    assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 0);
    postgres.run("ALTER TABLE flows DROP COLUMN note").await;
    assert!(!dataset.is_current().await);
    nobody_stays(&postgres).await;
}

/// Waits until no transaction is open except the one that looks.
async fn nobody_stays(postgres: &Postgres) {
    let mut connection = postgres.connect().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() \
                AND backend_type = 'client backend'";
    for _ in 0..100 {
        let open: i64 = sqlx::query_scalar(open).fetch_one(&mut connection).await.unwrap();
        if open == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a transaction stays open");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_in_the_middle_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    sqlite_run(&path, &statements("flows", &flows(0, 20_000), Form::Text, false)).await;
    let mut specs = vec![sqlite(path, table("flows", TimestampUnit::Micros))];
    let postgres = filled(20_000).await;
    specs.extend(postgres.as_ref().map(flows_of));
    for spec in specs {
        let planned = planned(&open(spec).await.unwrap()).await;
        for _ in 0..10 {
            let mut started = planned.open("q", vec![], QueryLimits::default()).await.unwrap();
            assert_eq!(started.next().await.unwrap().unwrap().num_rows(), 16_384);
        }
        assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 20_000);
    }
    if let Some(postgres) = &postgres {
        nobody_stays(postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_of_one_database_are_seen_in_one_state() {
    let Some(postgres) = filled(50).await else { return };
    postgres.run("CREATE TABLE twin AS SELECT * FROM flows").await;
    let twin =
        SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: table("twin", TimestampUnit::Micros) };
    let (flows, twin) = (open(flows_of(&postgres)).await.unwrap(), open(twin).await.unwrap());
    assert_ne!(flows.snapshot().digest, twin.snapshot().digest);
    let slots = BTreeMap::from([("flows".to_owned(), flows), ("twin".to_owned(), twin)]);
    let sql = "SELECT f.bytes FROM flows f JOIN twin t ON f.packets = t.packets AND f.\"start\" = t.\"start\"";
    let planned = Engine::new().unwrap().plan(slots, &[query(sql, &[])]).await.unwrap();
    let limits = QueryLimits::default();
    planned.pin(&limits).await.unwrap();
    postgres.run("DELETE FROM flows WHERE id < 10").await;
    postgres.run("DELETE FROM twin WHERE id >= 10").await;
    assert_eq!(count(&planned, &limits).await.unwrap(), 50);
    assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_cannot_write_and_a_role_needs_no_rights_but_to_read() {
    let Some(postgres) = filled(20).await else { return };
    postgres.run("CREATE SEQUENCE s; CREATE ROLE reader LOGIN; GRANT SELECT ON flows TO reader").await;
    let relation = Relation::View("SELECT *, nextval('s') FROM flows".into());
    let writes = TableSpec { relation, ..table("flows", TimestampUnit::Micros) };
    let error = open(SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: writes }).await.unwrap_err();
    let DataError::Database { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("read-only transaction"), "{source}");

    let url = DatabaseUrl::new(postgres.url().replace("iog:secret", "reader"));
    let as_reader = || SourceSpec::Postgres { url: url.clone(), table: table("flows", TimestampUnit::Micros) };
    let reader = open(as_reader()).await.unwrap();
    assert_eq!(rows(&run(&reader, query(BYTES, &[]), vec![]).await.unwrap()), 20);
    assert_eq!(open(as_reader()).await.unwrap().snapshot(), reader.snapshot());
    // A role that may not ask which cluster this is gets a name for every state, and never one twice.
    postgres.run("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await;
    let unnamed = open(as_reader()).await.unwrap();
    assert_ne!(unnamed.snapshot(), reader.snapshot());
    assert_ne!(open(as_reader()).await.unwrap().snapshot(), unnamed.snapshot());
    let view = Relation::View("SELECT * FROM flows WHERE proto = 17".into());
    let view = TableSpec { relation: view, ..table("flows", TimestampUnit::Micros) };
    let view = open(SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: view }).await.unwrap();
    assert_eq!(view.check().await.unwrap().rows, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_an_error_and_comes_back() {
    let Some(postgres) = filled(20).await else { return };
    let dataset = open(flows_of(&postgres)).await.unwrap();
    let planned = planned(&dataset).await;
    let limits = QueryLimits::default();
    planned.pin(&limits).await.unwrap();
    let all_but_me = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                      AND backend_type = 'client backend'";
    postgres.run(all_but_me).await;
    let error = count(&planned, &limits).await.unwrap_err();
    assert!(matches!(error, QueryError::Data(DataError::Released { .. } | DataError::Database { .. })), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
    assert_eq!(count(&planned, &QueryLimits::default()).await.unwrap(), 20);
    drop(postgres);
    assert!(!dataset.is_current().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_beyond_what_is_taken_are_named_and_those_at_the_edge_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = filled(3).await;
    let (edge, beyond) = (65_536, 65_537);
    for (unit, long, fits) in [("n", edge, true), ("n", beyond, false), ("é", edge / 2, true), ("é", edge, false)] {
        let set = format!("UPDATE flows SET note = '{}', bytes = 9223372036854775807", unit.repeat(long));
        let path = dir.path().join(format!("{unit}{long}.db"));
        let mut all = statements("flows", &flows(0, 3), Form::Text, false);
        all.push(set.clone());
        sqlite_run(&path, &all).await;
        let mut specs = vec![sqlite(path, table("flows", TimestampUnit::Micros))];
        if let Some(postgres) = &postgres {
            postgres.run(&set).await;
            specs.push(flows_of(postgres));
        }
        for spec in specs {
            match Dataset::open("t", &flow_schema(), spec).await {
                Ok(opened) => {
                    assert!(fits);
                    let select = query("SELECT note, bytes FROM flows", &[]);
                    let batches = run(&Arc::new(opened), select, vec![]).await.unwrap();
                    assert_eq!(batches[0].column(0).as_string::<i32>().value(2), unit.repeat(long));
                    assert_eq!(batches[0].column(1).as_primitive::<UInt64Type>().values(), &[i64::MAX as u64; 3]);
                }
                Err(error) => {
                    assert!(!fits && error.to_string().contains("a value of more than 65536 bytes"), "{error}");
                }
            }
        }
    }
}
