//! Queries that are small as they are written and would be large when they are planned or evaluated. Each attack says what it
//! takes: time, memory, and how long others wait. What is measured is measured in a process of its own.

use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{RecordBatch, StringArray};
use iog_data::{CancelFlag, Dataset, ParamType, PlanError, QueryError, QueryLimits, QuerySpec, TEXT_BYTES_MAX, Value};

use crate::common::{all, flows, memory, plan, query, rows, run, text};

/// What refusing or planning any query may take here, where nothing is optimised and the machine is busy.
const PLANNED_MAX: Duration = Duration::from_secs(10);
/// The same for a refusal before planning.
const REFUSED_MAX: Duration = Duration::from_secs(1);
/// The time that queries have here.
const TIME: Duration = Duration::from_secs(2);
/// The same where it is not what is looked at.
const MUCH_TIME: Duration = Duration::from_secs(60);
/// How much later than told a query may end.
const LATE_MAX: Duration = Duration::from_millis(500);
/// How long another task of the same thread may wait.
const GAP_MAX: Duration = Duration::from_millis(500);

/// A chain of table expressions, each made of the one before, whose name is `%` in `step` and `last`.
fn chain(first: &str, step: &str, length: usize, last: &str) -> String {
    let mut sql = format!("WITH c0 AS ({first})");
    for at in 1..=length {
        write!(sql, ", c{at} AS ({})", step.replace('%', &format!("c{}", at - 1))).unwrap();
    }
    format!("{sql} {}", last.replace('%', &format!("c{length}")))
}

fn doubled_joins(length: usize) -> String {
    let step = "SELECT a.src FROM % a JOIN % b ON a.src = b.src";
    chain(
        "SELECT src FROM flows",
        step,
        length,
        "SELECT bytes FROM flows f WHERE EXISTS (SELECT 1 FROM % z WHERE z.src = f.src)",
    )
}

fn doubled_texts(first: &str, length: usize) -> String {
    let first = format!("SELECT bytes, {first} AS t FROM flows");
    chain(&first, "SELECT bytes, t || t AS t FROM %", length, "SELECT bytes FROM % WHERE length(t) > 0")
}

/// A literal of so many bytes on every row, in so many columns, which a LIMIT keeps from being moved.
fn literals(bytes: usize, columns: usize) -> String {
    let literal = "a".repeat(bytes);
    let made: Vec<_> = (0..columns).map(|at| format!("ip_text(dst) || '{literal}' AS t{at}")).collect();
    let read: Vec<_> = (0..columns).map(|at| format!("length(t{at}) > 0")).collect();
    format!(
        "SELECT bytes FROM (SELECT bytes, {} FROM flows LIMIT 1000000000) q WHERE {}",
        made.join(", "),
        read.join(" AND ")
    )
}

