//! A loaded module: compiled code, its entries with their types, and what can be prepared before a run. Immutable.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use crate::config::LoadError;
use crate::grants::Grants;
use crate::interfaces::RunState;
use crate::lifted::HostCost;
use crate::link::{BySet, Linkers};
use crate::slots::Weight;
use crate::text::clean;
use crate::wit_type::{TypeReader, WitType};

/// wasmtime's own words where a component has more than a pool holds for one; there is no public error type, and a test holds
/// them to the pinned version.
const POOL_EXCEEDED: &str = "pooling allocator";

/// An exported function and its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryType {
    /// The export's name.
    pub name: String,
    /// Parameters in order.
    pub params: Vec<(String, WitType)>,
    /// The result, where it has one.
    pub result: Option<WitType>,
}

/// A compiled module. Cheap to share; belongs to the sandbox that loaded it.
pub struct Module {
    digest: [u8; 32],
    component: Component,
    weight: Weight,
    imports: Vec<String>,
    needs: Grants,
    entries: Vec<EntryType>,
    by_name: HashMap<String, Prepared>,
    linked: BySet<InstancePre<RunState>>,
}

/// What a run needs of an entry, found once.
#[derive(Clone)]
struct Prepared {
    at: usize,
    name: Arc<str>,
    export: ComponentExportIndex,
    cost: HostCost,
}

/// An entry, ready to be called.
pub(crate) struct Entry<'m> {
    pub(crate) name: Arc<str>,
    pub(crate) ty: &'m EntryType,
    pub(crate) export: ComponentExportIndex,
    /// What its result may hold.
    pub(crate) cost: HostCost,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("digest", &self.digest_hex()).finish_non_exhaustive()
    }
}

impl Module {
    /// Reads the types of a compiled component and links it.
    pub(crate) fn of(
        engine: &Engine,
        linkers: &Linkers,
        digest: [u8; 32],
        wasm: &[u8],
        component: Component,
    ) -> Result<Self, LoadError> {
        let weight = Weight::of(wasm, &component)?;
        let ty = component.component_type();
        let imports: Vec<String> = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let needs = Grants::of(imports.iter().map(String::as_str))
            .map_err(|unknown| LoadError::Import { name: clean(&unknown.name, 200) })?;
        let mut entries = Vec::new();
        let mut by_name = HashMap::new();
        for (name, item) in ty.exports(engine) {
            let ComponentItem::ComponentFunc(func) = item.ty else { continue };
            let export = component
                .get_export_index(None, name)
                .ok_or_else(|| LoadError::Internal("an export has no index".into()))?;
            let ty = entry(name, &func)?;
            let cost = ty.result.as_ref().map_or(HostCost::OF_NOTHING, HostCost::of);
            by_name.insert(name.to_owned(), Prepared { at: entries.len(), name: name.into(), export, cost });
            entries.push(ty);
        }
        component.initialize_copy_on_write_image().map_err(|e| LoadError::Internal(e.to_string()))?;
        let module = Self { digest, component, weight, imports, needs, entries, by_name, linked: BySet::default() };
        // An interface of the right name and another shape is the module's fault: find out now, not in a run.
        module.linked(engine, linkers, needs).map_err(refused)?;
        Ok(module)
    }

    /// SHA-256 of the module's bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// [`Self::digest`] in lower-case hexadecimal.
    pub fn digest_hex(&self) -> String {
        self.digest.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The exported functions, in the order of the binary.
    pub fn entries(&self) -> &[EntryType] {
        &self.entries
    }

    /// One exported function.
    pub fn entry(&self, name: &str) -> Option<&EntryType> {
        self.by_name.get(name).map(|p| &self.entries[p.at])
    }

    /// Full names of the imported interfaces.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Size of the machine code, in bytes.
    pub(crate) fn code_bytes(&self) -> usize {
        let image = self.component.image_range();
        (image.end as usize).saturating_sub(image.start as usize)
    }

    /// What a run takes of the pool.
    pub(crate) fn weight(&self) -> Weight {
        self.weight
    }

    pub(crate) fn prepared(&self, name: &str) -> Option<Entry<'_>> {
        let p = self.by_name.get(name)?;
        Some(Entry { name: p.name.clone(), ty: &self.entries[p.at], export: p.export, cost: p.cost })
    }

    /// The first import that `grants` does not have.
    pub(crate) fn ungranted(&self, grants: Grants) -> Option<&str> {
        if grants.covers(self.needs) {
            return None;
        }
        self.imports.iter().map(String::as_str).find(|name| !grants.has(name))
    }

    /// The module linked with exactly `grants`.
    pub(crate) fn linked(
        &self,
        engine: &Engine,
        linkers: &Linkers,
        grants: Grants,
    ) -> wasmtime::Result<&InstancePre<RunState>> {
        self.linked.get_or_make(grants, || linkers.prepare(engine, &self.component, grants))
    }
}

/// Why the engine does not take a component: what is more than its pool has for one run can never run.
pub(crate) fn refused(error: wasmtime::Error) -> LoadError {
    let text = clean(&format!("{error:#}"), 500);
    if text.contains(POOL_EXCEEDED) { LoadError::NeverFits { problem: text } } else { LoadError::Invalid(text) }
}

fn entry(name: &str, func: &ComponentFunc) -> Result<EntryType, LoadError> {
    let refused = |found: String| LoadError::Type { entry: clean(name, 100), found };
    if func.async_() {
        return Err(refused("async".into()));
    }
    let mut reader = TypeReader::default();
    let params = func
        .params()
        .map(|(name, ty)| Ok((name.to_owned(), reader.read(&ty).map_err(refused)?)))
        .collect::<Result<_, LoadError>>()?;
    let result = func.results().next().map(|ty| reader.read(&ty).map_err(refused)).transpose()?;
    Ok(EntryType { name: name.to_owned(), params, result })
}
