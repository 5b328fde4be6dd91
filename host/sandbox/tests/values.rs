//! Values made to take much on the host: parameters, a short text of JSON that the types of a module blow up; and results and
//! arguments of host calls, a few bytes of guest memory whose types do the same. The allocator of this test counts, so that it
//! is held to what is taken and not only to the error.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use iog_sandbox::{
    Blame, HostPort, LimitKind, NothingGranted, Params, RunOutcome, RunReport, RunSpec, Runner as _, TooLarge,
    TooMuchOf,
};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use support::{MEMORY, Scripted, data_guest, load, sandbox, spec};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory of the runs here, in MiB.
const MEMORY_MIB: usize = 256;

/// A component whose `run` takes a list of records of 256 options with long names, as an outside audit wrote it.
fn records(name_bytes: usize) -> String {
    let mut fields = String::new();
    for n in 0..256 {
        write!(fields, "(field \"f{n:03}{}\" $o)", "x".repeat(name_bytes - 4)).unwrap();
    }
    taking(
        &format!("(type $o (option bool)) (type $r' (record {fields})) (import \"r\" (type $r (eq $r')))"),
        "(list $r)",
    )
}

/// A component whose `run` takes `ty` and does nothing.
fn taking(types: &str, ty: &str) -> String {
    format!(
        r#"(component {types} {MEMORY}
          (core module $main (func (export "run") (param i32 i32)))
          (core instance $i (instantiate $main))
          (func (export "run") (param "p" {ty})
            (canon lift (core func $i "run") (memory (core memory $m "memory")) (realloc (core func $m "realloc")))))"#
    )
}

/// One test at a time: there is one allocator.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Runs it and gives the bytes that it took at its peak beside what was there before.
async fn measured(wat: &str, params: Value, memory_mib: usize) -> (RunReport, usize) {
    measured_with(wat, params, Arc::new(NothingGranted), |spec| spec.limits.memory_bytes = memory_mib << 20).await
}

async fn measured_with(
    wat: &str,
    params: Value,
    host: Arc<dyn HostPort>,
    change: impl FnOnce(&mut RunSpec),
) -> (RunReport, usize) {
    let module = load(wat).await;
    let mut spec = spec(&module, params);
    change(&mut spec);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let started = Instant::now();
    let report = sandbox().run(spec, host).await;
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    let (kib, ms) = (peak >> 10, started.elapsed().as_millis());
    let ended: String = format!("{:?}", report.outcome).chars().take(80).collect();
    eprintln!("{ended}: {kib} KiB, {ms} ms, fuel {}", report.usage.fuel);
    (report, peak)
}

fn too_large(blame: Blame, of: TooMuchOf, max: u64) -> RunOutcome {
    RunOutcome::ParamsTooLarge(TooLarge { blame, of, max })
}

#[tokio::test]
async fn parameters_take_no_more_than_the_runs_memory() {
    let _alone = ALONE.lock().await;
    let empties = json!({ "p": vec![json!({}); 40_000] });
    for name_bytes in [60, 1_000] {
        let (report, peak) = measured(&records(name_bytes), empties.clone(), MEMORY_MIB).await;
        let by_count = too_large(Blame::Module, TooMuchOf::Values, 250_000);
        let by_bytes = too_large(Blame::Module, TooMuchOf::Bytes, (MEMORY_MIB as u64) << 20);
        assert!(report.outcome == by_count || report.outcome == by_bytes, "{:?}", report.outcome);
        assert!(peak < MEMORY_MIB << 20, "{name_bytes}: {peak} bytes");
        assert!(report.usage.wall_us < 2_000_000, "{} µs", report.usage.wall_us);
    }

    // In a small run the bytes end it, long before the count does.
    let (report, peak) = measured(&records(60), empties, 4).await;
    assert_eq!(report.outcome, too_large(Blame::Module, TooMuchOf::Bytes, 4 << 20));
    assert!(peak < 4 << 20, "{peak} bytes");

    // What the caller wrote is the caller's: as many values as a request can hold, and a long text.
    let numbers = taking("", "(list u8)");
    let (report, peak) = measured(&numbers, json!({ "p": "AAAA".repeat(100_000) }), MEMORY_MIB).await;
    assert_eq!(report.outcome, too_large(Blame::Caller, TooMuchOf::Values, 250_000));
    assert!(peak < 1 << 20, "refused before it is made: {peak} bytes");
    let (report, peak) = measured(&numbers, json!({ "p": "AAAA".repeat(40_000) }), 2).await;
    assert_eq!(report.outcome, too_large(Blame::Caller, TooMuchOf::Bytes, 2 << 20));
    assert!(peak < 1 << 20, "{peak} bytes");

    // What fits is charged: values and guest share the memory, and no more was taken than was charged.
    let (report, peak) = measured(&numbers, json!({ "p": "AAAA".repeat(30_000) }), 16).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded { json: "null".into() });
    let charged = usize::try_from(report.usage.memory_peak_bytes).unwrap();
    assert!(charged > 90_000 * 40 && charged < 16 << 20, "{charged}");
    assert!(peak < charged + (1 << 20), "{peak} bytes were taken, {charged} were charged");
}

