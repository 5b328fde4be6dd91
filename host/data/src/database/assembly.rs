//! Rows of a driver on their way into typed batches: bounded in rows and bytes, every misfit with its row and column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;
use tokio::sync::mpsc;

use super::binding::Binding;
use super::bounds::Range;
use super::cell::Cell;
use crate::BATCH_ROWS;
use crate::columns::TextColumn;
use crate::error::{DataError, Misfit};
use crate::reader::project;

/// A batch ends early when its values reach this many bytes, as in CSV files.
const BATCH_BYTES: usize = 8 << 20;

/// What one scan wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// Columns of the schema.
    pub(crate) columns: Vec<usize>,
    /// Ranges of columns; rows outside of them may be left out.
    pub(crate) ranges: BTreeMap<usize, Range>,
    /// Most rows, where no condition is left to test.
    pub(crate) limit: Option<usize>,
    /// Milliseconds that a statement may take; `None`: the default of the source.
    pub(crate) timeout_ms: Option<u64>,
}

/// The batches of a scan in progress. Dropping it stops the scan.
pub(crate) type Batches = mpsc::Receiver<Result<RecordBatch, DataError>>;

/// A row as it comes from a driver.
pub(super) trait Row {
    /// The value of the at-th selected column; the reason where it cannot be taken.
    fn cell(&self, at: usize) -> Result<Cell<'_>, String>;
}

/// Rows on their way into batches.
pub(super) struct Assembly {
    binding: Arc<Binding>,
    schema: SchemaRef,
    columns: Vec<usize>,
    builders: Vec<TextColumn>,
    rows: usize,
    bytes: usize,
    /// Rows that were given out, where no condition has hidden rows.
    before: Option<u64>,
}

impl Assembly {
    pub(super) fn new(binding: &Arc<Binding>, request: &Request) -> Self {
        let present = |at: &&usize| binding.shape.columns[**at].is_some();
        let builder = |at: &usize| TextColumn::new(&binding.table.columns[*at], binding.shape.unit, BATCH_ROWS);
        Self {
            binding: Arc::clone(binding),
            schema: project(&binding.arrow, &request.columns),
            builders: request.columns.iter().filter(present).map(builder).collect(),
            columns: request.columns.clone(),
            rows: 0,
            bytes: 0,
            before: request.ranges.is_empty().then_some(0),
        }
    }

    /// Takes a row; a batch when it is full.
    pub(super) fn push(&mut self, row: &impl Row) -> Result<Option<RecordBatch>, DataError> {
        for at in 0..self.builders.len() {
            let pushed = row.cell(at).and_then(|cell| {
                self.bytes += size(&cell);
                self.builders[at].push_cell(cell)
            });
            pushed.map_err(|reason| self.misfit(at, reason))?;
        }
        self.rows += 1;
        if self.rows < BATCH_ROWS && self.bytes < BATCH_BYTES { Ok(None) } else { self.finish() }
    }

    /// The rows that are left.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let mut built = self.builders.iter_mut();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for at in &self.columns {
            let absent = self.binding.shape.columns[*at].is_none();
            let builder = if absent { None } else { built.next() };
            let ty = self.binding.table.columns[*at].ty;
            arrays.push(builder.map_or_else(|| new_null_array(&ty.arrow(), self.rows), TextColumn::finish));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| DataError::Internal { what: self.binding.shown.clone(), reason: e.to_string() })?;
        self.before = self.before.map(|before| before + self.rows as u64);
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }

    fn misfit(&self, built: usize, reason: String) -> DataError {
        let mut present = self.columns.iter().filter(|at| self.binding.shape.columns[**at].is_some());
        let spec = present.nth(built).map(|at| &self.binding.table.columns[*at]);
        let fits = spec.map_or("another value", |spec| self.builders[built].fits(spec)).to_owned();
        let line = self.before.map(|before| before + self.rows as u64 + 1);
        let column = spec.map(|spec| spec.name.clone());
        DataError::Misfit(Box::new(Misfit { file: self.binding.shown.clone(), line, column, reason, fits }))
    }
}

fn size(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}
