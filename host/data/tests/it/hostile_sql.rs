//! Queries that must not be planned, and by which rule.

use crate::common::{flows, memory, plan, query};
use iog_data::{ParamType, PlanError};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    Syntax,
    Forbidden,
    Resolve,
    Param,
    Result,
    TooLarge,
}

/// Each with the rule that refuses it; `$net` is declared as a prefix.
const REFUSED: &[(&str, Why)] = &[
    ("", Why::Syntax),
    ("SELEC bytes FROM flows", Why::Syntax),
    ("EXPLAIN SELECT bytes FROM flows", Why::Forbidden),
    ("EXPLAIN ANALYZE SELECT bytes FROM flows", Why::Forbidden),
    ("DESCRIBE flows", Why::Forbidden),
    ("SHOW TABLES", Why::Forbidden),
    ("SET datafusion.execution.batch_size = 1", Why::Forbidden),
    ("COPY flows TO '/tmp/x.csv'", Why::Forbidden),
    ("CREATE TABLE x AS SELECT bytes FROM flows", Why::Forbidden),
    ("CREATE VIEW x AS SELECT bytes FROM flows", Why::Forbidden),
    ("DROP TABLE flows", Why::Forbidden),
    ("INSERT INTO flows SELECT bytes FROM flows", Why::Forbidden),
    ("UPDATE flows SET bytes = 1", Why::Forbidden),
    ("DELETE FROM flows", Why::Forbidden),
    ("PREPARE p AS SELECT bytes FROM flows", Why::Forbidden),
    ("SELECT bytes FROM flows; SELECT bytes FROM flows", Why::Forbidden),
    ("SELECT bytes FROM flows; DROP TABLE flows", Why::Forbidden),
    ("SELECT * FROM flows", Why::Forbidden),
    ("SELECT flows.* FROM flows", Why::Forbidden),
    ("SELECT bytes FROM (SELECT * FROM flows) t", Why::Forbidden),
    ("SELECT bytes FROM flows WHERE EXISTS (SELECT * FROM other)", Why::Forbidden),
    ("SELECT count(bytes) AS n, random() AS r FROM flows", Why::Resolve),
    ("SELECT now() AS n FROM flows", Why::Resolve),
    ("SELECT uuid() AS n FROM flows", Why::Resolve),
    ("SELECT current_timestamp AS n FROM flows", Why::Resolve),
    ("SELECT version() AS n FROM flows", Why::Resolve),
    ("SELECT md5(note) AS n FROM flows", Why::Resolve),
    ("SELECT arrow_typeof(bytes) AS n FROM flows", Why::Resolve),
    ("SELECT avg(bytes) AS n FROM flows", Why::Resolve),
    ("SELECT array_agg(bytes) AS n FROM flows", Why::Resolve),
    ("SELECT POSITION('a' IN note) AS n FROM flows", Why::Forbidden),
    ("SELECT EXTRACT(YEAR FROM start) AS n FROM flows", Why::Resolve),
    ("SELECT [1, 2] AS n FROM flows", Why::Resolve),
    ("SELECT {'a': 1} AS n FROM flows", Why::Resolve),
    ("SELECT bytes FROM generate_series(1, 10)", Why::Forbidden),
    ("SELECT bytes FROM read_csv('/etc/passwd')", Why::Forbidden),
    ("SELECT bytes FROM '/etc/passwd'", Why::Resolve),
    ("SELECT bytes FROM \"data.parquet\"", Why::Resolve),
    ("SELECT table_name FROM information_schema.tables", Why::Resolve),
    ("SELECT bytes FROM public.flows", Why::Resolve),
    ("SELECT bytes FROM datafusion.public.flows", Why::Resolve),
    ("SELECT bytes FROM secrets", Why::Resolve),
    ("SELECT password FROM flows", Why::Resolve),
    ("SELECT x FROM (SELECT password AS x FROM flows) t", Why::Resolve),
    ("SELECT bytes FROM flows WHERE bytes IN (SELECT password FROM other)", Why::Resolve),
    ("SELECT bytes FROM flows a, flows b", Why::Resolve),
    ("WITH RECURSIVE r AS (SELECT bytes FROM flows UNION ALL SELECT bytes FROM r) SELECT bytes FROM r", Why::Forbidden),
    ("SELECT 1 AS x", Why::Forbidden),
    ("SELECT bytes FROM flows UNION ALL SELECT 1", Why::Forbidden),
    ("VALUES (1)", Why::Forbidden),
    ("SELECT x FROM (VALUES (1)) t(x)", Why::Forbidden),
    ("SELECT bytes FROM flows WHERE bytes IN (VALUES (1))", Why::Forbidden),
    ("TABLE flows", Why::Syntax),
    ("SELECT bytes INTO x FROM flows", Why::Forbidden),
    ("SELECT bytes FROM flows FOR UPDATE", Why::Forbidden),
    ("SELECT row_number() OVER () AS n FROM flows", Why::Resolve),
    ("SELECT sum(bytes) OVER (ORDER BY start) AS n FROM flows", Why::Forbidden),
    ("SELECT DISTINCT ON (src) bytes FROM flows", Why::Forbidden),
    ("SELECT bytes FROM flows TABLESAMPLE BERNOULLI (10)", Why::Forbidden),
    ("SELECT u FROM flows, UNNEST([1, 2]) AS t(u)", Why::Forbidden),
    ("SELECT bytes FROM flows, LATERAL (SELECT 1) t", Why::Forbidden),
    ("SELECT sum(CAST(bytes AS DOUBLE)) AS n FROM flows", Why::Forbidden),
    ("SELECT min(bytes * 1.5) AS n FROM flows", Why::Forbidden),
    ("SELECT bytes FROM flows WHERE note ~ '(a+)+$'", Why::Forbidden),
    ("SELECT bytes FROM flows WHERE note SIMILAR TO 'a'", Why::Forbidden),
    ("SELECT CAST(start AS TIMESTAMP) AS t FROM flows", Why::Forbidden),
    ("SELECT CAST(bytes AS DECIMAL(38,10)) AS t FROM flows", Why::Forbidden),
    ("SELECT INTERVAL '1 day' AS i FROM flows", Why::Result),
    ("SELECT NULL AS i FROM flows", Why::Result),
    ("SELECT bytes FROM flows WHERE bytes > $missing", Why::Param),
    ("SELECT bytes FROM flows WHERE bytes > $1", Why::Param),
    ("SELECT bytes FROM flows WHERE bytes > ?", Why::Param),
    ("SELECT bytes FROM flows WHERE dst = $net", Why::Param),
    ("SELECT ip_in(dst, '10.0.0.1/8') AS x FROM flows", Why::Resolve),
    ("SELECT ip_in(bytes, '10.0.0.0/8') AS x FROM flows", Why::Resolve),
    ("SELECT @@version AS v FROM flows", Why::Resolve),
];

