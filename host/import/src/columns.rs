//! Rows of the schemas as columns: push rows, take batches. Types are those of `iog-data`'s engine: times as `Int64`
//! microseconds since the epoch (UTC), addresses as sixteen bytes (IPv4 mapped), unsigned numbers as `UInt64`, text as
//! UTF-8. It decodes nothing and decides nothing about a row.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, NullBufferBuilder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::ImportError;

/// Rows a batch has at most.
pub const BATCH_ROWS: usize = 16_384;

/// Rows that wait until they are spread over the columns: so few that they stay in the processor's first cache, so many
/// that a column is seldom looked for.
const STAGE_ROWS: usize = 128;
const _: () = assert!(BATCH_ROWS.is_multiple_of(STAGE_ROWS), "a batch is full when its stage is");

/// Takes batches of one schema as they are filled.
pub trait Sink {
    /// Stores a batch.
    ///
    /// # Errors
    /// Whatever storing it failed with; the import ends with it.
    fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// An address as sixteen bytes, IPv4 mapped into `::ffff:0:0/96`.
#[must_use]
pub fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// One row of `flow/1`; fields are its columns, `None` where the source does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowRow {
    /// First packet, microseconds since the epoch.
    pub start: i64,
    /// Last packet, microseconds since the epoch.
    pub end: i64,
    /// Source address, IPv4 mapped.
    pub src: [u8; 16],
    /// Destination address, IPv4 mapped.
    pub dst: [u8; 16],
    /// IP protocol number.
    pub proto: u8,
    /// Source port.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// Packets as counted, not scaled.
    pub packets: u64,
    /// Bytes at IP level as counted, not scaled.
    pub bytes: u64,
    /// Union of the TCP control bits.
    pub tcp_flags: Option<u16>,
    /// Neighbour AS through which the flow entered.
    pub ingress_as: u32,
    /// Neighbour AS through which the flow left.
    pub egress_as: Option<u32>,
    /// Origin AS of the source address.
    pub src_as: Option<u32>,
    /// Origin AS of the destination address.
    pub dst_as: Option<u32>,
    /// SNMP index of the interface of entry.
    pub ingress_if: Option<u32>,
    /// SNMP index of the interface of exit.
    pub egress_if: Option<u32>,
    /// ICMP type × 256 + code.
    pub icmp_type: Option<u16>,
    /// Type of service or traffic class.
    pub tos: Option<u8>,
    /// One packet in this many was observed.
    pub sampling: Option<u64>,
    /// Device that exported the flow, IPv4 mapped.
    pub exporter: Option<[u8; 16]>,
}

