//! Rows that lie here: files of the provider, and batches in memory. They are read through a `BatchReader`, which a
//! database has not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sha2::{Digest, Sha256};

use crate::csv::{CsvFile, CsvReader};
use crate::error::DataError;
use crate::files::{self, FileStamp};
use crate::hive;
use crate::memory::{self, MemoryReader};
use crate::parquet_file::{Mapping, ParquetFile};
use crate::parquet_scan::ParquetReader;
use crate::predicate::Predicate;
use crate::reader::{BatchReader, project};
use crate::schema::TableSchema;
use crate::snapshot::Snapshot;
use crate::timestamp::TimestampUnit;

/// Files or batches whose columns are mapped onto a schema.
#[derive(Debug)]
pub(crate) struct Local {
    schema: TableSchema,
    arrow: SchemaRef,
    store: Store,
    /// The pattern and the files found by it; nothing for memory.
    found: Option<(PathBuf, Vec<FileStamp>)>,
}

#[derive(Debug)]
enum Store {
    Csv(Vec<CsvFile>),
    Parquet(Vec<ParquetFile>),
    Memory(Vec<RecordBatch>),
}

impl Local {
    /// Finds CSV files and reads their headers.
    pub(crate) fn csv(
        schema: TableSchema,
        path: PathBuf,
        columns: &BTreeMap<String, String>,
        unit: TimestampUnit,
    ) -> Result<(Self, Snapshot), DataError> {
        let stamps = files::find(&path)?;
        let open = |stamp: &FileStamp| CsvFile::open(stamp.clone(), &schema, columns, unit);
        let csv = stamps.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let snapshot = file_snapshot(&stamps, &[], None)?;
        Ok((Self { arrow: schema.arrow(), schema, store: Store::Csv(csv), found: Some((path, stamps)) }, snapshot))
    }

    /// Finds Parquet files and reads their footers.
    pub(crate) fn parquet(
        schema: TableSchema,
        path: PathBuf,
        columns: &BTreeMap<String, String>,
        unit: TimestampUnit,
    ) -> Result<(Self, Snapshot), DataError> {
        let pattern = parquet_pattern(path);
        let stamps = files::find(&pattern)?;
        let partitions: Vec<_> = stamps.iter().map(|stamp| hive::partitions(&pattern, &stamp.path)).collect();
        let mapping = Mapping { schema: &schema, columns, unit };
        let open =
            |(stamp, partitions): (&FileStamp, &Partitions)| ParquetFile::open(stamp.clone(), mapping, partitions);
        let parquet = stamps.iter().zip(&partitions).map(open).collect::<Result<Vec<_>, _>>()?;
        let rows = parquet.iter().map(|file| file.rows).sum();
        let snapshot = file_snapshot(&stamps, &partitions, Some(rows))?;
        let store = Store::Parquet(parquet);
        Ok((Self { arrow: schema.arrow(), schema, store, found: Some((pattern, stamps)) }, snapshot))
    }

    /// Casts batches onto the schema.
    pub(crate) fn memory(
        schema: TableSchema,
        name: &str,
        batches: &[RecordBatch],
    ) -> Result<(Self, Snapshot), DataError> {
        let batches = memory::bind(name, &schema, batches)?;
        let snapshot = memory::snapshot(&batches);
        Ok((Self { arrow: schema.arrow(), schema, store: Store::Memory(batches), found: None }, snapshot))
    }

    /// Whether the same files are there, of the same size and time of change. Blocking.
    pub(crate) fn is_current(&self) -> bool {
        match &self.found {
            Some((pattern, stamps)) => files::find(pattern).is_ok_and(|now| &now == stamps),
            None => true,
        }
    }

    /// Number of files; 0 for memory.
    pub(crate) fn files(&self) -> usize {
        self.found.as_ref().map_or(0, |(_, stamps)| stamps.len())
    }

    /// Whether the rows already lie in memory, so that reading them blocks nobody.
    pub(crate) fn in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Whether the reader itself drops the rows that do not fulfil the predicate.
    pub(crate) fn filters(&self) -> bool {
        matches!(self.store, Store::Parquet(_))
    }

    /// A reader of the given columns; a bound predicate is used where `filters` says so.
    pub(crate) fn reader(&self, columns: Vec<usize>, predicate: Option<Predicate>) -> Box<dyn BatchReader> {
        match &self.store {
            Store::Csv(files) => {
                let schema = project(&self.arrow, &columns);
                Box::new(CsvReader::new(files.clone(), self.schema.clone(), columns, schema))
            }
            Store::Parquet(files) => {
                Box::new(ParquetReader::new(files.clone(), self.schema.clone(), columns, predicate))
            }
            Store::Memory(batches) => Box::new(MemoryReader::new(batches.clone(), columns)),
        }
    }
}

/// A folder stands for all Parquet files in and below it.
fn parquet_pattern(path: PathBuf) -> PathBuf {
    if path.is_dir() { path.join("**/*.parquet") } else { path }
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
