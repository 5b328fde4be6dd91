//! Worlds of random types, and what makes a component of one: a core module that exports what the world wants. Here its
//! functions return whatever lies in a memory of random words, so that everything is lifted that a type can hold.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WorldId, WorldItem};

use crate::random::Random;

const NAMES: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
/// Bytes of the memory that are filled.
const FILLED: usize = 4_096;

/// A component of a random world; nothing where the world is none that can be encoded.
pub(crate) fn make(random: &mut Random) -> Option<Vec<u8>> {
    let (resolve, world) = world(random)?;
    let core = wat::parse_str(core(random, &resolve, world)).ok()?;
    component(&resolve, world, core)
}

/// A random world with functions over random types.
pub(crate) fn world(random: &mut Random) -> Option<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("random.wit", &text(random)).ok()?;
    let world = resolve.select_world(&[package], None).ok()?;
    Some((resolve, world))
}

/// The core module as a component of the world.
pub(crate) fn component(resolve: &Resolve, world: WorldId, mut core: Vec<u8>) -> Option<Vec<u8>> {
    embed_component_metadata(&mut core, resolve, world, StringEncoding::UTF8).ok()?;
    ComponentEncoder::default().module(&core).ok()?.validate(true).encode().ok()
}

fn text(random: &mut Random) -> String {
    let mut text = "package a:b;\nworld w {\n".to_owned();
    let named = random.below(6);
    for at in 0..named {
        definition(random, &mut text, at);
    }
    for at in 0..random.between(1, 4) {
        let params: Vec<_> =
            (0..random.one(&[0, 1, 1, 2, 3, 17])).map(|p| format!("p{p}: {}", ty(random, named, 3))).collect();
        let result = if random.once_in(5) { String::new() } else { format!(" -> {}", ty(random, named, 4)) };
        writeln!(text, "export f{at}: func({}){result};", params.join(", ")).unwrap();
    }
    text + "}\n"
}

/// The `at`-th named type, which may use those before it.
fn definition(random: &mut Random, text: &mut String, at: usize) {
    // As many as there may be, and a few more than that.
    let count = if random.once_in(12) { random.one(&[32, 33, 256, 257]) } else { random.between(1, 9) };
    let names = |stem: &str| (0..count).map(|n| format!("{stem}{n}")).collect::<Vec<_>>().join(", ");
    match random.below(4) {
        0 => {
            let fields: Vec<_> = (0..count).map(|n| format!("f{n}: {}", ty(random, at, 2))).collect();
            writeln!(text, "record t{at} {{ {} }}", fields.join(", ")).unwrap();
        }
        1 => {
            let case = |n| match random.below(3) {
                0 => format!("c{n}"),
                _ => format!("c{n}({})", ty(random, at, 2)),
            };
            let cases: Vec<_> = (0..count).map(case).collect();
            writeln!(text, "variant t{at} {{ {} }}", cases.join(", ")).unwrap();
        }
        2 => writeln!(text, "enum t{at} {{ {} }}", names("e")).unwrap(),
        _ => writeln!(text, "flags t{at} {{ {} }}", names("g")).unwrap(),
    }
}

/// A type that uses the first `named` names.
fn ty(random: &mut Random, named: usize, depth: usize) -> String {
    const PLAIN: [&str; 13] =
        ["bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "string"];
    if named > 0 && random.once_in(3) {
        return format!("t{}", random.below(named));
    }
    if depth == 0 {
        return random.one(&PLAIN).to_owned();
    }
    match random.below(9) {
        0 | 1 => format!("list<{}>", ty(random, named, depth - 1)),
        2 => format!("option<{}>", ty(random, named, depth - 1)),
        3 => format!("result<{}, {}>", ty(random, named, depth - 1), ty(random, named, depth - 1)),
        4 => format!("result<_, {}>", ty(random, named, depth - 1)),
        5 => {
            let items: Vec<_> = (0..random.between(1, 4)).map(|_| ty(random, named, depth - 1)).collect();
            format!("tuple<{}>", items.join(", "))
        }
        _ => random.one(&PLAIN).to_owned(),
    }
}

/// A core module that exports what the world does, over a memory of random words.
pub(crate) fn core(random: &mut Random, resolve: &Resolve, world: WorldId) -> String {
    let mut text = String::from("(module\n");
    for (name, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => exported(random, &mut text, resolve, None, function),
            WorldItem::Interface { id, .. } => {
                for function in resolve.interfaces[*id].functions.values() {
                    exported(random, &mut text, resolve, Some(name), function);
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    let memory = resolve.wasm_export_name(NAMES, WasmExport::Memory);
    let realloc = resolve.wasm_export_name(NAMES, WasmExport::Realloc);
    let top = if random.once_in(10) { "(return (i32.const -8))" } else { "" };
    write!(
        text,
        r#"(memory (export "{memory}") 2) (global $top (mut i32) (i32.const 8192)) (data (i32.const 0) "{}")
        (func (export "{realloc}") (param i32 i32 i32 i32) (result i32) (local $at i32) {top}
          (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
          (global.set $top (i32.add (local.get $at) (local.get 3)))
          (local.get $at)))"#,
        words(random)
    )
    .unwrap();
    text
}

fn exported(
    random: &mut Random,
    text: &mut String,
    resolve: &Resolve,
    interface: Option<&wit_parser::WorldKey>,
    function: &wit_parser::Function,
) {
    let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
    let kind = WasmExportKind::Normal;
    let name = resolve.wasm_export_name(NAMES, WasmExport::Func { interface, func: function, kind });
    let types = |of: &[WasmType]| of.iter().map(|ty| word(*ty)).collect::<Vec<_>>().join(" ");
    let params = types(&signature.params);
    let results = types(&signature.results);
    let mut body: String = signature.results.iter().map(|ty| constant(random, *ty)).collect();
    match random.below(16) {
        0 => body.insert_str(0, "unreachable "),
        1 => body.insert_str(0, "(loop $l (br $l)) "),
        2 => body.insert_str(0, "(loop $l (drop (memory.grow (i32.const 7))) (br $l)) "),
        3 => body.insert_str(0, "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)) (br $l)) "),
        _ => {}
    }
    writeln!(text, "(func (export {name:?}) (param {params}) (result {results}) {body})").unwrap();
}

fn word(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// A value; where it is a pointer, mostly one into what is filled.
fn constant(random: &mut Random, ty: WasmType) -> String {
    let number = match random.below(8) {
        0 => random.next() >> 32,
        1 => u64::from(u32::MAX),
        2 => 1,
        _ => u64::try_from(random.below(FILLED / 16) * 8).unwrap(),
    };
    match word(ty) {
        "i32" => format!("(i32.const {number})"),
        "i64" => format!("(i64.const {})", random.next()),
        "f32" => format!("(f32.reinterpret_i32 (i32.const {}))", random.next() >> 32),
        _ => format!("(f64.reinterpret_i64 (i64.const {}))", random.next()),
    }
}

/// Words as values have them: small numbers, which are cases, lengths and flags, pointers, and now and then anything.
fn words(random: &mut Random) -> String {
    let mut text = String::with_capacity(FILLED * 3);
    let usual = random.one(&[2, 4, 4, 8, 30]);
    for _ in 0..FILLED / 4 {
        let word = match random.below(usual) {
            0 => random.next() >> 32,
            1 => u64::try_from(random.below(FILLED / 8) * 8).unwrap(),
            _ => u64::try_from(random.below(3)).unwrap(),
        };
        for byte in &word.to_le_bytes()[..4] {
            write!(text, "\\{byte:02x}").unwrap();
        }
    }
    text
}
