//! Components from WIT: every export has a core function of the right type that traps, every import asked for is used.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Resolve, WorldId, WorldItem};

/// The package `iog:guest` as one text, whatever files it lies in.
pub(super) fn guest_wit() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk/wit");
    let files = std::fs::read_dir(folder).expect("the contract is in the checkout");
    let read = |file: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(file?.path());
    let mut texts: Vec<_> = files.map(read).collect::<Result<_, _>>().expect("the contract can be read");
    // The file that names the package comes first in the text.
    texts.sort_by_key(|text| !text.contains("\npackage "));
    texts.concat()
}

/// A component with this world; `body` are the items of the world.
pub(super) fn component(body: &str) -> Vec<u8> {
    build(&format!("package test:analysis@1.0.0; world analysis {{ {body} }}"), &guest_wit(), StringEncoding::UTF8)
}

/// A component of a whole WIT text whose last world is `analysis`, with `dependency` known.
pub(super) fn build(wit: &str, dependency: &str, encoding: StringEncoding) -> Vec<u8> {
    let (resolve, world) = world(wit, dependency);
    let mut module = wat::parse_str(core_module(&resolve, world)).expect("the core module is WebAssembly");
    embed_component_metadata(&mut module, &resolve, world, encoding).expect("the world can be embedded");
    let mut encoder = ComponentEncoder::default().module(&module).expect("the module has a world");
    encoder.encode().expect("the component can be encoded")
}

fn world(wit: &str, dependency: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    resolve.push_source("dependency.wit", dependency).expect("the dependency is WIT");
    let package = resolve.push_source("analysis.wit", wit).unwrap_or_else(|error| panic!("{error:?}"));
    let world = resolve.select_world(&[package], Some("analysis")).expect("there is a world");
    (resolve, world)
}

fn core_module(resolve: &Resolve, world: WorldId) -> String {
    let world = &resolve.worlds[world];
    let mut imports = String::new();
    let mut exports = String::new();
    for (key, item) in &world.imports {
        let functions: Vec<&Function> = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.values().collect(),
            WorldItem::Function(function) => vec![function],
            WorldItem::Type { .. } => Vec::new(),
        };
        let module = if matches!(item, WorldItem::Function(_)) { "$root".into() } else { resolve.name_world_key(key) };
        for function in functions {
            let ty = signature(resolve, AbiVariant::GuestImport, function);
            imports += &format!("(import \"{module}\" \"{}\" (func {ty}))\n", function.name);
        }
    }
    for (key, item) in &world.exports {
        let functions: Vec<(String, &Function)> = match item {
            WorldItem::Interface { id, .. } => {
                let interface = resolve.name_world_key(key);
                resolve.interfaces[*id].functions.values().map(|f| (format!("{interface}#{}", f.name), f)).collect()
            }
            WorldItem::Function(function) => vec![(function.name.clone(), function)],
            WorldItem::Type { .. } => Vec::new(),
        };
        for (name, function) in functions {
            let ty = signature(resolve, AbiVariant::GuestExport, function);
            exports += &format!("(func (export \"{name}\") {ty} unreachable)\n");
        }
    }
    format!(
        "(module {imports} (memory (export \"memory\") 1) {exports}
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) unreachable))"
    )
}

fn signature(resolve: &Resolve, variant: AbiVariant, function: &Function) -> String {
    let signature = resolve.wasm_signature(variant, function);
    let types = |types: &[WasmType]| types.iter().map(|ty| core_type(*ty)).collect::<Vec<_>>().join(" ");
    format!("(param {}) (result {})", types(&signature.params), types(&signature.results))
}

fn core_type(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// A component in WebAssembly text.
pub(super) fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"))
}

/// A component whose one core module is this text.
pub(super) fn around(core: &str) -> Vec<u8> {
    text(&format!("(component (core module {core}))"))
}
