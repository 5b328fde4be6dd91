//! SQLite files: opened read-only, each scan in one transaction, all scans of a run on the same bytes. The identity of the
//! data is the content hash of the file and of its write-ahead log with the statement that reads them: it proves which bytes
//! were read. Equal rows may have another one: a checkpoint, for example, moves them. A file that is written to while a run
//! reads it makes the run's next scan fail instead of seeing two states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Decode, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _, ValueRef as _,
};
use tokio::sync::{Semaphore, mpsc};

use super::assembly::{Assembly, Batches, Request, Row};
use super::binding::{Binding, Described, database_error};
use super::cell::{CELL_BYTES_MAX, Cell, too_long};
use super::place::{Place, place};
use super::spec::{Relation, TableSpec};
use super::statement::{Dialect, Statement, Stored, query};
use crate::error::DataError;
use crate::files::{self, FileStamp};
use crate::schema::TableSchema;
use crate::snapshot::Snapshot;

/// Most scans of one dataset at a time. Each has a connection of its own: one that is kept would go on reading a file that
/// another one has taken the place of.
const SCANS_MAX: usize = 8;
/// How long a reader waits for a writer that holds the file.
const BUSY: Duration = Duration::from_secs(5);
/// Rows that the driver's thread may be ahead of the reader: 4 MiB a column where every value is as long as it may be.
const ROWS_AHEAD: usize = 64;
/// How often the files are looked at again when they change while they are hashed.
const STATE_TRIES: u32 = 3;
/// Bytes of the header of a SQLite file, which is longer than that of its log: they hold the counters of changes of the
/// file and of its log, which tell apart what the file system's clock does not.
const HEAD_BYTES: usize = 100;
/// Steps of SQLite's machine between two looks at whether anybody still waits.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// One relation of a SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteSource {
    options: SqliteConnectOptions,
    scans: Arc<Semaphore>,
    path: PathBuf,
    relation: String,
    found: Vec<Described>,
    binding: Arc<Binding>,
}

/// The files of a database as they were at one moment.
#[derive(Debug)]
pub(crate) struct State {
    files: Vec<FileStamp>,
    content: [u8; 32],
}

impl SqliteSource {
    pub(crate) async fn open(
        dataset: &str,
        table: &TableSchema,
        path: PathBuf,
        spec: &TableSpec,
    ) -> Result<Self, DataError> {
        let shown = format!("SQLite file {}, {}", path.display(), spec.relation.shown());
        FileStamp::of(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .row_buffer_size(ROWS_AHEAD)
            .pragma("query_only", "ON")
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .disable_statement_logging();
        let relation = spec.relation.clause(dataset)?;
        let failed = |e| database_error(&shown, e);
        let found = describe(&options, &relation).await.map_err(failed)?;
        let firm = is_table(&options, &spec.relation).await.map_err(failed)?;
        let binding = Binding::new(dataset, shown.clone(), table, spec, Dialect::Sqlite, firm, &found)?;
        let scans = Arc::new(Semaphore::new(SCANS_MAX));
        Ok(Self { options, scans, path, relation, found, binding: Arc::new(binding) })
    }

    pub(crate) async fn is_current(&self) -> bool {
        describe(&self.options, &self.relation).await.is_ok_and(|found| found == self.found)
    }

    pub(crate) fn place(&self) -> Place {
        place("sqlite", self.path.as_os_str().as_encoded_bytes())
    }

    /// The state of the files now: their content is read where it is not known yet.
    pub(crate) async fn state(&self) -> Result<State, DataError> {
        let (path, shown) = (self.path.clone(), self.binding.shown.clone());
        let taken = tokio::task::spawn_blocking(move || state(&path)).await;
        taken.map_err(|e| DataError::Internal { what: shown, reason: e.to_string() })?
    }

    /// The files' content and the statement that reads them.
    pub(crate) fn snapshot(&self, state: &State) -> Snapshot {
        let every: Vec<usize> = (0..self.binding.table.columns.len()).collect();
        let mut hasher = Sha256::new();
        hasher.update(b"iog-snapshot-sqlite/v1\0");
        hasher.update(state.content);
        hasher.update(self.binding.shape.select(&every, &BTreeMap::new(), None).sql);
        let stored_bytes = state.files.iter().map(|stamp| stamp.bytes).sum();
        Snapshot { digest: hasher.finalize().into(), stored_bytes, rows: None }
    }

    pub(crate) fn start(&self, state: &Arc<State>, request: Request) -> Batches {
        let (send, receive) = mpsc::channel(1);
        let (options, scans) = (self.options.clone(), Arc::clone(&self.scans));
        let (path, state, binding) = (self.path.clone(), Arc::clone(state), Arc::clone(&self.binding));
        tokio::spawn(async move {
            let work = async {
                let _place = scans.acquire().await;
                read(&options, &path, &state, &binding, request, &send).await
            };
            let read = tokio::select! {
                read = work => read,
                () = send.closed() => return,
            };
            if let Err(error) = read {
                // Nobody listens any more where this fails.
                let _ = send.send(Err(error)).await;
            }
        });
        receive
    }
}

/// The columns of a relation, from a connection of its own: one that is used again would remember them.
async fn describe(options: &SqliteConnectOptions, relation: &str) -> Result<Vec<Described>, sqlx::Error> {
    let mut connection = options.connect().await?;
    let all = AssertSqlSafe(format!("SELECT * FROM {relation} LIMIT 0"));
    let statement = (&mut connection).prepare(all.into_sql_str()).await?;
    let found = statement.columns().iter().map(described).collect();
    drop(statement);
    connection.close().await?;
    Ok(found)
}

/// Whether a relation is an ordinary table: only there do columns convert what is put into them.
async fn is_table(options: &SqliteConnectOptions, relation: &Relation) -> Result<bool, sqlx::Error> {
    let Relation::Table(name) = relation else { return Ok(false) };
    let name = name.rsplit('.').next().unwrap_or(name);
    let mut connection = options.connect().await?;
    let find = "SELECT count(*) FROM sqlite_schema WHERE name = $1 COLLATE NOCASE AND type = 'table' \
                AND sql LIKE 'CREATE TABLE%'";
    let found: i64 = sqlx::query_scalar(find).bind(name).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(found == 1)
}

type Sender = mpsc::Sender<Result<arrow_array::RecordBatch, DataError>>;

/// Reads in a connection of its own. Whoever drops this stops it: the driver's thread looks whether anybody still waits.
async fn read(
    options: &SqliteConnectOptions,
    path: &Path,
    state: &State,
    binding: &Arc<Binding>,
    request: Request,
    send: &Sender,
) -> Result<(), DataError> {
    let mut connection = options.connect().await.map_err(|e| binding.failed(e))?;
    let watched = send.downgrade();
    {
        let mut handle = connection.lock_handle().await.map_err(|e| binding.failed(e))?;
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || watched.upgrade().is_some_and(|s| !s.is_closed()));
    }
    begin(&mut connection, path, state, &binding.shown).await?;
    let statement = binding.shape.select(&request.columns, &request.ranges, request.limit);
    rows(&mut connection, statement, binding, &request, send).await?;
    connection.close().await.map_err(|e| binding.failed(e))
}

