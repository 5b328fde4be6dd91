//! A dataset: a provider's files or batches bound to a schema, with a snapshot identity. Opening one reads headers and
//! footers and hashes the content; `check` reads every row.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;

use crate::database::{Database, DatabaseUrl, Request, SharedStates, TableSpec};
use crate::error::DataError;
use crate::local::Local;
use crate::schema::{ColumnType, TableSchema};
use crate::snapshot::Snapshot;
use crate::timestamp::TimestampUnit;

/// Milliseconds that a database may take for the first row of a dataset that is opened: as long as most runs have for all.
/// An index on the columns of `order_by` makes it quick.
const OPEN_MS: u64 = 30_000;
/// Milliseconds more until it is given up, so that a database that has a limit of its own says so itself.
const OPEN_GRACE_MS: u64 = 1_000;

/// Milliseconds that a database may take to be opened, whatever it is asked on the way: twice as long as for the first row, for
/// before that it is connected to, described and its state is taken. Nothing else ends what accepts a connection and is silent.
const DATABASE_MS: u64 = 2 * OPEN_MS;

/// Where a dataset's rows come from. `columns` maps a schema's column to the source's; what is not mapped has the same
/// name in both. `timestamp` is the unit of timestamps that are numbers or text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SourceSpec {
    /// CSV with a header line, plain or gzip (seen by its first bytes).
    Csv {
        /// A file, or a glob with `*`, `?` and `**`.
        path: PathBuf,
        /// Schema column → source column.
        columns: BTreeMap<String, String>,
        /// Unit of the timestamps.
        timestamp: TimestampUnit,
    },
    /// Parquet.
    Parquet {
        /// A file, a glob with `*`, `?` and `**`, or a folder, which stands for all `*.parquet` in and below it. Columns
        /// that a file lacks are looked for in the names of its folders (`day=2021-07-12/`).
        path: PathBuf,
        /// Schema column → source column.
        columns: BTreeMap<String, String>,
        /// Unit of timestamps that are plain integers or text; Parquet's own timestamps know their unit.
        timestamp: TimestampUnit,
    },
    /// A table or view of a SQLite file.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What of it is read, and how.
        table: TableSpec,
    },
    /// A table or view of a PostgreSQL database.
    Postgres {
        /// Where it is.
        url: DatabaseUrl,
        /// What of it is read, and how.
        table: TableSpec,
    },
    /// Batches in memory whose columns have the schema's names; timestamps that are plain integers are microseconds.
    Memory(Vec<RecordBatch>),
}

impl SourceSpec {
    /// A CSV file whose columns have the schema's names and whose timestamps are seconds.
    pub fn csv(path: impl Into<PathBuf>) -> Self {
        Self::Csv { path: path.into(), columns: BTreeMap::new(), timestamp: TimestampUnit::Seconds }
    }

    /// A Parquet file whose columns have the schema's names and whose plain timestamps are microseconds.
    pub fn parquet(path: impl Into<PathBuf>) -> Self {
        Self::Parquet { path: path.into(), columns: BTreeMap::new(), timestamp: TimestampUnit::Micros }
    }
}

/// What `check` found in a dataset without faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Number of rows.
    pub rows: u64,
    /// Number of files; 0 for memory and databases.
    pub files: usize,
    /// Number of nulls by optional column, where there are any.
    pub nulls: BTreeMap<String, u64>,
    /// First and last value of each timestamp column, in microseconds.
    pub spans: BTreeMap<String, (i64, i64)>,
    /// What was read, where that is not what was opened: the state of a database.
    pub snapshot: Option<Snapshot>,
}

impl Report {
    fn note(&mut self, schema: &TableSchema, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for (column, array) in schema.columns.iter().zip(batch.columns()) {
            if array.null_count() > 0 {
                *self.nulls.entry(column.name.clone()).or_default() += array.null_count() as u64;
            }
            if column.ty == ColumnType::Timestamp {
                widen(&mut self.spans, &column.name, array);
            }
        }
    }
}

