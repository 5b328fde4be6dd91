//! PostgreSQL: one state for all scans of a run. A transaction of its own, read-only and repeatable-read, holds it and
//! exports it; every scan joins it in a transaction of the same kind and reads through a cursor, in bounded batches.
//!
//! What the identity of the data says. It is the hash of: the cluster's system identifier and timeline, the database, the
//! `pg_current_snapshot()` of the state (which transactions it sees) and the statement that reads the rows. Two runs with the
//! same identity read the same rows. Two with different ones may have: any transaction that writes anything anywhere in the
//! cluster makes a new one. It is not a hash of the rows: a provider can tell states apart by it, it proves nothing to others,
//! and it says nothing of what a view takes from outside the database or from functions such as `now()`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode, Postgres};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, Transaction, TypeInfo as _,
};
use tokio::sync::mpsc;

use super::assembly::{Assembly, Batches, Request};
use super::binding::{Binding, Described, database_error};
use super::place::{Place, place};
use super::spec::{Relation, TableSpec};
use super::statement::{Dialect, Statement, Stored, query};
use crate::BATCH_ROWS;
use crate::error::{DataError, excerpt};
use crate::schema::TableSchema;
use crate::snapshot::Snapshot;

/// Most runs that hold a state of one dataset's database at a time, and most scans of them: connections of two pools.
const CONNECTIONS_MAX: u32 = 8;
/// How long a scan waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(30);
/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Milliseconds that a statement may take at most, and where no run has a deadline.
const STATEMENT_MS: u64 = 600_000;
/// Milliseconds that taking a state or describing a relation may take: they read no rows.
const BRIEF_MS: u64 = 10_000;
/// SQLSTATE of a snapshot that is not there (invalid_parameter_value, undefined_object).
const NO_SNAPSHOT: [&str; 2] = ["22023", "42704"];
/// Every transaction here. A run's state is the first of them; the others join it.
const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// One relation of a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresSource {
    /// For scans.
    pool: PgPool,
    /// For the transactions that hold a state: a scan never waits for a run that waits for a scan.
    holders: PgPool,
    options: PgConnectOptions,
    place: Place,
    relation: String,
    /// Whether it can be locked before the state is taken.
    lockable: bool,
    found: Vec<Described>,
    binding: Arc<Binding>,
}

/// A state of a database, held by a transaction that exports it.
#[derive(Debug)]
pub(crate) struct State {
    /// What other transactions join it by.
    id: String,
    /// What tells it from other states.
    mark: String,
    /// Ends with the state.
    _transaction: Mutex<Transaction<'static, Postgres>>,
}

impl PostgresSource {
    pub(crate) async fn open(
        dataset: &str,
        table: &TableSchema,
        url: &str,
        spec: &TableSpec,
    ) -> Result<Self, DataError> {
        let options = options(dataset, url)?;
        let database = options.get_database().unwrap_or(options.get_username());
        let shown = format!("PostgreSQL database `{database}` at {}, {}", at(&options), spec.relation.shown());
        let failed = |e| database_error(&shown, e);
        let relation = spec.relation.clause(dataset)?;
        let mut connection = connect(&options).await.map_err(failed)?;
        let found = describe(&mut connection, &relation).await.map_err(failed)?;
        let lockable = match &spec.relation {
            Relation::Table(_) => lockable(&mut connection, &relation).await.map_err(failed)?,
            Relation::View(_) => false,
        };
        connection.close().await.map_err(failed)?;
        let binding = Binding::new(dataset, shown.clone(), table, spec, Dialect::Postgres, true, &found)?;
        let pool = || {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(ACQUIRE);
            pool.idle_timeout(IDLE).connect_lazy_with(options.clone())
        };
        let (pool, holders, place) = (pool(), pool(), place("postgres", url.as_bytes()));
        Ok(Self { pool, holders, options, place, relation, lockable, found, binding: Arc::new(binding) })
    }

