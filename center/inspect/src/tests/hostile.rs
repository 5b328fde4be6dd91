//! Files meant to cost much: each is refused early, named, and never breaks the inspector.

use super::build::{around, component, text};
use crate::limits::{self, InspectLimits};
use crate::{InspectError, inspect};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// The limit that is hit, and that it is hit soon.
fn limit(wasm: &[u8]) -> &'static str {
    let start = Instant::now();
    let result = inspect(wasm, &InspectLimits::default());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    match result {
        Err(InspectError::Limit { what, found, max }) => {
            assert!(found > max, "{what}: {found} of {max}");
            what
        }
        other => panic!("{:?}", other.map(|facts| facts.core)),
    }
}

fn repeat(count: u64, mut item: impl FnMut(u64) -> String) -> String {
    (0..count).map(&mut item).collect()
}

fn times(item: &str, count: u64) -> String {
    repeat(count, |_| item.to_owned())
}

fn sample() -> Vec<u8> {
    component(
        "import iog:guest/data@0.1.0; record r { a: u32, b: list<string> } variant v { x(r), y }
         export trace: func(t: string, o: option<v>) -> result<r, string>;",
    )
}

#[test]
fn core_limits_are_hit_one_above_them() {
    let nested = |depth: u64| format!("(func {} {})", times("block ", depth), times("end ", depth));
    let branches = |count: u64| format!("(func block i32.const 0 br_table {} end)", times("0 ", count));
    let passed = |values: u64, calls: u64| {
        format!("(func $g (result {})) (func {})", times("i64 ", values), times("(call $g) ", calls))
    };
    let blocks =
        |count: u64, locals: u64| format!("(func (local {}) {})", times("i32 ", locals), times("block end ", count));
    let cases: [(&str, String); 18] = [
        ("blocks in a function", blocks(limits::BLOCKS_MAX + 1, 0)),
        ("variables times blocks in a function", blocks(limits::BLOCK_VARIABLES_MAX / 2_000 + 1, 2_000)),
        ("values passed in a function", passed(256, limits::PASSED_VALUES_MAX / 256 + 1)),
        (
            "values passed in all functions",
            format!("{} {}", passed(256, 1_000), times(&format!("(func {})", times("(call $g) ", 1_000)), 32)),
        ),
        ("parameters or results of a function", format!("(func (result {}) unreachable)", times("i64 ", 257))),
        ("functions", times("(func)", limits::FUNCTIONS_MAX + 1)),
        ("locals in a function", format!("(func (local {}))", "i32 i64 ".repeat(1_001))),
        ("nested blocks", nested(limits::CONTROL_DEPTH_MAX + 1)),
        ("targets of a br_table", branches(limits::BR_TABLE_TARGETS_MAX + 2)),
        ("bytes in a function", format!("(func {})", times("nop ", limits::BODY_BYTES_MAX + 1))),
        ("types", repeat(limits::TYPES_MAX + 1, |_| "(type (func))".into())),
        ("globals", times("(global i32 (i32.const 0))", limits::GLOBALS_MAX + 1)),
        ("data segments", times("(data \"\")", limits::DATA_SEGMENTS_MAX + 1)),
        ("element segments", times("(elem funcref)", limits::ELEMENT_SEGMENTS_MAX + 1)),
        (
            "exports",
            format!("(func $f) {}", repeat(limits::EXPORTS_MAX + 1, |i| format!("(export \"{i}\" (func $f))"))),
        ),
        ("imports", repeat(limits::IMPORTS_MAX + 1, |i| format!("(import \"m\" \"{i}\" (func))"))),
        ("tables", times("(table 1 funcref)", limits::TABLES_MAX + 1)),
        ("table elements", "(table 10001 funcref) (table 10000 funcref)".to_owned()),
    ];
    for (what, core) in cases {
        assert_eq!(limit(&around(&core)), what);
    }
    for core in [nested(limits::CONTROL_DEPTH_MAX), branches(limits::BR_TABLE_TARGETS_MAX)] {
        inspect(&around(&core), &InspectLimits::default()).expect("at the limit it is fine");
    }
}

#[test]
fn component_limits_are_hit_one_above_them() {
    let component = |body: String| text(&format!("(component {body})"));
    assert_eq!(limit(&component("(core module)".repeat(17))), "core modules");
    assert_eq!(limit(&component("(component)".repeat(17))), "nested components");
    let instances = format!("(core module $m) {}", "(core instance (instantiate $m))".repeat(33));
    assert_eq!(limit(&component(instances)), "core instances");
    let custom = format!("(@custom \"x\" \"{}\")", times("y", limits::CUSTOM_BYTES_MAX));
    assert_eq!(limit(&component(custom)), "bytes of custom sections");
    inspect(&component("(core module)".repeat(16)), &InspectLimits::default()).expect("at the limit it is fine");
}

#[test]
fn the_file_itself_is_measured_first() {
    let wasm = vec![0; usize::try_from(limits::COMPONENT_BYTES_MAX).expect("a size") + 1];
    assert_eq!(limit(&wasm), "bytes");
}

#[test]
fn a_hundred_thousand_exports_are_not_read() {
    let core = format!("(func $f) {}", repeat(100_000, |i| format!("(export \"{i}\" (func $f))")));
    assert_eq!(limit(&around(&core)), "exports");
    let functions = repeat(100_000, |i| format!("(export \"f{i}\" (func $f))"));
    let lift = "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i \"f\")))";
    assert_eq!(limit(&text(&format!("(component {lift} {functions})"))), "exports");
}

