//! Parameters made to take much: a short text of JSON that the types of a module blow up. The allocator of this test counts,
//! so that it is held to what is taken and not only to the error.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use iog_sandbox::{Blame, NothingGranted, RunOutcome, RunReport, Runner as _, TooLarge, TooMuchOf};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use support::{MEMORY, load, sandbox, spec};

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

/// Runs it and gives the bytes that it took at its peak beside what was there before.
async fn measured(wat: &str, params: Value, memory_mib: usize) -> (RunReport, usize) {
    let module = load(wat).await;
    let mut spec = spec(&module, params);
    spec.limits.memory_bytes = memory_mib << 20;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let started = Instant::now();
    let report = sandbox().run(spec, Arc::new(NothingGranted)).await;
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    let (kib, ms) = (peak >> 10, started.elapsed().as_millis());
    eprintln!("{:?}: {kib} KiB, {ms} ms, fuel {}", report.outcome, report.usage.fuel);
    (report, peak)
}

fn too_large(blame: Blame, of: TooMuchOf, max: u64) -> RunOutcome {
    RunOutcome::ParamsTooLarge(TooLarge { blame, of, max })
}

/// All in one, since there is one allocator.
#[tokio::test]
async fn parameters_take_no_more_than_the_runs_memory() {
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
