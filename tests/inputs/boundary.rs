//! Guests at the border to the host: what they pass, keep, call back or ask for without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use iog_sandbox::{
    ColumnInfo, ColumnKind, LimitKind, Limits, NothingGranted, RunOutcome, Runner as _, Sandbox, SandboxConfig,
    TrapKind,
};
use serde_json::json;

use crate::alone::alone;
use crate::support::{DATA, LOWER_DATA, MEMORY, Scripted, data_guest, guest, run, run_with, spec};

fn succeeded(json: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: json.into() }
}

fn trapped(kind: TrapKind) -> RunOutcome {
    RunOutcome::Trapped { kind }
}

/// A host of one column of whole numbers.
fn numbers(rows: i64) -> Scripted {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=rows));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let columns = vec![ColumnInfo { name: "n".into(), kind: ColumnKind::Int }];
    Scripted { columns, batches: vec![batch], ..Scripted::default() }
}

#[test]
fn cheap_calls_without_end_are_over_in_a_second() {
    alone(4, async || {
        let advance = "(local.set $rows (call $flows)) (loop $l (call $advance (local.get $rows) (i32.const 64)) (br $l)) unreachable";
        let begun = Instant::now();
        let report = run_with(&data_guest(advance), Arc::new(numbers(1)), |spec| {
            spec.limits = Limits { memory_bytes: 4 << 20, ..Limits::default() };
        })
        .await;
        eprintln!("{} host calls in {:?}", report.usage.host_calls, begun.elapsed());
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::HostCalls));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}

/// A million texts of one mebibyte each, which are all the same bytes: a terabyte, if anybody copied it.
#[test]
fn a_text_that_is_passed_a_million_times_is_never_copied() {
    // What ends it is the host's own account of what it reads, long before the memory of the run.
    alone(64, async || {
        let result = r#"(component (core module $main (memory (export "memory") 200)
            (func (export "run") (result i32) (local $n i32)
              (memory.fill (i32.const 0) (i32.const 97) (i32.const 1048576))
              (loop $l
                (i64.store (i32.add (i32.const 2097152) (i32.shl (local.get $n) (i32.const 3))) (i64.const 0x10000000000000))
                (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))
              (i32.store (i32.const 1048592) (i32.const 2097152)) (i32.store (i32.const 1048596) (i32.const 1000000))
              (i32.const 1048592)))
          (core instance $i (instantiate $main))
          (func (export "run") (result (list string)) (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#;
        let wide = |spec: &mut iog_sandbox::RunSpec| spec.limits.memory_bytes = 64 << 20;
        let report = run_with(result, Arc::new(NothingGranted), wide).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Output));

        let passed = data_guest(
            "(drop (memory.grow (i32.const 300))) (memory.fill (i32.const 0) (i32.const 97) (i32.const 1048576))
            (loop $l
              (i64.store (i32.add (i32.const 2097160) (i32.shl (local.get $n) (i32.const 4))) (i64.const 0x10000000000000))
              (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))
            (call $open (i32.const 16) (i32.const 5) (i32.const 2097152) (i32.const 1000000) (i32.const 64)) (i32.const 0)",
        );
        let host = Arc::new(numbers(1));
        let report = run_with(&passed, host.clone(), wide).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Output));
        assert!(host.asked.lock().unwrap().is_empty(), "the host was not asked");
    });
}

#[test]
fn ten_million_records_are_no_result() {
    alone(64, async || {
        let wat = r#"(component (core module $main (memory (export "memory") 160)
            (func (export "run") (result i32) (i32.store (i32.const 4) (i32.const 10000000)) (i32.store (i32.const 0) (i32.const 64))
              (i32.const 0)))
          (core instance $i (instantiate $main))
          (type $r' (record (field "a" u8))) (export $r "r" (type $r'))
          (func (export "run") (result (list $r)) (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#;
        let report = run_with(wat, Arc::new(NothingGranted), |spec| spec.limits.memory_bytes = 64 << 20).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Output));
    });
}

#[test]
fn memory_that_a_guest_gives_twice_is_the_guests_own_harm() {
    alone(4, async || {
        let body = "(local.set $rows (call $flows)) (call $advance (local.get $rows) (i32.const 64))
            (call $ints (local.get $rows) (i32.const 0) (i32.const 64)) (i32.load8_u (i32.const 64))";
        let same =
            data_guest(body).replacen("(local.set $at (i32.and", "(i32.const 64) return (local.set $at (i32.and", 1);
        assert_eq!(run_with(&same, Arc::new(numbers(100)), |_| ()).await.outcome, succeeded("1"));
    });
}