#[test]
fn type_bombs_are_defused() {
    // Sixteen levels of a tuple of sixteen: 16^16 nodes when written out.
    let bomb = |levels: u64, width: usize| {
        let mut wat = String::from("(type $t0 u8)");
        for level in 1..=levels {
            let items = format!(" $t{}", level - 1).repeat(width);
            wat += &format!("(type $t{level} (tuple{items}))");
        }
        text(&format!(
            "(component {wat} (core module $m (memory (export \"m\") 1) (func (export \"f\") (param i32))
               (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable))
             (core instance $i (instantiate $m))
             (func $f (param \"a\" $t{levels})
               (canon lift (core func $i \"f\") (memory (core memory $i \"m\")) (realloc (core func $i \"r\"))))
             (export \"f\" (func $f)))"
        ))
    };
    let error = |wasm: &[u8]| inspect(wasm, &InspectLimits::default()).map(|facts| facts.wit).expect_err("a bomb");
    assert!(matches!(error(&bomb(10, 16)), InspectError::Invalid(_) | InspectError::Limit { .. }));
    assert_eq!(limit(&bomb(3, 20)), "nodes in the types of a function");
    assert_eq!(limit(&bomb(1, 257)), "elements of a tuple");
    let deep = bomb(17, 1);
    let what = limit(&deep);
    assert!(what.starts_with("levels of a type"), "{what}");
}

/// The engine compiles every type there is. A component that it refuses at every gateway must not get as far as a review.
#[test]
fn types_that_no_function_uses_are_bounded_as_well() {
    let cases = repeat(257, |i| format!("c{i}, "));
    let fields = repeat(257, |i| format!("field{i}: u8, "));
    let chain = |levels: u64| {
        let next = repeat(levels, |i| format!("record r{} {{ inner: r{i} }} ", i + 1));
        format!("record r0 {{ inner: u8 }} {next} export x: func();")
    };
    for (body, what) in [
        (format!("enum e {{ {cases} }} export x: func();"), "cases of an enum"),
        (format!("variant v {{ {cases} }} export x: func();"), "cases of a variant"),
        (format!("record r {{ {fields} }} export x: func();"), "fields of a record"),
        (chain(16), "levels of a type"),
    ] {
        assert_eq!(limit(&component(&body)), what);
    }
    assert!(inspect(&component(&chain(10)), &InspectLimits::default()).is_ok());
}

#[test]
fn wide_and_deep_types_are_refused() {
    let record = repeat(257, |i| format!("field{i}: u8, "));
    let cases = repeat(257, |i| format!("c{i}, "));
    for (body, what) in [
        (format!("record r {{ {record} }} export x: func(r: list<r>);"), "fields of a record"),
        (format!("variant v {{ {cases} }} export x: func(v: v);"), "cases of a variant"),
        (format!("enum e {{ {cases} }} export x: func(v: e);"), "cases of an enum"),
        (format!("export x: func(v: {}u8{});", "list<".repeat(17), ">".repeat(17)), "levels of a type"),
        (format!("export x: func(v: {}u8{});", "option<".repeat(60), ">".repeat(60)), "levels of a type"),
    ] {
        assert_eq!(limit(&component(&body)), what);
    }
    let flags = repeat(33, |i| format!("flag{i}, "));
    let wat = format!("flags f {{ {flags} }} export x: func(v: f);");
    let error = std::panic::catch_unwind(|| component(&wat)).map(|wasm| limit(&wasm));
    assert!(error.is_err() || error.is_ok_and(|what| what == "names of a flags type"));
}

#[test]
fn towers_of_nested_types_do_not_exhaust_the_stack() {
    for opener in [[0x41, 1, 1], [0x42, 1, 1]] {
        let mut section = vec![1];
        for _ in 0..200_000 {
            section.extend(opener);
        }
        let mut wasm = b"\0asm\x0d\0\x01\0\x07".to_vec();
        let mut size = section.len();
        while size >= 0x80 {
            wasm.push(u8::try_from(size & 0x7f).expect("seven bits") | 0x80);
            size >>= 7;
        }
        wasm.push(u8::try_from(size).expect("seven bits"));
        wasm.extend(section);
        assert_eq!(limit(&wasm), "types inside types");
    }
}

/// Fourteen components, each with sixteen instances of the one before: 16 to the power of 14, which nobody may count out.
#[test]
fn instances_that_multiply_are_not_multiplied_here() {
    let level = |level: u64| {
        let instances = times(&format!("(instance (instantiate $c{}))", level - 1), 16);
        format!("(component $c{level} {instances})")
    };
    let levels: String = (1..=14).map(level).collect();
    let wasm = text(&format!("(component (component $c0 (core module $m) (core instance (instantiate $m))) {levels})"));
    let start = Instant::now();
    let _ = inspect(&wasm, &InspectLimits::default());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn no_beginning_of_a_component_panics() {
    let wasm = sample();
    let whole = inspect(&wasm, &InspectLimits::default()).expect("the whole is fine");
    for end in 0..wasm.len() {
        let result = inspect(&wasm[..end], &InspectLimits::default());
        // A cut between sections can leave a component, which has lost its exports or only the names at its end.
        if let Ok(facts) = result {
            assert!(facts.exports.is_empty() || facts.exports == whole.exports, "cut at {end}");
            assert_ne!(facts.digest, whole.digest);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_changed_byte_panics(pick in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut wasm = sample();
        let at = pick.index(wasm.len());
        wasm[at] = value;
        let _ = inspect(&wasm, &InspectLimits::default());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), component in any::<bool>()) {
        let mut wasm = if component { b"\0asm\x0d\0\x01\0".to_vec() } else { Vec::new() };
        wasm.extend(bytes);
        let _ = inspect(&wasm, &InspectLimits::default());
    }
}
