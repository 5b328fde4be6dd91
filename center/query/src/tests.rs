//! What is counted, where names stand for more than they show.

use std::time::{Duration, Instant};

use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::*;

fn size(sql: &str) -> Size {
    let mut statements = Parser::parse_sql(&GenericDialect {}, sql).expect("it is SQL");
    match statements.pop() {
        Some(Statement::Query(query)) => measure(&query),
        other => panic!("{other:?}"),
    }
}

fn refused(sql: &str) -> Option<Measure> {
    within(&size(sql), 1).err().map(|too_much| too_much.what)
}

/// A chain of table expressions, each made of the one before by a pattern in which `%` is its name.
fn chain(first: &str, step: &str, length: usize, last: &str) -> String {
    let mut sql = format!("WITH c0 AS ({first})");
    for at in 1..=length {
        sql += &format!(", c{at} AS ({})", step.replace('%', &format!("c{}", at - 1)));
    }
    sql + " " + &last.replace('%', &format!("c{length}"))
}

#[test]
fn a_table_expression_is_read_wherever_it_is_named() {
    let twice = |length| {
        chain("SELECT src FROM flows", "SELECT a.src FROM % a JOIN % b ON a.src = b.src", length, "SELECT src FROM %")
    };
    assert_eq!([0, 1, 2, 3, 10].map(|length| size(&twice(length)).scans), [1, 2, 4, 8, 1024]);
    assert_eq!(size(&twice(60)).scans, 1 << 60);
    assert_eq!(size(&twice(100)).scans, u64::MAX, "it stays too large");
    for length in [6, 12, 24, 100] {
        assert_eq!(refused(&twice(length)), Some(Measure::Scans), "{length}");
    }
    assert_eq!(refused(&twice(4)), None);
}

#[test]
fn a_column_is_computed_wherever_it_is_named() {
    let text = |length| {
        let columns = "ip_text(dst) AS t";
        chain(&format!("SELECT {columns} FROM flows"), "SELECT t || t AS t FROM %", length, "SELECT t FROM %")
    };
    let grown = [0, 1, 2, 3].map(|length| size(&text(length)).expressions);
    assert_eq!(grown, [4, 12, 29, 64], "twice as many and one each time, and all steps together");
    for length in [11, 14, 20] {
        assert_eq!(refused(&text(length)), Some(Measure::Expressions), "{length}");
    }
    assert_eq!(refused(&text(64)), Some(Measure::PlanDepth));
}

#[test]
fn whatever_repeats_what_it_is_given_is_counted() {
    for step in [
        "SELECT t + t AS t FROM %",
        "SELECT t BETWEEN t AND t AS t FROM %",
        "SELECT coalesce(t, 1) AS t FROM %",
        "SELECT CASE WHEN t IS NULL THEN 1 ELSE 2 END AS t FROM %",
        "SELECT CASE t WHEN 1 THEN t ELSE 2 END AS t FROM %",
        "SELECT t IN (t, 2) AS t FROM %",
        "SELECT t IN (SELECT t FROM flows) AS t FROM %",
        "SELECT x.t + x.t AS t FROM % AS x",
        "SELECT u + u AS t FROM % AS x(u)",
        "SELECT t + t AS t FROM (SELECT t FROM % UNION ALL SELECT 1 AS t FROM flows)",
        "SELECT t || t || position(t IN t) AS t FROM %",
        "SELECT abs(t) - abs(t) AS t FROM % WHERE t > 1 ORDER BY t",
    ] {
        let sql = chain("SELECT bytes AS t FROM flows", step, 14, "SELECT t FROM %");
        assert!(refused(&sql).is_some(), "{step}: {:?}", size(&sql));
    }
    let aggregates = chain(
        "SELECT src, bytes AS t FROM flows",
        "SELECT src, max(t) + max(t) AS t FROM % GROUP BY src",
        14,
        "SELECT t FROM %",
    );
    assert_eq!(refused(&aggregates), None, "aggregates are computed once: {:?}", size(&aggregates));
}

#[test]
fn parts_of_a_text_hide_nothing_of_how_it_is_made() {
    for step in ["coalesce(t, '')", "CASE WHEN t IS NULL THEN t ELSE '' END", "t || t", "nullif(t, t)"] {
        for of in ["substr(%, 1)", "substring(%, 1, 3)", "substring(% FROM 1)", "substr(note, length(%))"] {
            let made = of.replace('%', step);
            let plain =
                chain("SELECT note AS t FROM flows", &format!("SELECT {step} AS t FROM %"), 5, "SELECT t FROM %");
            let part =
                chain("SELECT note AS t FROM flows", &format!("SELECT {made} AS t FROM %"), 5, "SELECT t FROM %");
            assert!(size(&part).expressions >= size(&plain).expressions, "{made}: {:?}", size(&part));
        }
    }
    let names: Vec<String> = (0..20).map(|port| format!("WHEN {port} THEN 'name{port}'")).collect();
    let sql = format!("SELECT substr(CASE dst_port {} ELSE 'x' END, 1, 3) AS n FROM flows", names.join(" "));
    assert_eq!(refused(&sql), None, "{:?}", size(&sql));
}

