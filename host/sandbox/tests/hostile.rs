//! Hostile guests and the exact outcome of each: every way to burn, hang, overflow or cheat ends as data.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use iog_sandbox::{
    ColumnInfo, ColumnKind, DataRequest, HostRequest, LimitKind, Limits, NothingGranted, RunOutcome, Runner as _,
    TrapKind,
};
use serde_json::json;
use support::{Scripted, data_guest, guest, load, run, run_with, sandbox, spec, without};

fn succeeded(json: &str) -> RunOutcome {
    RunOutcome::Succeeded { json: json.into() }
}

fn trapped(kind: TrapKind) -> RunOutcome {
    RunOutcome::Trapped { kind }
}

fn numbers(batches: usize, rows: i64) -> Scripted {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(1..=rows))]).unwrap();
    Scripted {
        columns: vec![ColumnInfo { name: "n".into(), kind: ColumnKind::Int }],
        batches: vec![batch; batches],
        ..Scripted::default()
    }
}

#[tokio::test]
async fn a_loop_uses_up_its_fuel_and_no_more() {
    let report = run(&guest("", "(loop $l (br $l)) unreachable")).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    assert_eq!(report.usage.fuel, support::limits().fuel);
}

#[tokio::test]
async fn a_loop_of_free_operators_and_empty_calls_ends() {
    let report = run(&guest("(func $f)", "(loop $l (nop) (call $f) (block) (br $l)) unreachable")).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
}

#[tokio::test]
async fn recursion_overflows_the_guest_stack_only() {
    let direct = run(&guest(
        "(func $f (param i64) (result i64) (i64.add (call $f (local.get 0)) (i64.const 1)))",
        "(i32.wrap_i64 (call $f (i64.const 1)))",
    ))
    .await;
    assert_eq!(direct.outcome, trapped(TrapKind::StackOverflow));
    let mutual = run(&guest(
        "(func $f (result i32) (i32.add (call $g) (i32.const 1))) (func $g (result i32) (i32.add (call $f) (i32.const 1)))",
        "(call $f)",
    )).await;
    assert_eq!(mutual.outcome, trapped(TrapKind::StackOverflow));
}

#[tokio::test]
async fn a_host_call_at_the_deepest_frame_has_its_own_room() {
    let deep = "(func $deep (call $open (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 64)) (call $deep))";
    let wat = data_guest("(call $deep) unreachable").replacen("(func $flows", &format!("{deep} (func $flows"), 1);
    let report = run_with(&wat, Arc::new(numbers(1, 1)), |spec| {
        spec.limits.fuel = u64::MAX >> 1;
        spec.limits.memory_bytes = 64 << 20;
    })
    .await;
    assert_eq!(report.outcome, trapped(TrapKind::StackOverflow));
    assert!(report.usage.host_calls > 1_000, "{}", report.usage.host_calls);
}

#[tokio::test]
async fn memory_stops_at_the_summed_limit_and_growth_is_paid() {
    // Grows by one page until refused, then says how many pages it has.
    let report =
        run(&guest("", "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)")).await;
    assert_eq!(report.outcome, succeeded("64"));
    assert_eq!(report.usage.memory_peak_bytes, 4 << 20);
    assert!(report.usage.fuel >= 62 * 64, "each page costs fuel: {}", report.usage.fuel);
}

#[tokio::test]
async fn growing_and_being_refused_for_ever_runs_out_of_fuel() {
    let report = run(&guest("", "(loop $l (drop (memory.grow (i32.const 1000))) (br $l)) unreachable")).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    assert_eq!(report.usage.memory_peak_bytes, 2 << 16);
}

#[tokio::test]
async fn a_guest_that_gives_up_without_memory_is_out_of_memory() {
    let report =
        run(&guest("", "(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) (i32.const 0)"))
            .await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Memory));
}

#[tokio::test]
async fn a_start_that_needs_too_much_memory_is_refused() {
    let wat = guest("", "(i32.const 0)").replace("(memory (export \"memory\") 2)", "(memory (export \"memory\") 65)");
    assert_eq!(run(&wat).await.outcome, RunOutcome::Limit(LimitKind::Memory));
}

