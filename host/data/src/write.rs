//! Batches to a Parquet file that scans well: zstd, row groups of 131,072 rows, statistics of columns and pages. Writes
//! to a temporary name and renames, so that no reader sees half a file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::error::DataError;

/// Rows in a row group: what statistics can skip at a time.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// Unfinished files of one process under one name: tries to find a free one.
const PARTIAL_TRIES: u32 = 1000;

/// Writes one Parquet file, batch by batch; at most one row group is held in memory. Several may write a file of one name
/// at a time, the last that finishes stays. Dropped before it is finished it leaves nothing behind.
#[derive(Debug)]
pub struct ParquetFileWriter {
    writer: ArrowWriter<File>,
    path: PathBuf,
    partial: Partial,
    rows: u64,
}

/// The name of an unfinished file, which is removed unless it was given its own. It begins with a dot, so that no pattern
/// of a dataset meets it.
#[derive(Debug)]
struct Partial(PathBuf);

impl Partial {
    /// Makes a file beside `path` that nobody else writes.
    fn create(path: &Path) -> Result<(Self, File), DataError> {
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut number = 0;
        loop {
            let partial = path.with_file_name(format!(".{own}.{}-{number}.partial", std::process::id()));
            match File::create_new(&partial) {
                Ok(file) => return Ok((Self(partial), file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < PARTIAL_TRIES => number += 1,
                Err(source) => return Err(failed(&partial, source)),
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the file was renamed there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ParquetFileWriter {
    /// Starts a file; it appears under `path` only when it is finished.
    pub fn create(path: &Path, schema: SchemaRef) -> Result<Self, DataError> {
        let (partial, file) = Partial::create(path)?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by("iog".into())
            .build();
        let writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(|e| failed(path, cause(e)))?;
        Ok(Self { writer, path: path.to_owned(), partial, rows: 0 })
    }

    /// Appends rows of the file's schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        self.writer.write(batch).map_err(|e| failed(&self.path, cause(e)))?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Writes the footer and gives the file its name, on disk when this returns; tells the number of rows.
    pub fn finish(self) -> Result<u64, DataError> {
        self.end(None)
    }

    /// As [`Self::finish`], with this time of change instead of now.
    pub fn finish_as_of(self, modified: SystemTime) -> Result<u64, DataError> {
        self.end(Some(modified))
    }

    /// What replaces files whole elsewhere (`iog_machine::files`) takes all bytes at once and belongs to those who know people
    /// and times; this crate depends on neither, and its files grow batch by batch.
    fn end(self, modified: Option<SystemTime>) -> Result<u64, DataError> {
        let Self { writer, path, partial, rows } = self;
        let file = writer.into_inner().map_err(|e| failed(&path, cause(e)))?;
        if let Some(modified) = modified {
            file.set_modified(modified).map_err(|source| failed(&partial.0, source))?;
        }
        file.sync_all().map_err(|source| failed(&partial.0, source))?;
        std::fs::rename(&partial.0, &path).map_err(|source| failed(&path, source))?;
        sync_folder(&path)?;
        Ok(rows)
    }
}

/// Brings the names in the folder of `path` to disk.
pub fn sync_folder(path: &Path) -> Result<(), DataError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| failed(folder, source))
}

/// Writes batches of one schema to a Parquet file; returns the number of rows.
pub fn write_parquet(path: &Path, schema: SchemaRef, batches: &[RecordBatch]) -> Result<u64, DataError> {
    let mut writer = ParquetFileWriter::create(path, schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()
}

fn failed(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DataError {
    DataError::Store { path: path.to_owned(), source: source.into() }
}

/// What the operating system said, without the library's frame around it.
fn cause(error: ParquetError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        ParquetError::External(source) => source,
        other => other.into(),
    }
}