#[test]
fn subqueries_in_expressions_are_read_wherever_they_are_named() {
    let sql =
        chain("SELECT (SELECT max(med) FROM routes) AS t FROM flows", "SELECT t + t AS t FROM %", 5, "SELECT t FROM %");
    assert_eq!(refused(&sql), Some(Measure::Scans));
    let exists = "EXISTS (SELECT 1 FROM flows z WHERE z.src = f.src) AND ".repeat(40);
    assert_eq!(refused(&format!("SELECT f.src FROM flows f WHERE {exists} 1 = 1")), Some(Measure::Scans));
}

#[test]
fn conditions_over_unions_count_for_each_input() {
    let inputs = vec!["SELECT src FROM flows"; 16].join(" UNION ALL ");
    let tests = vec!["ip_text(src) LIKE '%1%'"; 60].join(" AND ");
    let one = size(&format!("SELECT src FROM flows WHERE {tests}")).expressions;
    assert!(size(&format!("SELECT src FROM ({inputs}) WHERE {tests}")).expressions > 16 * (one - 10));
    let literal = "x".repeat(9_000);
    assert_eq!(
        refused(&format!("SELECT src FROM ({inputs}) WHERE ip_text(src) <> '{literal}'")),
        Some(Measure::LiteralBytes)
    );
}

#[test]
fn deep_and_high_is_counted_through_names() {
    let deep = chain("SELECT bytes AS t FROM flows", "SELECT -(t) AS t FROM %", 70, "SELECT t FROM %");
    assert!(matches!(refused(&deep), Some(Measure::Depth | Measure::PlanDepth)));
    let high = chain("SELECT src FROM flows", "SELECT src FROM % LIMIT 5", 40, "SELECT src FROM %");
    assert_eq!(refused(&high), Some(Measure::PlanDepth));
    let wide = format!("SELECT f.src FROM flows f {}", "JOIN flows USING (src) ".repeat(40));
    assert_eq!(refused(&wide), Some(Measure::Scans));
}

#[test]
fn honest_queries_are_far_below() {
    for sql in [
        "SELECT src, dst, sum(bytes) AS b FROM flows WHERE ip_in(dst, $target) AND \"start\" >= $from GROUP BY src, dst ORDER BY b DESC LIMIT 10",
        "WITH big AS (SELECT src, sum(bytes) AS b FROM flows GROUP BY src) SELECT src, b FROM big WHERE b > (SELECT max(b) / 10 FROM big) ORDER BY b",
        "SELECT CASE WHEN proto = 6 THEN 'tcp' WHEN proto = 17 THEN 'udp' ELSE 'other' END AS p, ip_text(src) || '/' || src_port AS s FROM flows JOIN routes ON dst = prefix",
    ] {
        let size = size(sql);
        let tenfold = Size { scans: 4 * size.scans, ..size.times(10) };
        assert_eq!(within(&tenfold, 1), Ok(()), "{sql}: {size:?}");
    }
    let names: Vec<String> = (0..200).map(|port| format!("WHEN {port} THEN 'name{port}'")).collect();
    assert_eq!(refused(&format!("SELECT CASE dst_port {} ELSE 'x' END AS n FROM flows", names.join(" "))), None);
}

#[test]
fn counting_is_quick_whatever_is_counted() {
    let begun = Instant::now();
    for step in [
        "SELECT a.t || b.t AS t FROM % a JOIN % b ON a.t = b.t WHERE a.t || b.t > b.t",
        "SELECT coalesce(t, t, t) AS t FROM %",
    ] {
        size(&chain("SELECT note AS t FROM flows", step, 60, "SELECT t FROM %"));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_refusal_says_what_how_much_and_what_to_do() {
    let sql = chain("SELECT src FROM flows", "SELECT a.src FROM % a, % b", 40, "SELECT src FROM %");
    assert_eq!(
        within(&size(&sql), 1).unwrap_err().to_string(),
        "with every name replaced by what it stands for it has more than 1000000000 reads of slots, and 32 are allowed: read a \
         slot in fewer places: each use of a WITH name reads its slots again"
    );
}
