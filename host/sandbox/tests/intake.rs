//! What is refused before it runs: bytes that are not a component, structures that are too large, features that are off,
//! imports and types that do not exist here. And the compile cache.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use iog_sandbox::{CompileLimit, LoadError, Sandbox, SandboxConfig, SandboxError, StructureLimits};
use support::{guest, sandbox};

async fn refused(wat: &str) -> LoadError {
    sandbox().load(&wat::parse_str(wat).unwrap()).await.unwrap_err()
}

fn too_much(error: LoadError) -> &'static str {
    match error {
        LoadError::Structure { what, .. } => what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_components_in_binary_form_are_read() {
    let core = wat::parse_str("(module)").unwrap();
    for bytes in [&core[..], b"(component)", b"", b"\0asm", b"\0asm\x0d\0\x02\0", b"\x7fELF rubbish"] {
        let error = sandbox().load(bytes).await.unwrap_err();
        assert!(matches!(error, LoadError::NotAComponent(_) | LoadError::Invalid(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_truncated_or_changed_component_never_panics() {
    let wasm = wat::parse_str(support::data_guest("(i32.const 0)")).unwrap();
    for end in (0..wasm.len()).step_by(7) {
        let _ = sandbox().load(&wasm[..end]).await;
    }
    for at in (0..wasm.len()).step_by(11) {
        let mut changed = wasm.clone();
        changed[at] ^= 0x5a;
        let _ = sandbox().load(&changed).await;
    }
}

#[tokio::test]
async fn imports_outside_the_contract_are_refused_by_name() {
    for name in [
        "wasi:cli/environment@0.2.0",
        "wasi:filesystem/types@0.2.6",
        "iog:guest/data@0.2.0",
        "iog:guest/data",
        "iog:guest/sockets@0.1.0",
        "lοg",
    ] {
        let wat = format!(r#"(component (import "{name}" (instance)))"#);
        match sandbox().load(&wat::parse_str(&wat).unwrap_or_default()).await.unwrap_err() {
            LoadError::Import { name: found } => assert_eq!(found, name),
            other => assert!(name == "lοg", "{name}: {other:?}"),
        }
    }
    let error = refused(r#"(component (import "now" (func (result u64))))"#).await;
    assert_eq!(error, LoadError::Import { name: "now".into() });
}

#[tokio::test]
async fn an_interface_of_another_shape_cannot_be_linked() {
    let wat = r#"(component (import "iog:guest/log@0.1.0" (instance (export "write" (func (param "text" string))))))"#;
    let LoadError::Invalid(reason) = refused(wat).await else { panic!("it was linked") };
    assert!(reason.contains("iog:guest/log@0.1.0"), "{reason}");
}

#[tokio::test]
async fn features_that_are_off_are_refused() {
    for (what, core) in [
        ("memory64", "(memory i64 1)"),
        ("threads", "(memory 1 1 shared)"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("gc", "(type (struct))"),
        ("function references", "(type $f (func)) (func (param (ref $f)))"),
        ("exceptions", "(tag (param i32))"),
        ("relaxed simd", "(func (param v128 v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
        ("wide arithmetic", "(func (result i64 i64) (i64.mul_wide_s (i64.const 1) (i64.const 1)))"),
        ("stack switching", "(type $f (func)) (type $c (cont $f))"),
    ] {
        let error = refused(&format!("(component (core module {core}))")).await;
        assert!(matches!(error, LoadError::Invalid(_) | LoadError::Structure { .. }), "{what}: {error:?}");
    }
    for (what, component) in [
        ("error-context", "(type (func (result error-context)))"),
        ("async", "(type (func async))"),
        ("stream", "(type (stream u8))"),
        ("fixed lists", "(type (list u8 4))"),
        ("map", "(type (map string u8))"),
    ] {
        let error = refused(&format!("(component {component})")).await;
        assert!(matches!(error, LoadError::Invalid(_)), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn features_that_are_on_are_accepted() {
    for core in [
        "(func $f (return_call $f))",
        "(func (result v128) (i32x4.splat (i32.const 1)))",
        "(func (result i32 i64) (i32.const 1) (i64.const 2))",
        "(memory 1) (func (memory.copy (i32.const 0) (i32.const 8) (i32.const 8)))",
    ] {
        let wasm = wat::parse_str(format!("(component (core module {core}))")).unwrap();
        sandbox().load(&wasm).await.unwrap();
    }
}

#[tokio::test]
async fn structures_are_limited_before_compiling() {
    let core = |fields: &str| format!("(component (core module {fields}))");
    let many = |n: usize, field: &str| field.repeat(n);
    assert_eq!(too_much(refused(&component(many(17, "(core module)"))).await), "core_modules");
    assert_eq!(too_much(refused(&component(many(17, "(component)"))).await), "nested_components");
    assert_eq!(
        too_much(
            refused(&component(format!("(core module $m) {}", many(33, "(core instance (instantiate $m))")))).await
        ),
        "core_instances"
    );
    assert_eq!(too_much(refused(&core(&many(20_001, "(func)"))).await), "functions");
    assert_eq!(too_much(refused(&core(&many(1_001, "(global i32 (i32.const 0))"))).await), "globals");
    assert_eq!(too_much(refused(&core(&format!("(func {})", many(2_001, "(local i32) ")))).await), "locals");
    assert_eq!(too_much(refused(&core(&format!("(func (local i64) {})", many(300_000, "nop ")))).await), "body_bytes");
    let nested = format!("(func {} {})", many(300, "(block "), many(300, ")"));
    assert_eq!(too_much(refused(&core(&nested)).await), "control_depth");
    let table = format!("(func (br_table {} (i32.const 0)))", many(5_000, "0 "));
    assert_eq!(too_much(refused(&core(&table)).await), "br_table_targets");
    assert_eq!(too_much(refused(&core("(table 20001 funcref)")).await), "table_elements");
    assert_eq!(too_much(refused(&core("(memory 1) (memory 1)")).await), "memories");
    assert_eq!(too_much(refused(&core(&format!("(func {})", many(300, "(param i32) ")))).await), "record_fields");
    assert_eq!(too_much(refused(&core(&format!("(func (export \"{}\"))", many(2_000, "x")))).await), "name_bytes");
    assert_eq!(too_much(refused(&core(&many(5_000, "(data \"\")"))).await), "data_segments");
    assert_eq!(too_much(refused(&core(&format!("(@custom \"c\" \"{}\")", many(300_000, "x")))).await), "custom_bytes");
}

fn component(body: String) -> String {
    format!("(component {body})")
}

#[tokio::test]
async fn types_are_limited_in_depth_and_width() {
    let mut deep = "(type $t0 (list u8))".to_owned();
    for i in 0..20 {
        write!(deep, "(type $t{} (list $t{i}))", i + 1).unwrap();
    }
    assert_eq!(too_much(refused(&component(deep)).await), "type_depth");
    let fields: String = (0..257).map(|i| format!("(field \"f{i}\" u8)")).collect();
    assert_eq!(too_much(refused(&component(format!("(type (record {fields}))"))).await), "record_fields");
    let cases: String = (0..257).map(|i| format!("(case \"c{i}\")")).collect();
    assert_eq!(too_much(refused(&component(format!("(type (variant {cases}))"))).await), "variant_cases");
    let flags: String = (0..33).map(|i| format!("\"f{i}\" ")).collect();
    assert_eq!(too_much(refused(&component(format!("(type (flags {flags}))"))).await), "flags");
    assert_eq!(too_much(refused(&component("(type (func))".repeat(5_001))).await), "types");
    let instance = format!("(type (instance {}))", "(type (func))".repeat(5_001));
    assert_eq!(too_much(refused(&component(instance)).await), "types");
}

#[tokio::test]
async fn a_type_that_blows_up_when_written_out_is_refused_quickly() {
    // Four levels of tuples of sixteen are 65,536 leaves behind twenty lines.
    let mut defs = "(type $t0 (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8 u8))".to_owned();
    for i in 0..3 {
        write!(defs, "(type $t{} (tuple {}))", i + 1, format!("$t{i} ").repeat(16)).unwrap();
    }
    let wat = support::identity(&defs, "$t3");
    let error = tokio::time::timeout(Duration::from_secs(10), refused(&wat)).await.unwrap();
    assert!(matches!(error, LoadError::Type { .. } | LoadError::Invalid(_)), "{error:?}");
}

#[tokio::test]
async fn entries_have_value_types_only() {
    let wat = r#"(component
        (type $r' (resource (rep i32))) (export $r "r" (type $r'))
        (core func $new (canon resource.new $r'))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
          (func (export "run") (result i32) (call $new (i32.const 1))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "run") (result (own $r)) (canon lift (core func $i "run"))))"#;
    assert_eq!(refused(wat).await, LoadError::Type { entry: "run".into(), found: "a resource".into() });
}

#[tokio::test]
async fn a_component_larger_than_allowed_is_not_even_hashed() {
    let error = sandbox().load(&vec![0; (8 << 20) + 1]).await.unwrap_err();
    assert_eq!(error, LoadError::Structure { what: "component_bytes", found: (8 << 20) + 1, max: 8 << 20 });
}

#[tokio::test]
async fn the_types_of_an_entry_are_read() {
    let module = support::load(&support::identity("", "(option (list (tuple u8 string)))")).await;
    let entry = module.entry("run").unwrap();
    assert_eq!(entry.params[0].0, "x");
    assert_eq!(entry.params[0].1.to_string(), "option<list<tuple<u8, string>>>");
    assert_eq!(module.entries().len(), 1);
    assert!(module.entry("walk").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_module_is_compiled_once_for_all_callers() {
    let own = Sandbox::new(&SandboxConfig { runs_max: 1, pooled: false, ..SandboxConfig::compiling_here() }).unwrap();
    let wasm: Arc<[u8]> = wat::parse_str(guest("", "(i32.const 41)")).unwrap().into();
    let loads: Vec<_> = (0..16)
        .map(|_| {
            let (own, wasm) = (own.clone(), wasm.clone());
            tokio::spawn(async move { own.load(&wasm).await.unwrap() })
        })
        .collect();
    let mut modules = Vec::new();
    for load in loads {
        modules.push(load.await.unwrap());
    }
    assert!(modules.iter().all(|m| Arc::ptr_eq(m, &modules[0])), "one compilation, one module");
    assert!(Arc::ptr_eq(&own.cached(&modules[0].digest()).unwrap(), &modules[0]));
}

#[tokio::test]
async fn the_cache_is_bounded_and_lets_the_longest_unused_go() {
    let config = SandboxConfig { runs_max: 1, pooled: false, modules_max: 2, ..SandboxConfig::compiling_here() };
    let own = Sandbox::new(&config).unwrap();
    let mut digests = Vec::new();
    for i in 0..3 {
        let module = own.load(&wat::parse_str(guest("", &format!("(i32.const {i})"))).unwrap()).await.unwrap();
        digests.push(module.digest());
        own.cached(&digests[0]).unwrap();
    }
    assert!(own.cached(&digests[0]).is_some() && own.cached(&digests[2]).is_some());
    assert!(own.cached(&digests[1]).is_none());
}

#[tokio::test]
async fn refused_modules_do_not_push_out_compiled_ones() {
    let config = SandboxConfig { runs_max: 1, pooled: false, modules_max: 2, ..SandboxConfig::compiling_here() };
    let own = Sandbox::new(&config).unwrap();
    let module = own.load(&wat::parse_str(guest("", "(i32.const 1)")).unwrap()).await.unwrap();
    for i in 0..5 {
        let wat = format!(r#"(component (import "other{i}" (func)))"#);
        own.load(&wat::parse_str(wat).unwrap()).await.unwrap_err();
    }
    assert!(own.cached(&module.digest()).is_some());
}

#[tokio::test]
async fn a_compilation_that_takes_too_long_is_given_up() {
    let config = SandboxConfig { pooled: false, compile_wall: Duration::ZERO, ..SandboxConfig::compiling_here() };
    let own = Sandbox::new(&config).unwrap();
    let wasm = wat::parse_str(guest(&"(func (result i32) (i32.const 1))".repeat(2_000), "(i32.const 1)")).unwrap();
    assert_eq!(own.load(&wasm).await.unwrap_err(), LoadError::Uncompilable { limit: CompileLimit::Wall { ms: 0 } });
}

#[test]
fn a_configuration_out_of_range_is_refused_by_name() {
    let error = Sandbox::new(&SandboxConfig { runs_max: 0, ..SandboxConfig::compiling_here() }).unwrap_err();
    assert_eq!(error, SandboxError::Config { key: "runs_max", found: 0, expected: "1 to 10,000" });
    assert_eq!(StructureLimits::default().component_bytes, 8 << 20);
}