#[tokio::test]
async fn filling_memory_again_and_again_is_paid_by_the_byte() {
    let report =
        run(&guest("", "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 131072)) (br $l)) unreachable"))
            .await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    assert!(report.usage.wall_us < 5_000_000, "{} µs", report.usage.wall_us);
}

#[tokio::test]
async fn every_trap_has_its_kind() {
    let table = "(table 2 2 funcref) (type $t (func (param i32))) (func $f (param i64)) (elem (i32.const 1) $f)";
    let cases = [
        ("", "unreachable", TrapKind::Unreachable),
        ("", "(i32.load (i32.const 200000))", TrapKind::MemoryOutOfBounds),
        (table, "(call_indirect (type $t) (i32.const 1) (i32.const 9)) (i32.const 0)", TrapKind::TableOutOfBounds),
        (table, "(call_indirect (type $t) (i32.const 1) (i32.const 0)) (i32.const 0)", TrapKind::BadIndirectCall),
        (table, "(call_indirect (type $t) (i32.const 1) (i32.const 1)) (i32.const 0)", TrapKind::BadIndirectCall),
        ("", "(i32.div_s (i32.const -2147483648) (i32.const -1))", TrapKind::IntegerOverflow),
        ("", "(i32.div_u (i32.const 1) (i32.const 0))", TrapKind::DivisionByZero),
        ("", "(i32.trunc_f64_s (f64.const nan))", TrapKind::BadConversion),
        ("", "(i32.trunc_f64_s (f64.const 1e300))", TrapKind::IntegerOverflow),
    ];
    for (before, body, kind) in cases {
        assert_eq!(run(&guest(before, body)).await.outcome, trapped(kind), "{body}");
    }
}

#[tokio::test]
async fn a_start_function_that_loops_or_traps_ends_like_any_other_code() {
    let looping = guest("(func $s (loop $l (br $l))) (start $s)", "(i32.const 0)");
    assert_eq!(run(&looping).await.outcome, RunOutcome::Limit(LimitKind::Fuel));
    let trapping = guest("(func $s unreachable) (start $s)", "(i32.const 0)");
    assert_eq!(run(&trapping).await.outcome, trapped(TrapKind::Unreachable));
}

#[tokio::test]
async fn the_deadline_ends_a_run_without_host_calls() {
    let module = load(&guest("", "(loop $l (br $l)) unreachable")).await;
    let mut spec = spec(&module, json!({}));
    spec.limits.fuel = u64::MAX >> 1;
    spec.limits.wall = Duration::from_millis(50);
    let started = Instant::now();
    let report = sandbox().run(spec, Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Time));
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_deadline_ends_a_run_of_nothing_but_host_calls() {
    let report = run_with(
        &data_guest("(loop $l (call $advance (call $flows) (i32.const 64)) (br $l)) unreachable"),
        Arc::new(numbers(1, 1)),
        |spec| {
            spec.limits.fuel = u64::MAX >> 1;
            spec.limits.host_calls = u64::MAX;
            (spec.limits.handles, spec.limits.queries) = (u32::MAX, u32::MAX);
            spec.limits.wall = Duration::from_millis(50);
        },
    )
    .await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Time));
    assert!(report.usage.wall_us < 500_000, "{} µs", report.usage.wall_us);
}

