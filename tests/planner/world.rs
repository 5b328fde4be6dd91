//! The rows that both planners see: flows with nulls, equal values and few addresses, so that joins find partners.

use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use iog_data::{ColumnSpec, ColumnType, TableSchema};

/// Rows as text, in the order in which they came.
pub(crate) type Answer = Vec<String>;

/// Columns of both tables.
pub(crate) fn schema() -> TableSchema {
    let column = |name: &str, ty, required| ColumnSpec { name: name.into(), ty, required };
    TableSchema {
        id: "flow/test".into(),
        columns: vec![
            column("start", ColumnType::Timestamp, true),
            column("src", ColumnType::Address, true),
            column("dst", ColumnType::Address, true),
            column("proto", ColumnType::Uint, true),
            column("packets", ColumnType::Uint, true),
            column("bytes", ColumnType::Uint, true),
            column("ingress_as", ColumnType::Uint, false),
            column("note", ColumnType::Text, false),
        ],
    }
}

/// Rows from the `from`-th on, in three batches.
pub(crate) fn rows(from: u64, count: u64) -> Vec<RecordBatch> {
    let third = count / 3;
    [(from, third), (from + third, 1), (from + third + 1, count - third - 1)]
        .into_iter()
        .map(|(from, count)| batch(from, count))
        .collect()
}

fn batch(from: u64, count: u64) -> RecordBatch {
    let ids = || from..from + count;
    let mix = |id: u64, salt: u64| (id ^ salt ^ (id >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let address = |salt: u64| -> ArrayRef {
        let one = |id: u64| {
            let [low, ..] = (mix(id, salt) % 40).to_le_bytes();
            iog_data::address_bytes(IpAddr::from([192, 0, 2, low]))
        };
        Arc::new(FixedSizeBinaryArray::try_from_iter(ids().map(one)).unwrap())
    };
    let uint = |of: &dyn Fn(u64) -> Option<u64>| -> ArrayRef { Arc::new(ids().map(of).collect::<UInt64Array>()) };
    let times: Int64Array =
        ids().map(|id| i64::try_from(id).ok().map(|id| 1_626_105_669_000_000 + id * 7_000_000)).collect();
    let notes: StringArray = ids().map(|id| (mix(id, 5) % 3 != 0).then(|| format!("n{}", mix(id, 6) % 12))).collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(times),
        address(1),
        address(2),
        uint(&|id| Some([6, 17, 1][usize::try_from(id % 3).unwrap()])),
        uint(&|id| Some(1 + mix(id, 3) % 30)),
        uint(&|id| Some(40 + mix(id, 4) % 300)),
        uint(&|id| (id % 7 != 3).then_some(64_500 + mix(id, 7) % 6)),
        Arc::new(notes),
    ];
    RecordBatch::try_new(schema().arrow(), arrays).unwrap()
}
