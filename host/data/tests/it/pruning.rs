//! What a scan of Parquet is spared, and that sparing it changes nothing: row groups and pages are skipped or taken whole
//! by their statistics, and every condition has the same rows as without any of that. The statistics in a file are trusted
//! as its values are: both are the provider's own, and wrong ones give wrong rows. Damaged ones must only make nothing panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, RunArray, StringArray, UInt64Array};
use arrow_select::concat::concat_batches;
use iog_data::{
    BATCH_ROWS, DataError, Dataset, ParamType, QueryError, QueryLimits, ROW_GROUP_ROWS, ScanCounts, SourceSpec,
    TimestampUnit, Value, write_parquet,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use proptest::prelude::*;

use crate::common::{flow_schema, flows, memory, open, plan, query, rows, run, schema_ref, text};

/// All rows of a query, and what its scan counted.
async fn counted(dataset: &Arc<Dataset>, sql: &str, target: &str, window: (i64, i64)) -> (usize, ScanCounts) {
    let params = [("target", ParamType::Prefix), ("from", ParamType::Timestamp), ("until", ParamType::Timestamp)];
    let planned = plan(dataset, query(sql, &params)).await.unwrap();
    let values = vec![text(target), Value::Int(window.0), Value::Int(window.1)];
    let mut cursor = planned.open("q", values, QueryLimits::default()).await.unwrap();
    let mut found = 0;
    while let Some(batch) = cursor.next().await.unwrap() {
        found += batch.num_rows();
    }
    (found, cursor.scan_counts())
}

#[tokio::test]
async fn row_groups_and_pages_are_skipped_or_taken_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.parquet");
    let (group, total) = (ROW_GROUP_ROWS as u64, 3 * ROW_GROUP_ROWS);
    write_parquet(&path, schema_ref(), &[flows(0, total as u64)]).unwrap();
    let dataset = open(SourceSpec::parquet(path)).await.unwrap();
    let sql = "SELECT bytes, dst, start FROM flows WHERE ip_in(dst, $target) AND start >= $from AND start < $until";
    let time = |row: u64| 1_626_105_669_000_000 + i64::try_from(row).unwrap() * 1_234;

    let everything = counted(&dataset, sql, "::/0", (i64::MIN, i64::MAX)).await;
    let whole = ScanCounts { row_groups: 3, row_groups_whole: 3, rows_given: total as u64, ..ScanCounts::default() };
    assert_eq!(everything, (total, whole), "no condition is evaluated");

    let nothing = counted(&dataset, sql, "10.0.0.0/8", (i64::MIN, i64::MAX)).await;
    let skipped = ScanCounts { row_groups: 3, row_groups_skipped: 3, ..ScanCounts::default() };
    assert_eq!(nothing, (0, skipped), "the footer answers");

    let (found, counts) = counted(&dataset, sql, "::/0", (time(group + 50_000), time(group + 50_100))).await;
    assert_eq!((found, counts.rows_given), (100, 100));
    assert_eq!((counts.row_groups, counts.row_groups_skipped), (3, 2));
    assert!(counts.rows_in_skipped_pages >= group / 2, "{counts:?}");
    assert_eq!(counts.rows_in_skipped_pages + counts.rows_tested, group);

    // 193.0.0.0/8 lies between the destinations there are: only the rows can tell, and no other column is read for them.
    let (found, counts) = counted(&dataset, sql, "193.0.0.0/8", (i64::MIN, i64::MAX)).await;
    assert_eq!((found, counts.row_groups_without_match, counts.rows_tested), (0, 3, total as u64));

    let (found, counts) = counted(&dataset, sql, "192.0.2.0/24", (0, time(group))).await;
    assert_eq!((found as u64, counts.row_groups_skipped, counts.rows_tested), (group.div_ceil(10), 2, group));
}

/// A row of the random tables below, before it is written.
type Row = (i64, Option<u128>, u128, u64, Option<u64>, Option<u8>);

fn table(given: &[Row]) -> RecordBatch {
    let addresses = |of: &dyn Fn(&Row) -> u128| -> ArrayRef {
        let mut builder = FixedSizeBinaryBuilder::new(16);
        given.iter().for_each(|row| builder.append_value(of(row).to_be_bytes()).unwrap());
        Arc::new(builder.finish())
    };
    let uints = |of: &dyn Fn(&Row) -> Option<u64>| Arc::new(given.iter().map(of).collect::<UInt64Array>()) as ArrayRef;
    let ints = |of: &dyn Fn(&Row) -> i64| Arc::new(given.iter().map(|row| Some(of(row))).collect::<Int64Array>());
    let arrays: Vec<ArrayRef> = vec![
        ints(&|row| row.0),
        ints(&|row| row.0 + 5),
        addresses(&|row| row.1.unwrap_or(7)),
        addresses(&|row| row.2),
        uints(&|row| Some(row.3 % 3)),
        uints(&|row| Some(row.3)),
        uints(&|row| row.1.map_or(Some(1), |_| Some(row.3 * 100))),
        uints(&|row| row.4),
        Arc::new(given.iter().map(|row| row.5.map(|note| format!("n{note}"))).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema_ref(), arrays).unwrap()
}

/// How a table is written, as many writers do it.
#[derive(Debug, Clone)]
struct Layout {
    group_rows: usize,
    page_rows: usize,
    statistics: EnabledStatistics,
    dictionary: bool,
}

fn write_as(path: &std::path::Path, batch: &RecordBatch, layout: &Layout) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows)
        .set_statistics_enabled(layout.statistics)
        .set_dictionary_enabled(layout.dictionary)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Addresses that lie near each other and near the edges of prefixes, both families.
