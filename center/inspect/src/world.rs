//! From a validated component to its world: which interfaces it imports, which functions it exports, in which types.

use std::panic::{AssertUnwindSafe, catch_unwind};

use iog_protocol::interfaces::interface;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Function, FunctionKind, PackageId, Resolve, TypeDefKind, World, WorldItem, WorldKey};

use crate::docs::Docs;
use crate::error::InspectError;
use crate::facts::ExportFact;
use crate::limits::InspectLimits;
use crate::text::clean;
use crate::types::{TypeReader, check_size};
use crate::wit;

/// What the component's world says.
pub(crate) struct WorldFacts {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<ExportFact>,
    pub(crate) wit: String,
}

/// Reads the world of a component that has been counted and validated.
pub(crate) fn read(wasm: &[u8], limits: &InspectLimits) -> Result<WorldFacts, InspectError> {
    let (resolve, package, world) = resolve(wasm)?;
    let imports = imports(&resolve, &world)?;
    check_size(&resolve, limits)?;
    let mut types = TypeReader::new(&resolve, limits);
    let docs = Docs::of(&resolve, &world);
    let mut exports = Vec::new();
    for (key, item) in &world.exports {
        exports.extend(export(&mut types, &docs, &resolve.name_world_key(key), item)?);
    }
    Ok(WorldFacts { imports, exports, wit: wit::world_text(&resolve, package)? })
}

/// The decoder is written for components of its own tools. A valid one that surprises it is refused, whether it says so
/// or breaks off.
fn resolve(wasm: &[u8]) -> Result<(Resolve, PackageId, World), InspectError> {
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(wasm)));
    let decoded = decoded.map_err(|_| InspectError::interface("it cannot be described"))?;
    let decoded = decoded.map_err(|error| InspectError::interface(&format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(InspectError::NotAComponent("it is a WIT package"));
    };
    let world = resolve.worlds[world].clone();
    let package = world.package.ok_or_else(|| InspectError::interface("its world has no package"))?;
    Ok((resolve, package, world))
}

fn imports(resolve: &Resolve, world: &World) -> Result<Vec<String>, InspectError> {
    let mut imports = Vec::new();
    for (key, item) in &world.imports {
        let name = resolve.name_world_key(key);
        match item {
            WorldItem::Type { id, .. } if !matches!(resolve.types[*id].kind, TypeDefKind::Resource) => (),
            WorldItem::Interface { .. } if is_ours(resolve, key) => imports.push(name),
            _ => return Err(InspectError::Import { name: clean(&name, 120) }),
        }
    }
    imports.sort_unstable();
    Ok(imports)
}

/// Whether it is an interface that an analysis may import, at any patch of version 0.1.
fn is_ours(resolve: &Resolve, key: &WorldKey) -> bool {
    let WorldKey::Interface(id) = key else { return false };
    let found = &resolve.interfaces[*id];
    let Some(package) = found.package.map(|id| &resolve.packages[id].name) else { return false };
    let version = |version: &semver::Version| version.major == 0 && version.minor == 1 && version.pre.is_empty();
    package.namespace == "iog"
        && package.name == "guest"
        && package.version.as_ref().is_some_and(version)
        && found.name.as_deref().and_then(interface).is_some()
}

fn export(
    types: &mut TypeReader<'_>,
    docs: &Docs,
    name: &str,
    item: &WorldItem,
) -> Result<Option<ExportFact>, InspectError> {
    let refused = |what| InspectError::Export { name: clean(name, 120), what };
    match item {
        WorldItem::Function(function) if function.kind == FunctionKind::Freestanding => {
            self::function(types, docs, name, function).map(Some)
        }
        WorldItem::Function(_) => Err(refused("the asynchronous function or method")),
        WorldItem::Interface { .. } => Err(refused("the interface")),
        WorldItem::Type { .. } => Ok(None),
    }
}

fn function(
    types: &mut TypeReader<'_>,
    docs: &Docs,
    name: &str,
    function: &Function,
) -> Result<ExportFact, InspectError> {
    types.restart();
    let mut params = Vec::with_capacity(function.params.len());
    for param in &function.params {
        params.push((param.name.clone(), types.read(&param.ty, name)?));
    }
    let result = function.result.as_ref().map(|ty| types.read(ty, name)).transpose()?;
    let wit = wit::signature(docs, name, &params, result.as_ref());
    Ok(ExportFact { name: name.to_owned(), params, result, wit })
}
