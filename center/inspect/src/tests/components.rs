//! What is read from good components, and why others are refused.

use super::build::{around, build, component, guest_wit, text};
use crate::{InspectError, InspectLimits, WitTypeFact, inspect};
use wit_component::StringEncoding;

fn facts(wasm: &[u8]) -> crate::Facts {
    inspect(wasm, &InspectLimits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(wasm: &[u8]) -> InspectError {
    inspect(wasm, &InspectLimits::default()).map(|facts| facts.wit).expect_err("it must be refused")
}

fn prebuilt(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules/prebuilt/");
    std::fs::read(format!("{path}{name}.wasm")).expect("the prebuilt module is there")
}

#[test]
fn the_prebuilt_analyses_are_what_their_sources_say() {
    let hello = facts(&prebuilt("hello"));
    assert_eq!(hello.imports, ["iog:guest/data@0.1.0"]);
    assert_eq!(
        hello.export("packets-to").expect("an export").wit,
        "/// How many of something.\ntype count = u64;\n/// How many packets went to `target`, an address or a prefix.\n\
         packets-to: func(target: string) -> result<count, string>;\n"
    );
    assert!(!hello.merge);
    let traceback = facts(&prebuilt("ip-traceback"));
    assert!(traceback.merge && traceback.imports.iter().all(|import| import.starts_with("iog:guest/")));
    let (trace, merge) = (traceback.export("trace").expect("trace"), traceback.export("merge").expect("merge"));
    assert_eq!(merge.merges(trace), Ok(()));
    assert_eq!(traceback.core.memories, 1);
    assert_eq!(traceback.digest, iog_protocol::ids::Digest::of(&prebuilt("ip-traceback")));
}

#[test]
fn names_types_and_text_are_read_from_the_file() {
    let facts = facts(&component(
        "import iog:guest/log@0.1.0; import iog:guest/context@0.1.0;
         record point { %from: u32, to: option<s64> }
         variant shape { dot(point), none, many(list<point>) }
         enum side { left, right }
         flags bits { a, b }
         export trace: func(target: string, at: option<point>) -> result<shape, string>;
         export other: func(s: side, f: bits, t: tuple<u8, char>) -> list<u8>;
         export nothing: func();",
    ));
    assert_eq!(facts.imports, ["iog:guest/context@0.1.0", "iog:guest/log@0.1.0"]);
    let names: Vec<_> = facts.exports.iter().map(|export| export.name.as_str()).collect();
    assert_eq!(names, ["trace", "other", "nothing"]);
    let trace = facts.export("trace").expect("trace");
    assert_eq!(
        trace.wit,
        "record point {\n    %from: u32,\n    to: option<s64>,\n}\n\
         variant shape {\n    dot(point),\n    none,\n    many(list<point>),\n}\n\
         trace: func(target: string, at: option<point>) -> result<shape, string>;\n"
    );
    let other = facts.export("other").expect("other");
    assert_eq!(other.params[1].1, WitTypeFact::Flags { name: "bits".into(), names: vec!["a".into(), "b".into()] });
    assert!(other.wit.ends_with("other: func(s: side, f: bits, t: tuple<u8, char>) -> list<u8>;\n"), "{}", other.wit);
    assert_eq!(facts.export("nothing").expect("nothing").wit, "nothing: func();\n");
    assert!(facts.wit.contains("export trace: func(target: string"), "{}", facts.wit);
    assert!(facts.wit.contains("import iog:guest/log@0.1.0;"), "{}", facts.wit);
    assert!(!facts.merge);
}

#[test]
fn types_of_the_contract_may_be_used_in_signatures() {
    let facts = facts(&component("use iog:guest/context@0.1.0.{identity}; export who: func() -> identity;"));
    let result = facts.export("who").expect("who").result.clone().expect("a result");
    assert_eq!(result.name(), Some("identity"));
    assert_eq!(facts.imports, ["iog:guest/context@0.1.0"]);
}

#[test]
fn what_is_no_component_is_named() {
    for (bytes, expected) in [
        (text("(module)"), "it is a core module"),
        (b"(component)".to_vec(), "it is WebAssembly text"),
        (b"\n  (module)".to_vec(), "it is WebAssembly text"),
        (b"\0asm\x0e\0\x01\0".to_vec(), "its version or layer is unknown"),
        (b"\x7fELF".to_vec(), "it does not begin with the magic bytes"),
        (Vec::new(), "it does not begin with the magic bytes"),
    ] {
        let error = refused(&bytes);
        assert!(matches!(error, InspectError::NotAComponent(_)));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn imports_of_anything_else_are_refused() {
    let other = "package other:guest@0.1.0; interface data { open: func(); } interface probe { ping: func(); }";
    let guest = |version: &str, name: &str| {
        let dependency = format!("package iog:guest@{version}; interface {name} {{ f: func(); }}");
        let wit = format!("package t:a; world analysis {{ import iog:guest/{name}@{version}; export x: func(); }}");
        build(&wit, &dependency, StringEncoding::UTF8)
    };
    let foreign = |name: &str| {
        let wit = format!("package t:a; world analysis {{ import {name}; export x: func(); }}");
        build(&wit, other, StringEncoding::UTF8)
    };
    for (wasm, name) in [
        (foreign("other:guest/data@0.1.0"), "other:guest/data@0.1.0"),
        (guest("0.1.0", "probe"), "iog:guest/probe@0.1.0"),
        (guest("0.2.0", "data"), "iog:guest/data@0.2.0"),
        (guest("1.1.0", "data"), "iog:guest/data@1.1.0"),
        (guest("0.1.0-rc.1", "data"), "iog:guest/data@0.1.0-rc.1"),
        (component("import helper: func(); export x: func();"), "helper"),
        (component("import i: interface { f: func(); } export x: func();"), "i"),
    ] {
        assert_eq!(refused(&wasm), InspectError::Import { name: name.into() });
    }
    assert_eq!(facts(&guest("0.1.7", "data")).imports, ["iog:guest/data@0.1.7"]);
}

#[test]
fn imports_that_have_no_wit_are_refused() {
    for wat in [
        "(component (import \"m\" (core module)))",
        "(component (import \"c\" (component)))",
        "(component (import \"r\" (type (sub resource))))",
        "(component (import \"iog:guest/data@0.1.0\" (func)))",
    ] {
        let error = refused(&text(wat));
        let named =
            matches!(error, InspectError::Import { .. } | InspectError::Interface(_) | InspectError::Invalid(_));
        assert!(named, "{wat}: {error}");
    }
}

#[test]
fn only_functions_are_exported() {
    let interface = component("export i: interface { f: func(); }");
    assert_eq!(refused(&interface), InspectError::Export { name: "i".into(), what: "the interface" });
    let error = refused(&text("(component (core module $m) (export \"m\" (core module $m)))"));
    assert_eq!(error, InspectError::Export { name: "m".into(), what: "the core module" });
}

#[test]
fn resources_and_async_types_do_not_cross() {
    let handle = component("use iog:guest/data@0.1.0.{rows}; export x: func(r: rows);");
    assert_eq!(refused(&handle), InspectError::Type { function: "x".into(), what: "resource" });
    let hidden = component("use iog:guest/data@0.1.0.{rows}; export x: func() -> list<option<rows>>;");
    assert_eq!(refused(&hidden), InspectError::Type { function: "x".into(), what: "resource" });
    for wat in [
        "(component (type $f (func (param \"a\" (stream u8)))))",
        "(component (type $f (func (param \"a\" (future u8)))))",
        "(component (type $f (func (param \"a\" error-context))))",
        "(component (type $f (func async (param \"a\" u8))))",
        "(component (core func (canon task.cancel)))",
        "(component (type $r (resource (rep i32))) (core func (canon resource.new $r)))",
    ] {
        assert!(matches!(refused(&text(wat)), InspectError::Feature(_)), "{wat}");
    }
}

#[test]
fn features_that_are_off_are_refused_and_named() {
    for (core, expected) in [
        ("(memory i64 1)", "memory64"),
        ("(memory 1 1 shared)", "threads"),
        ("(type (struct))", "gc"),
        ("(type (array i8))", "gc"),
        ("(func (param (ref func)))", "function references"),
        ("(tag)", "exceptions"),
        ("(func (param v128) local.get 0 i32x4.relaxed_trunc_f32x4_s drop)", "relaxed SIMD"),
        ("(memory 1 (pagesize 1))", "custom page sizes"),
        (
            "(func (param i64 i64 i64 i64) (result i64 i64) local.get 0 local.get 1 local.get 2 local.get 3 i64.add128)",
            "wide arithmetic",
        ),
        ("(func (param externref))", "gc"),
    ] {
        let error = refused(&around(core));
        let InspectError::Feature(message) = &error else { panic!("{core}: {error}") };
        assert!(message.contains(expected), "{core}: {message}");
    }
    assert!(matches!(refused(&around("(memory 1) (memory 1)")), InspectError::Limit { what: "memories", .. }));
    for core in [
        "(func (param v128) local.get 0 drop)",
        "(func $f return_call $f)",
        "(memory 1) (func i32.const 0 i32.const 0 i32.const 0 memory.fill)",
        "(func (result i32 i64) i32.const 1 i64.const 1)",
        "(table 2 funcref) (func $f) (elem (i32.const 0) $f)",
    ] {
        facts(&around(core));
    }
}

#[test]
fn strings_are_utf8() {
    for (encoding, name) in [(StringEncoding::UTF16, "UTF-16"), (StringEncoding::CompactUTF16, "Latin-1 or UTF-16")] {
        let wit = "package t:a; world analysis { export x: func(s: string); }";
        assert_eq!(refused(&build(wit, &guest_wit(), encoding)), InspectError::Encoding(name));
    }
}

#[test]
fn invalid_bytes_are_not_a_feature() {
    let error = refused(&around(
        "(func (export \"f\") (result i32)  i32.const 0)"
            .replace("i32.const 0", "i32.const 0 call $g) (func $g (param i64)")
            .as_str(),
    ));
    assert!(matches!(error, InspectError::Invalid(_)), "{error}");
}
