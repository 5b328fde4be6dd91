//! Computations that have no value: null, and the same over every source, whichever rows its layout spares a condition.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use iog_data::{DatabaseUrl, Dataset, ParamType, SourceSpec, TimestampUnit, Value};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::common::{csv_text, flows, memory, open, query, rows, run, text, write};
use crate::postgres::Postgres;
use crate::tables::{Form, sqlite, sqlite_run, statements, table};

const ROWS: u64 = 3_000;
const TARGET: &str = "192.0.2.0/24";

/// Flows of which some inside the target and some outside have no packets, and some notes are numbers.
fn batch() -> RecordBatch {
    let whole = flows(0, ROWS);
    let packets = (0..ROWS).map(|id| if id % 50 == 0 || id % 7 == 1 { 0 } else { 1 + id % 9 });
    let notes = (0..ROWS).map(|id| match id % 4 {
        0 => Some(id.to_string()),
        1 => Some("192.0.2.7".to_owned()),
        2 => Some("x".to_owned()),
        _ => None,
    });
    let mut columns = whole.columns().to_vec();
    columns[5] = Arc::new(packets.collect::<UInt64Array>()) as ArrayRef;
    columns[8] = Arc::new(notes.collect::<StringArray>());
    RecordBatch::try_new(whole.schema(), columns).unwrap()
}

async fn parquet(path: &Path, batch: &RecordBatch, group_rows: usize) -> Arc<Dataset> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    open(SourceSpec::parquet(path.to_owned())).await.unwrap()
}

/// The same rows in every source there is.
async fn sources(dir: &Path, postgres: Option<&Postgres>) -> Vec<(&'static str, Arc<Dataset>)> {
    let batch = batch();
    let database = dir.join("f.db");
    sqlite_run(&database, &statements("flows", &batch, Form::Text, false)).await;
    let mut all = vec![
        ("memory", memory(vec![batch.clone()]).await),
        ("csv", open(SourceSpec::csv(write(dir, "f.csv", csv_text(&batch)))).await.unwrap()),
        ("parquet", parquet(&dir.join("one.parquet"), &batch, 1 << 20).await),
        ("parquet of many row groups", parquet(&dir.join("many.parquet"), &batch, 70).await),
        ("sqlite", open(sqlite(database, table("flows", TimestampUnit::Micros))).await.unwrap()),
    ];
    if let Some(postgres) = postgres {
        postgres.run(&statements("flows", &batch, Form::Native, true).join(";\n")).await;
        let table = table("flows", TimestampUnit::Micros);
        let spec = SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table };
        all.push(("postgres", open(spec).await.unwrap()));
    }
    all
}

/// Conditions that fail on some rows in the engine's own operators and functions.
const CONDITIONS: [&str; 13] = [
    "bytes / packets > 100",
    "bytes % packets < 5",
    "100 / (CAST(packets AS BIGINT) - 1) >= 0",
    "(start - start - 9223372036854775807 - 1) / (CAST(packets AS BIGINT) - 2) < 0",
    "bytes / packets * -1 * bytes * bytes * bytes * bytes * bytes < 0",
    "CAST(note AS BIGINT) > 40",
    "note > 40",
    "CAST(-1 * CAST(packets AS BIGINT) AS BIGINT UNSIGNED) = 0",
    "to_address(note) = to_address('192.0.2.7')",
    "ip_in(src, note) OR packets = 3",
    "ip_prefix(src, CAST(packets AS BIGINT) - 3) IS NOT NULL",
    "length(substr(note, 1, CAST(packets AS BIGINT) - 3)) > 0",
    "abs(start - start - 9223372036854775807 - CAST(packets AS BIGINT)) > 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_computation_without_value_is_null_over_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start().await;
    let sources = sources(dir.path(), postgres.as_ref()).await;
    for condition in CONDITIONS {
        for target in [TARGET, "203.0.113.0/24", "::/0"] {
            let sql = format!("SELECT start, packets, note FROM flows WHERE ip_in(dst, $t) AND {condition}");
            let ask = |dataset| run(dataset, query(&sql, &[("t", ParamType::Prefix)]), vec![text(target)]);
            let expected = ask(&sources[0].1).await.unwrap();
            for (name, source) in &sources[1..] {
                assert_eq!(ask(source).await.unwrap(), expected, "{name}: {condition} in {target}");
            }
            let some = rows(&expected);
            assert!(some > 0 || target != "::/0", "{condition}");
            assert!(some < ROWS as usize, "{condition}");
        }
    }
}

#[tokio::test]
async fn what_has_no_value_is_null_and_integers_wrap() {
    let dataset = memory(vec![flows(0, 1)]).await;
    let min = "(start - start - 9223372036854775807 - 1)";
    let sql = format!(
        "SELECT bytes / (packets - packets) AS a, bytes % (packets - packets) AS b, {min} / $one AS c, {min} % $one AS d, \
         -$min AS e, -{min} AS f, {min} - 1 AS g, {min} * 2 AS h, packets - packets - 1 AS i, CAST('x' AS BIGINT) AS j, \
         abs({min}) AS k, to_address('x') AS l, ip_prefix(src, -1) AS m, substr('abc', 2, $one) AS n, \
         7 / 2 AS o, CAST($min AS DOUBLE) / 0 AS p, ip_in(src, ip_text(src)) AS q, ip_in(src, lower('X')) AS r, \
         substring('abc' FROM 2 FOR 1) AS s FROM flows"
    );
    let params = [("one", ParamType::Int), ("min", ParamType::Int)];
    let batches = run(&dataset, query(&sql, &params), vec![Value::Int(-1), Value::Int(i64::MIN)]).await.unwrap();
    let shown = datafusion_common::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let line = shown.lines().nth(3).unwrap().split_whitespace().collect::<String>();
    let (min, max) = (i64::MIN, i64::MAX);
    assert_eq!(line, format!("||||0|{min}|{min}|{max}|0|{}||||||3|-inf|true||b|", u64::MAX));
}
