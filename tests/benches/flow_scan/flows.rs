//! Flows as a border router exports them, made of a fixed seed: roughly in the order of their starts, sources and
//! destinations by a power law, some sixty neighbours, one address in twenty-five IPv6. Not sorted by destination. And what is
//! asked about them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array, new_null_array};
use iog_data::{ColumnSpec, ColumnType, ParquetFileWriter, TableSchema};
use iog_protocol::schemas;

/// The first address of 203.0.113.0/24, and how many there are: every tenth flow goes to one of them.
pub(crate) const TARGET_NETWORK: u128 = mapped(0xcb00_7100);
pub(crate) const TARGET_HOSTS: u128 = 256;
/// Rows made at a time.
const CHUNK_ROWS: u64 = 100_000;
/// Distinct sources, and other destinations.
const SOURCES: u64 = 600_000;
const DESTINATIONS: u64 = 200_000;
const NEIGHBOURS: u64 = 60;
/// 2026-11-01T00:00:00Z, and the mean distance of two starts: ten million flows are some three hours.
const FIRST_START_US: i64 = 1_793_491_200_000_000;
const STEP_US: u64 = 1_000;

/// What the module is asked: the target, how many rows it matches in a hundred, and its first and last address.
pub(crate) struct Case {
    pub(crate) target: &'static str,
    pub(crate) percent: u32,
    pub(crate) first: u128,
    pub(crate) last: u128,
}

/// A target that one row in ten matches, and one that every row does.
pub(crate) const CASES: [Case; 2] = [
    Case { target: "203.0.113.0/24", percent: 10, first: TARGET_NETWORK, last: TARGET_NETWORK + TARGET_HOSTS - 1 },
    Case { target: "::/0", percent: 100, first: 0, last: u128::MAX },
];

/// `flow/1` as the data engine has it.
pub(crate) fn schema() -> anyhow::Result<TableSchema> {
    let flow = schemas::schema("flow/1").ok_or_else(|| anyhow::anyhow!("there is no `flow/1`"))?;
    let column = |column: &schemas::Column| -> anyhow::Result<ColumnSpec> {
        let ty = match column.ty {
            schemas::ColumnType::Timestamp => ColumnType::Timestamp,
            schemas::ColumnType::Address => ColumnType::Address,
            schemas::ColumnType::Uint => ColumnType::Uint,
            other => anyhow::bail!("`{}` is of type {other}", column.name),
        };
        Ok(ColumnSpec { name: column.name.to_owned(), ty, required: column.required })
    };
    Ok(TableSchema { id: flow.id.to_owned(), columns: flow.columns.iter().map(column).collect::<Result<_, _>>()? })
}

/// Writes the file as an import does.
pub(crate) fn write(path: &Path, rows: u64) -> anyhow::Result<()> {
    let schema = schema()?;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut writer = ParquetFileWriter::create(path, schema.arrow())?;
    for from in (0..rows).step_by(usize::try_from(CHUNK_ROWS)?) {
        writer.write(&chunk(&schema, from, CHUNK_ROWS.min(rows - from), &mut random)?)?;
    }
    writer.finish()?;
    Ok(())
}

/// The columns of some flows.
#[derive(Default)]
struct Columns {
    start: Vec<i64>,
    end: Vec<i64>,
    src: Vec<[u8; 16]>,
    dst: Vec<[u8; 16]>,
    numbers: [Vec<u64>; NUMBERS.len()],
}

const NUMBERS: [&str; 9] =
    ["proto", "src_port", "dst_port", "packets", "bytes", "tcp_flags", "ingress_as", "egress_as", "ingress_if"];

fn chunk(schema: &TableSchema, from: u64, rows: u64, random: &mut Random) -> anyhow::Result<RecordBatch> {
    let mut columns = Columns::default();
    for row in from..from + rows {
        columns.push(row, random);
    }
    let length = columns.start.len();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for column in &schema.columns {
        let number = NUMBERS.iter().position(|name| *name == column.name);
        arrays.push(match (column.name.as_str(), number) {
            ("start", _) => Arc::new(Int64Array::from(std::mem::take(&mut columns.start))),
            ("end", _) => Arc::new(Int64Array::from(std::mem::take(&mut columns.end))),
            ("src", _) => Arc::new(FixedSizeBinaryArray::try_from_iter(columns.src.iter())?),
            ("dst", _) => Arc::new(FixedSizeBinaryArray::try_from_iter(columns.dst.iter())?),
            (_, Some(at)) => Arc::new(UInt64Array::from(std::mem::take(&mut columns.numbers[at]))),
            _ => new_null_array(&column.ty.arrow(), length),
        });
    }
    Ok(RecordBatch::try_new(schema.arrow(), arrays)?)
}

impl Columns {
    fn push(&mut self, row: u64, random: &mut Random) {
        let start = FIRST_START_US + (row * STEP_US + random.below(60_000_000)).cast_signed();
        let packets = 1 + random.power_law(20_000);
        let source = random.power_law(SOURCES);
        // Most flows of a source come in over its own neighbour; some are spoofed or routed otherwise.
        let neighbour = if random.below(20) == 0 { random.power_law(NEIGHBOURS) } else { mixed(source) % NEIGHBOURS };
        let destination = if random.below(10) == 0 {
            TARGET_NETWORK + u128::from(random.power_law(256))
        } else {
            address(random.power_law(DESTINATIONS) ^ 0x5555_0000_0000)
        };
        let tcp = random.below(10) < 7;
        let numbers = [
            if tcp { 6 } else { 17 },
            1_024 + random.below(64_000),
            [443, 80, 53, 22, 123][usize::try_from(random.power_law(5)).unwrap_or_default()],
            packets,
            packets * (40 + random.below(1_460)),
            if tcp { 0x10 | random.below(16) } else { 0 },
            // A tenth comes from inside.
            if neighbour == 0 { 0 } else { 64_500 + neighbour },
            64_500 + random.below(8),
            1 + neighbour,
        ];
        self.start.push(start);
        self.end.push(start + if packets == 1 { 0 } else { random.below(30_000_000).cast_signed() });
        self.src.push(address(source).to_be_bytes());
        self.dst.push(destination.to_be_bytes());
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }
}

/// The address of a host by its number; never one of the target's.
fn address(host: u64) -> u128 {
    let bits = mixed(host);
    if bits.is_multiple_of(25) {
        return 0x2001_0db8 << 96 | u128::from(bits >> 24 & 0xffff) << 64 | u128::from(bits & 0xff_ffff);
    }
    let v4 = u32::try_from(bits >> 32).unwrap_or_default();
    mapped(if v4 >> 24 == 0xcb { v4 ^ 0x4000_0000 } else { v4 })
}

const fn mapped(v4: u32) -> u128 {
    0xffff << 32 | v4 as u128
}

fn mixed(value: u64) -> u64 {
    let z = (value ^ value >> 30).wrapping_add(0x1234_5678_9abc_def1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform from 0 to below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(limit)) >> 64).unwrap_or_default()
    }

    /// From 0 to below `limit`, small numbers often: the logarithm is uniform.
    fn power_law(&mut self, limit: u64) -> u64 {
        let uniform = self.below(1 << 53) as f64 / (1u64 << 53) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to below `limit`")]
        let rank = ((limit as f64 + 1.0).powf(uniform) - 1.0) as u64;
        rank.min(limit - 1)
    }
}