/// The host asks a guest for memory in the middle of a call; the guest calls the host from there.
#[test]
fn a_realloc_that_calls_the_host_traps() {
    alone(4, async || {
        let memory = MEMORY
            .replacen("(memory (export", "(table (export \"table\") 1 funcref) (type $o (func (param i32 i32 i32 i32 i32))) (memory (export", 1)
            .replacen("(local.set $at (i32.and", "(call_indirect (type $o) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 0)) (local.set $at (i32.and", 1);
        let wat = format!(
            r#"(component {DATA} {memory} {LOWER_DATA}
              (core module $main
                (import "m" "memory" (memory 1)) (import "m" "table" (table 1 funcref))
                (import "host" "open" (func $open (param i32 i32 i32 i32 i32)))
                (import "host" "advance" (func $advance (param i32 i32)))
                (import "host" "ints" (func $ints (param i32 i32 i32)))
                (data (i32.const 16) "flows") (elem (i32.const 0) $open)
                (func (export "run") (result i32)
                  (call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
                  (call $advance (i32.load (i32.const 68)) (i32.const 128))
                  (call $ints (i32.load (i32.const 68)) (i32.const 0) (i32.const 128)) (i32.const 0)))
              (core instance $i (instantiate $main (with "m" (instance $m)) (with "host" (instance $host))))
              (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
        );
        let host = Arc::new(numbers(100));
        let report = run_with(&wat, host.clone(), |_| ()).await;
        assert_eq!(report.outcome, trapped(TrapKind::Interface));
        assert_eq!(report.usage.host_calls, 3, "the call from within was none");
    });
}

#[test]
fn handles_of_another_type_and_handles_without_end_are_the_guests_own() {
    alone(4, async || {
        let own = "(type $o (resource (rep i32))) (core func $new (canon resource.new $o)) (core func $end (canon resource.drop $o))";
        let with_own = |body: &str| {
            data_guest(body)
                .replacen("(core module $main", &format!("{own} (core module $main (import \"own\" \"new\" (func $new (param i32) (result i32))) (import \"own\" \"end\" (func $end (param i32)))"), 1)
                .replacen("(with \"m\" (instance $m))", "(with \"m\" (instance $m)) (with \"own\" (instance (export \"new\" (func $new)) (export \"end\" (func $end))))", 1)
        };
        let foreign = with_own("(call $advance (call $new (i32.const 7)) (i32.const 64)) (i32.const 0)");
        assert_eq!(run_with(&foreign, Arc::new(numbers(1)), |_| ()).await.outcome, trapped(TrapKind::Interface));
        let endless = with_own("(loop $l (call $end (call $new (i32.const 7))) (br $l)) unreachable");
        // The engine asks the host for each of millions of handles, which takes a while in a build that is not optimised.
        let report = run_with(&endless, Arc::new(numbers(1)), |spec| spec.limits.wall = Duration::from_secs(120)).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    });
}

/// A component inside calls back into the one that calls it, and keeps a handle that it was only lent.
#[test]
fn calling_back_and_keeping_what_was_lent_trap() {
    alone(4, async || {
        let back = r#"(component
          (core module $p (func (export "f"))) (core instance $p (instantiate $p))
          (func $f (canon lift (core func $p "f")))
          (component $c (import "f" (func $f)) (core func $f' (canon lower (func $f)))
            (core module $m (import "" "f" (func $f)) (func (export "go") (call $f)))
            (core instance $i (instantiate $m (with "" (instance (export "f" (func $f'))))))
            (func (export "go") (canon lift (core func $i "go"))))
          (instance $c (instantiate $c (with "f" (func $f))))
          (core func $go (canon lower (func $c "go")))
          (core module $main (import "" "go" (func $go)) (func (export "run") (result i32) (call $go) (i32.const 0)))
          (core instance $i (instantiate $main (with "" (instance (export "go" (func $go))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
        assert_eq!(run(back).await.outcome, trapped(TrapKind::Interface));
        let lent = r#"(component
          (component $a (type $r' (resource (rep i32))) (export $r "r" (type $r'))
            (core func $new (canon resource.new $r'))
            (core module $m (import "" "new" (func $new (param i32) (result i32))) (func (export "make") (result i32) (call $new (i32.const 1))))
            (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
            (func (export "make") (result (own $r)) (canon lift (core func $i "make"))))
          (instance $a (instantiate $a)) (alias export $a "r" (type $r))
          (component $b (import "r" (type $r (sub resource)))
            (core module $m (func (export "keep") (param i32))) (core instance $i (instantiate $m))
            (func (export "keep") (param "x" (borrow $r)) (canon lift (core func $i "keep"))))
          (instance $b (instantiate $b (with "r" (type $r))))
          (core func $make (canon lower (func $a "make"))) (core func $keep (canon lower (func $b "keep")))
          (core module $main (import "" "make" (func $make (result i32))) (import "" "keep" (func $keep (param i32)))
            (func (export "run") (result i32) (call $keep (call $make)) (i32.const 0)))
          (core instance $i (instantiate $main (with "" (instance (export "make" (func $make)) (export "keep" (func $keep))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#;
        assert!(matches!(run(lent).await.outcome, RunOutcome::Trapped { .. }));
    });
}

/// Forty runs in four places whose host never answers: each ends, and every place is free again.
#[test]
fn calls_that_never_return_give_their_places_back() {
    alone(16, async || {
        let config = SandboxConfig { runs_max: 4, ..SandboxConfig::compiling_here() };
        let small = Sandbox::new(&config).unwrap();
        let load = async |wat: &str| small.load(&wat::parse_str(wat).unwrap()).await.unwrap();
        let stuck = load(&data_guest("(call $advance (call $flows) (i32.const 64)) (i32.const 0)")).await;
        let honest = load(&guest("", "(i32.const 5)")).await;
        let runs: Vec<_> = (0..40)
            .map(|number| {
                let (small, mut spec) = (small.clone(), spec(&stuck, json!({})));
                spec.limits.wall = Duration::from_millis(200);
                let cancel = spec.cancel.clone();
                let run =
                    tokio::spawn(async move { small.run(spec, Arc::new(Scripted { hang: true, ..numbers(1) })).await });
                if number % 2 == 0 {
                    cancel.cancel();
                }
                run
            })
            .collect();
        for run in runs {
            let outcome = run.await.unwrap().outcome;
            // Whose time went by before it had a place is told so.
            let is_end =
                matches!(outcome, RunOutcome::Limit(LimitKind::Time) | RunOutcome::Cancelled | RunOutcome::Failed(_));
            assert!(is_end, "{outcome:?}");
        }
        for _ in 0..8 {
            assert_eq!(small.run(spec(&honest, json!({})), Arc::new(NothingGranted)).await.outcome, succeeded("5"));
        }
    });
}
