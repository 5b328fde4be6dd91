//! A dataset: a provider's files or batches bound to a schema, with a snapshot identity. Opening one reads headers and
//! footers and hashes the content; `check` reads every row.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;

use crate::csv::{CsvFile, CsvReader};
use crate::error::DataError;
use crate::files::{self, FileStamp};
use crate::memory::{self, MemoryReader};
use crate::parquet_file::{ParquetFile, ParquetReader};
use crate::reader::{BatchReader, Predicate, project};
use crate::schema::{ColumnType, TableSchema};
use crate::timestamp::TimestampUnit;

/// Where a dataset's rows come from. `columns` maps a schema's column to the source's; what is not mapped has the same
/// name in both. `timestamp` is the unit of timestamps that are numbers or text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SourceSpec {
    /// CSV with a header line, plain or gzip (seen by its first bytes).
    Csv {
        /// A file, or a glob with `*` and `?`.
        path: PathBuf,
        /// Schema column → source column.
        columns: BTreeMap<String, String>,
        /// Unit of the timestamps.
        timestamp: TimestampUnit,
    },
    /// Parquet.
    Parquet {
        /// A file, or a glob with `*` and `?`.
        path: PathBuf,
        /// Schema column → source column.
        columns: BTreeMap<String, String>,
        /// Unit of timestamps that are plain integers or text; Parquet's own timestamps know their unit.
        timestamp: TimestampUnit,
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
    /// SHA-256 over the content of all files in order (or of all values in memory).
    pub digest: [u8; 32],
    /// Bytes as stored: of a gzip file the compressed ones.
    pub stored_bytes: u64,
    /// Number of rows where it is known without reading them all.
    pub rows: Option<u64>,
}

/// What `check` found in a dataset without faults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Number of rows.
    pub rows: u64,
    /// Number of files; 0 for memory.
    pub files: usize,
    /// Number of nulls by optional column, where there are any.
    pub nulls: BTreeMap<String, u64>,
    /// First and last value of each timestamp column, in microseconds.
    pub spans: BTreeMap<String, (i64, i64)>,
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

#[derive(Debug)]
enum Source {
    Csv(Vec<CsvFile>),
    Parquet(Vec<ParquetFile>),
    Memory(Vec<RecordBatch>),
}

impl Dataset {
    /// Finds the files, maps their columns onto the schema, reads the first rows and computes the snapshot.
    pub async fn open(name: &str, schema: &TableSchema, spec: SourceSpec) -> Result<Self, DataError> {
        let (name, schema) = (name.to_owned(), schema.clone());
        blocking(name.clone(), move || Self::open_blocking(name, schema, spec)).await
    }

    fn open_blocking(name: String, schema: TableSchema, spec: SourceSpec) -> Result<Self, DataError> {
        check_config(&name, &schema, &spec)?;
        let (source, snapshot) = match spec {
            SourceSpec::Csv { path, columns, timestamp } => {
                let stamps = files::find(&path)?;
                let open = |stamp: &FileStamp| CsvFile::open(stamp.clone(), &schema, &columns, timestamp);
                let csv = stamps.iter().map(open).collect::<Result<Vec<_>, _>>()?;
                (Source::Csv(csv), file_snapshot(&stamps, None)?)
            }
            SourceSpec::Parquet { path, columns, timestamp } => {
                let stamps = files::find(&path)?;
                let open = |stamp: &FileStamp| ParquetFile::open(stamp.clone(), &schema, &columns, timestamp);
                let parquet = stamps.iter().map(open).collect::<Result<Vec<_>, _>>()?;
                let rows = parquet.iter().map(|file| file.rows).sum();
                (Source::Parquet(parquet), file_snapshot(&stamps, Some(rows))?)
            }
            SourceSpec::Memory(batches) => {
                let batches = memory::bind(&name, &schema, &batches)?;
                let snapshot = memory::snapshot(&batches);
                (Source::Memory(batches), snapshot)
            }
        };
        let arrow = schema.arrow();
        let dataset = Self { name, schema, arrow, source, snapshot };
        let first = dataset.reader(dataset.all_columns(), None).next_batch();
        first.map_err(|e| e.into_data(&dataset.name))?;
        Ok(dataset)
    }

    /// The dataset's name at its provider.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema it is bound to.
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// Identity and size of the data, as of opening. Files that have changed since are refused when they are read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Reads every row of every column; the first fault is the error.
    pub async fn check(self: &Arc<Self>) -> Result<Report, DataError> {
        let this = Arc::clone(self);
        blocking(self.name.clone(), move || this.check_blocking()).await
    }

    fn check_blocking(&self) -> Result<Report, DataError> {
        let files = match &self.source {
            Source::Csv(files) => files.len(),
            Source::Parquet(files) => files.len(),
            Source::Memory(_) => 0,
        };
        let mut report = Report { files, ..Report::default() };
        let mut reader = self.reader(self.all_columns(), None);
        while let Some(batch) = reader.next_batch().map_err(|e| e.into_data(&self.name))? {
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
        Ok(report)
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

    /// A reader of the given columns; a bound predicate is used where `filters` says so.
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

fn file_snapshot(stamps: &[FileStamp], rows: Option<u64>) -> Result<Snapshot, DataError> {
    let stored_bytes = stamps.iter().map(|stamp| stamp.bytes).sum();
    Ok(Snapshot { digest: files::snapshot_digest(stamps)?, stored_bytes, rows })
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
    let (SourceSpec::Csv { columns, .. } | SourceSpec::Parquet { columns, .. }) = spec else { return Ok(()) };
    match columns.keys().find(|key| schema.index_of(key).is_none()) {
        Some(key) => Err(config(format!("the column map names `{key}`, which schema `{}` does not have", schema.id))),
        None => Ok(()),
    }
}