#[tokio::test]
async fn the_deadline_ends_a_run_whose_host_never_answers() {
    let host = Scripted { hang: true, ..numbers(1, 1) };
    let report =
        run_with(&data_guest("(call $advance (call $flows) (i32.const 64)) (i32.const 0)"), Arc::new(host), |spec| {
            spec.limits.wall = Duration::from_millis(50)
        })
        .await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Time));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_a_run_wherever_it_is() {
    for (wat, hang) in [
        (guest("", "(loop $l (br $l)) unreachable"), false),
        (data_guest("(call $advance (call $flows) (i32.const 64)) (i32.const 0)"), true),
        (
            data_guest(
                "(local.set $rows (call $flows)) (loop $l (call $advance (local.get $rows) (i32.const 64)) (br $l)) unreachable",
            ),
            false,
        ),
    ] {
        let module = load(&wat).await;
        let mut spec = spec(&module, json!({}));
        spec.limits.fuel = u64::MAX >> 1;
        spec.limits.host_calls = u64::MAX;
        let cancel = spec.cancel.clone();
        let host = Arc::new(Scripted { hang, endless: true, ..numbers(1, 1) });
        let running = tokio::spawn(async move { sandbox().run(spec, host).await });
        tokio::time::sleep(Duration::from_millis(30)).await;
        cancel.cancel();
        let report = tokio::time::timeout(Duration::from_secs(2), running).await.unwrap().unwrap();
        assert_eq!(report.outcome, RunOutcome::Cancelled);
    }
}

#[tokio::test]
async fn limits_without_end_are_no_overflow() {
    let report = run_with(&guest("", "(i32.const 1)"), Arc::new(NothingGranted), |spec| {
        spec.limits = Limits {
            fuel: u64::MAX,
            values: 250_000,
            memory_bytes: usize::MAX,
            wall: Duration::MAX,
            result_bytes: usize::MAX,
            host_calls: u64::MAX,
            log_bytes: usize::MAX,
            handles: u32::MAX,
            queries: u32::MAX,
        };
    })
    .await;
    assert_eq!(report.outcome, succeeded("1"));
    assert!(report.usage.fuel < 100, "{}", report.usage.fuel);
}

#[tokio::test]
async fn a_run_that_is_already_cancelled_never_starts() {
    let report = run_with(&guest("", "(i32.const 1)"), Arc::new(NothingGranted), |spec| spec.cancel.cancel()).await;
    assert_eq!((report.outcome, report.usage.fuel), (RunOutcome::Cancelled, 0));
}

#[tokio::test]
async fn host_calls_are_counted_and_capped() {
    let wat = data_guest(
        "(local.set $rows (call $flows)) (loop $l (call $advance (local.get $rows) (i32.const 64)) (br $l)) unreachable",
    );
    let report = run_with(&wat, Arc::new(numbers(1, 1)), |spec| spec.limits.host_calls = 500).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::HostCalls));
    assert_eq!(report.usage.host_calls, 500);
}

#[tokio::test]
async fn host_calls_cost_fuel() {
    let wat = data_guest(
        "(local.set $rows (call $flows)) (loop $l (call $advance (local.get $rows) (i32.const 64)) (br $l)) unreachable",
    );
    let report = run_with(&wat, Arc::new(numbers(1, 1)), |spec| spec.limits.fuel = 100_000).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
    assert_eq!(report.usage.fuel, 100_000);
    assert!(report.usage.host_calls < 200, "{}", report.usage.host_calls);
}

#[tokio::test]
async fn rows_and_bytes_cost_fuel() {
    // 1,000 rows: each costs ROW, each value 8 bytes; the sum of the last value of the column comes back.
    let wat = data_guest(
        "(local.set $rows (call $flows)) (call $advance (local.get $rows) (i32.const 64))
         (local.set $n (i32.load (i32.const 68)))
         (call $ints (local.get $rows) (i32.const 0) (i32.const 64))
         (i32.load (i32.add (i32.load (i32.const 68)) (i32.mul (i32.const 8) (i32.sub (local.get $n) (i32.const 1)))))",
    );
    let report = run_with(&wat, Arc::new(numbers(1, 1_000)), |_| ()).await;
    assert_eq!(report.outcome, succeeded("1000"));
    assert_eq!((report.usage.rows, report.usage.bytes, report.usage.host_calls), (1_000, 8_000, 3));
    let charged = 20_000 + 3 * 500 + 1_000 * 8 + 8_000 + 5;
    assert!((charged..charged + 200).contains(&report.usage.fuel), "{}", report.usage.fuel);
    let report = run_with(&wat, Arc::new(numbers(1, 1_000)), |spec| spec.limits.fuel = charged - 100).await;
    assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Fuel));
}