/// The heaviest JSON for its length, as a request brings it: the text is weighed before it is read.
#[tokio::test]
async fn parameters_that_come_as_text_are_charged_before_they_are_read() {
    let _alone = ALONE.lock().await;
    let list = |count: usize| format!("{{\"p\":[{}{{\"\":{{}}}}]}}", "{\"\":{}},".repeat(count));
    let objects = list(24_000);
    let measured = async |wat: &str, text: &str, mib: usize| {
        measured_with(wat, json!({}), Arc::new(NothingGranted), |spec| {
            (spec.params, spec.limits.memory_bytes) = (Params::Text(text.into()), mib << 20);
        })
        .await
    };
    let numbers = taking("", "(list u16)");
    let (report, peak) = measured(&numbers, &objects, 8).await;
    assert_eq!(report.outcome, too_large(Blame::Caller, TooMuchOf::Bytes, 8 << 20));
    assert!(peak < 1 << 20, "refused before it is read: {peak} bytes");
    let (report, peak) = measured(&numbers, &objects, 64).await;
    assert!(matches!(report.outcome, RunOutcome::BadParams(_)), "{:?}", report.outcome);
    assert!(peak > 8 << 20 && peak < 64 << 20, "{peak} bytes");

    // What fits is charged while it is there, and no longer.
    let ninety_thousand = format!("{{\"p\":[{}1]}}", "1,".repeat(90_000));
    let (report, peak) = measured(&numbers, &ninety_thousand, 64).await;
    assert_eq!(report.outcome, RunOutcome::Succeeded { json: "null".into() });
    assert!(peak < 64 << 20, "{peak} bytes");
    let charged = usize::try_from(report.usage.memory_peak_bytes).unwrap();
    assert!(charged < 90_000 * 48 + (1 << 20), "{charged} bytes are held beside the guest");
    let (report, _) = measured(&numbers, "{\"p\":[1", 64).await;
    assert!(matches!(report.outcome, RunOutcome::BadParams(_)), "{:?}", report.outcome);
}

/// Types whose values take far more on the host than in a guest, with the bytes of one in its memory and what to fill them with.
fn heavy_types() -> Vec<(&'static str, String, &'static str, usize, u8)> {
    let letters: Vec<String> = ('a'..='z').map(String::from).chain((0..6).map(|n| format!("z{n}"))).collect();
    let quoted: String = letters.iter().map(|name| format!("\"{name}\" ")).collect();
    let named = |ty: String| format!("(type $t' {ty}) (export $t \"t\" (type $t'))");
    let fields: String = letters.iter().map(|name| format!("(field \"{name}\" bool)")).collect();
    vec![
        ("flags", named(format!("(flags {quoted})")), "$t", 4, 0xff),
        ("record", named(format!("(record {fields})")), "$t", 32, 1),
        ("narrow record", named("(record (field \"a\" u8))".into()), "$t", 1, 1),
        ("enum", named(format!("(enum {quoted})")), "$t", 1, 0),
        ("variant", named("(variant (case \"a\" u8))".into()), "$t", 2, 0),
        ("options", String::new(), "(option (option (option u8)))", 4, 1),
        ("tuple", String::new(), "(tuple u8)", 1, 1),
        ("results", String::new(), "(result (result u8))", 3, 0),
    ]
}

/// Values of each of the lists that a guest here gives.
const A_LIST: usize = 100;

