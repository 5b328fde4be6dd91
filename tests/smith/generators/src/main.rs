//! `iog-smith-generators KIND SEED`: a random component on standard output, the same for a seed; nothing where the generator
//! gives up. Core modules of random code behind random types, whole components, and worlds with core modules of ours.
#![allow(clippy::unwrap_used, reason = "whoever calls it takes its end for giving up")]

#[path = "../../random.rs"]
mod random;
#[expect(dead_code, reason = "it also makes components by itself, for the tests")]
#[path = "../../typed.rs"]
mod typed;

use std::io::Write as _;
use std::process::ExitCode;

use arbitrary::Unstructured;
use wasm_smith::{Component, Config, Module};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, FunctionKind, InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem, WorldKey,
};

use random::Random;

/// Random bytes that a generator draws from.
const DRAWN: usize = 6_000;
/// Packages that are tried for a world with functions.
const TRIES: usize = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, seed] = args.as_slice() else {
        eprintln!("usage: iog-smith-generators core|component|world SEED");
        return ExitCode::from(2);
    };
    let mut random = Random::new(kind, seed.parse().unwrap());
    let made = match kind.as_str() {
        "core" => core(&mut random),
        "component" => component(&mut random),
        "world" => world(&mut random),
        _ => return ExitCode::from(2),
    };
    let Some(wasm) = made else { return ExitCode::FAILURE };
    std::io::stdout().write_all(&wasm).unwrap();
    ExitCode::SUCCESS
}

/// Random code that exports what a random world wants.
fn core(random: &mut Random) -> Option<Vec<u8>> {
    let (resolve, world) = typed::world(random)?;
    let exports = wat::parse_str(typed::core(random, &resolve, world)).ok()?;
    let config = Config { exports: Some(exports), max_imports: 0, max_memories: 0, ..config(random) };
    let core = Module::new(config, &mut Unstructured::new(&random.bytes(DRAWN))).ok()?;
    typed::component(&resolve, world, core.to_bytes())
}

/// A random component; what it imports is nothing of ours in most cases.
fn component(random: &mut Random) -> Option<Vec<u8>> {
    let config = Config { max_components: 3, max_modules: 3, max_instances: 4, ..config(random) };
    let config = if random.once_in(2) { Config { max_imports: 0, ..config } } else { config };
    let component = Component::new(config, &mut Unstructured::new(&random.bytes(DRAWN))).ok()?;
    Some(component.to_bytes())
}

/// A random world with a core module over random words. Most packages have few functions, so a few are tried.
fn world(random: &mut Random) -> Option<Vec<u8>> {
    let (resolve, world) = (0..TRIES).find_map(|_| {
        let (resolve, world) = one_world(random)?;
        let mut exports = resolve.worlds[world].exports.values();
        (exports.any(|item| matches!(item, WorldItem::Function(_))) || random.once_in(2 * TRIES))
            .then_some((resolve, world))
    })?;
    let core = wat::parse_str(typed::core(random, &resolve, world)).ok()?;
    typed::component(&resolve, world, core)
}

fn one_world(random: &mut Random) -> Option<(Resolve, WorldId)> {
    let config = wit_smith::Config {
        max_packages: 3,
        max_interface_items: 12,
        max_world_items: 12,
        max_resource_items: random.one(&[0, 2]),
        ..wit_smith::Config::default()
    };
    let package = wit_smith::smith(&config, &mut Unstructured::new(&random.bytes(10 * DRAWN))).ok()?;
    let DecodedWasm::WitPackage(mut resolve, package) = decode(&package).ok()? else { return None };
    let worlds: Vec<_> = resolve.packages[package].worlds.values().copied().collect();
    let world = *worlds.get(random.below(worlds.len().max(1)))?;
    if !random.once_in(4) {
        functions_alone(random, &mut resolve, world);
    }
    Some((resolve, world))
}

/// Leaves a world nothing but functions, and gives it those of one interface with their types: whatever else is exported or
/// imported is refused by its name.
fn functions_alone(random: &mut Random, resolve: &mut Resolve, world: WorldId) {
    let items = &mut resolve.worlds[world];
    items.exports.retain(|_, item| !matches!(item, WorldItem::Interface { .. }));
    items.imports.retain(|_, item| matches!(item, WorldItem::Type { .. }));
    let interfaces: Vec<_> = resolve.interfaces.iter().filter(|(_, all)| !all.functions.is_empty()).collect();
    if interfaces.is_empty() {
        return;
    }
    let (id, interface) = random.one(&interfaces);
    let is_moved = |function: &&Function| function.kind == FunctionKind::Freestanding && is_of(resolve, id, function);
    let functions: Vec<Function> = interface.functions.values().filter(is_moved).cloned().collect();
    let types: Vec<(String, TypeId)> = interface.types.iter().map(|(name, id)| (name.clone(), *id)).collect();
    for (name, id) in types {
        let span = resolve.types[id].span;
        resolve.types[id].owner = TypeOwner::World(world);
        let item = WorldItem::Type { id, span };
        resolve.worlds[world].imports.entry(WorldKey::Name(name)).or_insert(item);
    }
    for function in functions {
        let (key, items) = (WorldKey::Name(function.name.clone()), &mut resolve.worlds[world]);
        if !items.imports.contains_key(&key) {
            items.exports.entry(key).or_insert(WorldItem::Function(function));
        }
    }
}

/// Whether all named types of a function are of this interface.
fn is_of(resolve: &Resolve, interface: InterfaceId, function: &Function) -> bool {
    let types = function.params.iter().map(|param| &param.ty).chain(&function.result);
    types.into_iter().all(|ty| is_type_of(resolve, interface, ty))
}

fn is_type_of(resolve: &Resolve, interface: InterfaceId, ty: &Type) -> bool {
    let Type::Id(id) = ty else { return true };
    let found = &resolve.types[*id];
    if found.name.is_some() && found.owner != TypeOwner::Interface(interface) {
        return false;
    }
    let parts: Vec<&Type> = match &found.kind {
        TypeDefKind::List(of) | TypeDefKind::Option(of) | TypeDefKind::Type(of) => vec![of],
        TypeDefKind::Tuple(tuple) => tuple.types.iter().collect(),
        TypeDefKind::Result(result) => result.ok.iter().chain(&result.err).collect(),
        TypeDefKind::Record(record) => record.fields.iter().map(|field| &field.ty).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty.as_ref()).collect(),
        TypeDefKind::Enum(_) | TypeDefKind::Flags(_) => Vec::new(),
        _ => return false,
    };
    parts.into_iter().all(|part| is_type_of(resolve, interface, part))
}

/// Now and then with features that are off in the platform.
fn config(random: &mut Random) -> Config {
    let all = random.once_in(8);
    Config {
        exceptions_enabled: all,
        gc_enabled: all,
        relaxed_simd_enabled: all,
        threads_enabled: all,
        memory64_enabled: all,
        // References to the host, which are off as well, come with it.
        reference_types_enabled: all,
        allow_start_export: random.once_in(3),
        disallow_traps: random.once_in(3),
        max_instructions: random.one(&[20, 100, 1_000]),
        max_funcs: random.one(&[5, 40]),
        max_tables: random.one(&[1, 4]),
        max_table_elements: random.one(&[100, 20_000, 1_000_000]),
        max_types: 30,
        ..Config::default()
    }
}
