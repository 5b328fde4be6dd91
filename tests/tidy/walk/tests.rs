//! The check itself, on the true text and on altered ones: each thing that it is there for makes it complain.

use super::code::called_at;
use super::{faults, hops, source};

const SUBMIT: &str = "host/gateway/src/runs/submit.rs";
const LIFECYCLE: &str = "host/gateway/src/runs/lifecycle.rs";
const RECEIPTS: &str = "host/gateway/src/receipts.rs";

/// What the check says of the repository with one text changed in one file.
fn after(file: &str, from: &str, to: &str) -> String {
    let changed = |path: &str| {
        let text = source(path);
        if path != file {
            return text;
        }
        assert!(text.contains(from), "{file} has no `{from}`, so this changes nothing");
        text.replace(from, to)
    };
    faults(&changed("docs/architecture.md"), &changed)
}

#[test]
fn a_hop_that_was_renamed_is_noticed() {
    let said = after(RECEIPTS, "pub async fn write(", "pub async fn put(");
    assert!(said.contains("receipts.rs has 0 functions `write`"), "{said}");
}

#[test]
fn a_hop_that_was_moved_is_noticed() {
    let said = after("docs/architecture.md", "`host/gateway/src/executor.rs`", "`host/gateway/src/grants.rs`");
    assert!(said.contains("grants.rs has 0 functions `execute`"), "{said}");
    let said = after("docs/architecture.md", "`host/gateway/src/executor.rs`", "`host/gateway/src/gone.rs`");
    assert!(said.contains("gone.rs has 0 functions `execute`"), "{said}");
}

#[test]
fn a_hop_that_is_called_no_longer_is_noticed() {
    let said = after(SUBMIT, "lifecycle.carry(", "lifecycle.carry_on(");
    assert!(said.contains("`submit` in host/gateway/src/runs/submit.rs does not call `lifecycle.carry`"), "{said}");
    let said = after(SUBMIT, "lifecycle.carry(asked", "drop((\"lifecycle.carry(\", asked) /* lifecycle.carry( */");
    assert!(said.contains("does not call `lifecycle.carry`"), "a string or a comment calls nothing: {said}");
    let said = after(LIFECYCLE, "self.reach_end(", "self.fall_over(");
    assert!(said.contains("`carry` in host/gateway/src/runs/lifecycle.rs does not call `reach_end`"), "{said}");
}

#[test]
fn hops_in_another_order_are_noticed() {
    let (release, execute) = ("release(&asked.request, &cleared, executed)", "self.execute(asked, course, &cleared)");
    let text = source(LIFECYCLE).replace(release, "@").replace(execute, release).replace('@', execute);
    let said = faults(&source("docs/architecture.md"), &|path| {
        if path == LIFECYCLE { text.clone() } else { source(path) }
    });
    assert!(said.contains("calls `release` before `execute`"), "{said}");
}

#[test]
fn a_hop_that_hangs_in_the_air_is_noticed() {
    let said = after("docs/architecture.md", "`carry` → `receipt` in", "`elsewhere` → `receipt` in");
    assert!(said.contains("`self.receipts.write` is not called by a hop before it"), "{said}");
}

#[test]
fn too_many_hops_and_files_are_noticed() {
    let row = "| 9 | `seal` | `host/gateway/src/gateway.rs` | `write` in `host/gateway/src/receipts.rs` |";
    let said = after("docs/architecture.md", "\n1. **Submit.**", &format!("{row}\n\n1. **Submit.**"));
    assert!(said.contains("9 hops"), "{said}");
    assert!(said.contains("9 files, at most 8"), "{said}");
}

#[test]
fn a_table_that_is_gone_is_noticed() {
    assert!(after("docs/architecture.md", "## A run is made", "## A run").contains("0 hops"));
}

#[test]
fn the_table_is_read_as_it_is_written() {
    let table = "## A run is made\n| hop | function |\n|---|---|\n| 1 | `a::b` | `x.rs` | `c` → `d` in `y.rs` |\n## Next\n| 2 | `c` |";
    let found = hops(table);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].function(), found[0].from.as_str()), ("b", "y.rs"));
    assert_eq!(found[0].through, ["c", "d"]);
}

#[test]
fn a_call_is_told_from_what_looks_like_one() {
    assert!(called_at("let x = self.decide(run)", "decide", true).is_some());
    assert!(called_at("let x = self.decide(run)", "decide", false).is_none(), "that one is of the caller's file");
    assert!(called_at("let x = admit::decide(run)", "admit::decide", false).is_some());
    assert!(called_at("let x = admit::decide(run)", "decide", true).is_none());
    assert!(called_at("redecide(x); decided; fn decide() {}", "decide", true).is_none());
    assert!(called_at("self.receipts.write(x)", "self.receipts.write", false).is_some());
    assert!(called_at("self.store.write(x)", "self.receipts.write", false).is_none());
}