/// A component whose `run` gives so many lists, which are all the same bytes of its memory: what they take on the host is
/// charged one after the other, not at once.
fn giving(types: &str, ty: &str, lists: usize, (bytes, byte): (usize, u8)) -> String {
    let (values, all) = (64 + lists * 8, bytes * A_LIST);
    let pages = (values + all).div_ceil(65_536);
    format!(
        r#"(component (core module $main (memory (export "memory") {pages})
            (func (export "run") (result i32) (local $at i32)
              (memory.fill (i32.const {values}) (i32.const {byte}) (i32.const {all}))
              (local.set $at (i32.const 64))
              (loop $l
                (i32.store (local.get $at) (i32.const {values})) (i32.store offset=4 (local.get $at) (i32.const {A_LIST}))
                (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const {values}))))
              (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {lists})) (i32.const 0)))
          (core instance $i (instantiate $main))
          {types}
          (func (export "run") (result (list (list {ty})))
            (canon lift (core func $i "run") (memory (core memory $i "memory")))))"#
    )
}

/// With the largest result that a manifest may ask for, and a run's memory by default: what is given would take up to 1.8 GB.
#[tokio::test]
async fn results_take_no_more_than_the_runs_memory() {
    let _alone = ALONE.lock().await;
    const MEMORY: usize = 64 << 20;
    let allow = |spec: &mut RunSpec| (spec.limits.memory_bytes, spec.limits.result_bytes) = (MEMORY, 1 << 20);
    for (name, types, ty, bytes, byte) in heavy_types() {
        eprint!("{name}: ");
        let many = giving(&types, ty, 10_000, (bytes, byte));
        let (report, peak) = measured_with(&many, json!({}), Arc::new(NothingGranted), allow).await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Memory), "{name}");
        let guest = usize::try_from(report.usage.memory_peak_bytes).unwrap();
        assert!(peak + guest < MEMORY + (1 << 20), "{name}: {peak} bytes beside {guest} of the guest");
        assert!(peak > 1 << 20, "{name}: it was not refused before it began, {peak} bytes");
        assert!(report.usage.wall_us < 5_000_000, "{name}: {} µs", report.usage.wall_us);
        // What an honest module would give fits as ever.
        let few = giving(&types, ty, 20, (bytes, byte));
        let (report, _) = measured_with(&few, json!({}), Arc::new(NothingGranted), allow).await;
        assert!(matches!(report.outcome, RunOutcome::Succeeded { .. }), "{name}: {:?}", report.outcome);
    }
}

/// A guest that filled its memory has the room of a small result left, not of a large one.
#[tokio::test]
async fn results_share_the_memory_with_the_guest() {
    let _alone = ALONE.lock().await;
    let allow = |spec: &mut RunSpec| {
        (spec.limits.memory_bytes, spec.limits.result_bytes, spec.limits.fuel) = (32 << 20, 1 << 20, 1 << 30);
    };
    for (lists, fits) in [(50, true), (2_000, false)] {
        let small = giving("", "u32", lists, (4, 0));
        let wat = small.replacen("(memory.fill", "(drop (memory.grow (i32.const 490))) (memory.fill", 1);
        let (report, peak) = measured_with(&wat, json!({}), Arc::new(NothingGranted), allow).await;
        assert_eq!(matches!(report.outcome, RunOutcome::Succeeded { .. }), fits, "{lists}: {:?}", report.outcome);
        assert!(fits || report.outcome == RunOutcome::Limit(LimitKind::Memory), "{:?}", report.outcome);
        assert!(peak < 2 << 20, "{lists}: {peak} bytes where hardly any were left");
    }
}

/// A million texts of one byte as the parameters of a query: the host is never asked.
#[tokio::test]
async fn arguments_of_host_calls_take_no_more_than_the_runs_memory() {
    let _alone = ALONE.lock().await;
    let passed = data_guest(
        "(drop (memory.grow (i32.const 250)))
        (loop $l
          (i64.store (i32.add (i32.const 65544) (i32.shl (local.get $n) (i32.const 4))) (i64.const 0x100000010))
          (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))
        (call $open (i32.const 16) (i32.const 5) (i32.const 65536) (i32.const 1000000) (i32.const 64)) (i32.const 0)",
    );
    for (memory_mib, result_kib) in [(24, 1_024), (64, 1_024)] {
        let host = Arc::new(Scripted::default());
        let (report, peak) = measured_with(&passed, json!({}), host.clone(), |spec| {
            (spec.limits.memory_bytes, spec.limits.result_bytes) = (memory_mib << 20, result_kib << 10);
        })
        .await;
        assert_eq!(report.outcome, RunOutcome::Limit(LimitKind::Memory));
        let guest = usize::try_from(report.usage.memory_peak_bytes).unwrap();
        assert!(peak + guest < (memory_mib + 1) << 20, "{peak} bytes beside {guest} of the guest");
        assert!(host.asked.lock().unwrap().is_empty(), "the host was not asked");
    }
}