/// Rows bound to a schema. Cheap to share; safe to query from many tasks.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    schema: TableSchema,
    arrow: SchemaRef,
    source: Source,
    snapshot: Snapshot,
}

/// Where a dataset's rows are, and with that how they are read: there is no reader of a database, and no state of files.
#[derive(Debug)]
pub(crate) enum Source {
    /// Files or memory.
    Local(Arc<Local>),
    /// A table or view of a database.
    Database(Arc<Database>),
}

impl Dataset {
    /// Finds the files or the table, maps their columns onto the schema, reads the first rows and computes the snapshot.
    /// Needs a tokio runtime with its timer.
    pub async fn open(name: &str, schema: &TableSchema, spec: SourceSpec) -> Result<Self, DataError> {
        check_config(name, schema, &spec)?;
        let (source, snapshot) = match spec {
            SourceSpec::Csv { path, columns, timestamp } => {
                open_local(name, schema, move |schema, _| Local::csv(schema, path, &columns, timestamp)).await?
            }
            SourceSpec::Parquet { path, columns, timestamp } => {
                open_local(name, schema, move |schema, _| Local::parquet(schema, path, &columns, timestamp)).await?
            }
            SourceSpec::Memory(batches) => {
                open_local(name, schema, move |schema, name| Local::memory(schema, name, &batches)).await?
            }
            SourceSpec::Sqlite { path, table } => {
                open_database(name, schema, Database::sqlite(name, schema, path, &table)).await?
            }
            SourceSpec::Postgres { url, table } => {
                open_database(name, schema, Database::postgres(name, schema, &url, &table)).await?
            }
        };
        Ok(Self { name: name.to_owned(), schema: schema.clone(), arrow: schema.arrow(), source, snapshot })
    }

    /// Whether it can be used as it is: its files are the same, of the same size and time of change; its database can be
    /// reached and has the columns it had. If not, it should be opened again. What is in a database may have changed: every
    /// run takes its state anew.
    pub async fn is_current(&self) -> bool {
        match &self.source {
            Source::Database(database) => database.is_current().await,
            Source::Local(local) => {
                let local = Arc::clone(local);
                tokio::task::spawn_blocking(move || local.is_current()).await.unwrap_or(false)
            }
        }
    }

    /// The dataset's name at its provider.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema it is bound to.
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Identity and size of the data, as of opening. Files that have changed since are refused when they are read; what a run
    /// saw of a database, [`crate::Planned::pin`] says.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Reads every row of every column; the first fault is the error.
    pub async fn check(&self) -> Result<Report, DataError> {
        let columns = all_columns(&self.schema);
        match &self.source {
            Source::Database(database) => {
                let state = SharedStates::default().of(database).await?;
                let mut report = Report { snapshot: Some(database.snapshot(&state)?), ..Report::default() };
                let mut batches = database.start(&state, Request { columns, ..Request::default() })?;
                while let Some(batch) = batches.recv().await {
                    report.note(&self.schema, &batch?);
                }
                Ok(report)
            }
            Source::Local(local) => {
                let (local, schema, name) = (Arc::clone(local), self.schema.clone(), self.name.clone());
                blocking(self.name.clone(), move || {
                    let mut report = Report { files: local.files(), ..Report::default() };
                    let mut reader = local.reader(columns, None);
                    while let Some(batch) = reader.next_batch().map_err(|e| e.into_data(&name))? {
                        report.note(&schema, &batch);
                    }
                    Ok(report)
                })
                .await
            }
        }
    }

    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The database that is read, where it is one.
    pub(crate) fn database(&self) -> Option<&Database> {
        match &self.source {
            Source::Database(database) => Some(database),
            Source::Local(_) => None,
        }
    }
}

fn all_columns(schema: &TableSchema) -> Vec<usize> {
    (0..schema.columns.len()).collect()
}

