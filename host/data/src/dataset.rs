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
use sha2::{Digest, Sha256};

use crate::csv::{CsvFile, CsvReader};
use crate::database::{Database, DatabaseUrl, Request, SharedStates, TableSpec};
use crate::error::DataError;
use crate::files::{self, FileStamp};
use crate::hive;
use crate::memory::{self, MemoryReader};
use crate::parquet_file::{Mapping, ParquetFile};
use crate::parquet_scan::ParquetReader;
use crate::reader::{BatchReader, Predicate, project};
use crate::schema::{ColumnType, TableSchema};
use crate::timestamp::TimestampUnit;

/// Milliseconds that a database may take for the first row of a dataset that is opened: as long as most runs have for all.
/// An index on the columns of `order_by` makes it quick.
const OPEN_MS: u64 = 30_000;
/// Milliseconds more until it is given up, so that a database that has a limit of its own says so itself.
const OPEN_GRACE_MS: u64 = 1_000;

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

/// Identity and size of the data at the time of opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// SHA-256 over the content of all files in order (or of all values in memory): it proves what was read. Of a SQLite file
    /// over its bytes and the statement that reads them. Of PostgreSQL over what names the state of the database and that
    /// statement: the same digest means the same rows, but it is no hash of them, and equal rows may have another one.
    pub digest: [u8; 32],
    /// Bytes as stored: of a gzip file the compressed ones; of PostgreSQL 0, for it is not asked.
    pub stored_bytes: u64,
    /// Number of rows where it is known without reading them all.
    pub rows: Option<u64>,
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

/// Rows bound to a schema. Cheap to share; safe to query from many tasks.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    schema: TableSchema,
    arrow: SchemaRef,
    source: Source,
    snapshot: Snapshot,
    /// The pattern and the files found by it; nothing for databases and memory.
    found: Option<(PathBuf, Vec<FileStamp>)>,
}

#[derive(Debug)]
enum Source {
    Csv(Vec<CsvFile>),
    Parquet(Vec<ParquetFile>),
    Memory(Vec<RecordBatch>),
    Database(Box<Database>),
}

impl Dataset {
    /// Finds the files or the table, maps their columns onto the schema, reads the first rows and computes the snapshot.
    /// Needs a tokio runtime with its timer.
    pub async fn open(name: &str, schema: &TableSchema, spec: SourceSpec) -> Result<Self, DataError> {
        check_config(name, schema, &spec)?;
        let database = match spec {
            SourceSpec::Sqlite { path, table } => Database::sqlite(name, schema, path, &table).await?,
            SourceSpec::Postgres { url, table } => Database::postgres(name, schema, &url, &table).await?,
            files => {
                let (name, schema) = (name.to_owned(), schema.clone());
                return blocking(name.clone(), move || Self::open_blocking(name, schema, files)).await;
            }
        };
        let state = SharedStates::default().of(&database).await?;
        let snapshot = database.snapshot(&state)?;
        // One row, so that what cannot be read is known at once.
        let columns = (0..schema.columns.len()).collect();
        let request = Request { columns, limit: Some(1), timeout_ms: Some(OPEN_MS), ..Request::default() };
        let mut batches = database.start(&state, request)?;
        let first = tokio::time::timeout(Duration::from_millis(OPEN_MS + OPEN_GRACE_MS), batches.recv()).await;
        first.map_err(|_| DataError::Slow { dataset: name.to_owned(), ms: OPEN_MS })?.transpose()?;
        let (name, schema, arrow) = (name.to_owned(), schema.clone(), schema.arrow());
        Ok(Self { name, schema, arrow, source: Source::Database(Box::new(database)), snapshot, found: None })
    }

    fn open_blocking(name: String, schema: TableSchema, spec: SourceSpec) -> Result<Self, DataError> {
        let arrow = schema.arrow();
        let (source, snapshot, found) = match spec {
            SourceSpec::Csv { path, columns, timestamp } => {
                let stamps = files::find(&path)?;
                let open = |stamp: &FileStamp| CsvFile::open(stamp.clone(), &schema, &columns, timestamp);
                let csv = stamps.iter().map(open).collect::<Result<Vec<_>, _>>()?;
                let snapshot = file_snapshot(&stamps, &[], None)?;
                (Source::Csv(csv), snapshot, Some((path, stamps)))
            }
            SourceSpec::Parquet { path, columns, timestamp } => {
                let mapping = Mapping { schema: &schema, columns: &columns, unit: timestamp };
                open_parquet(parquet_pattern(path), mapping)?
            }
            SourceSpec::Memory(batches) => {
                let batches = memory::bind(&name, &schema, &batches)?;
                let snapshot = memory::snapshot(&batches);
                (Source::Memory(batches), snapshot, None)
            }
            SourceSpec::Sqlite { .. } | SourceSpec::Postgres { .. } => {
                return Err(DataError::Internal { what: name, reason: "a database was taken for a file".into() });
            }
        };
        let dataset = Self { name, schema, arrow, source, snapshot, found };
        let first = dataset.reader(dataset.all_columns(), None).next_batch();
        first.map_err(|e| e.into_data(&dataset.name))?;
        Ok(dataset)
    }

