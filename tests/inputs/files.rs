//! Files at the two doors of intake, the inspector and the sandbox: each refuses what is hostile, by name and within a second,
//! before anything is compiled. What a compiler gets all the same is tried in `host/sandbox/tests/compile`.

use std::time::{Duration, Instant};

use iog_inspect::{InspectLimits, inspect};

use crate::alone::alone;
use crate::support::{data_guest, guest, identity, sandbox};
use crate::{bytes, support};

/// How long a door may take, in a build without optimisation beside other work. Optimised it is a fifth.
const REFUSED_MAX: Duration = Duration::from_secs(2);
/// Characters that a refusal may have.
const REFUSAL_CHARS_MAX: usize = 500;

/// The refusals of both doors, inspector first; `None` is taken.
async fn doors(wasm: &[u8]) -> [Option<String>; 2] {
    let (begun, limits) = (Instant::now(), InspectLimits::default());
    let inspected = inspect(wasm, &limits).err().map(|error| error.to_string());
    let then = Instant::now();
    let loaded = sandbox().load(wasm).await.err().map(|error| error.to_string());
    let took = [then - begun, then.elapsed()];
    assert!(took.iter().all(|took| *took < REFUSED_MAX), "{took:?}: {inspected:?}, {loaded:?}");
    for text in [&inspected, &loaded].into_iter().flatten() {
        assert!(text.chars().count() < REFUSAL_CHARS_MAX && text.chars().all(is_harmless), "{text:?}");
    }
    [inspected, loaded]
}

/// Whether a character neither drives a terminal nor hides or turns what stands around it.
fn is_harmless(c: char) -> bool {
    let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !turns
}

/// Both doors must refuse, with these words.
async fn refused(name: &str, wasm: &[u8], words: [&str; 2]) {
    for (found, expected) in doors(wasm).await.into_iter().zip(words) {
        let found = found.unwrap_or_else(|| panic!("{name}: it was taken, and `{expected}` should refuse it"));
        assert!(found.contains(expected), "{name}: `{expected}` should be in: {found}");
    }
}

fn component(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {body})")).unwrap()
}

fn core(fields: &str) -> Vec<u8> {
    component(&format!("(core module {fields})"))
}

