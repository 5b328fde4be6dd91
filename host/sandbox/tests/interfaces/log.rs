//! `log`: what may be said to the operators, and how much.

use std::sync::Arc;

use iog_sandbox::{HostRequest, LimitKind, LogLevel, LogRequest, NothingGranted, RunOutcome, TrapKind};

use super::hostile::{Hostile, succeeded, trapped};
use super::support::{MEMORY, Scripted, run_with};

/// Writes for ever.
pub(super) const HOSTILE: Hostile = Hostile {
    interface: "iog:guest/log@0.1.0",
    guest: || writer("(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 60000)) (br $l)) unreachable"),
    ends: || RunOutcome::Limit(LimitKind::Fuel),
};

/// A guest whose `run` has `log.write` as `$write (level, ptr, len)`.
fn writer(body: &str) -> String {
    format!(
        r#"(component
          (import "iog:guest/log@0.1.0" (instance $log
            (type $level' (enum "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $level')))
            (export "write" (func (param "level" $level) (param "message" string)))))
          {MEMORY}
          (core func $write (canon lower (func $log "write") (memory (core memory $m "memory"))))
          (core module $main
            (import "m" "memory" (memory 1))
            (import "" "write" (func $write (param i32 i32 i32)))
            (data (i32.const 0) "a line of thirty-two characters.")
            (func (export "run") (result i32) (local $n i32) {body}))
          (core instance $i (instantiate $main (with "m" (instance $m))
            (with "" (instance (export "write" (func $write))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    )
}

#[tokio::test]
async fn the_log_is_capped_and_what_is_beyond_is_dropped() {
    let wat = writer(
        "(local.set $n (i32.const 200)) (loop $l (call $write (i32.const 2) (i32.const 0) (i32.const 32))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 0)",
    );
    let host = Arc::new(Scripted::default());
    let report = run_with(&wat, host.clone(), |_| ()).await;
    assert_eq!(report.outcome, succeeded("0"));
    let asked = host.asked.lock().unwrap();
    assert_eq!(asked.len(), 4_096 / 32);
    let text = "a line of thirty-two characters.".to_owned();
    let expected = HostRequest::Log(LogRequest { level: LogLevel::Warn, text });
    assert!(asked.iter().all(|request| *request == expected));
    assert_eq!(report.usage.log_dropped, 200 - 128);
}

#[tokio::test]
async fn a_log_flood_ends_by_its_calls_or_its_fuel() {
    let flood = writer("(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 60000)) (br $l)) unreachable");
    let report = run_with(&flood, Arc::new(NothingGranted), |_| ()).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    let flood = writer("(loop $l (call $write (i32.const 0) (i32.const 0) (i32.const 0)) (br $l)) unreachable");
    let report = run_with(&flood, Arc::new(NothingGranted), |spec| spec.limits.fuel = 1 << 40).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::HostCalls));
    assert_eq!(report.usage.host_calls, 100_000);
}

#[tokio::test]
async fn one_message_larger_than_the_host_takes_is_a_limit() {
    let wat = writer(
        "(drop (memory.grow (i32.const 100))) (call $write (i32.const 0) (i32.const 0) (i32.const 6000000)) (i32.const 0)",
    );
    let report = run_with(&wat, Arc::new(NothingGranted), |spec| spec.limits.memory_bytes = 64 << 20).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Output));
}

#[tokio::test]
async fn a_level_that_does_not_exist_traps() {
    let report = run_with(
        &writer("(call $write (i32.const 9) (i32.const 0) (i32.const 1)) (i32.const 0)"),
        Arc::new(NothingGranted),
        |_| (),
    )
    .await;
    assert_eq!(report.outcome, trapped(TrapKind::Interface));
}
