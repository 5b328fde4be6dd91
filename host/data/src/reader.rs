//! What every source gives the scan: typed batches of some columns of the schema, pulled one at a time, off the async
//! threads.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion_common::error::DataFusionError;

use crate::counts::ScanCounts;
use crate::error::DataError;

/// A source being read. Blocking; runs on a blocking thread.
pub(crate) trait BatchReader: Send {
    /// The next rows, at most [`crate::BATCH_ROWS`]; `None` at the end.
    fn next_batch(&mut self) -> std::result::Result<Option<RecordBatch>, ReadError>;

    /// What was spared and read since this was last asked.
    fn take_counts(&mut self) -> ScanCounts {
        ScanCounts::default()
    }
}

/// Why a source gave no batch.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The data are at fault.
    Data(DataError),
    /// The condition that was pushed into the source failed on a row.
    Condition(DataFusionError),
}

impl From<DataError> for ReadError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<ReadError> for DataFusionError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Data(data) => data.into(),
            ReadError::Condition(condition) => condition,
        }
    }
}

impl ReadError {
    /// The error of a reader that was given no condition.
    pub(crate) fn into_data(self, what: &str) -> DataError {
        match self {
            Self::Data(data) => data,
            Self::Condition(error) => DataError::Internal { what: what.to_owned(), reason: error.strip_backtrace() },
        }
    }
}

/// The schema of the given columns.
pub(crate) fn project(schema: &SchemaRef, columns: &[usize]) -> SchemaRef {
    let fields: Vec<_> = columns.iter().map(|at| Arc::clone(&schema.fields()[*at])).collect();
    Arc::new(arrow_schema::Schema::new(fields))
}