#[tokio::test]
async fn a_large_batch_comes_in_pieces() {
    let wat = data_guest(
        "(local.set $rows (call $flows)) (call $advance (local.get $rows) (i32.const 64))
        (local.set $n (i32.load (i32.const 68))) (call $advance (local.get $rows) (i32.const 64))
        (local.set $sum (i32.load (i32.const 68))) (call $advance (local.get $rows) (i32.const 64))
        (i32.add (i32.load (i32.const 68)) (i32.add (i32.mul (local.get $n) (i32.const 1000)) (local.get $sum)))",
    );
    let report = run_with(&wat, Arc::new(numbers(1, 65_537)), |_| ()).await;
    assert_eq!(report.outcome, succeeded("65536001"));
}

#[tokio::test]
async fn open_queries_are_capped() {
    let wat = data_guest("(loop $l (drop (call $flows)) (br $l)) unreachable");
    let report = run_with(&wat, Arc::new(numbers(1, 1)), |spec| spec.limits.handles = 10).await;
    assert_eq!(report.outcome, trapped(TrapKind::Handles));
    let report = run_with(&wat, Arc::new(numbers(1, 1)), |_| ()).await;
    assert_eq!((report.outcome, report.usage.host_calls), (trapped(TrapKind::Handles), 65));
}

