//! When a batch is full, and what its columns are made of. Bounds memory: rows alone do not, because a row's text may be
//! long.

use arrow_array::RecordBatch;
use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

use crate::ImportError;
use crate::columns::{BATCH_ROWS, Sink};

/// Bytes of text after which a batch is handed on, whatever its rows: a full batch of 16,384 rows with 2 KiB of text
/// each, far above any real table. One row more may follow, of at most a record's text.
pub const TEXT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How full a batch is.
#[derive(Debug, Default)]
pub(super) struct Fill {
    rows: usize,
    text_bytes: usize,
}

impl Fill {
    /// Counts a row with so much text; tells whether the batch is full now.
    pub(super) fn add(&mut self, text_bytes: usize) -> bool {
        self.rows += 1;
        self.text_bytes += text_bytes;
        self.rows >= BATCH_ROWS || self.text_bytes >= TEXT_BYTES_MAX
    }

    /// Starts the next batch; tells whether there were rows in this one.
    pub(super) fn restart(&mut self) -> bool {
        std::mem::take(self).rows > 0
    }
}

/// Hands a batch on.
pub(super) fn store(sink: &mut dyn Sink, batch: RecordBatch) -> Result<(), ImportError> {
    sink.batch(batch).map_err(ImportError::Sink)
}

/// A schema of columns `(name, type, nullable)`.
pub(super) fn schema_of(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields: Vec<_> = columns.iter().map(|(name, ty, nullable)| Field::new(*name, ty.clone(), *nullable)).collect();
    Arc::new(Schema::new(fields))
}

/// The type of an address column.
pub(super) const ADDRESS: DataType = DataType::FixedSizeBinary(16);

/// A builder of an address column.
pub(super) fn addresses() -> FixedSizeBinaryBuilder {
    FixedSizeBinaryBuilder::with_capacity(BATCH_ROWS, 16)
}

/// Appends an address.
pub(super) fn push_address(column: &mut FixedSizeBinaryBuilder, address: &[u8; 16]) {
    column.append_value(address).expect("an address is as wide as its column");
}

/// Appends an address or null.
pub(super) fn push_address_option(column: &mut FixedSizeBinaryBuilder, address: Option<&[u8; 16]>) {
    match address {
        Some(address) => push_address(column, address),
        None => column.append_null(),
    }
}
