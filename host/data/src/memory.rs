//! Datasets in memory: batches cast onto the schema once, and their identity, which does not depend on how the rows are
//! cut into batches.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::DataType;
use sha2::{Digest, Sha256};

use crate::BATCH_ROWS;
use crate::cast::{accepted, cast_column, uncastable};
use crate::error::{DataError, Misfit};
use crate::reader::{BatchReader, ReadError};
use crate::schema::{ColumnSpec, TableSchema};
use crate::snapshot::Snapshot;
use crate::timestamp::TimestampUnit;

/// Casts batches onto the schema.
pub(crate) fn bind(name: &str, schema: &TableSchema, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, DataError> {
    let arrow = schema.arrow();
    let mut bound = Vec::with_capacity(batches.len());
    let mut before = 0;
    for batch in batches {
        let column = |spec| bind_column(name, spec, batch, before);
        let arrays = schema.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let typed = RecordBatch::try_new_with_options(Arc::clone(&arrow), arrays, &options)
            .map_err(|e| DataError::Internal { what: name.to_owned(), reason: e.to_string() })?;
        before += batch.num_rows();
        bound.push(typed);
    }
    Ok(bound)
}

fn bind_column(name: &str, spec: &ColumnSpec, batch: &RecordBatch, before: usize) -> Result<ArrayRef, DataError> {
    let misfit = |row: Option<usize>, reason: String, fits: &str| {
        let line = row.map(|row| (before + row) as u64 + 1);
        let (column, fits) = (Some(spec.name.clone()), fits.to_owned());
        DataError::Misfit(Box::new(Misfit { file: name.to_owned(), line, column, reason, fits }))
    };
    if batch.schema_ref().fields().iter().filter(|field| *field.name() == spec.name).count() > 1 {
        return Err(misfit(None, "the batch has several columns of that name".into(), "one column of that name"));
    }
    let Some(array) = batch.column_by_name(&spec.name) else {
        if spec.required {
            return Err(misfit(None, "the batch has no such column".into(), "a column of that name"));
        }
        return Ok(new_null_array(&spec.ty.arrow(), batch.num_rows()));
    };
    if let Some(what) = uncastable(array.data_type(), spec.ty, spec.required) {
        return Err(misfit(None, format!("it is {what}"), accepted(spec.ty)));
    }
    let cast = cast_column(array, spec.ty, TimestampUnit::Micros)
        .map_err(|unfit| misfit(unfit.row, unfit.reason, spec.ty.fits()))?;
    if spec.required && cast.null_count() > 0 {
        let row = (0..cast.len()).find(|row| cast.is_null(*row));
        return Err(misfit(row, "the value is missing".into(), spec.ty.fits()));
    }
    Ok(cast)
}

/// Identity and size: each column is hashed value by value, over all batches.
pub(crate) fn snapshot(batches: &[RecordBatch]) -> Snapshot {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut whole = Sha256::new();
    whole.update(b"iog-snapshot-memory/v1\0");
    whole.update((rows as u64).to_le_bytes());
    for at in 0..batches.first().map_or(0, RecordBatch::num_columns) {
        let mut column = Sha256::new();
        for batch in batches {
            hash_column(&mut column, batch.column(at));
        }
        whole.update(column.finalize());
    }
    let stored_bytes = batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
    Snapshot { digest: whole.finalize().into(), stored_bytes, rows: Some(rows as u64) }
}

fn hash_column(hasher: &mut Sha256, array: &ArrayRef) {
    for row in 0..array.len() {
        if array.is_null(row) {
            hasher.update([0]);
            continue;
        }
        hasher.update([1]);
        match array.data_type() {
            DataType::Int64 => hasher.update(array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
            DataType::UInt64 => hasher.update(array.as_primitive::<UInt64Type>().value(row).to_le_bytes()),
            DataType::Float64 => hasher.update(array.as_primitive::<Float64Type>().value(row).to_le_bytes()),
            DataType::Boolean => hasher.update([u8::from(array.as_boolean().value(row))]),
            DataType::FixedSizeBinary(_) => hasher.update(array.as_fixed_size_binary().value(row)),
            _ => {
                let text = array.as_string::<i32>().value(row);
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
        }
    }
}

/// Hands out slices of the batches.
pub(crate) struct MemoryReader {
    batches: Vec<RecordBatch>,
    columns: Vec<usize>,
    at: usize,
    row: usize,
}

impl MemoryReader {
    pub(crate) fn new(batches: Vec<RecordBatch>, columns: Vec<usize>) -> Self {
        Self { batches, columns, at: 0, row: 0 }
    }
}

impl BatchReader for MemoryReader {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        while let Some(batch) = self.batches.get(self.at) {
            let rows = (batch.num_rows() - self.row).min(BATCH_ROWS);
            if rows == 0 {
                self.at += 1;
                self.row = 0;
                continue;
            }
            let slice = batch.slice(self.row, rows);
            self.row += rows;
            let projected = slice.project(&self.columns);
            let internal = |e: arrow_schema::ArrowError| DataError::Internal {
                what: "batches in memory".into(),
                reason: e.to_string(),
            };
            return Ok(Some(projected.map_err(internal)?));
        }
        Ok(None)
    }
}
