//! Batches to a Parquet file that scans well: zstd, row groups of 131,072 rows, statistics of columns and pages. Writes
//! to a temporary name and renames, so that no reader sees half a file.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::error::DataError;
use crate::files::io;

/// Rows in a row group: what statistics can skip at a time.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// Writes one Parquet file, batch by batch; at most one row group is held in memory. Dropped before it is finished it
/// leaves nothing behind.
#[derive(Debug)]
pub struct ParquetFileWriter {
    writer: ArrowWriter<File>,
    path: std::path::PathBuf,
    partial: Partial,
    rows: u64,
}

/// The name of an unfinished file, which is removed unless it was given its own.
#[derive(Debug)]
struct Partial(std::path::PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // After the file was renamed there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ParquetFileWriter {
    /// Starts a file; it appears under `path` only when it is finished.
    pub fn create(path: &Path, schema: SchemaRef) -> Result<Self, DataError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = Partial(path.with_file_name(name));
        let file = File::create(&partial.0).map_err(|source| io(&partial.0, source))?;
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by("iog".into())
            .build();
        let writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(|e| failed(path, &e))?;
        Ok(Self { writer, path: path.to_owned(), partial, rows: 0 })
    }

    /// Appends rows of the file's schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        self.writer.write(batch).map_err(|e| failed(&self.path, &e))?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Writes the footer and gives the file its name; returns the number of rows.
    pub fn finish(self) -> Result<u64, DataError> {
        let file = self.writer.into_inner().map_err(|e| failed(&self.path, &e))?;
        file.sync_all().map_err(|source| io(&self.partial.0, source))?;
        std::fs::rename(&self.partial.0, &self.path).map_err(|source| io(&self.path, source))?;
        Ok(self.rows)
    }
}

/// Writes batches of one schema to a Parquet file; returns the number of rows.
pub fn write_parquet(path: &Path, schema: SchemaRef, batches: &[RecordBatch]) -> Result<u64, DataError> {
    let mut writer = ParquetFileWriter::create(path, schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()
}

fn failed(path: &Path, error: &dyn std::error::Error) -> DataError {
    DataError::Internal { what: path.display().to_string(), reason: error.to_string() }
}
