//! Components that are small, valid and take a compiler minutes or gigabytes. Each is one way in which one function can be
//! much more work than it is bytes.

use std::fmt::Write as _;

use wat::parse_str;

/// A component with these functions in its core module; its entry `run` does nothing.
fn component(core: &str) -> Vec<u8> {
    let text = format!(
        r#"(component (core module $m (memory 1) {core} (func (export "run")))
           (core instance $i (instantiate $m))
           (func (export "run") (canon lift (core func $i "run"))))"#
    );
    parse_str(text).unwrap()
}

/// `blocks` branches, each giving one of `locals` variables another value: every variable may be two values after each.
pub(crate) fn variables(locals: usize, blocks: usize) -> Vec<u8> {
    let mut code = format!("(func (param i32) (local {}) ", "i32 ".repeat(locals));
    for block in 0..blocks {
        let (to, from) = (1 + block % locals, 1 + (block * 7 + 3) % locals);
        write!(code, "(if (local.get 0) (then (local.set {to} (local.get {from}))))").unwrap();
    }
    component(&(code + ")"))
}

/// `held` values on the stack, alive over `blocks` branches: as the former, and no variable counts them.
pub(crate) fn held(held: usize, blocks: usize) -> Vec<u8> {
    let mut code = String::from("(func (param i32) (result i32) ");
    for value in 0..held {
        write!(code, "(i32.load offset={} (local.get 0)) ", value * 4).unwrap();
    }
    for block in 0..blocks {
        write!(code, "(if (local.get 0) (then (i32.store offset={block} (local.get 0) (local.get 0)))) ").unwrap();
    }
    component(&(code + &"(i32.xor) ".repeat(held - 1) + ")"))
}

/// `branches` conditional branches, each passing `values` values.
pub(crate) fn passed(values: usize, branches: usize) -> Vec<u8> {
    let results = "i32 ".repeat(values);
    let mut code = format!("(type $t (func (result {results}))) (func (param i32) (block $b (type $t) ");
    code += &"(local.get 0) ".repeat(values);
    code += &"(local.get 0) (br_if $b) ".repeat(branches);
    component(&(code + ") " + &"drop ".repeat(values) + ")"))
}

/// `tables` tables of `targets` targets, each passing `values` values.
pub(crate) fn tables(values: usize, targets: usize, tables: usize) -> Vec<u8> {
    let results = "i32 ".repeat(values);
    let mut code = format!("(type $t (func (result {results}))) (func (param i32) ");
    for _ in 0..tables {
        code += "(block (type $t) ";
        code += &"(local.get 0) ".repeat(values);
        write!(code, "(local.get 0) (br_table {})) {}", "0 ".repeat(targets), "drop ".repeat(values)).unwrap();
    }
    component(&(code + ")"))
}

/// One function of `params` parameters that calls itself `calls` times.
pub(crate) fn calls(params: usize, calls: usize) -> Vec<u8> {
    let mut code = format!("(func $f (param {}) ", "i32 ".repeat(params));
    for call in 0..calls {
        for param in 0..params {
            write!(code, "(local.get {}) ", (param + call) % params).unwrap();
        }
        code += "(call $f) ";
    }
    component(&(code + ")"))
}

/// `calls` calls of a function that gives `values` values, none of which anybody takes: the validator keeps them all.
pub(crate) fn given(values: usize, calls: usize) -> Vec<u8> {
    let results = "i64 ".repeat(values);
    let calls = "(call $g) ".repeat(calls);
    component(&format!("(func $g (result {results}) unreachable) (func {calls} unreachable)"))
}

/// `times` copies of a function of some 250 kB without any branch, for sheer size.
pub(crate) fn long(operations: usize, times: usize) -> Vec<u8> {
    let mut code = String::new();
    for _ in 0..times {
        code += "(func (param i64) (result i64) (local.get 0) ";
        for operation in 0..operations {
            write!(code, "(i64.mul (i64.xor (i64.const {operation}) (local.get 0)))").unwrap();
        }
        code += ")";
    }
    component(&code)
}

/// `levels` components, each of which makes `times` instances of the one before: `times` to the power of `levels` in all.
pub(crate) fn multiplied(times: usize, levels: usize) -> Vec<u8> {
    let mut text = String::from("(component $c0 (core module $m (func)) (core instance (instantiate $m)))");
    for level in 1..=levels {
        let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(times);
        write!(text, "(component $c{level} {instances})").unwrap();
    }
    write!(text, "(instance (instantiate $c{levels}))").unwrap();
    let entry = r#"(core module $r (func (export "run"))) (core instance $i (instantiate $r))
        (func (export "run") (canon lift (core func $i "run")))"#;
    parse_str(format!("(component {text} {entry})")).unwrap()
}

/// An honest component; `number` makes it another one.
pub(crate) fn honest(number: usize) -> Vec<u8> {
    component(&format!("(func (result i32) (i32.const {number}))"))
}
