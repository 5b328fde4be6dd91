//! Same module, input, data and limits: same result, fuel and trap, in this process and in another; and many runs at
//! once do not disturb each other.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::process::Command;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use iog_sandbox::{ColumnInfo, ColumnKind, RunOutcome, RunReport, Runner as _, Sandbox, SandboxConfig};
use serde_json::json;
use support::{Scripted, data_guest, guest, load, sandbox, spec};

/// Set for the second process: print the reports and end.
const CHILD: &str = "IOG_SANDBOX_TEST_CHILD";

fn host() -> Scripted {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(0..5_000))]).unwrap();
    Scripted {
        columns: vec![ColumnInfo { name: "n".into(), kind: ColumnKind::Int }],
        batches: vec![batch; 3],
        ..Scripted::default()
    }
}

fn guests() -> Vec<String> {
    let sum = "(local.set $rows (call $flows))
        (block $done (loop $batch
          (call $advance (local.get $rows) (i32.const 64))
          (br_if $done (i32.eqz (local.tee $n (i32.load (i32.const 68)))))
          (call $ints (local.get $rows) (i32.const 0) (i32.const 64))
          (loop $row
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (local.set $sum (i32.add (local.get $sum)
              (i32.load (i32.add (i32.load (i32.const 68)) (i32.mul (i32.const 8) (local.get $n))))))
            (br_if $row (local.get $n)))
          (br $batch)))
        (local.get $sum)";
    let nan = guest(
        "",
        "(i32.reinterpret_f32 (f32.add (f32.reinterpret_i32 (i32.const 0x7fa00001)) (f32.div (f32.const 0) (f32.const 0))))",
    );
    vec![
        data_guest(sum),
        data_guest("(loop $l (call $drop (call $flows)) (br $l)) unreachable"),
        guest("(func $f (result i32) (i32.add (call $f) (i32.const 1)))", "(call $f)"),
        guest("", "(loop $l (br $l)) unreachable"),
        guest("", "(i32.div_u (i32.const 1) (i32.const 0))"),
        nan,
        guest("", "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"),
    ]
}

fn shown(mut report: RunReport) -> String {
    report.usage.wall_us = 0;
    format!("{report:?}")
}

async fn reports() -> Vec<String> {
    let mut all = Vec::new();
    for wat in guests() {
        let module = load(&wat).await;
        all.push(shown(sandbox().run(spec(&module, json!({})), Arc::new(host())).await));
    }
    all
}

#[tokio::test]
async fn the_same_run_gives_the_same_report_again() {
    let first = reports().await;
    assert_eq!(first, reports().await);
    assert!(first[0].contains("json: \"37492500\""), "{}", first[0]);
    assert!(first[0].contains("rows: 15000, bytes: 120000"), "{}", first[0]);
    assert!(first[5].contains("json: \"2143289344\""), "a NaN is canonical: {}", first[5]);
}

#[tokio::test]
async fn another_process_gives_the_same_reports() {
    let own = reports().await.join("\n");
    if std::env::var_os(CHILD).is_some() {
        println!("<<<{own}>>>");
        return;
    }
    assert_eq!(child(Command::new(std::env::current_exe().unwrap())), own);
}

/// What this test binary, started by `command`, prints in [`another_process_gives_the_same_reports`].
fn child(mut command: Command) -> String {
    let test = ["--exact", "another_process_gives_the_same_reports", "--nocapture"];
    let output = command.args(test).env(CHILD, "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let printed = text.split_once("<<<").and_then(|(_, t)| t.split_once(">>>")).map(|(t, _)| t.to_owned());
    printed.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_short_address_space_changes_the_allocator_and_nothing_else() {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 8000000 && exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    assert_eq!(child(limited), reports().await.join("\n"));
}

#[tokio::test]
async fn a_pool_makes_no_difference() {
    let plain = Sandbox::new(&SandboxConfig { pooled: false, ..SandboxConfig::compiling_here() }).unwrap();
    assert!(!plain.engine_info().pooled);
    for (wat, expected) in guests().iter().zip(reports().await) {
        let module = plain.load(&wat::parse_str(wat).unwrap()).await.unwrap();
        assert_eq!(shown(plain.run(spec(&module, json!({})), Arc::new(host())).await), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_runs_at_once_are_two_hundred_runs() {
    let mut running = Vec::new();
    let honest = load(&guests()[0]).await;
    let hostile = load(&guests()[3]).await;
    for i in 0..200 {
        let (module, expect) = if i % 4 == 3 { (hostile.clone(), false) } else { (honest.clone(), true) };
        running.push((
            expect,
            tokio::spawn(async move {
                let mut spec = spec(&module, json!({}));
                spec.limits.fuel = 5_000_000;
                sandbox().run(spec, Arc::new(host())).await
            }),
        ));
    }
    let mut fuel = Vec::new();
    for (honest, run) in running {
        let report = run.await.unwrap();
        if honest {
            assert_eq!(report.outcome, RunOutcome::Succeeded { json: "37492500".into() });
            fuel.push(report.usage.fuel);
        } else {
            assert_eq!(report.usage.fuel, 5_000_000);
        }
    }
    assert!(fuel.windows(2).all(|w| w[0] == w[1]), "every honest run costs the same");
}

#[tokio::test]
async fn a_run_leaves_nothing_for_the_next() {
    // Counts up a global and a byte of memory: both are fresh in each run.
    let wat = guest(
        "(global $g (mut i32) (i32.const 0))",
        "(global.set $g (i32.add (global.get $g) (i32.const 1)))
         (i32.store8 (i32.const 100) (i32.add (i32.load8_u (i32.const 100)) (i32.const 1)))
         (i32.add (i32.mul (global.get $g) (i32.const 10)) (i32.load8_u (i32.const 100)))",
    );
    let module = load(&wat).await;
    for _ in 0..50 {
        let report = sandbox().run(spec(&module, json!({})), Arc::new(host())).await;
        assert_eq!(report.outcome, RunOutcome::Succeeded { json: "11".into() });
    }
}

#[test]
fn the_cost_table_is_the_one_of_this_version() {
    // Changes with every cost and with the engine: receipts of before and after are then not comparable.
    let hex: String = sandbox().engine_info().cost_table_sha256.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, "a45e298bec0c984713813eeaf6945610cca6506993cb877610b2cda8eb711769");
    assert_eq!(sandbox().engine_info().version, "48.0.8");
}
