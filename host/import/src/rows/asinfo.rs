//! Rows of `asinfo/1`.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{FixedSizeBinaryBuilder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::fill::{ADDRESS, Fill, addresses, push_address, schema_of, store};
use crate::ImportError;
use crate::columns::Sink;

/// One row of `asinfo/1`; fields are its columns, `None` where the source does not say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AsinfoRow<'a> {
    /// Network address, IPv4 mapped.
    pub prefix: [u8; 16],
    /// Length in bits in its own family.
    pub prefix_len: u64,
    /// AS number.
    pub asn: u64,
    /// Longest prefix that the AS may originate, bits.
    pub max_len: Option<u64>,
    /// `bgp`, `roa`, `irr` or `rir`.
    pub kind: Option<&'a str>,
    /// Name of the AS.
    pub name: Option<&'a str>,
    /// Organisation that holds the AS.
    pub organisation: Option<&'a str>,
    /// Country of registration, two letters.
    pub country: Option<&'a str>,
    /// Registry or trust anchor.
    pub registry: Option<&'a str>,
    /// From when it holds, microseconds since the epoch.
    pub valid_from: Option<i64>,
    /// Until when it holds, microseconds since the epoch.
    pub valid_to: Option<i64>,
}

/// The Arrow schema of `asinfo/1`, columns in the documented order; only required columns are not nullable.
#[must_use]
pub fn asinfo_schema() -> SchemaRef {
    use DataType::{Int64, UInt64, Utf8};
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema_of(&[
            ("prefix", ADDRESS, false),
            ("prefix_len", UInt64, false),
            ("asn", UInt64, false),
            ("max_len", UInt64, true),
            ("kind", Utf8, true),
            ("name", Utf8, true),
            ("organisation", Utf8, true),
            ("country", Utf8, true),
            ("registry", Utf8, true),
            ("valid_from", Int64, true),
            ("valid_to", Int64, true),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// Collects rows of `asinfo/1`.
#[derive(Debug)]
pub struct AsinfoBuilder {
    fill: Fill,
    prefix: FixedSizeBinaryBuilder,
    prefix_len: UInt64Builder,
    asn: UInt64Builder,
    max_len: UInt64Builder,
    kind: StringBuilder,
    name: StringBuilder,
    organisation: StringBuilder,
    country: StringBuilder,
    registry: StringBuilder,
    valid_from: Int64Builder,
    valid_to: Int64Builder,
}

impl Default for AsinfoBuilder {
    fn default() -> Self {
        Self {
            fill: Fill::default(),
            prefix: addresses(),
            prefix_len: UInt64Builder::new(),
            asn: UInt64Builder::new(),
            max_len: UInt64Builder::new(),
            kind: StringBuilder::new(),
            name: StringBuilder::new(),
            organisation: StringBuilder::new(),
            country: StringBuilder::new(),
            registry: StringBuilder::new(),
            valid_from: Int64Builder::new(),
            valid_to: Int64Builder::new(),
        }
    }
}

impl AsinfoBuilder {
    /// Adds a row; hands a full batch to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn push(&mut self, row: &AsinfoRow<'_>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        push_address(&mut self.prefix, &row.prefix);
        self.prefix_len.append_value(row.prefix_len);
        self.asn.append_value(row.asn);
        self.max_len.append_option(row.max_len);
        self.kind.append_option(row.kind);
        self.name.append_option(row.name);
        self.organisation.append_option(row.organisation);
        self.country.append_option(row.country);
        self.registry.append_option(row.registry);
        self.valid_from.append_option(row.valid_from);
        self.valid_to.append_option(row.valid_to);
        let optional: usize = [row.kind, row.name, row.organisation, row.country, row.registry]
            .iter()
            .flatten()
            .map(|text| text.len())
            .sum();
        if self.fill.add(optional) { self.flush(sink) } else { Ok(()) }
    }

    /// Hands the rows not yet handed on to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        if !self.fill.restart() {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.prefix.finish()),
            Arc::new(self.prefix_len.finish()),
            Arc::new(self.asn.finish()),
            Arc::new(self.max_len.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.organisation.finish()),
            Arc::new(self.country.finish()),
            Arc::new(self.registry.finish()),
            Arc::new(self.valid_from.finish()),
            Arc::new(self.valid_to.finish()),
        ];
        store(sink, RecordBatch::try_new(asinfo_schema(), columns).expect("columns are as the schema says"))
    }
}
