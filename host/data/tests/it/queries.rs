//! Queries over real sources: the same rows give the same bytes however they are stored, parameters are bound, limits
//! stop what is too large.

use std::time::{Duration, Instant};

use crate::common::{all, csv_text, flows, gzip, memory, open, plan, query, rows, run, text, write};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use iog_data::{
    BATCH_ROWS, CancelFlag, ColumnType, LOOP_JOIN_ROWS_MAX, ParamType, QueryError, QueryLimits, SourceSpec, Value,
    write_parquet,
};

const TRACE: &str = "SELECT ingress_as, start, src, packets, bytes, note FROM flows \
    WHERE ip_in(dst, $target) AND start >= $start AND start < $end";
const TRACE_PARAMS: [(&str, ParamType); 3] =
    [("target", ParamType::Prefix), ("start", ParamType::Timestamp), ("end", ParamType::Timestamp)];

fn trace_values(target: &str) -> Vec<Value> {
    vec![text(target), Value::Int(0), text("2100-01-01T00:00:00Z")]
}

/// One dataset in many forms: memory in odd pieces, CSV, gzip of two members over two files, Parquet with odd row groups.
async fn forms(dir: &std::path::Path, total: u64) -> Vec<std::sync::Arc<iog_data::Dataset>> {
    let whole = flows(0, total);
    let cuts = [1u64, 1000, 16_384, 7];
    let (mut pieces, mut from) = (Vec::new(), 0);
    for cut in cuts.iter().cycle() {
        let rows = (*cut).min(total - from);
        if rows == 0 {
            break;
        }
        pieces.push(flows(from, rows));
        from += rows;
    }
    let csv = csv_text(&whole);
    let plain = write(dir, "plain.csv", &csv);
    let half = csv[..csv.len() / 2].rfind('\n').unwrap() + 1;
    let header = &csv[..csv.find('\n').unwrap() + 1];
    let (first, second) = (&csv[..half], format!("{header}{}", &csv[half..]));
    let cut = first.len() / 3;
    write(dir, "part-1.csv.gz", [gzip(&first.as_bytes()[..cut]), gzip(&first.as_bytes()[cut..])].concat());
    write(dir, "part-2.csv.gz", gzip(second.trim_end().replace('\n', "\r\n").as_bytes()));
    write_parquet(&dir.join("flows.parquet"), whole.schema(), &pieces).unwrap();
    vec![
        memory(vec![whole]).await,
        memory(pieces).await,
        open(SourceSpec::csv(plain)).await.unwrap(),
        open(SourceSpec::csv(dir.join("part-*.csv.gz"))).await.unwrap(),
        open(SourceSpec::parquet(dir.join("flows.parquet"))).await.unwrap(),
    ]
}

#[tokio::test]
async fn the_same_rows_give_the_same_batches_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let forms = forms(dir.path(), 70_001).await;
    let queries = [
        query(TRACE, &TRACE_PARAMS),
        query("SELECT start, \"end\", src, dst, proto, packets, bytes, ingress_as, note FROM flows", &[]),
        query(
            "SELECT ingress_as, count(*) AS n, sum(bytes) AS b, min(src) AS s, max(note) AS m FROM flows GROUP BY ingress_as",
            &[],
        ),
        query("SELECT note, proto FROM flows ORDER BY proto, note LIMIT 40000", &[]),
        query("SELECT DISTINCT proto, lower(note) AS l FROM flows", &[]),
    ];
    for (at, spec) in queries.into_iter().enumerate() {
        let values = if at == 0 { trace_values("192.0.2.0/24") } else { vec![] };
        let mut expected: Option<Vec<RecordBatch>> = None;
        for form in &forms {
            let batches = run(form, spec.clone(), values.clone()).await.unwrap();
            for batch in &batches[..batches.len() - 1] {
                assert_eq!(batch.num_rows(), BATCH_ROWS);
            }
            match &expected {
                None => expected = Some(batches),
                Some(expected) => {
                    assert_eq!(expected.len(), batches.len(), "query {at}");
                    for (a, b) in expected.iter().zip(&batches) {
                        assert_same_bytes(a, b);
                    }
                }
            }
        }
        assert!(rows(&expected.unwrap()) > 2, "query {at}");
    }
    let report = forms[2].check().await.unwrap();
    assert_eq!((report.rows, report.nulls["note"]), (70_001, 52_501));
    assert_eq!(report, iog_data::Report { files: 1, ..forms[4].check().await.unwrap() });
}