async fn refused(dataset: &Arc<Dataset>, sql: &str) -> String {
    let begun = Instant::now();
    let error = plan(dataset, query(sql, &[])).await.map(|_| ()).unwrap_err();
    assert!(begun.elapsed() < REFUSED_MAX, "{:?}", begun.elapsed());
    assert!(matches!(error, PlanError::TooMuch { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn what_explodes_when_it_is_planned_is_refused_at_once() {
    let dataset = memory(vec![flows(0, 10)]).await;
    for length in [6, 12, 24, 60] {
        assert!(refused(&dataset, &doubled_joins(length)).await.contains("reads of slots"));
    }
    for length in [9, 11, 14, 20] {
        assert!(refused(&dataset, &doubled_texts("ip_text(dst)", length)).await.contains("parts of expressions"));
    }
    let joined = |how: &str| {
        format!(
            "SELECT f.bytes FROM flows f {}",
            (0..60).map(|at| how.replace('%', &at.to_string())).collect::<String>()
        )
    };
    for sql in [
        joined("JOIN flows j% ON j%.src = f.src "),
        joined(", flows j%"),
        vec!["SELECT bytes FROM flows"; 60].join(" UNION ALL "),
        format!(
            "SELECT bytes FROM flows f WHERE {} 1 = 1",
            "EXISTS (SELECT 1 FROM flows z WHERE z.src = f.src) AND ".repeat(40)
        ),
        chain("SELECT bytes AS t FROM flows", "SELECT coalesce(t, t, 1) AS t FROM %", 20, "SELECT t FROM %"),
        chain("SELECT note AS t FROM flows", "SELECT substr(coalesce(t, ''), 1) AS t FROM %", 8, "SELECT t FROM %"),
        chain(
            "SELECT bytes AS t FROM flows",
            "SELECT CASE WHEN t IS NULL THEN 1 ELSE 2 END AS t FROM %",
            20,
            "SELECT t FROM %",
        ),
        chain("SELECT bytes AS t FROM flows", "SELECT t FROM % WHERE t > 1 LIMIT 100000", 40, "SELECT t FROM %"),
        chain("SELECT note AS t FROM flows", "SELECT t FROM % UNION ALL SELECT t FROM %", 20, "SELECT t FROM %"),
        chain(
            &format!("SELECT '{}' AS t FROM flows", "a".repeat(5_000)),
            "SELECT lower(t) AS t, upper(t) AS u FROM %",
            20,
            "SELECT t FROM %",
        ),
    ] {
        refused(&dataset, &sql).await;
    }
}

#[tokio::test]
async fn a_refusal_names_the_query_and_says_what_to_do() {
    let dataset = memory(vec![flows(0, 10)]).await;
    assert_eq!(
        refused(&dataset, &doubled_joins(24)).await,
        "query `q`: with every name replaced by what it stands for it has 16777217 reads of slots, and 32 are allowed: read a \
         slot in fewer places: each use of a WITH name reads its slots again"
    );
}

/// Runs an ignored test of this file in a process of its own, and shows what it said.
fn alone(test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("explode::{test}"), "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    for line in said.lines().filter(|line| line.contains("MiB")) {
        println!("{line}");
    }
}

/// The most memory that this process ever had resident, in MiB; what it has now where `name` is `VmRSS`.
fn resident_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// Queries within all bounds that are as large as those let them be.
fn at_the_bounds() -> Vec<String> {
    let wide = (0..320).map(|at| format!("WHEN proto = {at} THEN 'a{at}' ")).collect::<String>();
    let list = (0..900).map(|at| format!("{at}")).collect::<Vec<_>>().join(", ");
    let (open, close) = ("abs(".repeat(14), ")".repeat(14));
    let nested = |step: &str, length| {
        chain("SELECT bytes AS t, proto AS p FROM flows", step, length, "SELECT t FROM % WHERE t > 3")
    };
    vec![
        doubled_joins(4),
        doubled_texts("ip_text(dst)", 8),
        doubled_texts("note", 8),
        literals(3_800, 4),
        format!("SELECT CASE {wide} ELSE 'x' END AS c FROM flows"),
        format!("SELECT bytes FROM flows WHERE bytes IN ({list})"),
        format!("SELECT {open}bytes{close} AS t FROM flows"),
        format!(
            "SELECT f.bytes FROM flows f {}",
            (0..31).map(|at| format!("JOIN flows j{at} ON j{at}.src = f.src ")).collect::<String>()
        ),
        format!(
            "SELECT f.bytes FROM flows f {}",
            (0..31).map(|at| format!("CROSS JOIN flows j{at} ")).collect::<String>()
        ),
        vec!["SELECT bytes FROM flows"; 31].join(" UNION ALL "),
        vec!["SELECT bytes FROM flows"; 31].join(" UNION "),
        format!(
            "SELECT bytes FROM flows f WHERE {} 1 = 1",
            "EXISTS (SELECT 1 FROM flows z WHERE z.src = f.src) AND ".repeat(28)
        ),
        format!(
            "SELECT bytes FROM flows f WHERE {} 1 = 1",
            "(SELECT max(z.bytes) FROM flows z WHERE z.src = f.src) > 1 AND ".repeat(28)
        ),
        format!("SELECT bytes FROM flows WHERE {} 1 = 1", "bytes > (SELECT max(bytes) FROM flows) AND ".repeat(28)),
        nested("SELECT coalesce(t, p, 1) AS t, p FROM %", 3),
        nested("SELECT nullif(coalesce(t, 1), abs(p)) AS t, p FROM %", 3),
        chain("SELECT note AS t FROM flows", "SELECT substr(coalesce(t, ''), 1) AS t FROM %", 3, "SELECT t FROM %"),
        nested("SELECT CASE WHEN t IS NULL THEN p ELSE abs(t) END AS t, p FROM %", 3),
        nested("SELECT CASE WHEN p = 1 THEN abs(t) ELSE p END AS t, p FROM %", 6),
        nested("SELECT CASE p WHEN 1 THEN t END AS t, p FROM %", 7),
        nested("SELECT CASE WHEN t > 5 OR t IS NULL THEN 1 ELSE 2 END AS t, p FROM %", 3),
        nested("SELECT abs(t / p) AS t, p FROM %", 12),
        nested("SELECT t / p AS t, p FROM %", 18),
        nested("SELECT cast(cast(t AS text) AS bigint) AS t, p FROM %", 14),
        nested("SELECT t, p FROM % WHERE t > p AND t <> 5 OR t < 3", 12),
        nested("SELECT sum(t) AS t, p FROM % GROUP BY p", 12),
        nested("SELECT t, p FROM % WHERE t > 5 LIMIT 1000000", 14),
        nested("SELECT t BETWEEN 1 AND 5 AS t, p FROM %", 0),
        nested("SELECT DISTINCT t, p FROM %", 15),
        nested("SELECT t, p FROM % ORDER BY t LIMIT 100", 14),
        nested("SELECT upper(lower(cast(t AS text))) AS t, p FROM % ", 1),
    ]
}

#[test]
fn the_largest_queries_are_planned_in_little_time_and_memory() {
    alone("plan_the_largest");
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn plan_the_largest() {
    let dataset = memory(vec![flows(0, 10)]).await;
    plan(&dataset, query("SELECT bytes FROM flows", &[])).await.unwrap();
    let (before, mut slowest, mut planned) = (resident_mib("VmRSS"), (Duration::ZERO, String::new()), 0);
    for sql in at_the_bounds() {
        let begun = Instant::now();
        match plan(&dataset, query(&sql, &[])).await {
            Ok(_) => planned += 1,
            Err(error) => println!("not planned: {error}: {}", sql.chars().take(100).collect::<String>()),
        }
        let took = begun.elapsed();
        assert!(took < PLANNED_MAX, "{took:?}: {sql}");
        if took > slowest.0 {
            slowest = (took, sql.chars().take(60).collect());
        }
    }
    let peak = resident_mib("VmHWM");
    println!("{planned} planned, the slowest took {slowest:?}; {before} MiB resident before, {peak} MiB at most");
    assert_eq!(planned, at_the_bounds().len());
    assert!(peak < before + 200, "{before} MiB grew to {peak} MiB");
}

/// How a query ended, how long it took, and the longest that another task of the same thread waited.
async fn watched(
    dataset: &Arc<Dataset>,
    spec: QuerySpec,
    values: Vec<Value>,
    mut limits: QueryLimits,
    time: Duration,
) -> (Result<usize, QueryError>, Duration, Duration) {
    let planned = plan(dataset, spec).await.unwrap();
    let other = tokio::spawn(async {
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
            GAP.with(|gap| gap.set(longest));
        }
    });
    let begun = Instant::now();
    limits.deadline = Some(begun + time);
    let ended = match planned.open("q", values, limits).await {
        Ok(opened) => all(opened).await.map(|batches| rows(&batches)),
        Err(error) => Err(error),
    };
    let took = begun.elapsed();
    other.abort();
    (ended, took, GAP.with(std::cell::Cell::take))
}

thread_local! {
    /// The longest that the other task waited; the tests' runtime has one thread.
    static GAP: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

/// Queries that would go on for minutes or need gigabytes where whole batches were evaluated at once.
fn endless() -> Vec<(&'static str, String)> {
    let divided = (0..30).map(|at| format!("bytes / (proto - proto) + {at} > 0")).collect::<Vec<_>>().join(" OR ");
    let patterns =
        (0..40).map(|at| format!("ip_text(src) LIKE ip_text(dst) || '%{at}%'")).collect::<Vec<_>>().join(" OR ");
    let columns = (0..60).map(|at| format!("t AS t{at}")).collect::<Vec<_>>().join(", ");
    let doubled = |length, last: &str| {
        let first = "SELECT bytes, src, ip_text(dst) AS t FROM flows";
        chain(first, "SELECT bytes, src, t || t AS t FROM %", length, last)
    };
    vec![
        ("doubled texts", doubled_texts("ip_text(dst)", 8)),
        ("doubled texts, kept", doubled(6, "SELECT t FROM %")),
        ("doubled texts, many times", doubled(4, &format!("SELECT {columns} FROM %"))),
        ("doubled texts, joined", doubled(4, "SELECT a.bytes FROM % a JOIN % b ON a.t = b.t")),
        ("doubled texts, in order", doubled(7, "SELECT bytes FROM % ORDER BY t")),
        ("doubled texts, grouped", doubled(7, "SELECT max(bytes) AS m FROM % GROUP BY t")),
        ("doubled texts, the last", doubled(7, "SELECT max(t) AS m FROM %")),
        ("long literals", literals(3_800, 4)),
        ("divisions by zero", format!("SELECT bytes FROM flows WHERE {divided}")),
        ("patterns for each row", format!("SELECT bytes FROM flows WHERE {patterns}")),
        (
            "a condition on each pair",
            "SELECT a.bytes FROM flows a JOIN other b ON ip_text(a.src) || ip_text(b.src) < ip_text(b.dst)".into(),
        ),
    ]
}

#[test]
fn what_explodes_when_it_is_evaluated_ends_with_its_run() {
    alone("evaluate_the_endless");
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn evaluate_the_endless() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    rows(&run(&dataset, query("SELECT note || 'x' AS n FROM flows ORDER BY note", &[]), vec![]).await.unwrap());
    for (name, sql) in endless() {
        let before = resident_mib("VmRSS");
        let limits = QueryLimits { memory_bytes: 64 << 20, ..QueryLimits::default() };
        let (ended, took, gap) = watched(&dataset, query(&sql, &[]), vec![], limits, TIME).await;
        let peak = resident_mib("VmHWM");
        println!(
            "{name}: {ended:?} after {took:?}, others waited {gap:?}, {before} MiB resident before, {peak} MiB at most"
        );
        assert!(took < TIME + LATE_MAX && gap < GAP_MAX, "{name}: {took:?}, others waited {gap:?}");
        assert!(matches!(ended, Ok(_) | Err(QueryError::Deadline | QueryError::Memory { .. })), "{name}: {ended:?}");
        assert!(peak < before + 64 + 160, "{name}: {before} MiB grew to {peak} MiB");
    }
}

#[test]
fn batches_that_are_kept_by_whoever_asked_are_paid_for() {
    alone("keep_the_batches");
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn keep_the_batches() {
    let numbers = (0..300).map(|at| format!("bytes + {at} AS n{at}")).collect::<Vec<_>>().join(", ");
    let texts = "SELECT ip_text(src) || $t AS t FROM flows".to_owned();
    let long = || text(&"x".repeat(TEXT_BYTES_MAX - 64));
    for (name, count, sql) in [("texts", 300, texts), ("numbers", 3_500, format!("SELECT {numbers} FROM flows"))] {
        let dataset = memory(vec![flows(0, count)]).await;
        let params: &[_] = if name == "texts" { &[("t", ParamType::Text)] } else { &[] };
        let planned = plan(&dataset, query(&sql, params)).await.unwrap();
        let before = resident_mib("VmRSS");
        let limits = QueryLimits { memory_bytes: 64 << 20, ..QueryLimits::default() };
        let first = async || {
            let values = params.iter().map(|_| long()).collect();
            let mut opened = planned.open("q", values, limits.clone()).await.unwrap();
            opened.next().await.map(|batch| (opened, batch))
        };
        let (mut kept, mut ended) = (Vec::new(), None);
        for _ in 0..60 {
            match first().await {
                Ok(batch) => kept.push(batch),
                Err(error) => ended = ended.or(Some(error)),
            }
        }
        let peak = resident_mib("VmHWM");
        println!("{name}: {} of 60 kept, {before} MiB resident before, {peak} MiB at most", kept.len());
        assert!(matches!(ended, Some(QueryError::Memory { .. })), "{name}: {ended:?}");
        assert!(!kept.is_empty() && peak < before + 64 + 160, "{name}: {before} MiB grew to {peak} MiB");
        drop(kept);
        assert!(first().await.is_ok(), "{name}: what was dropped is free again");
    }
}

/// Three hundred flows whose notes have 4 KiB each.
fn flows_with_long_notes() -> RecordBatch {
    let flows = flows(0, 300);
    let mut columns = flows.columns().to_vec();
    let note = columns.last_mut().unwrap();
    *note = Arc::new((0..300).map(|at| Some(format!("{at:04096}"))).collect::<StringArray>());
    RecordBatch::try_new(flows.schema(), columns).unwrap()
}

#[test]
fn long_texts_that_a_join_repeats_are_made_some_rows_at_a_time() {
    alone("join_the_long");
}

#[tokio::test]
#[ignore = "run in a process of its own by the test above"]
async fn join_the_long() {
    let dataset = memory(vec![flows_with_long_notes()]).await;
    let made = (0..20).map(|at| format!("note || '{at}' AS t{at}")).collect::<Vec<_>>().join(", ");
    let read = (0..20).map(|at| format!("length(w.t{at}) AS n{at}")).collect::<Vec<_>>().join(", ");
    let wide = format!("(SELECT src, bytes, {made} FROM flows LIMIT 300) w");
    let hundred = (0..100).map(|at| format!("ip_text(dst) || $t AS t{at}")).collect::<Vec<_>>().join(", ");
    let lengths = (0..100).map(|at| format!("length(w.t{at}) AS n{at}")).collect::<Vec<_>>().join(", ");
    let long = format!("SELECT {lengths} FROM (SELECT {hundred} FROM flows LIMIT 1) w CROSS JOIN other b");
    for (name, sql) in [
        ("a row of long parameters", long),
        ("all pairs", format!("SELECT {read} FROM {wide} CROSS JOIN other b")),
        ("pairs of a condition", format!("SELECT {read} FROM {wide} JOIN other b ON w.bytes <> b.bytes")),
        ("equal keys", format!("SELECT {read} FROM {wide} JOIN other b ON w.bytes % 2 = b.bytes % 2")),
        (
            "one value beside every pair",
            "SELECT length((SELECT max(note) FROM other) || a.note) AS n FROM flows a CROSS JOIN other b".into(),
        ),
    ] {
        let before = resident_mib("VmRSS");
        let limits = QueryLimits { memory_bytes: 64 << 20, ..QueryLimits::default() };
        let params: &[_] = if sql.contains("$t") { &[("t", ParamType::Text)] } else { &[] };
        let values = params.iter().map(|_| text(&"x".repeat(TEXT_BYTES_MAX - 64))).collect();
        let (ended, took, _) = watched(&dataset, query(&sql, params), values, limits, MUCH_TIME).await;
        let peak = resident_mib("VmHWM");
        println!("{name}: {ended:?} after {took:?}, {before} MiB resident before, {peak} MiB at most");
        assert!(matches!(ended, Ok(1..) | Err(QueryError::Memory { .. })), "{name}: {ended:?}");
        assert!(peak < before + 64 + 160, "{name}: {before} MiB grew to {peak} MiB");
    }
}

#[tokio::test]
async fn a_query_ends_at_its_deadline_and_when_it_is_cancelled() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let sql = doubled_texts("ip_text(dst)", 8);
    let planned = plan(&dataset, query(&sql, &[])).await.unwrap();
    for is_cancelled in [false, true] {
        let (wait, cancel) = (Duration::from_millis(300), CancelFlag::new());
        let deadline = (!is_cancelled).then(|| Instant::now() + wait);
        let limits = QueryLimits { deadline, cancel: cancel.clone(), ..QueryLimits::default() };
        let mut opened = planned.open("q", vec![], limits).await.unwrap();
        let begun = Instant::now();
        if is_cancelled {
            tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                cancel.cancel();
            });
        }
        let ended = opened.next().await;
        assert!(matches!(ended, Err(QueryError::Deadline | QueryError::Cancelled)), "{ended:?}");
        assert!(begun.elapsed() < wait + LATE_MAX, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_text_that_is_too_long_ends_its_query() {
    let dataset = memory(vec![flows(0, 10)]).await;
    let sql = "SELECT length($a || $b) AS n FROM flows";
    let spec = || query(sql, &[("a", ParamType::Text), ("b", ParamType::Text)]);
    let half = "x".repeat(TEXT_BYTES_MAX / 2);
    let whole = run(&dataset, spec(), vec![text(&half), text(&half)]).await.unwrap();
    assert_eq!(rows(&whole), 10);
    let error = run(&dataset, spec(), vec![text(&half), text(&(half.clone() + "x"))]).await.unwrap_err();
    assert!(matches!(error, QueryError::Text { max: TEXT_BYTES_MAX }), "{error}");
}

#[tokio::test]
async fn parameters_are_charged_as_often_as_they_are_used() {
    let dataset = memory(vec![flows(0, 60_000)]).await;
    let uses = (0..200).map(|at| format!("note || '{at}' < $t AS f{at}")).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT bytes, {uses} FROM flows");
    let limits = QueryLimits { memory_bytes: 10 << 20, ..QueryLimits::default() };
    let long = text(&"x".repeat(TEXT_BYTES_MAX));
    let (ended, took, _) =
        watched(&dataset, query(&sql, &[("t", ParamType::Text)]), vec![long], limits, MUCH_TIME).await;
    assert!(matches!(ended, Err(QueryError::Memory { .. })), "{ended:?}");
    assert!(took < PLANNED_MAX, "{took:?}");
}

#[tokio::test]
async fn a_long_parameter_as_a_column_is_made_some_rows_at_a_time() {
    let dataset = memory(vec![flows(0, 20_000)]).await;
    let spec = query(
        "SELECT length(t || 'x') AS n FROM (SELECT $t AS t, bytes FROM flows LIMIT 100000) q",
        &[("t", ParamType::Text)],
    );
    let limits = QueryLimits { memory_bytes: 64 << 20, ..QueryLimits::default() };
    let (ended, _, gap) = watched(&dataset, spec, vec![text(&"x".repeat(30_000))], limits, MUCH_TIME).await;
    assert!(matches!(ended, Ok(20_000)), "{ended:?}");
    assert!(gap < GAP_MAX, "{gap:?}");
}

#[tokio::test]
async fn keys_that_are_computed_before_give_the_same_rows() {
    let dataset = memory(vec![flows(0, 3_000)]).await;
    let count = async |sql: &str| {
        let answer = run(&dataset, query(sql, &[]), vec![]).await.unwrap();
        answer.iter().flat_map(|batch| batch.columns().iter().map(|column| format!("{column:?}"))).collect::<Vec<_>>()
    };
    for kind in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
        let by = |keys: &str| {
            format!(
                "SELECT count(a.bytes) AS a, count(b.bytes) AS b, sum(a.bytes) AS s, max(b.note) AS n FROM flows a {kind} (SELECT src, bytes, note FROM other WHERE proto = 6) b ON {keys}"
            )
        };
        assert_eq!(
            count(&by("ip_text(a.src) || 'x' = ip_text(b.src) || 'x'")).await,
            count(&by("a.src = b.src")).await,
            "{kind}"
        );
    }
    for test in ["IN", "NOT IN"] {
        let by = |key: &str| {
            format!(
                "SELECT bytes, note FROM flows WHERE {} {test} (SELECT {} FROM other WHERE proto = 6) ORDER BY start",
                key.replace('%', "src"),
                key.replace('%', "src")
            )
        };
        assert_eq!(count(&by("ip_text(%) || 'x'")).await, count(&by("%")).await, "{test}");
    }
    let ordered = |key: &str| format!("SELECT bytes, start FROM flows ORDER BY {key}, start DESC");
    assert_eq!(count(&ordered("'x' || coalesce(note, '')")).await, count(&ordered("coalesce(note, '')")).await);
}
