//! The inspector and the sandbox count functions in the same way and hold the same limits: what one takes for compilable the
//! other does, and all modules of the platform are far below.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::fmt::Write as _;
use std::path::Path;

use iog_inspect::{InspectError, InspectLimits, inspect};
use iog_sandbox::{LoadError, Sandbox, SandboxConfig, StructureLimits};

/// The limits by their two names: of [`StructureLimits`], and in the inspector's words.
const NAMES: [(&str, &str); 3] = [
    ("blocks", "blocks in a function"),
    ("block_variables", "variables times blocks in a function"),
    ("passed_values", "values passed in a function"),
];

/// The components of the repository.
fn ours() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders =
        ["modules/prebuilt", "tests/guests/prebuilt"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|file| file.unwrap().path());
    let components = files.filter(|path| path.extension().is_some_and(|ending| ending == "wasm"));
    components.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// Functions that have some of everything that is counted.
fn various() -> Vec<(String, Vec<u8>)> {
    let branches = |blocks: usize, locals: usize, values: usize| {
        let types = "i32 ".repeat(values);
        let mut code =
            format!("(type $t (func (result {types}))) (func $f (param i32 i64) (local {})", "i64 ".repeat(locals));
        for _ in 0..blocks {
            let values = "(local.get 0) ".repeat(values);
            write!(
                code,
                "(block (type $t) {values} (local.get 0) (br_if 0) (br_table 0 0 0 (local.get 0))) {}
                 (loop (br_if 0 (local.get 0))) (if (local.get 0) (then (call $f (local.get 0) (i64.const 1))) (else (return)))
                 (call $g (local.get 0))",
                "drop ".repeat(values.matches('(').count())
            )
            .unwrap();
        }
        let text =
            format!("(component (core module (import \"a\" \"g\" (func $g (param i32))) (func (param i32)) {code})))");
        wat::parse_str(text).unwrap()
    };
    let shapes = [(0, 0, 0), (1, 0, 0), (10, 3, 1), (100, 50, 7), (1_000, 100, 2)];
    shapes
        .map(|(blocks, locals, values)| (format!("{blocks}/{locals}/{values}"), branches(blocks, locals, values)))
        .into()
}

/// What the inspector finds of a thing at most in one function: the limit is raised to what it finds until it is content.
fn inspected(wasm: &[u8], at: usize) -> u64 {
    let mut most = 0;
    loop {
        let mut limits = InspectLimits::default();
        *[&mut limits.blocks, &mut limits.block_variables, &mut limits.passed_values][at] = most;
        match inspect(wasm, &limits) {
            Err(InspectError::Limit { what, found, .. }) if what == NAMES[at].1 => most = found,
            _ => return most,
        }
    }
}

/// The same for the sandbox.
async fn loaded(wasm: &[u8], at: usize) -> u64 {
    let mut most = 0;
    loop {
        let mut structure = StructureLimits::default();
        *[&mut structure.blocks, &mut structure.block_variables, &mut structure.passed_values][at] = most;
        let config = SandboxConfig { pooled: false, structure, ..SandboxConfig::compiling_here() };
        match Sandbox::new(&config).unwrap().load(wasm).await {
            Err(LoadError::Structure { what, found, .. }) if what == NAMES[at].0 => most = found,
            _ => return most,
        }
    }
}

#[tokio::test]
async fn inspector_and_sandbox_count_alike() {
    for (name, wasm) in various() {
        for (at, names) in NAMES.iter().enumerate() {
            assert_eq!(inspected(&wasm, at), loaded(&wasm, at).await, "{name}: {}", names.0);
        }
    }
}

#[test]
fn both_hold_the_same_limits() {
    let (ours, theirs) = (StructureLimits::default(), InspectLimits::default());
    for (name, sandbox, inspector) in [
        ("blocks", ours.blocks, theirs.blocks),
        ("block_variables", ours.block_variables, theirs.block_variables),
        ("passed_values", ours.passed_values, theirs.passed_values),
        ("passed_values_all", ours.passed_values_all, theirs.passed_values_all),
        ("body_bytes", ours.body_bytes, theirs.body_bytes),
        ("locals", ours.locals, theirs.locals),
        ("control_depth", ours.control_depth, theirs.control_depth),
        ("br_table_targets", ours.br_table_targets, theirs.br_table_targets),
        ("record_fields", ours.record_fields, theirs.record_fields),
        ("functions", ours.functions, theirs.functions),
        ("name_bytes", ours.name_bytes, theirs.name_bytes),
        ("component_bytes", ours.component_bytes, theirs.component_bytes),
    ] {
        assert_eq!(sandbox, inspector, "{name}");
    }
}

#[test]
fn our_modules_are_far_below() {
    let limits = InspectLimits::default();
    let mut most = [0; 3];
    for (name, wasm) in ours() {
        for (at, most) in most.iter_mut().enumerate() {
            *most = inspected(&wasm, at).max(*most);
        }
        inspect(&wasm, &limits).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (found, limit) in most.into_iter().zip([limits.blocks, limits.block_variables, limits.passed_values]) {
        assert!(found * 4 <= limit, "{found} of {limit}");
    }
}