/// Equal values, equal validity, and equal bytes where nulls are.
pub(crate) fn assert_same_bytes(a: &RecordBatch, b: &RecordBatch) {
    assert_eq!(a, b);
    for (a, b) in a.columns().iter().zip(b.columns()) {
        if let (Some(a), Some(b)) = (a.as_primitive_opt::<UInt64Type>(), b.as_primitive_opt::<UInt64Type>()) {
            assert_eq!(a.values(), b.values());
        }
        if let (Some(a), Some(b)) = (a.as_string_opt::<i32>(), b.as_string_opt::<i32>()) {
            assert_eq!(a.value_offsets().len(), b.value_offsets().len());
            let relative = |o: &[i32]| o.iter().map(|v| v - o[0]).collect::<Vec<_>>();
            assert_eq!(relative(a.value_offsets()), relative(b.value_offsets()));
        }
    }
}

#[tokio::test]
async fn a_query_is_planned_once_and_opened_with_other_values() {
    let dataset = memory(vec![flows(0, 1000)]).await;
    let planned = plan(&dataset, query(TRACE, &TRACE_PARAMS)).await.unwrap();
    assert!(planned.query("q").unwrap().is_prepared(), "{}", planned.query("q").unwrap().explain());
    let read = planned.columns_read();
    let columns: Vec<_> = read["flows"].iter().map(String::as_str).collect();
    assert_eq!(columns, ["bytes", "dst", "ingress_as", "note", "packets", "src", "start"]);
    assert_eq!(planned.query("q").unwrap().columns()[1], ("start".into(), ColumnType::Timestamp));
    for (target, expected) in
        [("192.0.2.1", 100), ("0.0.0.0/0", 1000), ("192.0.2.0/24", 100), ("198.51.100.0/24", 0), ("::/0", 1000)]
    {
        let rows = planned.open("q", trace_values(target), QueryLimits::default()).await.unwrap();
        assert_eq!(crate::common::rows(&all(rows).await.unwrap()), expected, "{target}");
    }
    let both = futures::future::join(
        async {
            all(planned.open("q", trace_values("192.0.2.1"), QueryLimits::default()).await.unwrap()).await.unwrap()
        },
        async {
            all(planned.open("q", trace_values("0.0.0.0/0"), QueryLimits::default()).await.unwrap()).await.unwrap()
        },
    );
    let (few, many) = both.await;
    assert_eq!((rows(&few), rows(&many)), (100, 1000));
}

/// Two callers have the same query open at a time, each with a value that a subquery of its own computes.
#[tokio::test]
async fn queries_open_at_the_same_time_keep_their_values_apart() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let sql = "SELECT \"start\" FROM flows WHERE packets > (SELECT max(packets) FROM other WHERE packets <= $most)";
    let planned = plan(&dataset, query(sql, &[("most", ParamType::Uint)])).await.unwrap();
    let open = async |most| planned.open("q", vec![Value::Uint(most)], QueryLimits::default()).await.unwrap();
    let alone = [rows(&all(open(900).await).await.unwrap()), rows(&all(open(100).await).await.unwrap())];
    assert!(alone[0] > 0 && alone[1] > 2 * alone[0], "{alone:?}");
    let (mut few, mut many) = (open(900).await, open(100).await);
    let (mut counted, mut ended) = ([0, 0], [false, false]);
    while ended != [true, true] {
        for (at, opened) in [&mut few, &mut many].into_iter().enumerate() {
            match opened.next().await.unwrap() {
                Some(batch) => counted[at] += batch.num_rows(),
                None => ended[at] = true,
            }
        }
    }
    assert_eq!(counted, alone);
}