    pub(crate) async fn is_current(&self) -> bool {
        let look = async {
            let mut connection = connect(&self.options).await?;
            let found = describe(&mut connection, &self.relation).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(found)
        };
        let looked = tokio::time::timeout(Duration::from_millis(2 * BRIEF_MS), look).await;
        looked.is_ok_and(|found| found.is_ok_and(|found| found == self.found))
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Takes a state of the database for these relations of it. Tables are locked before, against TRUNCATE and ALTER TABLE,
    /// which PostgreSQL does not hide from a state that is older than they are.
    pub(crate) async fn state(&self, together: &[&Self]) -> Result<State, DataError> {
        let failed = |e| self.binding.failed(e);
        let mut transaction = self.holders.begin_with(BEGIN).await.map_err(failed)?;
        settings(&mut transaction, BRIEF_MS).await.map_err(failed)?;
        for source in together.iter().filter(|source| source.lockable) {
            let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE", source.relation);
            transaction.execute(AssertSqlSafe(lock)).await.map_err(|e| source.binding.failed(e))?;
        }
        let (id, mark) = mark(&mut transaction).await.map_err(failed)?;
        for source in together.iter().filter(|source| !source.lockable) {
            let touch = format!("SELECT 1 FROM {} AS iog_rows LIMIT 0", source.relation);
            transaction.execute(AssertSqlSafe(touch)).await.map_err(|e| source.binding.failed(e))?;
        }
        Ok(State { id, mark, _transaction: Mutex::new(transaction) })
    }

    /// The state and the statement that reads it.
    pub(crate) fn snapshot(&self, state: &State) -> Snapshot {
        let every: Vec<usize> = (0..self.binding.table.columns.len()).collect();
        let statement = self.binding.shape.select(&every, &BTreeMap::new(), None).sql;
        let mut hasher = Sha256::new();
        hasher.update(b"iog-snapshot-postgres/v1\0");
        for part in [&state.mark, &statement] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Snapshot { digest: hasher.finalize().into(), stored_bytes: 0, rows: None }
    }

    pub(crate) fn start(&self, state: &Arc<State>, request: Request) -> Batches {
        let (send, receive) = mpsc::channel(1);
        let (pool, state, binding) = (self.pool.clone(), Arc::clone(state), Arc::clone(&self.binding));
        tokio::spawn(async move {
            let Err(error) = read(&pool, &state, &binding, request, &send).await else { return };
            // Nobody listens any more where this fails.
            let _ = send.send(Err(error)).await;
        });
        receive
    }
}

/// A connection, in time.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connected = tokio::time::timeout(Duration::from_millis(BRIEF_MS), options.connect()).await;
    connected.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// The columns of a relation, from a connection of its own: one that is used again would remember them.
async fn describe(connection: &mut PgConnection, relation: &str) -> Result<Vec<Described>, sqlx::Error> {
    connection.execute(AssertSqlSafe(format!("SET statement_timeout = {BRIEF_MS}"))).await?;
    let all = AssertSqlSafe(format!("SELECT * FROM {relation} AS iog_rows LIMIT 0"));
    let statement = connection.prepare(all.into_sql_str()).await?;
    Ok(statement.columns().iter().map(described).collect())
}

/// Whether LOCK TABLE knows the relation: ordinary and partitioned tables, and views with all that they read.
async fn lockable(connection: &mut PgConnection, relation: &str) -> Result<bool, sqlx::Error> {
    let find = "SELECT count(*) FROM pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p', 'v')";
    let found: i64 = sqlx::query_scalar(find).bind(relation).fetch_one(connection).await?;
    Ok(found == 1)
}

/// Exports the transaction's state, and names it. Two states of one cluster have the same name only if the same transactions
/// are visible in them. Where the cluster may not be told from a copy of it (no right to ask), or is a standby (which does
/// not say what is under way on its primary), the name has parts that no other state has.
async fn mark(connection: &mut PgConnection) -> Result<(String, String), sqlx::Error> {
    let first = "SELECT pg_export_snapshot(), current_database()::text || ' ' || pg_current_snapshot()::text, \
                 pg_is_in_recovery(), has_function_privilege('pg_control_system()', 'EXECUTE') AND \
                 has_function_privilege('pg_control_checkpoint()', 'EXECUTE'), pg_postmaster_start_time()::text";
    let row = sqlx::query(first).persistent(false).fetch_one(&mut *connection).await?;
    let (id, state): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (standby, may_ask, started): (bool, bool, String) = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    let cluster = if standby || !may_ask {
        format!("{started} {id}")
    } else {
        let ask = "SELECT system_identifier::text || ' ' || timeline_id::text \
                   FROM pg_control_system(), pg_control_checkpoint()";
        sqlx::query_scalar(ask).persistent(false).fetch_one(connection).await?
    };
    Ok((id, format!("{cluster} {state}")))
}

type Sender = mpsc::Sender<Result<arrow_array::RecordBatch, DataError>>;

/// Reads in a connection that goes back to the pool only if everything was read.
async fn read(
    pool: &PgPool,
    state: &State,
    binding: &Arc<Binding>,
    request: Request,
    send: &Sender,
) -> Result<(), DataError> {
    let acquired = tokio::select! {
        acquired = pool.acquire() => acquired,
        () = send.closed() => return Ok(()),
    };
    let mut connection = acquired.map_err(|e| binding.failed(e))?;
    let ended = tokio::select! {
        ended = scan(&mut connection, state, binding, &request, send) => ended,
        () = send.closed() => Ok(false),
    };
    if !matches!(ended, Ok(true)) {
        connection.close_on_drop();
    }
    ended.map(|_| ())
}

/// Reads to the end; `false` where nobody wanted the rest and the transaction is still open.
async fn scan(
    connection: &mut PoolConnection<Postgres>,
    state: &State,
    binding: &Arc<Binding>,
    request: &Request,
    send: &Sender,
) -> Result<bool, DataError> {
    let failed = |e| binding.failed(e);
    join(connection, state, request.timeout_ms.unwrap_or(STATEMENT_MS)).await.map_err(|e| match no_snapshot(&e) {
        true => DataError::Released { database: binding.shown.clone() },
        false => failed(e),
    })?;
    let select = binding.shape.select(&request.columns, &request.ranges, request.limit);
    let sql = format!("DECLARE iog_rows NO SCROLL CURSOR FOR {}", select.sql);
    query!(Statement { sql, binds: select.binds }).execute(&mut **connection).await.map_err(failed)?;
    let mut assembly = Assembly::new(binding, request);
    loop {
        let fetch = sqlx::query(AssertSqlSafe(format!("FETCH FORWARD {BATCH_ROWS} FROM iog_rows"))).persistent(false);
        let mut rows = fetch.fetch(&mut **connection);
        let mut fetched = 0;
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            fetched += 1;
            if let Some(batch) = assembly.push(&row)?
                && send.send(Ok(batch)).await.is_err()
            {
                return Ok(false);
            }
        }
        drop(rows);
        if fetched < BATCH_ROWS {
            break;
        }
    }
    if let Some(batch) = assembly.finish()? {
        // Nobody listens any more where this fails.
        let _ = send.send(Ok(batch)).await;
    }
    connection.execute("COMMIT").await.map_err(failed)?;
    Ok(true)
}