/// The Arrow schema of `flow/1`, columns in the documented order; only required columns are not nullable.
#[must_use]
pub fn flow_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let address = || DataType::FixedSizeBinary(16);
        let uint = |name, nullable| Field::new(name, DataType::UInt64, nullable);
        Arc::new(Schema::new(vec![
            Field::new("start", DataType::Int64, false),
            Field::new("end", DataType::Int64, false),
            Field::new("src", address(), false),
            Field::new("dst", address(), false),
            uint("proto", false),
            uint("src_port", true),
            uint("dst_port", true),
            uint("packets", false),
            uint("bytes", false),
            uint("tcp_flags", true),
            uint("ingress_as", false),
            uint("egress_as", true),
            uint("src_as", true),
            uint("dst_as", true),
            uint("ingress_if", true),
            uint("egress_if", true),
            uint("icmp_type", true),
            uint("tos", true),
            uint("sampling", true),
            Field::new("exporter", address(), true),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// A nullable column of unsigned numbers.
struct Uints {
    values: Vec<u64>,
    valid: NullBufferBuilder,
}

impl Uints {
    fn new() -> Self {
        Self { values: Vec::new(), valid: NullBufferBuilder::new(BATCH_ROWS) }
    }

    /// Adds a value of each row.
    #[inline]
    fn extend<T: Into<u64>>(&mut self, rows: &[FlowRow], of: impl Fn(&FlowRow) -> Option<T>) {
        self.values.extend(rows.iter().map(|row| of(row).map_or(0, Into::into)));
        append_valid(&mut self.valid, rows, |row| of(row).is_some());
    }

    fn take(&mut self) -> ArrayRef {
        let nulls = self.valid.finish();
        Arc::new(UInt64Array::new(full(&mut self.values).into(), nulls))
    }
}

/// Adds whether each row has a value; cheap where all have one or none.
#[inline]
fn append_valid(valid: &mut NullBufferBuilder, rows: &[FlowRow], has: impl Fn(&FlowRow) -> bool) {
    match rows.iter().filter(|row| has(row)).count() {
        0 => valid.append_n_nulls(rows.len()),
        all if all == rows.len() => valid.append_n_non_nulls(all),
        _ => rows.iter().for_each(|row| valid.append(has(row))),
    }
}

/// Takes the values and leaves room for the next batch.
fn full<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.capacity();
    std::mem::replace(values, Vec::with_capacity(capacity))
}

/// `flow/1` rows on their way into batches of at most [`BATCH_ROWS`] rows.
pub struct FlowBuilder {
    stage: Vec<FlowRow>,
    times: [Vec<i64>; 2],
    addresses: [Vec<u8>; 2],
    counts: [Vec<u64>; 4],
    optional: [Uints; 11],
    exporter: (Vec<u8>, NullBufferBuilder),
    rows: u64,
}

impl Default for FlowBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl FlowBuilder {
    /// A builder with no rows. Its memory grows with them up to that of one batch, because most files are small.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stage: Vec::with_capacity(STAGE_ROWS),
            times: [const { Vec::new() }; 2],
            addresses: [const { Vec::new() }; 2],
            counts: [const { Vec::new() }; 4],
            optional: std::array::from_fn(|_| Uints::new()),
            exporter: (Vec::new(), NullBufferBuilder::new(BATCH_ROWS)),
            rows: 0,
        }
    }

    /// Rows pushed since the builder was made.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row and hands a full batch to the sink.
    ///
    /// # Errors
    /// [`ImportError::Sink`] when the sink fails.
    #[inline]
    pub fn push(&mut self, row: &FlowRow, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.stage.push(*row);
        self.rows += 1;
        if self.stage.len() < STAGE_ROWS {
            return Ok(());
        }
        self.spread();
        if self.times[0].len() >= BATCH_ROWS { self.flush(sink) } else { Ok(()) }
    }

    /// Spreads the rows that wait over the columns.
    fn spread(&mut self) {
        let rows = &self.stage[..];
        self.times[0].extend(rows.iter().map(|row| row.start));
        self.times[1].extend(rows.iter().map(|row| row.end));
        let [src, dst] = &mut self.addresses;
        rows.iter().for_each(|row| src.extend_from_slice(&row.src));
        rows.iter().for_each(|row| dst.extend_from_slice(&row.dst));
        let [proto, packets, bytes, ingress_as] = &mut self.counts;
        proto.extend(rows.iter().map(|row| u64::from(row.proto)));
        packets.extend(rows.iter().map(|row| row.packets));
        bytes.extend(rows.iter().map(|row| row.bytes));
        ingress_as.extend(rows.iter().map(|row| u64::from(row.ingress_as)));
        let [src_port, dst_port, flags, egress_as, src_as, dst_as, in_if, out_if, icmp, tos, sampling] =
            &mut self.optional;
        src_port.extend(rows, |row| row.src_port);
        dst_port.extend(rows, |row| row.dst_port);
        flags.extend(rows, |row| row.tcp_flags);
        egress_as.extend(rows, |row| row.egress_as);
        src_as.extend(rows, |row| row.src_as);
        dst_as.extend(rows, |row| row.dst_as);
        in_if.extend(rows, |row| row.ingress_if);
        out_if.extend(rows, |row| row.egress_if);
        icmp.extend(rows, |row| row.icmp_type);
        tos.extend(rows, |row| row.tos);
        sampling.extend(rows, |row| row.sampling);
        let (exporter, valid) = &mut self.exporter;
        rows.iter().for_each(|row| exporter.extend_from_slice(&row.exporter.unwrap_or_default()));
        append_valid(valid, rows, |row| row.exporter.is_some());
        self.stage.clear();
    }

    /// Hands the rows held so far to the sink, if there are any. Call it at the end of a file.
    ///
    /// # Errors
    /// [`ImportError::Sink`] when the sink fails.
    pub fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ImportError> {
        self.spread();
        if self.times[0].is_empty() {
            return Ok(());
        }
        sink.batch(self.take()).map_err(ImportError::Sink)
    }

    fn take(&mut self) -> RecordBatch {
        let [start, end] = self.times.each_mut().map(|values| Arc::new(Int64Array::from(full(values))) as ArrayRef);
        let [src, dst] = self.addresses.each_mut().map(|values| fixed(full(values), None));
        let [proto, packets, bytes, ingress_as] =
            self.counts.each_mut().map(|values| Arc::new(UInt64Array::from(full(values))) as ArrayRef);
        let [src_port, dst_port, flags, egress_as, src_as, dst_as, in_if, out_if, icmp, tos, sampling] =
            self.optional.each_mut().map(Uints::take);
        let exporter = fixed(full(&mut self.exporter.0), self.exporter.1.finish());
        let columns = vec![
            start, end, src, dst, proto, src_port, dst_port, packets, bytes, flags, ingress_as, egress_as, src_as,
            dst_as, in_if, out_if, icmp, tos, sampling, exporter,
        ];
        RecordBatch::try_new(flow_schema(), columns)
            .expect("the columns are built in the order and types of the schema")
    }
}

