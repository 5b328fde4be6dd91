//! The baseline: the sums of `ip-traceback` in native Rust, over the batches that the data engine gives, with tables as
//! fast as the standard library's with a good hash. Exact, like the module.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use anyhow::Context as _;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array as _, RecordBatch};
use iog_data::{Planned, QueryLimits, Rows, Value};

use crate::flows::Case;

/// What came in over a neighbour; 0 stands for inside.
pub(crate) type Answer = BTreeMap<u32, Sums>;

/// Sums over the flows of one neighbour; times in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) sources: u64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
}

/// Sums in progress.
#[derive(Default)]
pub(crate) struct Tally {
    sums: HashMap<u32, Sums, Fast>,
    ipv4: HashSet<u64, Fast>,
    ipv6: HashSet<(u32, u128), Fast>,
}

/// The columns of a batch, in the order of the module's query.
const COLUMNS: [&str; 6] = ["ingress_as", "start", "end", "src", "packets", "bytes"];

impl Tally {
    /// Adds the rows of a batch that has at least [`COLUMNS`].
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let mut found = Vec::with_capacity(COLUMNS.len());
        for name in COLUMNS {
            let column = batch.column_by_name(name).with_context(|| format!("no column `{name}`"))?;
            anyhow::ensure!(column.null_count() == 0, "`{name}` has nulls");
            found.push(column);
        }
        let ints = |at: usize| found[at].as_primitive::<Int64Type>().values();
        let uints = |at: usize| found[at].as_primitive::<UInt64Type>().values();
        let (ingress, starts, ends, packets, bytes) = (uints(0), ints(1), ints(2), uints(4), uints(5));
        let (sources, _) = found[3].as_fixed_size_binary().value_data().as_chunks::<16>();
        for row in 0..batch.num_rows() {
            let asn = u32::try_from(ingress[row])?;
            let source = u128::from_be_bytes(sources[row]);
            let fresh =
                || Sums { flows: 0, packets: 0, bytes: 0, sources: 0, first_us: starts[row], last_us: ends[row] };
            let sums = self.sums.entry(asn).or_insert_with(fresh);
            let is_new = if source >> 32 == 0xffff {
                self.ipv4.insert(u64::from(asn) << 32 | u64::try_from(source & 0xffff_ffff)?)
            } else {
                self.ipv6.insert((asn, source))
            };
            sums.sources += u64::from(is_new);
            sums.flows += 1;
            sums.packets = sums.packets.saturating_add(packets[row]);
            sums.bytes = sums.bytes.saturating_add(bytes[row]);
            sums.first_us = sums.first_us.min(starts[row]);
            sums.last_us = sums.last_us.max(ends[row]);
        }
        Ok(())
    }

    pub(crate) fn answer(self) -> Answer {
        self.sums.into_iter().collect()
    }
}

/// The module's query, its rows summed here.
pub(crate) async fn run(planned: &Planned, case: &Case) -> anyhow::Result<Answer> {
    let mut rows = open(planned, case).await?;
    let mut tally = Tally::default();
    while let Some(batch) = rows.next().await? {
        tally.add(&batch)?;
    }
    Ok(tally.answer())
}

/// The module's query, its rows thrown away: what decoding alone takes.
pub(crate) async fn drain(planned: &Planned, case: &Case) -> anyhow::Result<Option<Answer>> {
    let mut rows = open(planned, case).await?;
    while let Some(batch) = rows.next().await? {
        std::hint::black_box(&batch);
    }
    Ok(None)
}

async fn open(planned: &Planned, case: &Case) -> anyhow::Result<Rows> {
    let values = vec![Value::Text(case.target.to_owned()), Value::Int(i64::MIN), Value::Int(i64::MAX)];
    Ok(planned.open("by-target", values, QueryLimits::default()).await?)
}

type Fast = BuildHasherDefault<Folded>;

/// Folded multiplication, as in wyhash.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a product")]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xbf58_476d_1ce4_e5b9_u128;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn write_u128(&mut self, word: u128) {
        self.write_u64((word >> 64) as u64);
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
