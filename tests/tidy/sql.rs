//! SQL is written where the tables are. In the houses that keep a database, no file outside `db/` names the library that
//! speaks it, in any way (`query`, `query_as`, `query_scalar`, `raw_sql`, `QueryBuilder`, a `use`, a path), and none holds a
//! statement as text. Error types may carry the library's error.

use std::fmt::Write as _;

use crate::tokens::code;

/// Where databases are kept.
const HOUSES: &[&str] = &["host/gateway/src/", "center/server/src/"];

/// What else may be named where: an error that carries its cause.
const CAUSES: &[(&str, &[&str])] = &[("center/server/src/error.rs", &["sqlx", "::", "Error"])];

/// How statements begin, in capitals, as ours do.
const STATEMENTS: &[&str] = &[
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "CREATE TABLE",
    "CREATE INDEX",
    "ALTER TABLE",
    "DROP ",
    "PRAGMA ",
    "BEGIN",
    "WITH ",
    "REPLACE INTO",
];

#[test]
fn only_the_files_of_tables_write_sql() {
    let mut faults = String::new();
    for path in crate::files(&["rs"]) {
        let shown = crate::shown(&path);
        let is_held = HOUSES.iter().any(|house| shown.starts_with(house)) && !shown.contains("/src/db/");
        if is_held && !shown.ends_with("/tests.rs") && !shown.contains("/tests/") {
            for found in sql_in(&shown, &crate::read(&path)) {
                writeln!(faults, "{shown}: {found}").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "SQL outside `db/`:\n{faults}");
}

/// The library where it is named, and statements where they are written; modules of tests may.
fn sql_in(shown: &str, source: &str) -> Vec<String> {
    let words = code(source);
    let cause = CAUSES.iter().find(|(file, _)| *file == shown).map(|(_, cause)| *cause);
    let is_cause = |at: usize| cause.is_some_and(|cause| words[at..].starts_with(cause));
    let named = words.iter().enumerate().filter(|(at, word)| word.starts_with("sqlx") && !is_cause(*at));
    let statements = words.iter().filter_map(|word| text_of(word));
    let statements = statements.filter(|text| STATEMENTS.iter().any(|begin| text.starts_with(begin)));
    named.map(|(_, word)| format!("names `{word}`")).chain(statements.map(|text| format!("writes `{text}`"))).collect()
}

/// The text that a word is, if it is a string (`"…"`, `r"…"`, `r#"…"#`): its first line, without what stands before it.
fn text_of(word: &str) -> Option<&str> {
    let text = word.trim_start_matches(['r', 'b', 'c']).trim_start_matches('#').strip_prefix('"')?;
    Some(text.trim_start().lines().next().unwrap_or_default())
}

#[test]
fn every_way_to_write_sql_is_seen() {
    let seen = |source: &str| !sql_in("host/gateway/src/x.rs", source).is_empty();
    for source in [
        "let x = sqlx::query(text);",
        "let x = sqlx::query_as::<_, (i64,)>(text);",
        "let x = ::sqlx::query_scalar!(text);",
        "use sqlx::QueryBuilder;",
        "use sqlx as database;",
        "use {sqlx::raw_sql, std::fmt};",
        "pool.execute(\"DELETE FROM runs\").await",
        "run(r#\"SELECT 1\"#)",
        "run(\" PRAGMA journal_mode\")",
        "fn f(e: sqlx::Error) {}",
        "#[cfg(test)]\nfn only_here() {}\nfn a() { sqlx::query(text); }",
        "#[cfg(test)]\nmod tests { use sqlx::query; }\nfn a() { run(r\"SELECT 1\") }",
    ] {
        assert!(seen(source), "{source}");
    }
    for source in [
        "// sqlx::query is for `db/`",
        "tracing::info!(\"select one\")",
        "#[cfg(test)]\nmod tests { use sqlx::query; fn a() { run(r#\"SELECT 1\"#) } }",
    ] {
        assert!(!seen(source), "{source}");
    }
    assert!(sql_in("center/server/src/error.rs", "source: sqlx::Error,").is_empty(), "an error carries its cause");
    assert!(!sql_in("center/server/src/error.rs", "sqlx::query(text)").is_empty(), "and nothing else");
}