async fn rows(
    connection: &mut SqliteConnection,
    statement: Statement,
    binding: &Arc<Binding>,
    request: &Request,
    send: &Sender,
) -> Result<(), DataError> {
    let mut assembly = Assembly::new(binding, request);
    let mut stream = query!(statement).fetch(connection);
    while let Some(row) = stream.try_next().await.map_err(|e| binding.failed(e))? {
        if let Some(batch) = assembly.push(&row)?
            && send.send(Ok(batch)).await.is_err()
        {
            return Ok(());
        }
    }
    if let Some(batch) = assembly.finish()? {
        // Nobody listens any more where this fails.
        let _ = send.send(Ok(batch)).await;
    }
    Ok(())
}

/// Starts a transaction on the files that were pinned, and on no others: they are the same before and after its first read,
/// from which on it sees one state.
async fn begin(connection: &mut SqliteConnection, path: &Path, state: &State, shown: &str) -> Result<(), DataError> {
    let failed = |e| database_error(shown, e);
    connection.execute("BEGIN").await.map_err(failed)?;
    let first = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await;
    first.map_err(failed)?;
    if stamps(path)? == state.files { Ok(()) } else { Err(DataError::Changed { path: path.to_owned() }) }
}

/// Hashes the files until they are the same before and after it.
fn state(path: &Path) -> Result<State, DataError> {
    for _ in 0..STATE_TRIES {
        let files = stamps(path)?;
        let content = match files::snapshot_digest(&files) {
            Ok(content) => content,
            Err(DataError::Changed { .. }) => continue,
            Err(error) => return Err(error),
        };
        if stamps(path)? == files {
            return Ok(State { files, content });
        }
    }
    Err(DataError::Changed { path: path.to_owned() })
}

/// The file, and its write-ahead log where there is anything in it.
fn stamps(path: &Path) -> Result<Vec<FileStamp>, DataError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let mut stamps = vec![FileStamp::with_head(path, HEAD_BYTES)?];
    match FileStamp::with_head(Path::new(&log), HEAD_BYTES) {
        Ok(stamp) if stamp.bytes > 0 => stamps.push(stamp),
        Ok(_) => {}
        Err(DataError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(stamps)
}

fn described(column: &sqlx::sqlite::SqliteColumn) -> Described {
    let ty = column.type_info().name().to_owned();
    let stored = match ty.as_str() {
        "INTEGER" => Stored::Int,
        "REAL" => Stored::Float,
        "TEXT" => Stored::Text,
        "BLOB" => Stored::Bytes,
        _ => Stored::Other,
    };
    Described { name: column.name().to_owned(), ty, stored }
}

impl Row for SqliteRow {
    fn cell(&self, at: usize) -> Result<Cell<'_>, String> {
        let value = self.try_get_raw(at).map_err(|e| e.to_string())?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let class = value.type_info().name().to_owned();
        let bad = |e: sqlx::error::BoxDynError| e.to_string();
        match class.as_str() {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Cell::Int).map_err(bad),
            "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(Cell::Float).map_err(bad),
            "TEXT" => {
                let text = <&str as Decode<Sqlite>>::decode(value).map_err(|_| "the text is not UTF-8".to_owned())?;
                if text.len() <= CELL_BYTES_MAX { Ok(Cell::Text(text)) } else { Err(too_long()) }
            }
            _ => {
                let bytes = <&[u8] as Decode<Sqlite>>::decode(value).map_err(bad)?;
                if bytes.len() <= CELL_BYTES_MAX { Ok(Cell::Bytes(bytes)) } else { Err(too_long()) }
            }
        }
    }
}
