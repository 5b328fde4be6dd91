//! Guests that want processor, stack or memory: each ends by its own limit, is paid for, and never holds a thread for long.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iog_sandbox::{LimitKind, NothingGranted, RunOutcome, RunReport, Runner as _, Sandbox, SandboxConfig, TrapKind};
use serde_json::json;

use crate::alone::alone;
use crate::support::{guest, run, sandbox, spec};

/// How long one operation may hold its thread, so that a run ends within a second of its time. It is far less; see the figures
/// in docs/reliability.md.
const SLICE_MAX: Duration = Duration::from_secs(1);

fn succeeded(json: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: json.into() }
}

fn trapped(kind: TrapKind) -> RunOutcome {
    RunOutcome::Trapped { kind }
}

#[test]
fn every_kind_of_recursion_ends_on_the_guests_stack() {
    alone(4, async || {
        let indirect = "(type $f (func (result i32))) (table 1 1 funcref) (elem (i32.const 0) $g)
            (func $g (type $f) (i32.add (call_indirect (type $f) (i32.const 0)) (i32.const 1)))";
        assert_eq!(run(&guest(indirect, "(call $g)")).await.outcome, trapped(TrapKind::StackOverflow));
        let params = 256;
        let gets: String = (0..params).map(|n| format!("(local.get {n})")).collect();
        let wide = format!("(func $w (param {}) {gets} (call $w) (unreachable))", "i64 ".repeat(params));
        let zeros = "(i64.const 0)".repeat(params);
        let ended = run(&guest(&wide, &format!("{zeros} (call $w) (i32.const 0)"))).await.outcome;
        assert_eq!(ended, trapped(TrapKind::StackOverflow));
        // A call in the place of the caller takes no stack, and is paid.
        let tail = run(&guest("(func $t (return_call $t))", "(call $t) (i32.const 0)")).await.outcome;
        assert_eq!(tail, RunOutcome::Limit(LimitKind::Fuel));
    });
}

#[test]
fn tables_grow_to_their_limit_and_filling_them_is_paid() {
    alone(4, async || {
        let table = "(table $t 1 funcref)";
        let grow = "(loop $l (br_if $l (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000))))) (table.size $t)";
        assert_eq!(run(&guest(table, grow)).await.outcome, succeeded("19001"));
        let fill = "(drop (table.grow $t (ref.null func) (i32.const 19000)))
            (loop $l (table.fill $t (i32.const 0) (ref.null func) (i32.const 19000)) (br $l)) unreachable";
        let report = run(&guest(table, fill)).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
        let again = "(loop $l (drop (table.grow $t (ref.null func) (i32.const 1000000))) (br $l)) unreachable";
        assert_eq!(run(&guest(table, again)).await.outcome, RunOutcome::Limit(LimitKind::Fuel));
    });
}

#[test]
fn all_pages_that_are_touched_are_within_the_limit() {
    alone(64, async || {
        let touch = "(local $at i32) (loop $g (br_if $g (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (loop $l (i32.store8 (local.get $at) (i32.const 1)) (local.set $at (i32.add (local.get $at) (i32.const 4096)))
              (br_if $l (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))))) (memory.size)";
        let report = with_memory(sandbox(), 64, &guest("", touch)).await;
        assert_eq!(report.outcome, succeeded("1010"));
    });
}

/// Runs a guest with so much memory and the fuel that a manifest asks for by itself.
async fn with_memory(sandbox: &Sandbox, mib: usize, wat: &str) -> RunReport {
    let module = sandbox.load(&wat::parse_str(wat).unwrap()).await.unwrap();
    let mut spec = spec(&module, json!({}));
    spec.limits.memory_bytes = mib << 20;
    spec.limits.fuel = 2_000_000_000;
    sandbox.run(spec, Arc::new(NothingGranted)).await
}

/// One operation may fill all of the largest memory that a gateway gives, and nothing interrupts it.
#[test]
fn no_operation_over_all_of_a_memory_holds_its_thread_for_long() {
    alone(256, async || {
        let config = SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() };
        let large = Sandbox::new(&config).unwrap();
        for (name, operation) in [
            ("fill", "(memory.fill (i32.const 0) (i32.const 7) (i32.const 268435456))"),
            ("copy", "(memory.copy (i32.const 0) (i32.const 134217728) (i32.const 134217728))"),
        ] {
            let wat =
                guest("", &format!("(drop (memory.grow (i32.const 4094))) (loop $l {operation} (br $l)) unreachable"));
            let mut run = pin!(with_memory(&large, 256, &wat));
            let (mut longest, mut second) = (Duration::ZERO, Duration::ZERO);
            let report = poll_fn(|cx| {
                let begun = Instant::now();
                let polled = run.as_mut().poll(cx);
                let took = begun.elapsed();
                second = second.max(took.min(longest));
                longest = longest.max(took);
                polled
            })
            .await;
            eprintln!("memory.{name} of 256 MiB: the longest slice took {longest:?}, the second longest {second:?}");
            assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel), "{name}");
            assert!(longest < SLICE_MAX, "{name}: {longest:?}");
        }
    });
}

#[test]
fn values_that_no_type_has_are_refused_or_made_one() {
    alone(4, async || {
        let named = "(type $e' (enum \"a\" \"b\")) (export $e \"e\" (type $e'))";
        for (types, ty, result, value, ended) in [
            ("", "bool", "i32", "(i32.const 7)", succeeded("true")),
            ("", "u8", "i32", "(i32.const 300)", succeeded("44")),
            ("", "s8", "i32", "(i32.const 255)", succeeded("-1")),
            ("", "char", "i32", "(i32.const 0xd800)", trapped(TrapKind::Interface)),
            ("", "char", "i32", "(i32.const 0x110000)", trapped(TrapKind::Interface)),
            (named, "$e", "i32", "(i32.const 9)", trapped(TrapKind::Interface)),
            ("", "f64", "f64", "(f64.reinterpret_i64 (i64.const 0x7ff0deadbeef0001))", succeeded("\"NaN\"")),
            ("", "f64", "f64", "(f64.const -nan)", succeeded("\"NaN\"")),
            ("", "f64", "f64", "(f64.const -inf)", succeeded("\"-Infinity\"")),
            ("", "f64", "f64", "(f64.const -0)", succeeded("-0.0")),
        ] {
            let wat = format!(
                r#"(component {types} (core module $m (func (export "run") (result {result}) {value}))
                  (core instance $i (instantiate $m))
                  (func (export "run") (result {ty}) (canon lift (core func $i "run"))))"#
            );
            assert_eq!(run(&wat).await.outcome, ended, "{ty} of {value}");
        }
    });
}
