//! The doc comments of a module's WIT, put into its component: the encoder drops them, and callers and reviewers read them.
//! They are in the custom section `package-docs`, as tools for WIT packages write it. Nothing of what runs changes.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Docs, PackageMetadata, Resolve, TypeDefKind, World, WorldId, WorldItem};

/// The component with the comments of the world in the folder `wit` that it was made of; as it is where there is no such
/// world, or more than one that it could be.
///
/// # Errors
/// When the folder's WIT cannot be read, or the file is not a component.
pub(super) fn documented(component: Vec<u8>, wit: &Path) -> Result<Vec<u8>> {
    if !wit.is_dir() {
        return Ok(component);
    }
    let mut source = Resolve::default();
    let (package, _) = source.push_dir(wit).context("the WIT of the module cannot be read")?;
    let DecodedWasm::Component(mut resolve, world) = decode(&component)? else { bail!("this is a WIT package") };
    let mut worlds =
        source.packages[package].worlds.values().filter(|id| exports_of(&source.worlds[**id], &resolve, world));
    let (Some(origin), None) = (worlds.next(), worlds.next()) else { return Ok(component) };
    let origin = &source.worlds[*origin];
    let target = resolve.worlds[world].package.context("its world has no package")?;
    resolve.packages[target].docs = source.packages[package].docs.clone();
    resolve.worlds[world].docs = origin.docs.clone();
    copy_functions(origin, &mut resolve.worlds[world]);
    copy_types(&source, origin, &mut resolve, world);
    let section = PackageMetadata::extract(&resolve, target).encode()?;
    Ok(with_section(component, PackageMetadata::SECTION_NAME, &section))
}

/// Whether the world of a component exports exactly what this one does.
fn exports_of(origin: &World, resolve: &Resolve, world: WorldId) -> bool {
    let found = &resolve.worlds[world].exports;
    found.len() == origin.exports.len() && found.keys().all(|key| origin.exports.contains_key(key))
}

fn copy_functions(origin: &World, world: &mut World) {
    for (key, item) in &mut world.exports {
        if let (WorldItem::Function(function), Some(WorldItem::Function(documented))) = (item, origin.exports.get(key))
        {
            function.docs = documented.docs.clone();
        }
    }
}

fn copy_types(source: &Resolve, origin: &World, resolve: &mut Resolve, world: WorldId) {
    let types = resolve.worlds[world].imports.iter().filter_map(|(key, item)| match item {
        WorldItem::Type { id, .. } => Some((key.clone(), *id)),
        _ => None,
    });
    for (key, id) in types.collect::<Vec<_>>() {
        let Some(WorldItem::Type { id: documented, .. }) = origin.imports.get(&key) else { continue };
        let documented = &source.types[*documented];
        resolve.types[id].docs = documented.docs.clone();
        copy_members(&documented.kind, &mut resolve.types[id].kind);
    }
}

/// Comments of the fields, cases or flags of one name.
fn copy_members(from: &TypeDefKind, to: &mut TypeDefKind) {
    let known = members(from);
    let put = |name: &str, docs: &mut Docs| {
        if let Some((_, found)) = known.iter().find(|(known, _)| *known == name) {
            *docs = (*found).clone();
        }
    };
    match to {
        TypeDefKind::Record(record) => record.fields.iter_mut().for_each(|field| put(&field.name, &mut field.docs)),
        TypeDefKind::Variant(variant) => variant.cases.iter_mut().for_each(|case| put(&case.name, &mut case.docs)),
        TypeDefKind::Enum(cases) => cases.cases.iter_mut().for_each(|case| put(&case.name, &mut case.docs)),
        TypeDefKind::Flags(flags) => flags.flags.iter_mut().for_each(|flag| put(&flag.name, &mut flag.docs)),
        _ => {}
    }
}

fn members(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| (field.name.as_str(), &field.docs)).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (flag.name.as_str(), &flag.docs)).collect(),
        _ => Vec::new(),
    }
}

/// A component with one more custom section at its end.
fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    leb128(name.len(), &mut contents);
    contents.extend_from_slice(name.as_bytes());
    contents.extend_from_slice(data);
    component.push(0);
    leb128(contents.len(), &mut component);
    component.extend_from_slice(&contents);
    component
}

/// An unsigned number as WebAssembly writes it: seven bits a byte, the lowest first.
fn leb128(mut number: usize, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}