/// Sixteen-byte values as an array.
fn fixed(values: Vec<u8>, nulls: Option<arrow_buffer::NullBuffer>) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::new(16, Buffer::from_vec(values), nulls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    struct Kept(Vec<RecordBatch>);

    impl Sink for Kept {
        fn batch(&mut self, batch: RecordBatch) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0.push(batch);
            Ok(())
        }
    }

    #[test]
    fn the_columns_are_those_of_the_schema() {
        let schema = iog_protocol::schemas::schema("flow/1").unwrap();
        let ours = flow_schema();
        assert_eq!(ours.fields().len(), schema.columns.len());
        for (field, column) in ours.fields().iter().zip(schema.columns) {
            assert_eq!(field.name(), column.name);
            assert_eq!(field.is_nullable(), !column.required, "{}", column.name);
            let ty = match column.ty {
                iog_protocol::schemas::ColumnType::Timestamp => DataType::Int64,
                iog_protocol::schemas::ColumnType::Address => DataType::FixedSizeBinary(16),
                _ => DataType::UInt64,
            };
            assert_eq!(*field.data_type(), ty, "{}", column.name);
        }
    }

    #[test]
    fn rows_come_out_in_full_batches_and_a_rest() {
        let mut kept = Kept(Vec::new());
        let mut builder = FlowBuilder::new();
        for n in 0..BATCH_ROWS + 3 {
            let row = FlowRow { packets: n as u64, src_port: (n % 2 == 0).then_some(53), ..FlowRow::default() };
            builder.push(&row, &mut kept).unwrap();
        }
        builder.flush(&mut kept).unwrap();
        builder.flush(&mut kept).unwrap();
        assert_eq!(kept.0.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [BATCH_ROWS, 3]);
        let packets = kept.0[1].column_by_name("packets").unwrap().as_any().downcast_ref::<UInt64Array>().unwrap();
        assert_eq!(packets.value(2), BATCH_ROWS as u64 + 2);
        assert_eq!(kept.0[1].column_by_name("src_port").unwrap().null_count(), 1);
        assert_eq!(kept.0[1].column_by_name("exporter").unwrap().null_count(), 3);
        assert_eq!(builder.rows(), BATCH_ROWS as u64 + 3);
    }
}
