//! `context`: what a guest learns of its run.

use std::sync::Arc;

use iog_sandbox::{NothingGranted, Runner as _, TrapKind};
use serde_json::json;

use super::hostile::{Hostile, succeeded, trapped};
use super::support::{MEMORY, run_with, sandbox, spec};

/// Wants the name of its entry written beyond its memory.
pub(super) const HOSTILE: Hostile = Hostile {
    interface: "iog:guest/context@0.1.0",
    guest: || entry("(i32.const -4)"),
    ends: || trapped(TrapKind::Interface),
};

/// A guest whose `run` returns what `context.entry` writes at `place`.
fn entry(place: &str) -> String {
    format!(
        r#"(component
          (import "iog:guest/context@0.1.0" (instance $context (export "entry" (func (result string)))))
          {MEMORY}
          (core func $entry (canon lower (func $context "entry") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "entry" (func $entry (param i32)))
            (func (export "run") (result i32) (call $entry {place}) {place}))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "entry" (func $entry))))))
          (func (export "run") (result string) (canon lift (core func $i "run") (memory (core memory $m "memory")))))"#
    )
}

#[tokio::test]
async fn context_says_which_entry_was_called() {
    let report = run_with(&entry("(i32.const 8)"), Arc::new(NothingGranted), |_| ()).await;
    assert_eq!(report.outcome, succeeded("\"run\""));
}

#[tokio::test]
async fn context_says_who_provides() {
    // A record named like the function that returns it, as `iog:guest/context` has it.
    let wat = format!(
        r#"(component
          (import "iog:guest/context@0.1.0" (instance $context
            (type $p' (record (field "domain" string) (field "asn" (option u32))))
            (export "provider-record" (type $p (eq $p')))
            (export "provider" (func (result $p)))))
          {MEMORY}
          (core func $provider (canon lower (func $context "provider") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "provider" (func $provider (param i32)))
            (func (export "run") (result i32) (call $provider (i32.const 8)) (i32.const 8)))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "provider" (func $provider))))))
          (type $q' (record (field "domain" string) (field "asn" (option u32))))
          (export $q "q" (type $q'))
          (func (export "run") (result $q) (canon lift (core func $i "run") (memory (core memory $m "memory")))))"#
    );
    let module = sandbox().load(&wat::parse_str(&wat).unwrap()).await;
    let module = module.unwrap();
    let report = sandbox().run(spec(&module, json!({})), Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, succeeded(r#"{"domain":"as64500","asn":64500}"#));
}
