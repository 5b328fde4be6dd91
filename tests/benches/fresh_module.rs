//! Components of about 100 kB that differ in one constant, so that no cache has seen them. Their code is arithmetic,
//! branches, memory and calls in the proportions of compiled Rust, in functions of ordinary size.

use std::fmt::Write as _;

/// Functions of a module; with about 500 bytes each this gives the size.
const FUNCTIONS: u32 = 200;

/// The component with number `number`: exports `run: func(x: u32) -> u32`.
///
/// # Errors
/// If the text below did not parse.
pub(crate) fn component(number: u32) -> anyhow::Result<Vec<u8>> {
    let mut core = String::from("(core module $m (memory 2) (table 4 funcref)\n");
    for function in 0..FUNCTIONS {
        writeln!(core, "(func $f{function} (param $x i32) (param $y i64) (result i32) (local $i i32) (local $s i64)")?;
        for step in 0..6 {
            let mixed = (function * 31 + step * 17 + number) % 65_521;
            writeln!(
                core,
                "(local.set $s (i64.add (local.get $s) (i64.mul (local.get $y) (i64.const {mixed}))))
                 (block $done (loop $again
                   (br_if $done (i32.ge_u (local.get $i) (i32.const {step})))
                   (i64.store offset={} (i32.and (local.get $x) (i32.const 0xfff8)) (local.get $s))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br $again)))
                 (if (i64.gt_u (local.get $s) (i64.const {mixed}))
                   (then (local.set $x (i32.xor (local.get $x) (i32.wrap_i64 (local.get $s))))))",
                step * 8
            )?;
        }
        // `$f0` is the leaf of all calls.
        if function > 0 {
            writeln!(
                core,
                "(local.set $x (i32.add (local.get $x) (i32.popcnt (call $f0 (local.get $x) (local.get $s)))))"
            )?;
        }
        writeln!(core, "(local.get $x))")?;
    }
    writeln!(
        core,
        "(func (export \"run\") (param i32) (result i32) (call $f{} (local.get 0) (i64.const {number}))))",
        FUNCTIONS - 1
    )?;
    let text = format!(
        "(component {core}\n(core instance $i (instantiate $m))
         (func (export \"run\") (param \"x\" u32) (result u32) (canon lift (core func $i \"run\"))))"
    );
    Ok(wat::parse_str(text)?)
}
