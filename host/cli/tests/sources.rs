//! One module, four kinds of source: the same rows as CSV, Parquet, SQLite and PostgreSQL give the same result byte for
//! byte, for the same fuel where they lie in the same order.

#![expect(clippy::unwrap_used, reason = "a failed step of a test must panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use iog_cli::trial::{TryReport, TrySpec, try_module};
use iog_data::DatabaseUrl;
use iog_gateway::config::{DatasetConfig, DatasetFormat, GatewayConfig, LimitsConfig, TimestampUnit};
use iog_gateway::datasets::{self, open_one};
use iog_sandbox::{Provider, RunOutcome, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

#[path = "../../data/tests/it/postgres.rs"]
mod postgres;
use postgres::Postgres;

const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/traceback/snmp_reflection");

/// A flow as text, field by field, in the order of the CSV.
struct Flow {
    start: i64,
    end: i64,
    src: String,
    dst: String,
    /// The last two are optional.
    numbers: [Option<u64>; 6],
}

const HEADER: &str = "start,end,src,dst,proto,packets,bytes,ingress_as,dst_port,egress_as";
/// The same as a list of SQL.
const COLUMNS: &str = "\"start\", \"end\", src, dst, proto, packets, bytes, ingress_as, dst_port, egress_as";

fn seconds(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn uint(value: Option<u64>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| value.to_string())
}

/// Flows in an order of their own, not that of any column; some to the target, some over IPv6, many of equal size, some with
/// nulls and the extremes of a column.
fn generated(rows: u64) -> Vec<Flow> {
    let flow = |id: u64| {
        let mixed = (id ^ (id >> 5)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [a, b, c, d, ..] = mixed.to_be_bytes();
        let src =
            if id % 9 == 4 { format!("2001:db8:{a:x}::{b:x}") } else { format!("{}.{b}.{c}.{}", 20 + a % 60, d % 8) };
        let dst = if id.is_multiple_of(4) { "192.0.2.1".to_owned() } else { format!("203.0.113.{d}") };
        let start = 1_626_105_669_000_000 + i64::try_from(mixed % 3_600_000_000).unwrap();
        let egress_as = [None, Some(0), Some(u64::MAX), Some(i64::MAX as u64)][(id % 4) as usize];
        let numbers = [
            Some([6, 17][(id % 2) as usize]),
            Some(1 + mixed % 9),
            Some(40 + mixed % 90),
            Some(64_500 + id % 6),
            (!id.is_multiple_of(3)).then_some(mixed % 65_536),
            egress_as,
        ];
        Flow { start, end: start + 1_500_001, src, dst, numbers }
    };
    (0..rows).map(flow).collect()
}

/// The four datasets of the same rows; PostgreSQL where there is one.
async fn everywhere(folder: &Path, flows: &[Flow], postgres: Option<&Postgres>) -> Vec<(&'static str, DatasetConfig)> {
    let csv = csv(folder, flows);
    let plain = |path: PathBuf, format, unit| DatasetConfig::file("flow/1", path, format, unit);
    let parquet = folder.join("parquet/day=1/flows.parquet");
    let csv = plain(csv, DatasetFormat::Csv, TimestampUnit::Seconds);
    to_parquet(&csv, &parquet).await;
    let sqlite = folder.join("flows.db");
    to_sqlite(&sqlite, flows).await;
    let ordered =
        |config: DatasetConfig| DatasetConfig { table: Some("flows".into()), order_by: vec!["id".into()], ..config };
    let mut all = vec![
        ("parquet", plain(folder.join("parquet"), DatasetFormat::Parquet, TimestampUnit::Micros)),
        ("sqlite", ordered(plain(sqlite, DatasetFormat::Sqlite, TimestampUnit::Seconds))),
        ("csv", csv),
    ];
    if let Some(postgres) = postgres {
        to_postgres(postgres, flows).await;
        let config = ordered(plain(PathBuf::new(), DatasetFormat::Postgres, TimestampUnit::Micros));
        all.push(("postgres", DatasetConfig { url: Some(DatabaseUrl::new(postgres.url())), ..config }));
    }
    all
}

fn csv(folder: &Path, flows: &[Flow]) -> PathBuf {
    let mut text = format!("{HEADER}\n");
    for flow in flows {
        let numbers = flow.numbers.map(|n| uint(n, "")).join(",");
        text.push_str(&format!("{},{},{},{},{numbers}\n", seconds(flow.start), seconds(flow.end), flow.src, flow.dst));
    }
    let path = folder.join("flows.csv");
    std::fs::write(&path, text).unwrap();
    path
}

/// Through the data engine itself: what it reads from the CSV goes into the file.
async fn to_parquet(csv: &DatasetConfig, path: &Path) {
    let dataset = open_one("csv", csv).await.unwrap().data;
    let schema = datasets::table(iog_protocol::schemas::schema("flow/1").unwrap());
    let list: Vec<String> = schema.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
    let sql = format!("SELECT {} FROM flows", list.join(", "));
    let query = iog_data::QuerySpec { name: "q".into(), sql, params: vec![] };
    let slots = BTreeMap::from([("flows".to_owned(), dataset)]);
    let planned = iog_data::Engine::new().unwrap().plan(slots, &[query]).await.unwrap();
    let mut rows = planned.open("q", vec![], iog_data::QueryLimits::default()).await.unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = iog_data::ParquetFileWriter::create(path, rows.schema().clone()).unwrap();
    while let Some(batch) = rows.next().await.unwrap() {
        writer.write(&batch).unwrap();
    }
    writer.finish().unwrap();
}

/// Times as doubles in seconds, addresses as text; the rows lie in the table from the last to the first.
async fn to_sqlite(path: &Path, flows: &[Flow]) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let create = "CREATE TABLE flows (id INTEGER PRIMARY KEY, \"start\" REAL, \"end\" REAL, src TEXT, dst TEXT, \
                  proto INTEGER, packets INTEGER, bytes INTEGER, ingress_as INTEGER, dst_port INTEGER, egress_as TEXT)";
    sqlx::query(create).execute(&mut *transaction).await.unwrap();
    for insert in inserts(flows, seconds, "'") {
        sqlx::query(AssertSqlSafe(insert)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    connection.close().await.unwrap();
}

/// Times and addresses in types of PostgreSQL's own.
async fn to_postgres(postgres: &Postgres, flows: &[Flow]) {
    postgres
        .run(
            "DROP TABLE IF EXISTS flows; CREATE TABLE flows (id BIGINT PRIMARY KEY, \"start\" TIMESTAMPTZ, \
             \"end\" TIMESTAMPTZ, src INET, dst INET, proto SMALLINT, packets BIGINT, bytes NUMERIC(20), ingress_as BIGINT, \
             dst_port INTEGER, egress_as NUMERIC(20))",
        )
        .await;
    let time = |micros: i64| format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'");
    postgres.run(&inserts(flows, time, "").join(";\n")).await;
}

/// The rows from the last to the first; `quote` stands around the number that SQLite would round.
fn inserts(flows: &[Flow], time: impl Fn(i64) -> String, quote: &str) -> Vec<String> {
    let row = |(id, flow): (usize, &Flow)| {
        let numbers: Vec<String> = flow.numbers[..5].iter().map(|n| uint(*n, "NULL")).collect();
        let last = flow.numbers[5].map_or("NULL".to_owned(), |n| format!("{quote}{n}{quote}"));
        let (start, end, src, dst) = (time(flow.start), time(flow.end), &flow.src, &flow.dst);
        format!("({id}, {start}, {end}, '{src}', '{dst}', {}, {last})", numbers.join(", "))
    };
    let mut rows: Vec<String> = flows.iter().enumerate().map(row).collect();
    rows.reverse();
    rows.chunks(1000).map(|rows| format!("INSERT INTO flows (id, {COLUMNS}) VALUES {}", rows.join(", "))).collect()
}

/// Every row with every column, as a query gives it.
async fn rows(dataset: &DatasetConfig) -> Vec<arrow_array::RecordBatch> {
    let dataset = open_one("rows", dataset).await.unwrap().data;
    let sql = format!("SELECT {COLUMNS}, src_port, tcp_flags, sampling FROM flows");
    let query = iog_data::QuerySpec { name: "q".into(), sql, params: vec![] };
    let slots = BTreeMap::from([("flows".to_owned(), dataset)]);
    let planned = iog_data::Engine::new().unwrap().plan(slots, &[query]).await.unwrap();
    let mut rows = planned.open("q", vec![], iog_data::QueryLimits::default()).await.unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await.unwrap() {
        batches.push(batch);
    }
    batches
}

async fn ask(sandbox: &Sandbox, module: &str, dataset: &DatasetConfig, params: Value) -> TryReport {
    let wasm = std::fs::read(format!("{MODULES}/prebuilt/{module}.wasm")).unwrap();
    let manifest = std::fs::read_to_string(format!("{MODULES}/{module}/iog.toml")).unwrap();
    let spec = TrySpec {
        wasm: &wasm,
        manifest: &manifest,
        entry: None,
        params,
        datasets: BTreeMap::from([("flows".parse().unwrap(), dataset.clone())]),
        limits: LimitsConfig::default(),
        provider: Provider { domain: "as64500".into(), asn: Some(64_500) },
    };
    try_module(sandbox, &spec).await.unwrap()
}

/// Asks every source and compares; the result, for a closer look. The fuel is the same where the rows are in one order.
async fn same_everywhere(sources: &[(&str, DatasetConfig)], module: &str, params: &Value, ordered: bool) -> Value {
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 2, ..SandboxConfig::compiling_here() }).unwrap();
    let mut first: Option<TryReport> = None;
    for (name, dataset) in sources {
        let report = ask(&sandbox, module, dataset, params.clone()).await;
        assert!(matches!(report.outcome, RunOutcome::Succeeded { .. }), "{name}: {}", report.ended);
        let Some(expected) = &first else {
            first = Some(report);
            continue;
        };
        let text = |report: &TryReport| report.result.as_ref().unwrap().as_str().to_owned();
        assert_eq!(text(&report), text(expected), "{module} over {name}");
        assert!(!ordered || report.usage.fuel == expected.usage.fuel, "{module} over {name}: {:?}", report.usage);
        assert_eq!(report.usage.rows, expected.usage.rows, "{module} over {name}");
    }
    serde_json::from_str(first.unwrap().result.unwrap().as_str()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_gives_the_same_result_over_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let flows = generated(40_000);
    let postgres = Postgres::start().await;
    let sources = everywhere(folder.path(), &flows, postgres.as_ref()).await;
    let expected_rows = rows(&sources[0].1).await;
    for (name, dataset) in &sources {
        assert_eq!(rows(dataset).await, expected_rows, "{name}");
    }
    let trace =
        json!({"target": "192.0.2.1", "start-us": 1_626_105_669_000_000i64, "end-us": 1_626_107_000_000_000i64});
    let result = same_everywhere(&sources, "ip-traceback", &trace, true).await;
    let inside = |flow: &&Flow| flow.dst == "192.0.2.1" && flow.start < 1_626_107_000_000_000;
    let expected: Vec<_> = flows.iter().filter(inside).collect();
    assert!(expected.len() > 1000);
    assert_eq!(result["ok"]["flows"], expected.len());
    let bytes: u64 = expected.iter().filter_map(|flow| flow.numbers[2]).sum();
    assert_eq!(result["ok"]["bytes"], bytes);
    for params in talkers() {
        let result = same_everywhere(&sources, "top-talkers", &params, true).await;
        assert!(!result["ok"]["talkers"].as_array().unwrap().is_empty());
    }
}

fn talkers() -> [Value; 2] {
    [
        json!({"side": "source", "measure": "bytes", "n": 500}),
        json!({"side": "destination", "measure": "flows", "v4-length": 28, "start-us": 1_626_106_000_000_000i64}),
    ]
}

/// Without `order_by` a database gives the rows in the order of their columns, a file as they lie in it: what does not depend
/// on the order is the same, equal sort keys included.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_depend_on_the_order_of_rows_is_the_same_in_any() {
    let folder = tempfile::tempdir().unwrap();
    let mut flows = generated(5_000);
    let postgres = Postgres::start().await;
    let mut sources = everywhere(folder.path(), &flows, postgres.as_ref()).await;
    for (_, dataset) in &mut sources {
        dataset.order_by.clear();
    }
    flows.reverse();
    let turned = folder.path().join("turned");
    std::fs::create_dir(&turned).unwrap();
    let turned = DatasetConfig::file("flow/1", csv(&turned, &flows), DatasetFormat::Csv, TimestampUnit::Seconds);
    assert_ne!(rows(&turned).await, rows(&sources[0].1).await);
    sources.push(("turned", turned));
    same_everywhere(&sources, "ip-traceback", &json!({"target": "192.0.2.1"}), false).await;
    for params in talkers() {
        same_everywhere(&sources, "top-talkers", &params, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_flows_give_the_same_result_over_every_source() {
    let Ok(entries) = std::fs::read_dir(SHARED) else {
        eprintln!("skipped: `{SHARED}` is absent");
        return;
    };
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().ends_with(".csv.gz"));
    let smallest = files.min_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let real = DatasetConfig::file("flow/1", smallest.clone(), DatasetFormat::Csv, TimestampUnit::Seconds);
    let flows = read(&real).await;
    let postgres = Postgres::start().await;
    let mut sources = everywhere(folder.path(), &flows, postgres.as_ref()).await;
    sources.push(("the file itself", real));
    let result = same_everywhere(&sources, "ip-traceback", &json!({"target": "10.10.10.10"}), true).await;
    assert!(result["ok"]["flows"].as_u64().is_some(), "{result}");
    let params = json!({"side": "source", "measure": "packets", "n": 1000});
    let result = same_everywhere(&sources, "top-talkers", &params, true).await;
    assert_eq!(result["ok"]["flows"], flows.len());
}

/// The rows of a dataset, through the data engine.
async fn read(config: &DatasetConfig) -> Vec<Flow> {
    let dataset = open_one("real", config).await.unwrap().data;
    let sql = "SELECT \"start\", \"end\", ip_text(src) AS src, ip_text(dst) AS dst, proto, packets, bytes, ingress_as, \
               dst_port, egress_as FROM flows";
    let query = iog_data::QuerySpec { name: "q".into(), sql: sql.into(), params: vec![] };
    let slots = BTreeMap::from([("flows".to_owned(), dataset)]);
    let planned = iog_data::Engine::new().unwrap().plan(slots, &[query]).await.unwrap();
    let mut rows = planned.open("q", vec![], iog_data::QueryLimits::default()).await.unwrap();
    let mut flows = Vec::new();
    while let Some(batch) = rows.next().await.unwrap() {
        for row in 0..batch.num_rows() {
            let time = |at: usize| batch.column(at).as_primitive::<Int64Type>().value(row);
            let text = |at: usize| batch.column(at).as_string::<i32>().value(row).to_owned();
            let number = |at: usize| {
                let column = batch.column(at).as_primitive::<UInt64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            let numbers = [4, 5, 6, 7, 8, 9].map(number);
            flows.push(Flow { start: time(0), end: time(1), src: text(2), dst: text(3), numbers });
        }
    }
    flows
}

/// What a run says of its data.
async fn snapshot(sandbox: &Sandbox, dataset: &DatasetConfig) -> (Value, iog_protocol::ids::Digest) {
    let report = ask(sandbox, "ip-traceback", dataset, json!({"target": "192.0.2.0/24"})).await;
    let result: Value = serde_json::from_str(report.result.unwrap().as_str()).unwrap();
    (result["ok"]["flows"].clone(), *report.snapshots.values().next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_comes_into_a_database_is_another_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start().await;
    let sources = everywhere(folder.path(), &generated(400), postgres.as_ref()).await;
    let sandbox = Sandbox::new(&SandboxConfig { runs_max: 2, ..SandboxConfig::compiling_here() }).unwrap();
    for (name, dataset) in sources.iter().filter(|(name, _)| ["sqlite", "postgres"].contains(name)) {
        let before = snapshot(&sandbox, dataset).await;
        assert_eq!(snapshot(&sandbox, dataset).await, before, "{name}");
        let same_but_last = "INSERT INTO flows SELECT 1000, \"start\", \"end\", src, dst, proto, packets, bytes, ingress_as, \
                             dst_port, egress_as FROM flows WHERE id = 0";
        match &postgres {
            Some(postgres) if *name == "postgres" => postgres.run(same_but_last).await,
            _ => {
                let mut writer = SqliteConnectOptions::new().filename(&dataset.path).connect().await.unwrap();
                sqlx::query(same_but_last).execute(&mut writer).await.unwrap();
                writer.close().await.unwrap();
            }
        }
        let after = snapshot(&sandbox, dataset).await;
        assert_eq!(after.0.as_u64(), before.0.as_u64().map(|flows| flows + 1), "{name}");
        assert_ne!(after.1, before.1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_toml_binds_a_database() {
    let folder = tempfile::tempdir().unwrap();
    to_sqlite(&folder.path().join("flows.db"), &generated(50)).await;
    let text = "listen = \"127.0.0.1:0\"\n[dataset.archive]\nschema = \"flow/1\"\nformat = \"sqlite\"\n\
                path = \"flows.db\"\nview = \"SELECT *, id + 0 AS n FROM flows WHERE proto = 17\"\norder_by = [\"n\"]\n\
                class = \"reviewed\"\ntimestamp = \"seconds\"\n";
    let config = GatewayConfig::parse(text, folder.path()).unwrap();
    let (name, dataset) = config.dataset.first_key_value().unwrap();
    let bound = open_one(name.as_str(), dataset).await.unwrap();
    assert_eq!(bound.data.check().await.unwrap().rows, 25);
}
