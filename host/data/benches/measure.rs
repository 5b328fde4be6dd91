//! Measures this crate on generated flows: planning, opening, scanning CSV and Parquet. One line a number.
//! `cargo bench -p iog-data --bench measure -- --rows 1000000`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, UInt64Array};
use iog_data::{
    ColumnSpec, ColumnType, Dataset, Engine, ParamType, ParquetFileWriter, Planned, QueryLimits, QuerySpec, SourceSpec,
    TableSchema, Value,
};

type Failure = Box<dyn std::error::Error>;

fn schema() -> TableSchema {
    let column = |name: &str, ty| ColumnSpec { name: name.into(), ty, required: true };
    TableSchema {
        id: "flow/measure".into(),
        columns: vec![
            column("start", ColumnType::Timestamp),
            column("src", ColumnType::Address),
            column("dst", ColumnType::Address),
            column("packets", ColumnType::Uint),
            column("bytes", ColumnType::Uint),
            column("ingress_as", ColumnType::Uint),
        ],
    }
}

/// Flows of which one in ten has the target 192.0.2.1.
fn flows(from: u64, rows: u64) -> Result<RecordBatch, Failure> {
    let mix = |id: u64| (id ^ (id >> 9)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let address = |value: u32| iog_data::address_bytes(std::net::IpAddr::from(value.to_be_bytes()));
    let low = |value: u64| u32::try_from(value & 0xff_ffff).unwrap_or_default();
    let src =
        FixedSizeBinaryArray::try_from_iter((from..from + rows).map(|id| address(0x6400_0000 | low(mix(id) >> 30))))?;
    let dst = |id: u64| if mix(id) % 10 == 0 { 0xc000_0201 } else { 0xcb00_7100 | (low(mix(id) >> 40) & 0xff) };
    let dst = FixedSizeBinaryArray::try_from_iter((from..from + rows).map(|id| address(dst(id))))?;
    let uint =
        |of: fn(u64) -> u64| Arc::new((from..from + rows).map(|id| of(mix(id))).collect::<UInt64Array>()) as ArrayRef;
    let start = (from..from + rows).map(|id| 1_626_105_669_000_000 + i64::try_from(id).unwrap_or_default() * 977);
    let arrays = vec![
        Arc::new(start.collect::<Int64Array>()) as ArrayRef,
        Arc::new(src),
        Arc::new(dst),
        uint(|m| 1 + m % 100),
        uint(|m| 40 + (m >> 12) % 150_000),
        uint(|m| 64_500 + (m >> 33) % 8),
    ];
    Ok(RecordBatch::try_new(schema().arrow(), arrays)?)
}

fn csv(batch: &RecordBatch) -> Result<String, Failure> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, UInt64Type};
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let micros = batch.column(0).as_primitive::<Int64Type>().value(row);
        write!(text, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
        for at in [1, 2] {
            let bytes = batch.column(at).as_fixed_size_binary().value(row).try_into()?;
            write!(text, ",{}", iog_data::address_text(&bytes))?;
        }
        for at in [3, 4, 5] {
            write!(text, ",{}", batch.column(at).as_primitive::<UInt64Type>().value(row))?;
        }
        text.push('\n');
    }
    Ok(text)
}

async fn scan(planned: &Planned, target: &str) -> Result<(u64, Duration), Failure> {
    let started = Instant::now();
    let mut rows = planned.open("q", vec![Value::Text(target.into())], QueryLimits::default()).await?;
    let mut found = 0;
    while let Some(batch) = rows.next().await? {
        found += batch.num_rows() as u64;
    }
    Ok((found, started.elapsed()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median time of an opening whose rows are not read, in microseconds.
async fn open_us(planned: &Planned) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let rows = planned.open("q", vec![Value::Text("192.0.2.1".into())], QueryLimits::default()).await?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
        drop(rows);
    }
    Ok(median(times))
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the result of the program")]
async fn main() -> Result<(), Failure> {
    let total: u64 =
        std::env::args().skip_while(|arg| arg != "--rows").nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let dir = tempfile::tempdir()?;
    let (csv_path, parquet_path) = (dir.path().join("f.csv"), dir.path().join("f.parquet"));
    let mut writer = ParquetFileWriter::create(&parquet_path, schema().arrow())?;
    let mut text = String::from("start,src,dst,packets,bytes,ingress_as\n");
    for from in (0..total).step_by(100_000) {
        let batch = flows(from, 100_000.min(total - from))?;
        writer.write(&batch)?;
        text.push_str(&csv(&batch)?);
    }
    writer.finish()?;
    std::fs::write(&csv_path, text)?;
    let trace = QuerySpec {
        name: "q".into(),
        sql: "SELECT ingress_as, start, src, packets, bytes FROM flows WHERE ip_in(dst, $target)".into(),
        params: vec![("target".into(), ParamType::Prefix)],
    };
    let slow = QuerySpec {
        sql: "SELECT ip_in(src, $target) AS inside, sum(bytes) AS b FROM flows GROUP BY 1".into(),
        ..trace.clone()
    };
    let engine = Engine::new()?;
    println!("rows {total}");
    for (name, source) in [("csv", SourceSpec::csv(&csv_path)), ("parquet", SourceSpec::parquet(&parquet_path))] {
        let started = Instant::now();
        let dataset = Arc::new(Dataset::open(name, &schema(), source).await?);
        let dataset_ms = started.elapsed().as_secs_f64() * 1e3;
        let slots = BTreeMap::from([("flows".to_owned(), dataset)]);
        let mut plans = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            engine.plan(slots.clone(), std::slice::from_ref(&trace)).await?;
            plans.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let planned = engine.plan(slots.clone(), std::slice::from_ref(&trace)).await?;
        let unprepared = engine.plan(slots.clone(), std::slice::from_ref(&slow)).await?;
        let (tenth, tenth_time) = scan(&planned, "192.0.2.1").await?;
        let (every, every_time) = scan(&planned, "::/0").await?;
        let rate = |time: Duration| (total as f64 / time.as_secs_f64()).round();
        for (what, value) in [
            ("open_dataset_ms", dataset_ms),
            ("plan_ms", median(plans)),
            ("open_query_us", open_us(&planned).await?),
            ("open_unprepared_query_us", open_us(&unprepared).await?),
            ("rows_found_10_percent", tenth as f64),
            ("rows_per_s_10_percent", rate(tenth_time)),
            ("rows_found_100_percent", every as f64),
            ("rows_per_s_100_percent", rate(every_time)),
        ] {
            println!("{name}.{what} {value:.1}");
        }
    }
    Ok(())
}
