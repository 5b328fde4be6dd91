//! Parts of the documents that can be computed are: schemas, example statements, an example receipt, problem codes, and
//! the files of the hello-world module. Each stands between `<!-- generated: name -->` and `<!-- end -->`; these tests
//! render it again and compare. `UPDATE=1 cargo test -p iog-protocol --test schemas_doc` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test that breaks off says where")]

mod examples;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use iog_protocol::api::ApiErrorCode;
use iog_protocol::schemas::{SCHEMAS, Schema};

/// Says how to mend a difference.
const REMEDY: &str = "run `UPDATE=1 cargo test -p iog-protocol --test schemas_doc` and read what changed";

#[test]
fn docs_match() {
    for schema in SCHEMAS {
        check("docs/spec/schemas.md", schema.id, &table(schema));
    }
}

#[test]
fn example_statements_are_what_the_code_signs_and_accepts() {
    for (name, text) in examples::statements() {
        check("docs/spec/registry.md", &name, &text);
    }
}

#[test]
fn the_example_receipt_is_what_the_code_makes_and_believes() {
    for (name, text) in examples::receipt() {
        check("docs/spec/receipts.md", &name, &text);
    }
}

#[test]
fn every_problem_code_is_listed() {
    let mut text = String::from("| code | status | meaning | may help to repeat |\n|---|---|---|---|\n");
    for code in ApiErrorCode::ALL {
        let repeat = if code.is_retryable() { "yes" } else { "" };
        writeln!(text, "| `{code}` | {} | {} | {repeat} |", code.status(), code.title()).unwrap();
    }
    check("docs/spec/runs.md", "problem-codes", &text);
}

#[test]
fn the_guide_shows_the_hello_world_module_verbatim() {
    for (file, language) in [("src/lib.rs", "rust"), ("iog.toml", "toml"), ("wit/hello.wit", "wit")] {
        let content = read(&root().join("modules/hello").join(file));
        check("docs/guides/caller.md", &format!("hello/{file}"), &format!("```{language}\n{content}```\n"));
    }
}

fn table(schema: &Schema) -> String {
    let kind = if schema.public { "public" } else { "not public" };
    let mut text = format!("One row: {}. The data are {kind}.\n\n", schema.summary);
    text.push_str("| column | type | required | unit | meaning | source |\n|---|---|---|---|---|---|\n");
    for column in schema.columns {
        let required = if column.required { "yes" } else { "" };
        let (name, ty, unit) = (column.name, column.ty, column.unit);
        writeln!(text, "| `{name}` | {ty} | {required} | {unit} | {} | {} |", column.meaning, column.source).unwrap();
    }
    text
}

/// Compares a generated part of a document with what it should be, or writes it where `UPDATE` is set.
fn check(document: &str, name: &str, expected: &str) {
    let path = root().join(document);
    let text = read(&path);
    let (start, end) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
    let (before, rest) =
        text.split_once(&start).unwrap_or_else(|| panic!("`{document}` has no `{}`", start.trim_end()));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("`{name}` of `{document}` has no end"));
    let expected = format!("\n{expected}\n");
    if found == expected {
        return;
    }
    assert!(std::env::var_os("UPDATE").is_some(), "`{name}` of `{document}` is out of date: {REMEDY}");
    std::fs::write(&path, format!("{before}{start}{expected}{end}{after}")).unwrap();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
