//! What is left of a run for the next one, and of a run that nobody waits for any more: nothing.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use iog_sandbox::{NothingGranted, RunOutcome, Runner as _, Sandbox, SandboxConfig};
use serde_json::json;

use crate::alone::alone;
use crate::support::{Scripted, data_guest, guest, spec};

/// A sandbox with one place, so that every run gets the memory and the table of the one before.
fn narrow() -> Sandbox {
    Sandbox::new(&SandboxConfig { runs_max: 1, ..SandboxConfig::compiling_here() }).unwrap()
}

async fn run(sandbox: &Sandbox, wat: &str) -> RunOutcome {
    let module = sandbox.load(&wat::parse_str(wat).unwrap()).await.unwrap();
    sandbox.run(spec(&module, json!({})), Arc::new(NothingGranted)).await.outcome
}

#[test]
fn a_fresh_memory_is_zero_and_a_fresh_table_empty() {
    alone(8, async || {
        let sandbox = narrow();
        let table = "(table $t 100 funcref) (func $f) (elem declare func $f)";
        let soil = guest(
            table,
            "(drop (memory.grow (i32.const 60))) (memory.fill (i32.const 0) (i32.const 0xaa) (i32.const 4063232))
            (table.fill $t (i32.const 0) (ref.func $f) (i32.const 100)) (memory.size)",
        );
        let look = guest(
            table,
            "(local $at i32) (local $found i32) (drop (memory.grow (i32.const 60)))
            (loop $l (local.set $found (i32.or (local.get $found) (i32.ne (i32.const 0) (i32.wrap_i64
                (i64.or (i64.load (local.get $at)) (i64.shr_u (i64.load (local.get $at)) (i64.const 32)))))))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $l (i32.lt_u (local.get $at) (i32.const 4063232))))
            (local.set $at (i32.const 0))
            (loop $t (local.set $found (i32.or (local.get $found) (i32.eqz (ref.is_null (table.get $t (local.get $at))))))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br_if $t (i32.lt_u (local.get $at) (i32.const 100))))
            (local.get $found)",
        );
        for _ in 0..5 {
            assert_eq!(run(&sandbox, &soil).await, RunOutcome::Succeeded { json: "62".into() });
            assert_eq!(run(&sandbox, &look).await, RunOutcome::Succeeded { json: "0".into() });
        }
    });
}

/// Whoever waits for a run may go away at any moment of it. The one place there is must be free each time.
#[test]
fn a_run_that_is_given_up_at_any_moment_leaves_its_place() {
    alone(8, async || {
        let sandbox = narrow();
        let honest = guest("", "(i32.const 5)");
        let spin = guest("", "(loop $l (br $l)) unreachable");
        let stuck = data_guest("(call $advance (call $flows) (i32.const 64)) (i32.const 0)");
        for (wat, hang) in [(spin, false), (stuck, true)] {
            let module = sandbox.load(&wat::parse_str(&wat).unwrap()).await.unwrap();
            for polls in 0..30 {
                let host = Arc::new(Scripted { hang, ..Scripted::default() });
                let mut running = Box::pin(sandbox.run(spec(&module, json!({})), host));
                let mut polled = 0;
                poll_fn(|cx| {
                    while polled < polls && running.as_mut().poll(cx).is_pending() {
                        polled += 1;
                    }
                    Poll::Ready(())
                })
                .await;
                drop(running);
                assert_eq!(run(&sandbox, &honest).await, RunOutcome::Succeeded { json: "5".into() }, "{polls}");
            }
        }
    });
}