fn address() -> impl Strategy<Value = u128> {
    let v4 = prop_oneof![Just(0u32), Just(u32::MAX), 0xc000_0200u32..0xc000_0210, any::<u32>()];
    prop_oneof![
        4 => v4.prop_map(|v4| 0xffff << 32 | u128::from(v4)),
        1 => (0u32..128).prop_map(|bit| 1 << bit),
        1 => (0u32..=128).prop_map(|bits| if bits == 0 { u128::MAX } else { u128::MAX >> (bits - 1) >> 1 }),
        1 => Just((0xffff << 32) - 1),
        1 => Just(0x1_0000 << 32),
        1 => Just(0),
    ]
}

/// Prefixes of every length of both families, of addresses as above.
fn prefix() -> impl Strategy<Value = String> {
    (address(), 0u32..=128, any::<bool>()).prop_map(|(address, bits, v4)| {
        if v4 && address >> 32 == 0xffff {
            let bits = bits % 33;
            let address = u32::try_from(address & 0xffff_ffff).unwrap();
            let network = if bits == 0 { 0 } else { address & u32::MAX << (32 - bits) };
            return format!("{}/{bits}", std::net::Ipv4Addr::from(network));
        }
        let network = if bits == 0 { 0 } else { address & u128::MAX << (128 - bits) };
        format!("{}/{bits}", std::net::Ipv6Addr::from(network))
    })
}

fn row() -> impl Strategy<Value = Row> {
    (0i64..40, prop::option::of(address()), address(), 0u64..6, prop::option::of(0u64..4), prop::option::of(0u8..4))
}

fn layout() -> impl Strategy<Value = Layout> {
    let statistics =
        prop_oneof![Just(EnabledStatistics::Page), Just(EnabledStatistics::Chunk), Just(EnabledStatistics::None)];
    (1usize..60, 1usize..20, statistics, any::<bool>()).prop_map(|(group_rows, page_rows, statistics, dictionary)| {
        Layout { group_rows, page_rows, statistics, dictionary }
    })
}