/// Starts a transaction that sees the state.
async fn join(connection: &mut PgConnection, state: &State, timeout_ms: u64) -> Result<(), sqlx::Error> {
    connection.execute(BEGIN).await?;
    let id = state.id.replace('\'', "''");
    connection.execute(AssertSqlSafe(format!("SET TRANSACTION SNAPSHOT '{id}'"))).await?;
    settings(connection, timeout_ms).await
}

/// How long this transaction's statements may take, and what a planner should know of its cursor.
async fn settings(connection: &mut PgConnection, timeout_ms: u64) -> Result<(), sqlx::Error> {
    let timeout_ms = timeout_ms.clamp(1, STATEMENT_MS);
    let set = format!(
        "SET LOCAL statement_timeout = {timeout_ms}; SET LOCAL lock_timeout = {timeout_ms}; \
         SET LOCAL idle_in_transaction_session_timeout = {STATEMENT_MS}; SET LOCAL cursor_tuple_fraction = 1.0"
    );
    sqlx::raw_sql(AssertSqlSafe(set)).execute(connection).await?;
    Ok(())
}

fn no_snapshot(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| NO_SNAPSHOT.contains(&code.as_ref()))
}

/// Parameters that a URL may have.
const PARAMETERS: [&str; 8] = ["host", "hostaddr", "port", "dbname", "user", "password", "application_name", "options"];

/// Parses the place of the database. Without TLS nothing goes over a network.
fn options(dataset: &str, url: &str) -> Result<PgConnectOptions, DataError> {
    let config = |reason: &str| DataError::Config { dataset: dataset.to_owned(), reason: reason.to_owned() };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(config("its `url` should be of the form `postgres://user@localhost/database`"));
    }
    // The parser logs what it does not know, with its value: a misspelt `password` too.
    let names = url.split_once('?').map_or("", |(_, query)| query).split('&').filter(|pair| !pair.is_empty());
    let names = names.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    if let Some(name) = names.into_iter().find(|name| !PARAMETERS.contains(name)) {
        let (name, known) = (excerpt(name.as_bytes()), PARAMETERS.join(", "));
        return Err(config(&format!("its `url` has a parameter `{name}`; known are {known}")));
    }
    // The parser's own words might repeat a password.
    let options: PgConnectOptions = url.parse().map_err(|_| config("its `url` cannot be parsed"))?;
    let host = options.get_host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let local = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback());
    if !local {
        return Err(config(
            "its `url` leads to another machine, and this build does not encrypt connections to databases; use a local \
             socket, or a tunnel that ends on a loopback address",
        ));
    }
    Ok(options.ssl_mode(PgSslMode::Disable).application_name("iog").disable_statement_logging())
}

/// Where it is, without user or password.
fn at(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{}", socket.display()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

fn described(column: &sqlx::postgres::PgColumn) -> Described {
    let ty = column.type_info().name().to_owned();
    let stored = match ty.as_str() {
        "INT2" | "INT4" | "INT8" => Stored::Int,
        "FLOAT4" | "FLOAT8" => Stored::Float,
        "NUMERIC" => Stored::Numeric,
        "TEXT" | "VARCHAR" | "CHAR" => Stored::Text,
        "BYTEA" => Stored::Bytes,
        "INET" => Stored::Inet,
        "TIMESTAMPTZ" => Stored::Time,
        _ => Stored::Other,
    };
    Described { name: column.name().to_owned(), ty, stored }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nobody_knows_is_refused_without_its_value() {
        let refused = options("flows", "postgres://iog@127.0.0.1/db?passwrod=hunter2").unwrap_err().to_string();
        assert!(refused.contains("`passwrod`") && !refused.contains("hunter2"), "{refused}");
        assert!(options("flows", "postgres:///db?sslmode=disable&host=/run/postgresql").is_err());
        assert!(options("flows", "postgres:///db?host=/run/postgresql&user=iog&").is_ok());
    }
}