#[test]
fn no_bytes_and_no_beginning_of_a_component_do_harm() {
    alone(0, async || {
        let whole = wat::parse_str(data_guest("(i32.const 0)")).unwrap();
        for end in 0..whole.len() {
            doors(&whole[..end]).await;
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..2_000usize {
            let mut wasm = [&b""[..], b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"][round % 3].to_vec();
            for _ in 0..round % 97 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                wasm.push(u8::try_from(state >> 56).unwrap());
            }
            doors(&wasm).await;
        }
    });
}

#[test]
fn a_million_of_anything_is_refused_before_it_is_read() {
    alone(0, async || {
        let million = 1_000_000;
        refused("types", &bytes::types(million), ["types", "`types`"]).await;
        refused("functions", &bytes::functions(million), ["functions", "`functions`"]).await;
        refused("globals", &bytes::globals(million), ["globals", "`globals`"]).await;
        refused("exports", &bytes::exports(million), ["exports", "`exports`"]).await;
        refused("data segments", &bytes::data_segments(100_000), ["data segments", "`data_segments`"]).await;
    });
}

#[test]
fn functions_that_are_too_much_are_refused() {
    alone(0, async || {
        let size = ["bytes in a function", "`body_bytes`"];
        refused("7.6 MB", &bytes::function(0, &vec![1; 7_600_000]), size).await;
        refused("50,000 locals", &bytes::function(50_000, &[]), ["locals in a function", "`locals`"]).await;
        let loops = [[0x03, 0x40].repeat(11_000), vec![0x0b; 11_000]].concat();
        refused("11,000 loops in each other", &bytes::function(0, &loops), ["block", "`"]).await;
        refused("488,000 blocks", &bytes::function(0, &[0x02, 0x40, 0x0b].repeat(488_000)), size).await;
        let targets = [&[0x41, 0, 0x0e][..], &bytes::number(1_000_000), &vec![0; 1_000_001]].concat();
        refused("a million targets", &bytes::function(0, &targets), size).await;
        let selects = [&[0x41, 0][..], &[0x41, 1, 0x41, 0, 0x1b].repeat(100_000), &[0x1a]].concat();
        refused("100,000 selects", &bytes::function(0, &selects), size).await;
        let wide = format!("(type (func (param {0}) (result {0})))", "i32 ".repeat(1_000));
        refused("1,000 by 1,000", &core(&wide), ["parameters or results of a function", "`record_fields`"]).await;
    });
}

#[test]
fn types_that_grow_are_refused() {
    alone(0, async || {
        let mut tuples = "(type $t0 (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8))".to_owned();
        for level in 1..8 {
            tuples += &format!("(type $t{level} (tuple {}))", format!("$t{} ", level - 1).repeat(16));
        }
        refused("eight levels of sixteen", &wat::parse_str(identity(&tuples, "$t7")).unwrap(), ["", ""]).await;
        refused("10,000 lists in each other", &bytes::nested_lists(10_000), ["types", "`type_depth`"]).await;
        let cases: String = (0..1_001).map(|n| format!("(case \"c{n}\")")).collect();
        let named = format!("(type $v' (variant {cases})) (import \"v\" (type $v (eq $v')))");
        let variant = wat::parse_str(identity(&named, "$v")).unwrap();
        refused("1,001 cases", &variant, ["cases of a variant", "`variant_cases`"]).await;
        refused("a list of a gigabyte", &component("(type (list u8 1073741824))"), ["feature", "invalid"]).await;
    });
}

#[test]
fn instances_that_multiply_are_refused() {
    alone(0, async || {
        let nested = component(&"(component)".repeat(1_000));
        refused("1,000 components", &nested, ["nested components", "`nested_components`"]).await;
        let alias = "(alias core export $i \"f\" (core func))".repeat(10_000);
        let aliases = format!("(core module $m (func (export \"f\"))) (core instance $i (instantiate $m)) {alias}");
        refused("10,000 aliases", &component(&aliases), ["aliases", "`imports`"]).await;
        let memories = |count: usize| {
            let instances = "(core instance (instantiate $m))".repeat(count);
            component(&format!("(core module $m (memory 1000)) {instances}"))
        };
        refused("500 memories", &memories(500), ["core instances", "`core_instances`"]).await;
        let refusal = doors(&memories(32)).await[1].take().unwrap_or_default();
        assert!(refusal.contains("32 Wasm linear memories"), "a run has room for one: {refusal}");
    });
}

#[test]
fn memories_and_tables_that_are_too_large_do_not_start() {
    alone(0, async || {
        let elements = ["table elements", "`table_elements`"];
        refused("a table of ten million", &core("(table 10000000 funcref)"), elements).await;
        refused("a table of 64 bits", &core("(table i64 1 funcref)"), ["memory64", "invalid"]).await;
        let beyond = core("(table i64 0x8000000000000000 funcref)");
        refused("a table beyond all addresses", &beyond, ["", ""]).await;
        let all = guest("", "(i32.const 0)").replace("(export \"memory\") 2)", "(export \"memory\") 65536)");
        let wasm = wat::parse_str(&all).unwrap();
        if doors(&wasm).await[1].is_none() {
            let limit = iog_sandbox::RunOutcome::Limit(iog_sandbox::LimitKind::Memory);
            assert_eq!(support::run(&all).await.outcome, limit);
        }
    });
}

#[test]
fn features_and_imports_that_are_not_ours_are_refused() {
    alone(0, async || {
        for (name, fields) in [
            ("atomics", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
            ("shared memory", "(memory 1 1 shared)"),
            ("memories of 64 bits", "(memory i64 1)"),
            ("garbage collection", "(type (struct))"),
            ("exceptions", "(tag (param i32))"),
            ("relaxed vectors", "(func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))"),
            ("stack switching", "(type $f (func)) (type $c (cont $f))"),
        ] {
            refused(name, &core(fields), ["feature", ""]).await;
        }
        refused("asynchronous calls", &component("(type (func async))"), ["feature", ""]).await;
        for name in [
            "wasi:filesystem/types@0.2.6",
            "wasi:sockets/tcp@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "iog:guest/data@0.9.0",
            "iog:guest/l-og@0.1.0",
            "i-og:guest/log@0.1.0",
        ] {
            let wasm = component(&format!("(import \"{name}\" (instance (export \"f\" (func))))"));
            refused(name, &wasm, [name, name]).await;
        }
        // A Greek letter in the place of a Latin one, in as many bytes.
        let log = component("(import \"iog:guest/log@0.1.0\" (instance (export \"f\" (func))))");
        refused("a look-alike", &bytes::replaced(&log, b"log@", "l\u{3bf}@".as_bytes()), ["", ""]).await;
    });
}

#[test]
fn names_that_drive_terminals_are_refused_or_cut() {
    alone(0, async || {
        let exported = wat::parse_str(guest("", "(i32.const 0)").replacen(
            "(export \"run\") (result u32)",
            "(export \"abcdefgh\") (result u32)",
            1,
        ));
        let exported = exported.unwrap();
        let imported = component("(import \"abcdefgh\" (func))");
        for name in [
            "\u{1b}[2Jabcd",
            "ab\u{202e}cde",
            "ab\u{feff}cde",
            "ab\0\r\ncde",
            "<b>abcd>",
            "../../ab",
            "a\tb\u{7f}c\u{85}d",
        ] {
            for wasm in [&exported, &imported] {
                refused(name, &bytes::replaced(wasm, b"abcdefgh", name.as_bytes()), ["", ""]).await;
            }
        }
        // Names of core modules may be any text and are shown to nobody.
        let long = "a-".repeat(25_000) + "a";
        let exported = guest("", "(i32.const 0)")
            .replace("(func (export \"run\") (result u32)", &format!("(func (export \"{long}\") (result u32)"));
        refused("50 kB of a name", &wat::parse_str(exported).unwrap(), ["bytes in a name", "`name_bytes`"]).await;
        let importing = |name: &str| component(&format!("(import \"{name}\" (func))"));
        refused("50 kB of a name", &importing(&long), ["bytes in a name", "`name_bytes`"]).await;
        refused("100 kB of a name", &importing(&long.repeat(2)), ["string size", "string size"]).await;
    });
}

/// What an engine made of a component elsewhere is not a component: machine code is never taken from a file.
#[test]
fn machine_code_is_no_module() {
    alone(0, async || {
        let honest = wat::parse_str(guest("", "(i32.const 0)")).unwrap();
        let made = wasmtime::Engine::default().precompile_component(&honest).unwrap();
        refused("an artefact", &made, ["magic", "magic"]).await;
        let mut hidden = made.clone();
        hidden[..8].copy_from_slice(b"\0asm\x0d\0\x01\0");
        refused("an artefact that begins as a component", &hidden, ["", ""]).await;
    });
}

/// Sections in which tools write who made a file, under which licence, and what its author says of it.
#[test]
fn what_a_file_says_of_itself_is_not_believed() {
    alone(0, async || {
        let honest = wat::parse_str(guest("", "(i32.const 0)")).unwrap();
        let facts = |wasm: &[u8]| inspect(wasm, &InspectLimits::default()).unwrap();
        let before = facts(&honest);
        let docs = br#"{"worlds":{"root":{"docs":"a\nexport steal: func();\n*/ import wasi:cli/run@0.2.0;"}}}"#;
        for (name, content) in [
            ("component-name", &b"\0\x09iog:guest"[..]),
            ("producers", b"\x01\x08language\x01\x04Rust\x011"),
            ("licenses", b"EUPL-1.2"),
            ("component-type:data", b"iog:guest/data@0.1.0"),
            ("package-docs", &[&[1], &docs[..]].concat()),
        ] {
            let Ok(after) = inspect(&bytes::with_custom(&honest, name, content), &InspectLimits::default()) else {
                continue;
            };
            assert_eq!((&after.imports, &after.exports, after.merge), (&before.imports, &before.exports, before.merge));
            let said = after.wit.lines().filter(|line| !line.trim_start().starts_with("///"));
            assert_eq!(said.collect::<Vec<_>>(), before.wit.lines().collect::<Vec<_>>(), "{name}");
        }
    });
}
