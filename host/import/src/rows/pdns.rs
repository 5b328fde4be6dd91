//! Rows of `pdns/1`.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{FixedSizeBinaryBuilder, Int64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::fill::{ADDRESS, Fill, addresses, push_address_option, schema_of, store};
use crate::ImportError;
use crate::columns::Sink;

/// One row of `pdns/1`; fields are its columns, `None` where the source does not say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PdnsRow<'a> {
    /// Owner name, lower case, without the final dot.
    pub rrname: &'a str,
    /// Record type, upper case.
    pub rrtype: &'a str,
    /// Record data in presentation format.
    pub rdata: &'a str,
    /// First seen, microseconds since the epoch.
    pub time_first: i64,
    /// Last seen, microseconds since the epoch.
    pub time_last: i64,
    /// Answers that carried the record.
    pub count: Option<u64>,
    /// The address of an A or AAAA record, IPv4 mapped.
    pub address: Option<[u8; 16]>,
    /// Closest enclosing zone delegated to the answering server.
    pub bailiwick: Option<&'a str>,
    /// First seen in an imported zone file, microseconds since the epoch.
    pub zone_time_first: Option<i64>,
    /// Last seen in an imported zone file, microseconds since the epoch.
    pub zone_time_last: Option<i64>,
    /// Sensor that observed the record.
    pub sensor: Option<&'a str>,
    /// Where the record came from.
    pub origin: Option<&'a str>,
}

/// The Arrow schema of `pdns/1`, columns in the documented order; only required columns are not nullable.
#[must_use]
pub fn pdns_schema() -> SchemaRef {
    use DataType::{Int64, UInt64, Utf8};
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        schema_of(&[
            ("rrname", Utf8, false),
            ("rrtype", Utf8, false),
            ("rdata", Utf8, false),
            ("time_first", Int64, false),
            ("time_last", Int64, false),
            ("count", UInt64, true),
            ("address", ADDRESS, true),
            ("bailiwick", Utf8, true),
            ("zone_time_first", Int64, true),
            ("zone_time_last", Int64, true),
            ("sensor", Utf8, true),
            ("origin", Utf8, true),
        ])
    });
    Arc::clone(&SCHEMA)
}

/// Collects rows of `pdns/1`.
#[derive(Debug)]
pub struct PdnsBuilder {
    fill: Fill,
    rrname: StringBuilder,
    rrtype: StringBuilder,
    rdata: StringBuilder,
    time_first: Int64Builder,
    time_last: Int64Builder,
    count: UInt64Builder,
    address: FixedSizeBinaryBuilder,
    bailiwick: StringBuilder,
    zone_time_first: Int64Builder,
    zone_time_last: Int64Builder,
    sensor: StringBuilder,
    origin: StringBuilder,
}

impl Default for PdnsBuilder {
    fn default() -> Self {
        Self {
            fill: Fill::default(),
            rrname: StringBuilder::new(),
            rrtype: StringBuilder::new(),
            rdata: StringBuilder::new(),
            time_first: Int64Builder::new(),
            time_last: Int64Builder::new(),
            count: UInt64Builder::new(),
            address: addresses(),
            bailiwick: StringBuilder::new(),
            zone_time_first: Int64Builder::new(),
            zone_time_last: Int64Builder::new(),
            sensor: StringBuilder::new(),
            origin: StringBuilder::new(),
        }
    }
}

impl PdnsBuilder {
    /// Adds a row; hands a full batch to the sink.
    ///
    /// # Errors
    /// When the sink cannot store the batch.
    pub fn push(&mut self, row: &PdnsRow<'_>, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.rrname.append_value(row.rrname);
        self.rrtype.append_value(row.rrtype);
        self.rdata.append_value(row.rdata);
        self.time_first.append_value(row.time_first);
        self.time_last.append_value(row.time_last);
        self.count.append_option(row.count);
        push_address_option(&mut self.address, row.address.as_ref());
        self.bailiwick.append_option(row.bailiwick);
        self.zone_time_first.append_option(row.zone_time_first);
        self.zone_time_last.append_option(row.zone_time_last);
        self.sensor.append_option(row.sensor);
        self.origin.append_option(row.origin);
        let optional: usize = [row.bailiwick, row.sensor, row.origin].iter().flatten().map(|text| text.len()).sum();
        if self.fill.add(row.rrname.len() + row.rrtype.len() + row.rdata.len() + optional) {
            self.flush(sink)
        } else {
            Ok(())
        }
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
            Arc::new(self.rrname.finish()),
            Arc::new(self.rrtype.finish()),
            Arc::new(self.rdata.finish()),
            Arc::new(self.time_first.finish()),
            Arc::new(self.time_last.finish()),
            Arc::new(self.count.finish()),
            Arc::new(self.address.finish()),
            Arc::new(self.bailiwick.finish()),
            Arc::new(self.zone_time_first.finish()),
            Arc::new(self.zone_time_last.finish()),
            Arc::new(self.sensor.finish()),
            Arc::new(self.origin.finish()),
        ];
        store(sink, RecordBatch::try_new(pdns_schema(), columns).expect("columns are as the schema says"))
    }
}
