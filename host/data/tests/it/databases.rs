//! SQLite and PostgreSQL: the same rows give the same batches as memory does, whatever is pushed down and however the
//! values are kept; what does not fit is named; data that change are not read half.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use iog_data::{
    ColumnSpec, ColumnType, DataError, DatabaseUrl, Dataset, Engine, ParamType, QueryError, QueryLimits, Relation,
    SourceSpec, TableSchema, TableSpec, TimestampUnit, Value,
};
use proptest::prelude::*;

use crate::common::{all, flows, memory, open, plan, query, run, text, write};
use crate::postgres::Postgres;
use crate::tables::{Form, sqlite, sqlite_run, statements, table};

/// SQL, its parameters and their values.
type Question = (&'static str, Vec<(&'static str, ParamType)>, Vec<Value>);

/// Queries that touch everything that is pushed down, and what is not.
fn questions() -> Vec<Question> {
    let window = vec![Value::Int(1_626_105_669_100_000), Value::Int(1_626_105_670_900_001)];
    let times = vec![("from", ParamType::Timestamp), ("to", ParamType::Timestamp)];
    vec![
        (r#"SELECT "start", "end", src, dst, proto, packets, bytes, ingress_as, note FROM flows"#, vec![], vec![]),
        (r#"SELECT src, bytes FROM flows WHERE "start" >= $from AND "start" < $to"#, times, window),
        (
            "SELECT bytes, note FROM flows WHERE ip_in(dst, $net)",
            vec![("net", ParamType::Prefix)],
            vec![text("192.0.2.1/32")],
        ),
        ("SELECT bytes FROM flows WHERE ip_in(src, $net)", vec![("net", ParamType::Prefix)], vec![text("101.0.0.0/8")]),
        (
            "SELECT bytes FROM flows WHERE ip_in(src, $net)",
            vec![("net", ParamType::Prefix)],
            vec![text("2001:db8::/32")],
        ),
        ("SELECT bytes FROM flows WHERE ip_in(src, $net)", vec![("net", ParamType::Prefix)], vec![text("::/0")]),
        ("SELECT packets FROM flows WHERE note = $n", vec![("n", ParamType::Text)], vec![text("n,\"5\"")]),
        (
            "SELECT packets FROM flows WHERE packets > $n AND proto = 6",
            vec![("n", ParamType::Uint)],
            vec![Value::Uint(500)],
        ),
        ("SELECT packets FROM flows WHERE bytes > $n", vec![("n", ParamType::Uint)], vec![Value::Uint(u64::MAX)]),
        ("SELECT src FROM flows WHERE ingress_as IS NULL OR proto = 17", vec![], vec![]),
        ("SELECT dst, packets FROM flows LIMIT 17000", vec![], vec![]),
        ("SELECT count(*) AS n FROM flows", vec![], vec![]),
        ("SELECT proto, sum(bytes) AS bytes FROM flows GROUP BY proto ORDER BY proto", vec![], vec![]),
    ]
}

async fn assert_same(expected: &Arc<Dataset>, found: &Arc<Dataset>, what: &str) {
    for (sql, params, values) in questions() {
        let a = run(expected, query(sql, &params), values.clone()).await.unwrap();
        let b = run(found, query(sql, &params), values).await.unwrap();
        assert_eq!(a, b, "{what}: {sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_gives_the_same_batches_as_memory() {
    let dir = tempfile::tempdir().unwrap();
    let rows = flows(0, 20_000);
    let expected = memory(vec![rows.clone()]).await;
    for (at, form) in [Form::Text, Form::TextTimes, Form::Doubles, Form::Numbers].into_iter().enumerate() {
        let path = dir.path().join(format!("{at}.db"));
        sqlite_run(&path, &statements("flows", &rows, form, false)).await;
        let found = open(sqlite(path, table("flows", form.unit()))).await.unwrap();
        assert_same(&expected, &found, &format!("form {at}")).await;
        let report = found.check().await.unwrap();
        assert_eq!(report.rows, 20_000);
        assert_eq!(report.spans, expected.check().await.unwrap().spans);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_gives_the_same_batches_as_memory() {
    let Some(postgres) = Postgres::start().await else { return };
    let rows = flows(0, 20_000);
    let expected = memory(vec![rows.clone()]).await;
    let forms = [Form::Text, Form::TextTimes, Form::Doubles, Form::Numbers, Form::Native];
    for (at, form) in forms.into_iter().enumerate() {
        let name = format!("flows_{at}");
        postgres.run(&statements(&name, &rows, form, true).join(";\n")).await;
        let spec = SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: table(&name, form.unit()) };
        let found = open(spec).await.unwrap();
        assert_same(&expected, &found, &format!("form {at}")).await;
        assert_eq!(found.check().await.unwrap().spans, expected.check().await.unwrap().spans);
    }
}

fn address_schema() -> TableSchema {
    let columns = vec![ColumnSpec { name: "a".into(), ty: ColumnType::Address, required: true }];
    TableSchema { id: "t".into(), columns }
}

async fn addresses(spec: SourceSpec) -> Arc<Dataset> {
    Arc::new(Dataset::open("t", &address_schema(), spec).await.unwrap())
}

async fn inside(dataset: &Arc<Dataset>, net: &str) -> Vec<RecordBatch> {
    let slots = BTreeMap::from([("t".to_owned(), Arc::clone(dataset))]);
    let select = query("SELECT a FROM t WHERE ip_in(a, $net)", &[("net", ParamType::Prefix)]);
    let planned = Engine::new().unwrap().plan(slots, &[select]).await.unwrap();
    all(planned.open("q", vec![text(net)], QueryLimits::default()).await.unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_every_form_are_found_by_prefix() {
    let texts = ["10.1.2.3", "10.1.255.255", "10.2.0.0", "::ffff:10.1.9.9", "2001:db8::1", "::1", "255.255.255.255"];
    let dir = tempfile::tempdir().unwrap();
    let csv = write(dir.path(), "a.csv", format!("a\n{}\n", texts.join("\n")));
    let expected = addresses(SourceSpec::csv(csv)).await;
    let row = |(id, a): (usize, &&str)| format!("INSERT INTO t VALUES ({id}, '{a}')");
    let inserts: Vec<String> = texts.iter().enumerate().map(row).collect();
    let mut found = Vec::new();
    for ty in ["TEXT", "BLOB", "BIGINT", ""] {
        let path = dir.path().join(format!("{ty}.db"));
        let mut all = vec![format!("CREATE TABLE t (id INTEGER PRIMARY KEY, a {ty})")];
        all.extend(inserts.clone());
        // The same addresses as a blob and, where the column keeps it one, as a number.
        all.push("UPDATE t SET a = x'0a010203' WHERE id = 0".into());
        if ty != "TEXT" {
            all.push(format!("UPDATE t SET a = {} WHERE id = 1", 0x0a01_ffff_u32));
        }
        sqlite_run(&path, &all).await;
        found.push((ty, addresses(sqlite(path, table("t", TimestampUnit::Micros))).await));
    }
    let postgres = Postgres::start().await;
    if let Some(postgres) = &postgres {
        for ty in ["inet", "text"] {
            let all = inserts.join(";").replace("INTO t ", &format!("INTO in_{ty} "));
            postgres.run(&format!("CREATE TABLE in_{ty} (id INTEGER PRIMARY KEY, a {ty}); {all}")).await;
            let table = table(&format!("in_{ty}"), TimestampUnit::Micros);
            found.push((ty, addresses(SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table }).await));
        }
    }
    let nets =
        ["10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::fffe:0:0/95", "255.255.255.255/32"];
    for net in nets.into_iter().chain(["10.0.0.0/14", "::1/128", "192.0.2.0/24"]) {
        let expected = inside(&expected, net).await;
        for (form, dataset) in &found {
            assert_eq!(inside(dataset, net).await, expected, "{form}: {net}");
        }
    }
}

#[test]
fn what_is_pushed_down_never_loses_a_row() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let rows = flows(0, 600);
    let (expected, found) = runtime.block_on(async {
        let mut found = Vec::new();
        for (at, form) in [Form::Text, Form::Doubles, Form::Numbers].into_iter().enumerate() {
            let path = dir.path().join(format!("{at}.db"));
            sqlite_run(&path, &statements("flows", &rows, form, false)).await;
            let dataset = open(sqlite(path, table("flows", form.unit()))).await.unwrap();
            found.push(dataset);
        }
        (memory(vec![rows]).await, found)
    });
    let sql = r#"SELECT bytes FROM flows WHERE "start" >= $a AND "start" < $b AND packets <= $n AND ip_in(src, $net)"#;
    let params =
        [("a", ParamType::Timestamp), ("b", ParamType::Timestamp), ("n", ParamType::Uint), ("net", ParamType::Prefix)];
    let plans: Vec<_> = runtime.block_on(async {
        let mut plans = Vec::new();
        for dataset in found.iter().chain([&expected]) {
            plans.push(plan(dataset, query(sql, &params)).await.unwrap());
        }
        plans
    });
    let strategy = (-10i64..800_000, 0i64..900_000, 0u64..1100, 0u32..=32, any::<[u8; 3]>(), 100u8..150);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(48));
    let outcome = runner.run(&strategy, |(from, length, packets, bits, rest, first)| {
        let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
        let network = u32::from_be_bytes([first, rest[0], rest[1], rest[2]]) & mask;
        let net = format!("{}/{bits}", std::net::Ipv4Addr::from(network));
        let start = 1_626_105_669_000_000 + from;
        let values = vec![Value::Int(start), Value::Int(start + length), Value::Uint(packets), text(&net)];
        let answers: Vec<_> = runtime.block_on(async {
            let mut answers = Vec::new();
            for planned in &plans {
                let rows = planned.open("q", values.clone(), QueryLimits::default()).await.unwrap();
                answers.push(all(rows).await.unwrap());
            }
            answers
        });
        for answer in &answers[..answers.len() - 1] {
            prop_assert_eq!(answer, answers.last().unwrap());
        }
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_maps_what_there_is_onto_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.db");
    let make = [
        r#"CREATE TABLE "odd ""name" (t REAL, a TEXT, b TEXT, "Bytes!" TEXT)"#.to_owned(),
        r#"INSERT INTO "odd ""name" VALUES (1.5, '192.0.2.1', '198.51.100.7', '12'), (0.25, '::1', '::2', '34')"#
            .into(),
    ];
    sqlite_run(&path, &make).await;
    let view = r#"SELECT t AS "start", t AS "end", a AS src, b AS dst, 6 AS proto, 1 AS packets, "Bytes!" AS amount
                  FROM "odd ""name"; -- a comment at the end"#;
    let spec = TableSpec {
        relation: Relation::View(view.replace("; --", " --")),
        columns: BTreeMap::from([("bytes".to_owned(), "amount".to_owned())]),
        timestamp: TimestampUnit::Seconds,
        order_by: vec![],
    };
    let dataset = open(sqlite(path.clone(), spec.clone())).await.unwrap();
    let batches = run(&dataset, query(r#"SELECT "start", bytes FROM flows"#, &[]), vec![]).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[250_000, 1_500_000]);
    assert_eq!(batches[0].column(1).as_primitive::<UInt64Type>().values(), &[34, 12]);
    for (relation, complaint) in [
        (Relation::View("DELETE FROM flows".into()), "its view is not a SELECT"),
        (Relation::Table("a.b.c".into()), "is not a table name"),
    ] {
        let error = open(sqlite(path.clone(), TableSpec { relation, ..spec.clone() })).await.unwrap_err();
        assert!(error.to_string().contains(complaint), "{error}");
    }
    let order = TableSpec { order_by: vec!["nowhere".into()], ..spec };
    let error = open(sqlite(path, order)).await.unwrap_err().to_string();
    assert!(error.contains("`order_by` names `nowhere`"), "{error}");
}

/// The misfit of opening or checking.
async fn misfit(spec: SourceSpec) -> iog_data::Misfit {
    let error = match open(spec).await {
        Ok(dataset) => dataset.check().await.unwrap_err(),
        Err(error) => error,
    };
    match error {
        DataError::Misfit(misfit) => *misfit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_sqlite_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (at, (change, line, column, reason)) in [
        ("UPDATE flows SET src = '10.0.0.256' WHERE id = 5", Some(6), "src", "`10.0.0.256` does not fit"),
        ("UPDATE flows SET dst = x'0102' WHERE id = 7", Some(8), "dst", "a value of 2 bytes does not fit"),
        ("UPDATE flows SET bytes = -1 WHERE id = 0", Some(1), "bytes", "`-1` does not fit"),
        ("UPDATE flows SET packets = NULL WHERE id = 2", Some(3), "packets", "the value is missing"),
        ("UPDATE flows SET packets = 1.5 WHERE id = 2", Some(3), "packets", "`1.5` does not fit"),
        ("ALTER TABLE flows RENAME COLUMN proto TO protocol", None, "proto", "there is no column `proto`"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.path().join(format!("{at}.db"));
        let mut all = statements("flows", &flows(0, 20), Form::Text, false);
        all.push(change.to_owned());
        sqlite_run(&path, &all).await;
        let found = misfit(sqlite(path.clone(), table("flows", TimestampUnit::Micros))).await;
        assert_eq!((found.line, found.column.as_deref(), found.reason.as_str()), (line, Some(column), reason));
        assert!(found.file.contains("table `flows`") && found.file.contains(&path.display().to_string()), "{found}");
    }
    let missing = sqlite(dir.path().join("absent.db"), table("flows", TimestampUnit::Micros));
    assert!(matches!(open(missing).await, Err(DataError::Io { .. })));
    let none = sqlite(dir.path().join("0.db"), table("nothing", TimestampUnit::Micros));
    assert!(matches!(open(none).await, Err(DataError::Database { .. })));
    let text = sqlite(
        write(dir.path(), "text.db", "no database, but long enough to look like one".repeat(50)),
        table("t", TimestampUnit::Micros),
    );
    assert!(matches!(open(text).await, Err(DataError::Database { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_postgres_is_named() {
    let Some(postgres) = Postgres::start().await else { return };
    for (at, (change, line, column, reason)) in [
        (
            "UPDATE t SET src = '10.0.0.0/8' WHERE id = 5",
            Some(6),
            "src",
            "a network of 8 bits and not a single address",
        ),
        ("UPDATE t SET \"end\" = 'infinity' WHERE id = 1", Some(2), "end", "an infinite time"),
        ("UPDATE t SET bytes = -1 WHERE id = 0", Some(1), "bytes", "`-1` does not fit"),
        ("UPDATE t SET packets = NULL WHERE id = 2", Some(3), "packets", "the value is missing"),
        ("ALTER TABLE t DROP COLUMN proto", None, "proto", "there is no column `proto`"),
        ("ALTER TABLE t ALTER COLUMN bytes TYPE TEXT", None, "bytes", "`bytes` is of type TEXT"),
        ("ALTER TABLE t ALTER COLUMN \"start\" TYPE TIMESTAMP", None, "start", "`start` is of type TIMESTAMP"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("t{at}");
        let mut all = statements(&name, &flows(0, 20), Form::Native, true);
        all.push(change.replace(" t ", &format!(" {name} ")));
        postgres.run(&all.join(";\n")).await;
        let found = misfit(SourceSpec::Postgres {
            url: DatabaseUrl::new(postgres.url()),
            table: table(&name, TimestampUnit::Micros),
        })
        .await;
        assert_eq!((found.line, found.column.as_deref()), (line, Some(column)), "{found}");
        assert!(found.reason.contains(reason), "{found}");
        assert!(found.file.contains(&format!("table `{name}`")) && !found.file.contains("secret"), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_slow_statement() {
    let Some(postgres) = Postgres::start().await else { return };
    postgres.run(&statements("flows", &flows(0, 20), Form::Native, true).join(";\n")).await;
    let sleepy = "SELECT id, \"start\", \"end\", src, dst, proto, packets, ingress_as, note, \
                  CASE WHEN pg_sleep(0.05) IS NULL THEN 0 ELSE bytes END AS bytes FROM flows";
    let spec = TableSpec { relation: Relation::View(sleepy.into()), ..table("flows", TimestampUnit::Micros) };
    let dataset = open(SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table: spec }).await.unwrap();
    let planned = plan(&dataset, query("SELECT bytes FROM flows", &[])).await.unwrap();
    let started = Instant::now();
    let deadline = Some(started + Duration::from_millis(150));
    let rows = planned.open("q", vec![], QueryLimits { deadline, ..QueryLimits::default() }).await.unwrap();
    assert!(matches!(all(rows).await, Err(QueryError::Deadline)));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    // The server, too, has given it up; without the deadline it would take a second.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut connection = postgres.connect().await;
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'FETCH%'";
    let busy: i64 = sqlx::query_scalar(busy).fetch_one(&mut connection).await.unwrap();
    assert_eq!(busy, 0);
}

#[tokio::test]
async fn a_place_on_another_machine_is_refused_and_a_password_never_shown() {
    for (url, complaint) in [
        ("postgres://me:hunter2@db.example.net/flows", "does not encrypt"),
        ("postgres://me:hunter2@192.0.2.1/flows", "does not encrypt"),
        ("mysql://me:hunter2@localhost/flows", "should be of the form"),
        ("postgres://me:hunter2@localhost:99999/flows", "cannot be parsed"),
        (
            "postgres://me:hunter2@localhost:1/flows",
            "cannot read PostgreSQL database `flows` at localhost:1, table `flows`",
        ),
    ] {
        let spec = SourceSpec::Postgres { url: DatabaseUrl::new(url), table: table("flows", TimestampUnit::Micros) };
        assert!(!format!("{spec:?}").contains("hunter2"));
        let error = open(spec).await.unwrap_err();
        assert!(error.to_string().contains(complaint), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_ideas_of_equal_texts_and_numbers_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let make = [
        "CREATE TABLE a (n INTEGER, t TEXT COLLATE NOCASE)",
        "CREATE TABLE b (n TEXT, t TEXT)",
        "INSERT INTO a VALUES (5, 'Name'), (7, 'name')",
        "INSERT INTO b VALUES ('6', 'NAME'), ('18446744073709551615', 'name')",
    ];
    sqlite_run(&path, &make.map(str::to_owned)).await;
    let column = |name: &str, ty| ColumnSpec { name: name.into(), ty, required: true };
    let schema =
        TableSchema { id: "t".into(), columns: vec![column("n", ColumnType::Uint), column("t", ColumnType::Text)] };
    let relation = Relation::View("SELECT n, t FROM a UNION ALL SELECT n, t FROM b".into());
    let spec = TableSpec { relation, columns: BTreeMap::new(), timestamp: TimestampUnit::Micros, order_by: vec![] };
    let mut specs = vec![sqlite(path, spec.clone())];
    let postgres = Postgres::start().await;
    if let Some(postgres) = &postgres {
        let make = "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                    CREATE TABLE a (n NUMERIC(20), t TEXT COLLATE ci); \
                    INSERT INTO a VALUES (5, 'Name'), (7, 'name'), (6, 'NAME'), (18446744073709551615, 'name')";
        postgres.run(make).await;
        let relation = Relation::Table("a".into());
        specs.push(SourceSpec::Postgres {
            url: DatabaseUrl::new(postgres.url()),
            table: TableSpec { relation, ..spec.clone() },
        });
    }
    if let Some(postgres) = &postgres {
        // Blanks at the end of a `char` are padding and no part of the text.
        postgres.run("CREATE TABLE padded AS SELECT n, t::char(9) COLLATE \"C\" AS t FROM a").await;
        let table = TableSpec { relation: Relation::Table("public.padded".into()), ..spec };
        specs.push(SourceSpec::Postgres { url: DatabaseUrl::new(postgres.url()), table });
    }
    for spec in specs {
        let dataset = Arc::new(Dataset::open("t", &schema, spec).await.unwrap());
        for (sql, params, value, expected) in [
            ("SELECT n FROM t WHERE n >= $v", ("v", ParamType::Uint), Value::Uint(6), vec![6, 7, u64::MAX]),
            ("SELECT n FROM t WHERE n < $v", ("v", ParamType::Uint), Value::Uint(7), vec![5, 6]),
            ("SELECT n FROM t WHERE t = $v", ("v", ParamType::Text), text("name"), vec![7, u64::MAX]),
            ("SELECT n FROM t WHERE t = $v", ("v", ParamType::Text), text("naïve"), vec![]),
        ] {
            let slots = BTreeMap::from([("t".to_owned(), Arc::clone(&dataset))]);
            let planned = Engine::new().unwrap().plan(slots, &[query(sql, &[params])]).await.unwrap();
            let open = planned.open("q", vec![value], QueryLimits::default()).await.unwrap();
            let batches = all(open).await.unwrap();
            let values = batches.iter().flat_map(|b| b.column(0).as_primitive::<UInt64Type>().values().to_vec());
            let mut found: Vec<u64> = values.collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{sql}");
        }
    }
}