#[tokio::test]
async fn parameters_work_everywhere() {
    let dataset = memory(vec![flows(0, 1000)]).await;
    let spec = query(
        "SELECT ip_prefix(src, $bits) AS net, count(*) + $plus AS n, $label AS label FROM flows WHERE proto = $proto \
         GROUP BY 1 HAVING count(*) >= $least ORDER BY n DESC, net LIMIT 5",
        &[
            ("bits", ParamType::Int),
            ("plus", ParamType::Int),
            ("label", ParamType::Text),
            ("proto", ParamType::Uint),
            ("least", ParamType::Int),
        ],
    );
    let planned = plan(&dataset, spec).await.unwrap();
    assert!(!planned.query("q").unwrap().is_prepared());
    for bits in [8, 0] {
        let values = vec![Value::Int(bits), Value::Int(1000), text("x"), Value::Uint(17), Value::Int(1)];
        let batches = all(planned.open("q", values, QueryLimits::default()).await.unwrap()).await.unwrap();
        let n = batches[0].column(1).as_primitive::<Int64Type>();
        assert_eq!(rows(&batches), if bits == 0 { 1 } else { 5 });
        assert_eq!(batches[0].column(2).as_string::<i32>().value(0), "x");
        assert!(n.value(0) > 1000);
        if bits == 0 {
            assert_eq!(n.value(0), 1333);
        }
    }
}

#[tokio::test]
async fn values_must_fit_their_parameters() {
    let dataset = memory(vec![flows(0, 10)]).await;
    let types = [
        ParamType::Text,
        ParamType::Int,
        ParamType::Uint,
        ParamType::Float,
        ParamType::Flag,
        ParamType::Timestamp,
        ParamType::Address,
    ];
    for ty in types {
        let spec = query("SELECT count(*) AS n FROM flows WHERE $p IS NOT NULL", &[("p", ty)]);
        let planned = plan(&dataset, spec).await.unwrap();
        let open = |value| planned.open("q", vec![value], QueryLimits::default());
        let fitting: Vec<Value> = vec![
            text("192.0.2.1"),
            text("2020-01-01T00:00:00Z"),
            Value::Int(-1),
            Value::Uint(u64::MAX),
            Value::Float(0.5),
            Value::Flag(true),
            Value::Float(f64::NAN),
            Value::Text("x".repeat(100_000)),
        ];
        let mut accepted = Vec::new();
        for value in fitting {
            match open(value).await {
                Ok(rows) => accepted.push(crate::common::rows(&all(rows).await.unwrap())),
                Err(QueryError::BadParam { param, .. }) => {
                    assert_eq!(param, "p");
                    accepted.push(0);
                }
                Err(other) => panic!("{other}"),
            }
        }
        let expected = match ty {
            ParamType::Text => [1, 1, 0, 0, 0, 0, 0, 0],
            ParamType::Int => [0, 0, 1, 0, 0, 0, 0, 0],
            ParamType::Uint => [0, 0, 0, 1, 0, 0, 0, 0],
            ParamType::Float => [0, 0, 0, 0, 1, 0, 0, 0],
            ParamType::Flag => [0, 0, 0, 0, 0, 1, 0, 0],
            ParamType::Timestamp => [0, 1, 1, 0, 0, 0, 0, 0],
            _ => [1, 0, 0, 0, 0, 0, 0, 0],
        };
        assert_eq!(accepted, expected, "{ty:?}");
    }
    let planned = plan(&dataset, query(TRACE, &TRACE_PARAMS)).await.unwrap();
    let open = |values| planned.open("q", values, QueryLimits::default());
    assert!(matches!(open(vec![]).await, Err(QueryError::ParamCount { expected: 3, found: 0, .. })));
    assert!(matches!(open(trace_values("10.0.0.1/8")).await, Err(QueryError::BadParam { .. })));
    let unknown = planned.open("nope", vec![], QueryLimits::default()).await;
    assert!(matches!(unknown, Err(QueryError::UnknownQuery { .. })));
}

