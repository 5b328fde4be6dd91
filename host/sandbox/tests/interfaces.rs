//! The other interfaces of `iog:guest`: what a guest learns of its context, and what its log and progress may say.

mod support;

use std::sync::Arc;

use iog_sandbox::{Grants, HostRequest, LimitKind, LogLevel, NothingGranted, RunOutcome, Runner as _, TrapKind};
use serde_json::json;
use support::{MEMORY, Scripted, load, run_with, sandbox, spec};

fn succeeded(json: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: json.into() }
}

/// `run` with `log.write` as `$write (level, ptr, len)` and `progress.report` as `$report`.
fn talker(body: &str) -> String {
    format!(
        r#"(component
          (import "iog:guest/log@0.1.0" (instance $log
            (type $level' (enum "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $level')))
            (export "write" (func (param "level" $level) (param "message" string)))))
          (import "iog:guest/progress@0.1.0" (instance $progress
            (export "report" (func (param "percent" u8)))))
          {MEMORY}
          (core func $write (canon lower (func $log "write") (memory (core memory $m "memory"))))
          (core func $report (canon lower (func $progress "report")))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "write" (func $write (param i32 i32 i32)))
            (import "" "report" (func $report (param i32)))
            (data (i32.const 0) "a line of thirty-two characters.")
            (func (export "run") (result i32) (local $n i32) {body}))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "write" (func $write)) (export "report" (func $report))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    )
}

#[tokio::test]
async fn the_log_is_capped_and_what_is_beyond_is_dropped() {
    let wat = talker(
        "(local.set $n (i32.const 200)) (loop $l (call $write (i32.const 2) (i32.const 0) (i32.const 32))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 0)",
    );
    let host = Arc::new(Scripted::default());
    let report = run_with(&wat, host.clone(), |_| ()).await;
    assert_eq!(report.outcome, succeeded("0"));
    let asked = host.asked.lock().unwrap();
    assert_eq!(asked.len(), 4_096 / 32);
    let text = "a line of thirty-two characters.".to_owned();
    assert!(asked.iter().all(|r| *r == HostRequest::Log { level: LogLevel::Warn, text: text.clone() }));
    assert_eq!(report.usage.log_dropped, 200 - 128);
}

#[tokio::test]
async fn a_log_flood_ends_by_its_calls_or_its_fuel() {
    let flood = talker("(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 60000)) (br $l)) unreachable");
    let report = run_with(&flood, Arc::new(NothingGranted), |_| ()).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    let flood = talker("(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 0)) (br $l)) unreachable");
    let report = run_with(&flood, Arc::new(NothingGranted), |spec| spec.limits.fuel = 1 << 40).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::HostCalls));
    assert_eq!(report.usage.host_calls, 100_000);
}

#[tokio::test]
async fn one_message_larger_than_the_host_takes_is_a_limit() {
    let wat = talker(
        "(drop (memory.grow (i32.const 100))) (call $write (i32.const 0) (i32.const 0) (i32.const 6000000)) (i32.const 0)",
    );
    let report = run_with(&wat, Arc::new(NothingGranted), |spec| spec.limits.memory_bytes = 64 << 20).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Output));
}

#[tokio::test]
async fn a_level_that_does_not_exist_traps() {
    let report = run_with(
        &talker("(call $write (i32.const 9) (i32.const 0) (i32.const 1)) (i32.const 0)"),
        Arc::new(NothingGranted),
        |_| (),
    )
    .await;
    assert_eq!(report.outcome, RunOutcome::Trapped { kind: TrapKind::Interface });
}

#[tokio::test]
async fn progress_moves_forward_in_steps_of_ten() {
    let reports: String = [5, 11, 19, 20, 15, 99, 255, 100].map(|p| format!("(call $report (i32.const {p}))")).concat();
    let host = Arc::new(Scripted::default());
    let report = run_with(&talker(&format!("{reports} (i32.const 0)")), host.clone(), |_| ()).await;
    assert_eq!(report.outcome, succeeded("0"));
    let steps: Vec<_> = host
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|r| match r {
            HostRequest::Progress { percent } => *percent,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(steps, [10, 20, 90, 100]);
}

#[tokio::test]
async fn each_grant_is_needed_for_its_interface() {
    for (grants, missing) in [
        (Grants { log: false, ..Grants::ALL }, "iog:guest/log@0.1.0"),
        (Grants { progress: false, ..Grants::ALL }, "iog:guest/progress@0.1.0"),
    ] {
        let report = run_with(&talker("(i32.const 0)"), Arc::new(NothingGranted), |spec| spec.grants = grants).await;
        assert_eq!(report.outcome, RunOutcome::NotGranted { interface: missing.into() });
    }
}

#[tokio::test]
async fn context_says_which_entry_was_called() {
    let wat = format!(
        r#"(component
          (import "iog:guest/context@0.1.0" (instance $context (export "entry" (func (result string)))))
          {MEMORY}
          (core func $entry (canon lower (func $context "entry") (memory (core memory $m "memory"))
            (realloc (core func $m "realloc"))))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "entry" (func $entry (param i32)))
            (func (export "run") (result i32) (call $entry (i32.const 8)) (i32.const 8)))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "entry" (func $entry))))))
          (func (export "run") (result string) (canon lift (core func $i "run") (memory (core memory $m "memory")))))"#
    );
    assert_eq!(run_with(&wat, Arc::new(NothingGranted), |_| ()).await.outcome, succeeded("\"run\""));
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

#[tokio::test]
async fn a_guest_cannot_hoard_handles_of_its_own() {
    let wat = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "run") (result i32) (loop $l (drop (call $new (i32.const 1))) (br $l)) unreachable))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
    let module = load(wat).await;
    let report = sandbox().run(spec(&module, json!({})), Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, RunOutcome::Trapped { kind: TrapKind::Handles });
}

#[tokio::test]
async fn a_huge_result_is_stopped_while_it_is_read() {
    // A list of 50 million numbers in 2 GiB cannot be; one of 700,000 bytes is more than 64 KiB of JSON.
    let wat = |len: u32| {
        format!(
            r#"(component (core module $main (memory (export "memory") 16)
            (func (export "run") (result i32) (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {len})) (i32.const 0)))
          (core instance $i (instantiate $main))
          (func (export "run") (result (list u16)) (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#
        )
    };
    let run = async |len| run_with(&wat(len), Arc::new(NothingGranted), |_| ()).await.outcome;
    assert!(matches!(run(20_000).await, RunOutcome::Succeeded { .. }));
    assert_eq!(run(40_000).await, RunOutcome::Limit(LimitKind::Output));
    assert_eq!(run(400_000).await, RunOutcome::Limit(LimitKind::Output));
    assert_eq!(run(2_000_000_000).await, RunOutcome::Trapped { kind: TrapKind::Interface });
}