#[tokio::test]
async fn dropped_cursors_are_closed_and_their_place_is_free() {
    let wat = data_guest(
        "(local.set $n (i32.const 30)) (loop $l (call $drop (call $flows))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) (i32.const 5)",
    );
    let host = Arc::new(numbers(1, 1));
    let report = run_with(&wat, host.clone(), |spec| spec.limits.handles = 2).await;
    assert_eq!(report.outcome, succeeded("5"));
    let asked = host.asked.lock().unwrap();
    let closed = asked.iter().filter_map(|r| match r {
        HostRequest::Data(DataRequest::Close { handle }) => Some(*handle),
        _ => None,
    });
    assert_eq!(closed.collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn handle_games_trap() {
    for body in [
        "(local.set $rows (call $flows)) (call $drop (local.get $rows)) (call $advance (local.get $rows) (i32.const 64)) (i32.const 0)",
        "(local.set $rows (call $flows)) (call $drop (local.get $rows)) (call $drop (local.get $rows)) (i32.const 0)",
        "(call $advance (i32.const 77) (i32.const 64)) (i32.const 0)",
        "(call $drop (i32.const -1)) (i32.const 0)",
    ] {
        let report = run_with(&data_guest(body), Arc::new(numbers(1, 1)), |_| ()).await;
        assert_eq!(report.outcome, trapped(TrapKind::Interface), "{body}");
    }
}

#[tokio::test]
async fn bad_pointers_and_text_trap() {
    for body in [
        "(call $open (i32.const 2147483647) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 0)",
        "(call $open (i32.const 16) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 0)",
        "(call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const -4)) (i32.const 0)",
        "(call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 65)) (i32.const 0)",
        "(i32.store8 (i32.const 16) (i32.const 255)) (call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 0)",
        "(i32.store8 (i32.const 256) (i32.const 99)) (call $open (i32.const 16) (i32.const 5) (i32.const 256) (i32.const 1) (i32.const 64)) (i32.const 0)",
    ] {
        let report = run_with(&data_guest(body), Arc::new(numbers(1, 1)), |_| ()).await;
        assert_eq!(report.outcome, trapped(TrapKind::Interface), "{body}");
    }
}

#[tokio::test]
async fn a_realloc_that_lies_loops_or_traps_ends_the_run() {
    let body = "(local.set $rows (call $flows)) (call $advance (local.get $rows) (i32.const 64))
        (call $ints (local.get $rows) (i32.const 0) (i32.const 64)) (i32.const 0)";
    for (lie, outcome) in [
        ("(i32.const -8)", trapped(TrapKind::Interface)),
        ("(i32.const 4097)", trapped(TrapKind::Interface)),
        ("(i32.const 1073741824)", trapped(TrapKind::Interface)),
        ("unreachable", trapped(TrapKind::Unreachable)),
        ("(loop $l (br $l)) unreachable", RunOutcome::Limit(LimitKind::Fuel)),
    ] {
        let wat =
            data_guest(body).replacen("(local.set $at (i32.and", &format!("{lie} return (local.set $at (i32.and"), 1);
        let report = run_with(&wat, Arc::new(numbers(1, 100)), |_| ()).await;
        assert_eq!(report.outcome, outcome, "{lie}");
    }
}

#[tokio::test]
async fn a_column_needs_a_batch_an_index_and_its_kind() {
    // Asks for a column before `advance`, then for one that is not there: both are faults (`bad-column` = 3), no traps.
    let wat = data_guest("(local.set $rows (call $flows)) (call $ints (local.get $rows) (i32.const 0) (i32.const 64))
        (local.set $n (i32.add (i32.mul (i32.load8_u (i32.const 64)) (i32.const 10)) (i32.load8_u (i32.const 68))))
        (call $ints (local.get $rows) (i32.const 9) (i32.const 64))
        (i32.add (i32.mul (local.get $n) (i32.const 100)) (i32.add (i32.mul (i32.load8_u (i32.const 64)) (i32.const 10)) (i32.load8_u (i32.const 68))))");
    assert_eq!(run_with(&wat, Arc::new(numbers(1, 3)), |_| ()).await.outcome, succeeded("1313"));
}

#[tokio::test]
async fn a_host_that_breaks_its_word_is_a_failure_of_ours() {
    let wat =
        data_guest("(local.set $rows (call $flows)) (call $advance (local.get $rows) (i32.const 64)) (i32.const 0)");
    let mut host = numbers(1, 3);
    host.columns[0].kind = ColumnKind::Text;
    let report = run_with(&wat, Arc::new(host), |_| ()).await;
    let RunOutcome::Failed(reason) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(reason.contains("announced as Text"), "{reason}");
}

#[tokio::test]
async fn with_nothing_granted_every_query_is_refused_as_data() {
    // The outer tag is `error`, the fault `not-granted` (0).
    let wat = data_guest(
        "(call $open (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 64))
        (i32.add (i32.mul (i32.load8_u (i32.const 64)) (i32.const 10)) (i32.load8_u (i32.const 68)))",
    );
    assert_eq!(run_with(&wat, Arc::new(NothingGranted), |_| ()).await.outcome, succeeded("10"));
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_named() {
    let wat = data_guest("(i32.const 0)");
    let report = run_with(&wat, Arc::new(NothingGranted), |spec| spec.grants = without("iog:guest/data@0.1.0")).await;
    assert_eq!(report.outcome, RunOutcome::NotGranted { interface: "iog:guest/data@0.1.0".into() });
}

#[tokio::test]
async fn the_caller_is_told_what_it_got_wrong() {
    let module = load(&guest("", "(i32.const 0)")).await;
    let mut unknown = spec(&module, json!({}));
    unknown.entry = "walk".into();
    let report = sandbox().run(unknown, Arc::new(NothingGranted)).await;
    assert_eq!(report.outcome, RunOutcome::UnknownEntry { entry: "walk".into() });
    let report = sandbox().run(spec(&module, json!({"x": 1})), Arc::new(NothingGranted)).await;
    let RunOutcome::BadParams(error) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(error.path, "$.x");
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
    let with = async |len, mib: usize| {
        run_with(&wat(len), Arc::new(NothingGranted), |spec| spec.limits.memory_bytes = mib << 20).await.outcome
    };
    let run = async |len| with(len, 32).await;
    assert!(matches!(run(20_000).await, RunOutcome::Succeeded { .. }));
    assert_eq!(run(40_000).await, RunOutcome::Limit(LimitKind::Output));
    assert_eq!(run(400_000).await, RunOutcome::Limit(LimitKind::Output));
    assert!(matches!(with(20_000, 4).await, RunOutcome::Succeeded { .. }));
    assert_eq!(
        with(400_000, 4).await,
        RunOutcome::Limit(LimitKind::Memory),
        "the memory has no room for as many values"
    );
    assert_eq!(run(2_000_000_000).await, RunOutcome::Trapped { kind: TrapKind::Interface });
}
