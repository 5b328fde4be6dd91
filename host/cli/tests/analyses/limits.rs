//! More than an answer holds, at a provider: an error that names the limit and says what to ask instead. Never a trap,
//! and never a part of the answer, for what is left out might be the hijack.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use iog_sandbox::RunOutcome;
use serde_json::{Value, json};

use crate::Analysis;
use crate::tables::{Batches, ROAS_HEAD, ROUTES_HEAD, csv};

/// Rows of the large tables.
const ROWS: u32 = 1_000_000;

fn addresses(of: impl Fn(u32) -> u32) -> ArrayRef {
    let bytes = (0..ROWS).map(|row| std::net::Ipv4Addr::from_bits(of(row)).to_ipv6_mapped().octets());
    Arc::new(FixedSizeBinaryArray::try_from_iter(bytes).unwrap())
}

fn uints(of: impl Fn(u32) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values((0..ROWS).map(of)))
}

/// A million announcements, each with peer, prefix, its length and origin.
fn routes(peer: fn(u32) -> u32, prefix: fn(u32) -> u32, length: fn(u32) -> u64, origin: fn(u32) -> u64) -> Batches {
    let kind: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|_| "announce")));
    let time: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(i64::from)));
    let columns = [
        ("time", time),
        ("kind", kind),
        ("peer", addresses(peer)),
        ("peer_as", uints(|_| 64_500)),
        ("prefix", addresses(prefix)),
        ("prefix_len", uints(length)),
        ("origin_as", uints(origin)),
    ];
    Batches(vec![RecordBatch::try_from_iter(columns).unwrap()])
}

/// 10.0.0.0.
const TEN: u32 = 10 << 24;

/// The answer about 10.0.0.0/8, with the rows and fuel it took.
async fn asked(routes: &Path, roas: &Path) -> (Value, u64, u64) {
    let slots = [("routes", "route/1", routes), ("roas", "asinfo/1", roas)];
    let report = Analysis::new("origin-check").try_on(json!({ "prefix": "10.0.0.0/8" }), &slots).await;
    assert!(matches!(report.outcome, RunOutcome::Succeeded { .. }), "{}", report.ended);
    (report.result.unwrap().to_value().unwrap(), report.usage.rows, report.usage.fuel)
}

#[tokio::test]
async fn a_table_of_a_million_different_routes_or_peers_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let none = csv(dir.path(), "none.csv", ROAS_HEAD, []);
    let routes_error = "more than 2000 routes at this prefix: ask for a longer one";
    let peers_error = "more than 16384 peers stated these routes: ask for a shorter time";
    for (name, table, expected) in [
        ("prefixes", routes(|_| 1, |row| TEN | row << 4, |_| 28, |_| 64_500), routes_error),
        ("origins", routes(|_| 1, |_| TEN, |_| 8, u64::from), routes_error),
        ("peers", routes(|row| row, |_| TEN, |_| 8, |_| 64_500), peers_error),
    ] {
        let file = table.parquet(dir.path(), &format!("{name}.parquet"));
        assert_eq!(asked(&file, &none).await.0["err"], expected, "{name}");
    }
}

#[tokio::test]
async fn a_million_rows_about_few_routes_or_about_no_prefix_at_all_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let none = csv(dir.path(), "none.csv", ROAS_HEAD, []);
    let same = routes(|row| row % 1_000, |row| TEN | ((row % 500) << 8), |_| 24, |row| u64::from(row % 2));
    let (answer, rows, fuel) = asked(&same.parquet(dir.path(), "same.parquet"), &none).await;
    assert_eq!((rows, answer["ok"]["more-specifics"].as_array().map(Vec::len)), (u64::from(ROWS), Some(500)));
    println!("origin-check: {} fuel a row where the prefix changes with each", fuel / rows);
    let wrong = routes(|_| 1, |row| TEN | row, |row| 33 + u64::from(row), |_| 64_500);
    let (answer, rows, _) = asked(&wrong.parquet(dir.path(), "wrong.parquet"), &none).await;
    assert_eq!((rows, &answer["ok"]["skipped"]), (u64::from(ROWS), &json!(ROWS)));
    assert_eq!(answer["ok"]["more-specifics"], json!([]));
}

#[tokio::test]
async fn more_roas_than_can_be_kept_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let routes = csv(dir.path(), "routes.csv", ROUTES_HEAD, []);
    let lines = |roas: u32| {
        (0..roas).map(|n| format!("{},24,{n},24,roa\n", std::net::Ipv4Addr::from_bits(TEN | n << 8 & 0xff_ff00)))
    };
    let most = csv(dir.path(), "most.csv", ROAS_HEAD, lines(200_000));
    let answer = asked(&routes, &most).await.0;
    assert_eq!(
        (&answer["ok"]["roas-found"], &answer["ok"]["roas-skipped"]),
        (&json!(0), &json!(0)),
        "none covers a route"
    );
    let over = csv(dir.path(), "over.csv", ROAS_HEAD, lines(200_001));
    assert_eq!(asked(&routes, &over).await.0["err"], "more than 200000 ROAs at this prefix: ask for a longer one");
}

#[tokio::test]
async fn more_records_or_text_of_a_name_than_an_answer_holds_are_refused_by_name() {
    let (dir, analysis) = (tempfile::tempdir().unwrap(), Analysis::new("dns-watch"));
    let watch = async |lines: Vec<String>| {
        let file = csv(dir.path(), "pdns.csv", "rrname,rrtype,rdata,time_first,time_last,count\n", lines);
        let slots = [("pdns", "pdns/1", file.as_path())];
        let report = analysis.try_on(json!({ "name": "example.net" }), &slots).await;
        assert!(matches!(report.outcome, RunOutcome::Succeeded { .. }), "{}", report.ended);
        report.result.unwrap().to_value().unwrap()
    };
    let record = |data: String| format!("example.net,TXT,{data},1,2,3\n");
    let full = watch((0..200_000).map(|n| record((n % 2_000).to_string())).collect()).await;
    assert_eq!(full["ok"]["answers"].as_array().unwrap().len(), 2_000);
    assert_eq!(full["ok"]["answers"][0]["records"], 100);
    let error = "more than 2000 different records or 256 KiB of them: ask for a shorter time";
    assert_eq!(watch((0..2_001).map(|n| record(n.to_string())).collect()).await["err"], error);
    // Characters that take six bytes each in JSON count as such: the answer is an error and not one too large to leave.
    let long = watch((0..40).map(|n| record(format!("{n}{}", "\u{1}".repeat(1_200)))).collect()).await;
    assert_eq!(long["err"], error);
}