    /// Whether it can be used as it is: its files are the same, of the same size and time of change; its database can be
    /// reached and has the columns it had. If not, it should be opened again. What is in a database may have changed: every
    /// run takes its state anew.
    pub async fn is_current(self: &Arc<Self>) -> bool {
        if let Some(database) = self.database() {
            return database.is_current().await;
        }
        let this = Arc::clone(self);
        let look = move || match &this.found {
            Some((pattern, stamps)) => files::find(pattern).is_ok_and(|now| &now == stamps),
            None => true,
        };
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
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
    pub async fn check(self: &Arc<Self>) -> Result<Report, DataError> {
        if let Some(database) = self.database() {
            let state = SharedStates::default().of(database).await?;
            let mut report = Report { snapshot: Some(database.snapshot(&state)?), ..Report::default() };
            let mut batches = database.start(&state, Request { columns: self.all_columns(), ..Request::default() })?;
            while let Some(batch) = batches.recv().await {
                self.note(&mut report, &batch?);
            }
            return Ok(report);
        }
        let this = Arc::clone(self);
        blocking(self.name.clone(), move || this.check_blocking()).await
    }

    fn check_blocking(&self) -> Result<Report, DataError> {
        let files = match &self.source {
            Source::Csv(files) => files.len(),
            Source::Parquet(files) => files.len(),
            Source::Memory(_) | Source::Database(_) => 0,
        };
        let mut report = Report { files, ..Report::default() };
        let mut reader = self.reader(self.all_columns(), None);
        while let Some(batch) = reader.next_batch().map_err(|e| e.into_data(&self.name))? {
            self.note(&mut report, &batch);
        }
        Ok(report)
    }

    fn note(&self, report: &mut Report, batch: &RecordBatch) {
        report.rows += batch.num_rows() as u64;
        for (column, array) in self.schema.columns.iter().zip(batch.columns()) {
            if array.null_count() > 0 {
                *report.nulls.entry(column.name.clone()).or_default() += array.null_count() as u64;
            }
            if column.ty == ColumnType::Timestamp {
                widen(&mut report.spans, &column.name, array);
            }
        }
    }

    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Whether the rows already lie in memory, so that reading them blocks nobody.
    pub(crate) fn in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// Whether the reader itself drops the rows that do not fulfil the predicate.
    pub(crate) fn filters(&self) -> bool {
        matches!(self.source, Source::Parquet(_))
    }

    /// The database that is read, where it is one.
    pub(crate) fn database(&self) -> Option<&Database> {
        match &self.source {
            Source::Database(database) => Some(database),
            _ => None,
        }
    }

    /// A reader of the given columns of files or memory; a bound predicate is used where `filters` says so.
    pub(crate) fn reader(&self, columns: Vec<usize>, predicate: Option<Predicate>) -> Box<dyn BatchReader> {
        match &self.source {
            Source::Csv(files) => {
                let schema = project(&self.arrow, &columns);
                Box::new(CsvReader::new(files.clone(), self.schema.clone(), columns, schema))
            }
            Source::Parquet(files) => {
                Box::new(ParquetReader::new(files.clone(), self.schema.clone(), columns, predicate))
            }
            Source::Memory(batches) => Box::new(MemoryReader::new(batches.clone(), columns)),
            // Databases are read through `database`; here they have no rows.
            Source::Database(_) => Box::new(MemoryReader::new(Vec::new(), columns)),
        }
    }

    fn all_columns(&self) -> Vec<usize> {
        (0..self.schema.columns.len()).collect()
    }
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

/// A folder stands for all Parquet files in and below it.
fn parquet_pattern(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("**/*.parquet") } else { path }
}

type Opened = (Source, Snapshot, Option<(PathBuf, Vec<FileStamp>)>);

fn open_parquet(pattern: PathBuf, mapping: Mapping<'_>) -> Result<Opened, DataError> {
    let stamps = files::find(&pattern)?;
    let partitions: Vec<_> = stamps.iter().map(|stamp| hive::partitions(&pattern, &stamp.path)).collect();
    let open = |(stamp, partitions): (&FileStamp, &Partitions)| ParquetFile::open(stamp.clone(), mapping, partitions);
    let parquet = stamps.iter().zip(&partitions).map(open).collect::<Result<Vec<_>, _>>()?;
    let rows = parquet.iter().map(|file| file.rows).sum();
    let snapshot = file_snapshot(&stamps, &partitions, Some(rows))?;
    Ok((Source::Parquet(parquet), snapshot, Some((pattern, stamps))))
}

/// Columns that the path of a file has.
type Partitions = Vec<(String, Option<String>)>;

/// Where folders hold columns, their values belong to the data.
fn file_snapshot(stamps: &[FileStamp], partitions: &[Partitions], rows: Option<u64>) -> Result<Snapshot, DataError> {
    let stored_bytes = stamps.iter().map(|stamp| stamp.bytes).sum();
    let mut digest = files::snapshot_digest(stamps)?;
    if partitions.iter().any(|columns| !columns.is_empty()) {
        let mut hasher = Sha256::new();
        hasher.update(b"iog-snapshot-partitions/v1\0");
        hasher.update(digest);
        for columns in partitions {
            hasher.update((columns.len() as u64).to_le_bytes());
            for (key, value) in columns {
                for text in [Some(key), value.as_ref()] {
                    hasher.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
                    hasher.update(text.map_or("", String::as_str));
                }
            }
        }
        digest = hasher.finalize().into();
    }
    Ok(Snapshot { digest, stored_bytes, rows })
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