/// Opens files or batches, and reads the first rows so that what cannot be read is known at once.
async fn open_local(
    name: &str,
    schema: &TableSchema,
    open: impl FnOnce(TableSchema, &str) -> Result<(Local, Snapshot), DataError> + Send + 'static,
) -> Result<(Source, Snapshot), DataError> {
    let (columns, schema, name) = (all_columns(schema), schema.clone(), name.to_owned());
    blocking(name.clone(), move || {
        let (local, snapshot) = open(schema, &name)?;
        local.reader(columns, None).next_batch().map_err(|e| e.into_data(&name))?;
        Ok((Source::Local(Arc::new(local)), snapshot))
    })
    .await
}

/// Opens a database, takes its state, and reads one row so that what cannot be read is known at once. In time.
async fn open_database(
    name: &str,
    schema: &TableSchema,
    opening: impl Future<Output = Result<Database, DataError>>,
) -> Result<(Source, Snapshot), DataError> {
    let opened = tokio::time::timeout(Duration::from_millis(DATABASE_MS), async {
        let database = opening.await?;
        let snapshot = first_row(name, schema, &database).await?;
        Ok((Source::Database(Arc::new(database)), snapshot))
    });
    opened.await.unwrap_or_else(|_| Err(DataError::Silent { dataset: name.to_owned(), ms: DATABASE_MS }))
}

async fn first_row(name: &str, schema: &TableSchema, database: &Database) -> Result<Snapshot, DataError> {
    let state = SharedStates::default().of(database).await?;
    let snapshot = database.snapshot(&state)?;
    let columns = all_columns(schema);
    let request = Request { columns, limit: Some(1), timeout_ms: Some(OPEN_MS), ..Request::default() };
    let mut batches = database.start(&state, request)?;
    let first = tokio::time::timeout(Duration::from_millis(OPEN_MS + OPEN_GRACE_MS), batches.recv()).await;
    first.map_err(|_| DataError::Slow { dataset: name.to_owned(), ms: OPEN_MS })?.transpose()?;
    Ok(snapshot)
}

/// Runs file work off the async threads. A panic in a decoder is the file's fault until shown otherwise.
async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(DataError::Internal { what, reason: error.to_string() }),
    }
}

fn widen(spans: &mut BTreeMap<String, (i64, i64)>, name: &str, array: &dyn Array) {
    for value in array.as_primitive::<Int64Type>().iter().flatten() {
        match spans.get_mut(name) {
            Some((first, last)) => {
                *first = value.min(*first);
                *last = value.max(*last);
            }
            None => {
                spans.insert(name.to_owned(), (value, value));
            }
        }
    }
}

/// Refuses schemas and column maps that cannot be meant.
fn check_config(name: &str, schema: &TableSchema, spec: &SourceSpec) -> Result<(), DataError> {
    let config = |reason: String| DataError::Config { dataset: name.to_owned(), reason };
    for (at, column) in schema.columns.iter().enumerate() {
        if schema.index_of(&column.name) != Some(at) {
            return Err(config(format!("schema `{}` has two columns `{}`", schema.id, column.name)));
        }
        if column.ty == ColumnType::Bytes {
            return Err(config(format!("column `{}` of schema `{}` is of type bytes", column.name, schema.id)));
        }
    }
    if schema.columns.is_empty() {
        return Err(config(format!("schema `{}` has no columns", schema.id)));
    }
    let columns = match spec {
        SourceSpec::Csv { columns, .. } | SourceSpec::Parquet { columns, .. } => columns,
        SourceSpec::Sqlite { table, .. } | SourceSpec::Postgres { table, .. } => &table.columns,
        SourceSpec::Memory(_) => return Ok(()),
    };
    match columns.keys().find(|key| schema.index_of(key).is_none()) {
        Some(key) => Err(config(format!("the column map names `{key}`, which schema `{}` does not have", schema.id))),
        None => Ok(()),
    }
}