fn why(error: &PlanError) -> Why {
    match error {
        PlanError::Syntax { .. } => Why::Syntax,
        PlanError::Forbidden { .. } => Why::Forbidden,
        PlanError::Resolve { .. } => Why::Resolve,
        PlanError::Param { .. } => Why::Param,
        PlanError::Result { .. } => Why::Result,
        PlanError::TooLarge { .. } => Why::TooLarge,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn hostile_queries_are_refused() {
    let dataset = memory(vec![flows(0, 10)]).await;
    let deep = format!("SELECT bytes FROM flows WHERE {}", vec!["bytes > 1"; 200].join(" AND "));
    let nested = format!("SELECT {}bytes{} FROM flows", "(".repeat(300), ")".repeat(300));
    let long = format!("SELECT bytes FROM flows WHERE note = '{}'", "x".repeat(20_000));
    let many = format!("SELECT {} FROM flows", vec!["bytes"; 1500].join(","));
    let large = [(deep, Why::TooLarge), (nested, Why::Syntax), (long, Why::TooLarge), (many, Why::TooLarge)];
    let listed = REFUSED.iter().map(|(sql, why)| ((*sql).to_owned(), *why));
    let mut wrong = Vec::new();
    for (sql, expected) in listed.chain(large) {
        let shown: String = sql.chars().take(80).collect();
        match plan(&dataset, query(&sql, &[("net", ParamType::Prefix)])).await {
            Ok(planned) => wrong.push(format!("{shown}: planned as {}", planned.query("q").unwrap().explain())),
            Err(error) if why(&error) != expected => {
                wrong.push(format!("{shown}: expected {expected:?}, got {error:?}"))
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Types that do not go together are the author's to mend, whichever step of planning notices it, and the reason says which.
#[tokio::test]
async fn casts_that_no_value_has_are_the_authors_and_named() {
    let dataset = memory(vec![flows(0, 10)]).await;
    for sql in [
        "SELECT cast(src AS bigint) AS n FROM flows",
        "SELECT try_cast(src AS double) AS n FROM flows",
        "SELECT bytes FROM flows WHERE cast(src AS boolean)",
        "SELECT bytes FROM flows WHERE cast(src AS text) LIKE 'x'",
        "SELECT bytes FROM flows ORDER BY cast(src AS bigint)",
        "SELECT count(*) AS n FROM flows GROUP BY cast(src AS bigint)",
        "SELECT count(*) FILTER (WHERE cast(src AS bigint) = 1) AS n FROM flows",
        "SELECT max(cast(src AS bigint)) AS n FROM flows",
        "SELECT a.bytes FROM flows a JOIN other b ON cast(a.src AS bigint) = b.bytes",
        "SELECT bytes FROM flows WHERE bytes IN (SELECT cast(src AS bigint) FROM other)",
        "SELECT bytes FROM flows WHERE (SELECT max(cast(src AS bigint)) FROM other) > 1",
        "SELECT bytes FROM flows WHERE EXISTS (SELECT 1 FROM other z WHERE cast(z.src AS bigint) = flows.bytes)",
    ] {
        let error = plan(&dataset, query(sql, &[])).await.unwrap_err();
        let PlanError::Resolve { reason, .. } = &error else { panic!("{sql}: {error:?}") };
        assert!(reason.contains("CAST from FixedSizeBinary(16)"), "{sql}: {reason}");
    }
}

#[tokio::test]
async fn ordinary_queries_are_planned() {
    let dataset = memory(vec![flows(0, 10)]).await;
    for sql in [
        "SELECT count(*) AS n FROM flows",
        "SELECT count(*) AS n, count(DISTINCT src) AS d, sum(bytes) FILTER (WHERE proto = 6) AS t FROM flows",
        "WITH big AS (SELECT src, bytes FROM flows WHERE bytes > 10) SELECT src, sum(bytes) AS b FROM big GROUP BY src",
        "SELECT f.bytes FROM flows f JOIN other o ON f.src = o.dst WHERE o.proto IN (6, 17)",
        "SELECT bytes FROM flows WHERE src IN (SELECT dst FROM other)",
        "SELECT bytes FROM flows WHERE bytes > (SELECT max(bytes) FROM other)",
        "SELECT CASE WHEN proto = 6 THEN 'tcp' ELSE 'other' END AS p, bytes % 7 AS m FROM flows WHERE note LIKE 'n%'",
        "SELECT bytes FROM flows UNION ALL SELECT packets FROM other ORDER BY 1 LIMIT 3 OFFSET 1",
        "SELECT a.bytes FROM flows a JOIN flows b ON a.start < b.start",
        "SELECT start / 60000000 AS minute, max(src) AS s FROM flows GROUP BY start / 60000000",
        "SELECT bytes FROM flows WHERE start BETWEEN 1 AND 2 OR NOT (proto IS NULL)",
    ] {
        if let Err(error) = plan(&dataset, query(sql, &[])).await {
            panic!("{sql}: {error}");
        }
    }
}
