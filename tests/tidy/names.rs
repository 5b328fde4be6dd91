//! What the pages for contributors name is there: files and folders by the end of their path, functions, types, tests and
//! constants by a word of the code. A page that outlives what it speaks of is noticed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::tokens::tokens;

const PAGES: &[&str] = &["docs/architecture.md", "CONTRIBUTING.md"];

/// Names that stand for no file or word of ours: interfaces of others, commands, patterns.
const NOT_OURS: &[&str] = &["demo.invalid", "RecordBatch"];

#[test]
fn what_pages_name_is_there() {
    let paths: Vec<String> = crate::files(&[]).iter().map(|p| crate::shown(p)).collect();
    let words = words();
    let mut faults = String::new();
    for page in PAGES {
        for name in named(&crate::read(&crate::root_join(page))) {
            let is_there = match kind(&name) {
                Kind::Place => is_place(&name, &paths),
                Kind::Word => name.split("::").flat_map(|part| part.split('.')).all(|part| words.contains(part)),
                Kind::Other => true,
            };
            if !is_there && !NOT_OURS.contains(&name.as_str()) {
                writeln!(faults, "{page}: there is no `{name}`").unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

enum Kind {
    Place,
    Word,
    Other,
}

fn kind(name: &str) -> Kind {
    let is_plain = |also: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
    let is_file = [".rs", ".md", ".toml", ".wit", ".sql"].iter().any(|ending| name.ends_with(ending));
    // `review/v1` and `/v1/statements` are formats and paths of HTTP.
    let is_wire = name.starts_with('/') || name.rsplit('/').next().is_some_and(|end| end.starts_with("v1"));
    if is_plain("/._-") && (is_file || name.contains('/') && !is_wire) {
        Kind::Place
    } else if is_plain("_:.") && (name.contains("::") || name.contains('_') || name.starts_with(char::is_uppercase)) {
        Kind::Word
    } else {
        Kind::Other
    }
}

/// Whether a file or folder is of this name, wherever it lies.
fn is_place(name: &str, paths: &[String]) -> bool {
    let name = name.trim_end_matches('/');
    let (inner, end) = (format!("/{name}/"), format!("/{name}"));
    crate::root_join(name).exists()
        || paths.iter().map(|path| format!("/{path}")).any(|path| path.contains(&inner) || path.ends_with(&end))
}

/// All words of our code.
fn words() -> BTreeSet<String> {
    let sources = crate::files(&["rs", "toml"]).into_iter().filter(|path| !path.ends_with("tidy/names.rs"));
    sources.flat_map(|path| tokens(&crate::read(&path)).into_iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What stands in backticks, outside of blocks of code.
fn named(page: &str) -> BTreeSet<String> {
    let text: String = page.split("```").step_by(2).collect();
    text.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches("()").to_owned()).collect()
}

#[test]
fn names_are_told_apart() {
    let place = |name| matches!(kind(name), Kind::Place);
    let word = |name| matches!(kind(name), Kind::Word);
    assert!(
        place("admit/mod.rs") && place("tests/tidy") && place("port/") && !place("review/v1") && !place("/v1/runs")
    );
    assert!(word("Ending::of_run") && word("STEPS_MAX") && word("Signed") && !word("cargo test") && !word("wasmtime"));
    assert_eq!(Vec::from_iter(named("a `b` c `d()`\n```sh\n`e`\n```\n`f`")), ["b", "d", "f"]);
}