#[tokio::test]
async fn bombs_are_stopped() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let bombs = [
        "SELECT count(*) AS n FROM flows a CROSS JOIN flows b",
        "SELECT a.bytes FROM flows a, flows b WHERE a.bytes + b.bytes = 1",
        "SELECT count(*) AS n FROM flows a JOIN flows b ON a.proto = b.proto AND a.bytes + b.bytes = 1",
        "SELECT max(a.bytes * b.bytes) AS n FROM flows a JOIN flows b ON a.proto = b.proto",
    ];
    for sql in bombs {
        let planned = plan(&dataset, query(sql, &[])).await.unwrap();
        let started = Instant::now();
        let limits = QueryLimits { deadline: Some(started + Duration::from_millis(200)), ..QueryLimits::default() };
        let error = all(planned.open("q", vec![], limits).await.unwrap()).await.unwrap_err();
        assert!(matches!(error, QueryError::Deadline), "{sql}: {error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{sql}: {:?}", started.elapsed());

        let cancel = CancelFlag::new();
        let limits = QueryLimits { cancel: cancel.clone(), ..QueryLimits::default() };
        let running = tokio::spawn(all(planned.open("q", vec![], limits).await.unwrap()));
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            cancel.cancel();
        });
        let error = running.await.unwrap().unwrap_err();
        assert!(matches!(error, QueryError::Cancelled), "{sql}: {error}");
    }
}

#[tokio::test]
async fn joins_without_an_equality_are_small() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let sql = "SELECT count(*) AS n FROM flows a CROSS JOIN flows b CROSS JOIN flows c";
    let planned = plan(&dataset, query(sql, &[])).await.unwrap();
    let error = all(planned.open("q", vec![], QueryLimits::default()).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, QueryError::LoopJoin { max: LOOP_JOIN_ROWS_MAX } | QueryError::Memory { .. }), "{error}");
}

#[tokio::test]
async fn memory_is_limited() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    for sql in [
        "SELECT src, start, count(*) AS n FROM flows GROUP BY src, start",
        "SELECT a.src, b.dst FROM flows a JOIN flows b ON a.start = b.start",
        "SELECT src, dst FROM flows ORDER BY src, bytes",
    ] {
        let planned = plan(&dataset, query(sql, &[])).await.unwrap();
        let limits = QueryLimits { memory_bytes: 1 << 20, ..QueryLimits::default() };
        let error = all(planned.open("q", vec![], limits).await.unwrap()).await.unwrap_err();
        assert!(matches!(error, QueryError::Memory { limit_bytes: 1_048_576 }), "{sql}: {error}");
        let enough = all(planned.open("q", vec![], QueryLimits::default()).await.unwrap()).await.unwrap();
        assert!(rows(&enough) >= 30_000, "{sql}");
    }
}

#[tokio::test]
async fn the_queries_of_one_run_share_its_memory() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let planned = plan(&dataset, query("SELECT src, start FROM flows ORDER BY src, bytes", &[])).await.unwrap();
    let limits = QueryLimits { memory_bytes: 12 << 20, ..QueryLimits::default() };
    let mut open = Vec::new();
    let error = loop {
        let mut rows = planned.open("q", vec![], limits.clone()).await.unwrap();
        match rows.next().await {
            Ok(batch) => open.push((rows, batch)),
            Err(error) => break error,
        }
        assert!(open.len() < 20, "queries that hold their rows never exceed the run's memory");
    };
    assert!(!open.is_empty() && matches!(error, QueryError::Memory { .. }), "{} open: {error}", open.len());
    drop(open);
    let again = planned.open("q", vec![], limits).await.unwrap().next().await;
    assert!(again.is_ok(), "what is closed gives its memory back");
}

#[tokio::test]
async fn functions_compute() {
    let dataset = memory(vec![flows(0, 1)]).await;
    let sql = "SELECT ip_text(dst) AS a, dst = to_address('192.0.2.1') AS b, ip_text(ip_prefix(dst, 16)) AS c, \
        length(ip_text(dst)) AS d, substr(ip_text(dst), 1, 3) AS e, starts_with(ip_text(dst), '192') AS f, \
        abs(CAST(proto AS BIGINT) - 10) AS g, coalesce(note, 'none') AS h, nullif(proto, 6) AS i, upper('ab') AS j, \
        ip_in(dst, '192.0.2.0/24') AS k, ip_in(dst, ip_text(dst)) AS l, coalesce(ingress_as, 0) AS m, \
        CASE WHEN proto IN (6, 17) THEN packets ELSE 0 END AS n FROM flows";
    let batches = run(&dataset, query(sql, &[]), vec![]).await.unwrap();
    let shown = datafusion_common::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let line = shown.lines().nth(3).unwrap().split_whitespace().collect::<String>();
    assert_eq!(line, "|192.0.2.1|true|192.0.0.0|9|192|true|4|none||AB|true|true|64500|1|");
}
