//! Rows of `geo/1`.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{FixedSizeBinaryBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::fill::{ADDRESS, Fill, addresses, push_address, schema_of, store};
use crate::ImportError;
use crate::columns::Sink;

/// One row of `geo/1`; fields are its columns, `None` where the source does not say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GeoRow<'a> {
    /// Network address, IPv4 mapped.
    pub prefix: [u8; 16],
    /// Length in bits in its own family.
    pub prefix_len: u64,
    /// Country, two letters.
    pub country: Option<&'a str>,
    /// ISO 3166-2 subdivision code.
    pub region: Option<&'a str>,
    /// Name of the city.
    pub city: Option<&'a str>,
    /// Postal code.
    pub postal_code: Option<&'a str>,
    /// Degrees, north positive.
    pub latitude: Option<f64>,
    /// Degrees, east positive.
    pub longitude: Option<f64>,
    /// When the table was made, microseconds since the epoch.
    pub valid_from: Option<i64>,
}

/// The Arrow schema of `geo/1`, columns in the documented order; only required columns are not nullable.
#[must_use]
pub fn geo_schema() -> SchemaRef {
    use DataType::{Float64, Int64, UInt64, Utf8};
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema_of(&[
            ("prefix", ADDRESS, false),
            ("prefix_len", UInt64, false),
            ("country", Utf8, true),
            ("region", Utf8, true),
            ("city", Utf8, true),
            ("postal_code", Utf8, true),
            ("latitude", Float64, true),
            ("longitude", Float64, true),
            ("valid_from", Int64, true),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// Collects rows of `geo/1`.
#[derive(Debug)]
pub struct GeoBuilder {
    fill: Fill,
    prefix: FixedSizeBinaryBuilder,
    prefix_len: UInt64Builder,
    country: StringBuilder,
    region: StringBuilder,
    city: StringBuilder,
    postal_code: StringBuilder,
    latitude: Float64Builder,
    longitude: Float64Builder,
    valid_from: Int64Builder,
}

impl Default for GeoBuilder {
    fn default() -> Self {
        Self {
            fill: Fill::default(),
            prefix: addresses(),
            prefix_len: UInt64Builder::new(),
            country: StringBuilder::new(),
            region: StringBuilder::new(),
            city: StringBuilder::new(),
            postal_code: StringBuilder::new(),
            latitude: Float64Builder::new(),
            longitude: Float64Builder::new(),
            valid_from: Int64Builder::new(),
        }
    }
}

impl GeoBuilder {
    /// Adds a row; hands a full batch to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn push(&mut self, row: &GeoRow<'_>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        push_address(&mut self.prefix, &row.prefix);
        self.prefix_len.append_value(row.prefix_len);
        self.country.append_option(row.country);
        self.region.append_option(row.region);
        self.city.append_option(row.city);
        self.postal_code.append_option(row.postal_code);
        self.latitude.append_option(row.latitude);
        self.longitude.append_option(row.longitude);
        self.valid_from.append_option(row.valid_from);
        let optional: usize =
            [row.country, row.region, row.city, row.postal_code].iter().flatten().map(|text| text.len()).sum();
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
            Arc::new(self.country.finish()),
            Arc::new(self.region.finish()),
            Arc::new(self.city.finish()),
            Arc::new(self.postal_code.finish()),
            Arc::new(self.latitude.finish()),
            Arc::new(self.longitude.finish()),
            Arc::new(self.valid_from.finish()),
        ];
        store(sink, RecordBatch::try_new(geo_schema(), columns).expect("columns are as the schema says"))
    }
}