const CONDITIONS: [&str; 9] = [
    "ip_in(dst, $target)",
    "ip_in(dst, $target) AND start >= $from AND start < $until",
    "ip_in(dst, $target) AND ingress_as >= 2",
    "ip_in(dst, $target) AND note = 'n1'",
    "ip_in(dst, $target) OR packets = 3",
    "NOT ip_in(src, $target) AND ip_in(dst, '::/0')",
    "start >= $from AND ingress_as IS NULL",
    "ip_in(dst, $target) AND dst > src AND packets <> 2",
    "start <> $from AND bytes >= 0",
];
const SELECTED: [&str; 4] = ["dst, start, note, ingress_as, bytes", "packets", "start, dst", "count(*) AS n"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn a_pushed_condition_has_the_rows_it_has_without(
        mut given in prop::collection::vec(row(), 0..150),
        sorted in any::<bool>(),
        layout in layout(),
        (target, from, length) in (prefix(), 0i64..40, 0i64..20),
        condition in prop::sample::select(&CONDITIONS[..]),
        selected in prop::sample::select(&SELECTED[..]),
    ) {
        if sorted {
            given.sort_by_key(|row| (row.0, row.2));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let batch = table(&given);
        write_as(&path, &batch, &layout);
        let sql = format!("SELECT {selected} FROM flows WHERE {condition}");
        let mut params = Vec::new();
        let mut values = Vec::new();
        for (name, ty, value) in [
            ("target", ParamType::Prefix, text(&target)),
            ("from", ParamType::Timestamp, Value::Int(from)),
            ("until", ParamType::Timestamp, Value::Int(from + length)),
        ] {
            if sql.contains(&format!("${name}")) {
                params.push((name, ty));
                values.push(value);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (pushed, expected) = runtime.block_on(async {
            let stored = open(SourceSpec::Parquet {
                path,
                columns: BTreeMap::new(),
                timestamp: TimestampUnit::Micros,
            });
            let (stored, plain) = (stored.await.unwrap(), memory(vec![batch]).await);
            let spec = query(&sql, &params);
            (run(&stored, spec.clone(), values.clone()).await, run(&plain, spec, values).await)
        });
        let (pushed, expected) = (pushed.unwrap(), expected.unwrap());
        prop_assert_eq!(rows(&pushed), rows(&expected), "{}", sql);
        if let (Some(a), Some(b)) = (pushed.first(), expected.first()) {
            let joined = concat_batches(a.schema_ref(), &pushed).unwrap();
            prop_assert_eq!(joined, concat_batches(b.schema_ref(), &expected).unwrap(), "{}", sql);
        }
    }
}

#[tokio::test]
async fn dictionaries_and_runs_give_the_bytes_of_plain_columns() {
    let total = 3 * BATCH_ROWS as u64 + 11;
    let plain = flows(0, total);
    let dictionary = |name: &str| -> ArrayRef {
        let array = plain.column_by_name(name).unwrap();
        // Every value stands in the dictionary as often as it comes up: legal, and not what a writer of ours would do.
        let key = |row: usize| i32::try_from(row).ok().filter(|_| array.is_valid(row));
        let keys: Int32Array = (0..array.len()).map(key).collect();
        Arc::new(DictionaryArray::new(keys, Arc::clone(array)))
    };
    let runs = |name: &str| -> ArrayRef {
        let array = plain.column_by_name(name).unwrap();
        let ends: Int32Array = (1..=array.len()).map(|end| i32::try_from(end).ok()).collect();
        Arc::new(RunArray::try_new(&ends, array.as_ref()).unwrap())
    };
    let encode = |of: &dyn Fn(&str) -> Option<ArrayRef>| {
        let named = flow_schema().columns.into_iter().map(|column| {
            let array = of(&column.name).unwrap_or_else(|| Arc::clone(plain.column_by_name(&column.name).unwrap()));
            (column.name, array)
        });
        RecordBatch::try_from_iter(named).unwrap()
    };
    let dictionaries =
        encode(&|name| ["src", "proto", "ingress_as", "note", "start"].contains(&name).then(|| dictionary(name)));
    let in_runs = encode(&|name| ["dst", "ingress_as", "note", "bytes"].contains(&name).then(|| runs(name)));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dictionaries.parquet");
    let layout = Layout { group_rows: 20_000, page_rows: 3_000, statistics: EnabledStatistics::Page, dictionary: true };
    write_as(&path, &dictionaries, &layout);
    let stored = SourceSpec::Parquet { path, columns: BTreeMap::new(), timestamp: TimestampUnit::Micros };
    let forms = [
        memory(vec![plain.clone()]).await,
        memory(vec![dictionaries.slice(0, 1), dictionaries.slice(1, dictionaries.num_rows() - 1)]).await,
        memory(vec![in_runs.slice(0, 4_000), in_runs.slice(4_000, in_runs.num_rows() - 4_000)]).await,
        open(stored).await.unwrap(),
    ];
    for sql in [
        "SELECT start, src, dst, proto, bytes, ingress_as, note FROM flows",
        "SELECT src, note, ingress_as FROM flows WHERE ip_in(src, '96.0.0.0/3') AND ingress_as >= 64501",
    ] {
        let expected = run(&forms[0], query(sql, &[]), vec![]).await.unwrap();
        for form in &forms[1..] {
            let batches = run(form, query(sql, &[]), vec![]).await.unwrap();
            assert_eq!(expected.len(), batches.len(), "{sql}");
            for (a, b) in expected.iter().zip(&batches) {
                crate::queries::assert_same_bytes(a, b);
            }
        }
        assert!(rows(&expected) > BATCH_ROWS, "{sql}");
    }
    assert_eq!(
        forms[0].snapshot(),
        &iog_data::Snapshot { stored_bytes: forms[0].snapshot().stored_bytes, ..forms[1].snapshot().clone() }
    );
}

#[tokio::test]
async fn a_damaged_index_of_pages_panics_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.parquet");
    let layout = Layout { group_rows: 700, page_rows: 50, statistics: EnabledStatistics::Page, dictionary: false };
    write_as(&path, &flows(0, 2_000), &layout);
    let whole = std::fs::read(&path).unwrap();
    let footer = usize::try_from(u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap())).unwrap();
    let indexes = (whole.len() - 8 - footer).saturating_sub(12_000)..whole.len() - 8;
    let sql = "SELECT bytes, start, src FROM flows WHERE ip_in(dst, $target) AND start >= $from AND start < $until";
    let params = [("target", ParamType::Prefix), ("from", ParamType::Timestamp), ("until", ParamType::Timestamp)];
    let from = 1_626_105_669_000_000;
    for at in 0..150usize {
        let mut bytes = whole.clone();
        bytes[indexes.start + at.wrapping_mul(2_654_435_761) % indexes.len()] ^= 1 << (at % 8);
        let path = crate::common::write(dir.path(), &format!("flip-{at}.parquet"), &bytes);
        let spec = SourceSpec::Parquet { path, columns: BTreeMap::new(), timestamp: TimestampUnit::Micros };
        let Ok(dataset) = open(spec).await else { continue };
        for (target, length) in [("192.0.2.0/24", i64::MAX - from), ("::/0", 100 * 1_234)] {
            let values = vec![text(target), Value::Int(from), Value::Int(from + length)];
            let outcome = run(&dataset, query(sql, &params), values).await;
            // What panicked off the async threads comes back as an internal error.
            assert!(!matches!(outcome, Err(QueryError::Data(DataError::Internal { .. }))), "flip {at}: {outcome:?}");
        }
    }
}
