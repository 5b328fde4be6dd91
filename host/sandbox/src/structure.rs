//! Structural limits of a module, checked on the bytes before anything is validated or compiled. It only counts;
//! whether the bytes are a valid component is the engine's judgement.

use iog_bulk::Signatures;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind, ComponentType, ComponentTypeRef, Encoding,
    FunctionBody, Instance, Parser, Payload, TypeBounds,
};

use crate::config::{LoadError, StructureLimits, at_most};
use crate::typedepth::{Depths, declared};

/// Checks `wasm` against `limits`.
pub(crate) fn check(wasm: &[u8], limits: &StructureLimits) -> Result<(), LoadError> {
    at_most("component_bytes", wasm.len() as u64, limits.component_bytes)?;
    if !Parser::is_component(wasm) {
        return Err(LoadError::NotAComponent(describe(wasm)));
    }
    let mut scan =
        Scan { limits, count: Count::default(), depths: Depths::new(limits), signatures: Signatures::default() };
    for payload in Parser::new(0).parse_all(wasm) {
        scan.payload(&payload.map_err(malformed)?)?;
    }
    Ok(())
}

fn describe(wasm: &[u8]) -> String {
    if Parser::is_core_wasm(wasm) {
        "it is a core module".into()
    } else if wasm.starts_with(b"\0asm") {
        "its layer or version is unknown".into()
    } else {
        "it does not start with the magic of WebAssembly".into()
    }
}

/// An error for bytes that cannot be read; the text holds offsets and no names chosen by the module.
pub(crate) fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Invalid(crate::text::clean(&error.to_string(), 300))
}

#[derive(Default)]
struct Count {
    core_modules: u64,
    nested_components: u64,
    core_instances: u64,
    instances: u64,
    memories: u64,
    tables: u64,
    functions: u64,
    types: u64,
    globals: u64,
    data_segments: u64,
    element_segments: u64,
    imports: u64,
    exports: u64,
    custom_bytes: u64,
    passed_values_all: u64,
}

/// Adds to a running total and compares it with its limit.
macro_rules! add {
    ($scan:ident . $what:ident += $n:expr) => {{
        $scan.count.$what = $scan.count.$what.saturating_add(u64::from($n));
        at_most(stringify!($what), $scan.count.$what, $scan.limits.$what)
    }};
}

struct Scan<'l> {
    limits: &'l StructureLimits,
    count: Count,
    depths: Depths<'l>,
    /// Of the core module that is being read.
    signatures: Signatures,
}

impl Scan<'_> {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.depths.enter(*encoding == Encoding::Component);
                self.signatures = Signatures::default();
                Ok(())
            }
            Payload::End(_) => {
                self.depths.leave();
                Ok(())
            }
            Payload::ModuleSection { .. } => add!(self.core_modules += 1u32),
            Payload::ComponentSection { .. } => add!(self.nested_components += 1u32),
            Payload::CustomSection(custom) => {
                self.name(custom.name())?;
                add!(self.custom_bytes += u32::try_from(custom.data().len()).unwrap_or(u32::MAX))
            }
            Payload::TypeSection(_)
            | Payload::ImportSection(_)
            | Payload::FunctionSection(_)
            | Payload::TableSection(_)
            | Payload::MemorySection(_)
            | Payload::GlobalSection(_)
            | Payload::ExportSection(_)
            | Payload::ElementSection(_)
            | Payload::DataSection(_)
            | Payload::CodeSectionEntry(_) => self.core(payload),
            _ => self.component(payload),
        }
    }

    fn core(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::TypeSection(types) => {
                add!(self.types += types.count())?;
                for group in types.clone() {
                    let widest = self.signatures.declare(&group.map_err(malformed)?);
                    at_most("record_fields", widest, self.limits.record_fields)?;
                }
                Ok(())
            }
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    add!(self.imports += 1u32)?;
                    self.signatures.import(&import.map_err(malformed)?);
                }
                Ok(())
            }
            Payload::FunctionSection(f) => {
                add!(self.functions += f.count())?;
                for ty in f.clone() {
                    self.signatures.define(ty.map_err(malformed)?);
                }
                Ok(())
            }
            Payload::TableSection(tables) => {
                add!(self.tables += tables.count())?;
                for table in tables.clone() {
                    at_most("table_elements", table.map_err(malformed)?.ty.initial, self.limits.table_elements)?;
                }
                Ok(())
            }
            Payload::MemorySection(m) => add!(self.memories += m.count()),
            Payload::GlobalSection(g) => add!(self.globals += g.count()),
            Payload::ExportSection(exports) => {
                at_most("exports", exports.count().into(), self.limits.exports)?;
                exports.clone().into_iter().try_for_each(|e| self.name(e.map_err(malformed)?.name))
            }
            Payload::ElementSection(e) => add!(self.element_segments += e.count()),
            Payload::DataSection(d) => add!(self.data_segments += d.count()),
            Payload::CodeSectionEntry(body) => self.body(body),
            _ => Ok(()),
        }
    }

    fn component(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        match payload {
            Payload::InstanceSection(instances) => {
                instances.clone().into_iter().try_for_each(|i| match i.map_err(malformed)? {
                    Instance::Instantiate { .. } => add!(self.core_instances += 1u32),
                    Instance::FromExports(_) => add!(self.instances += 1u32),
                })
            }
            Payload::ComponentInstanceSection(i) => add!(self.instances += i.count()),
            Payload::CoreTypeSection(t) => add!(self.types += t.count()),
            Payload::ComponentTypeSection(types) => {
                for ty in types.clone() {
                    self.declared(&ty.map_err(malformed)?)?;
                }
                Ok(())
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias.map_err(malformed)?)?;
                }
                Ok(())
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let import = import.map_err(malformed)?;
                    add!(self.imports += 1u32)?;
                    self.name(import.name.name)?;
                    self.named_type(&import.ty);
                }
                Ok(())
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export.map_err(malformed)?;
                    add!(self.exports += 1u32)?;
                    self.name(export.name.name)?;
                    if export.kind == ComponentExternalKind::Type {
                        self.depths.push_same(export.index);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn declared(&mut self, ty: &ComponentType<'_>) -> Result<(), LoadError> {
        let (types, depth) = declared(ty, &mut self.depths, self.limits)?;
        self.depths.push(depth);
        add!(self.types += u32::try_from(types).unwrap_or(u32::MAX))
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), LoadError> {
        add!(self.imports += 1u32)?;
        match alias {
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Type, name, .. } => {
                self.depths.push(0);
                self.name(name)
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count, index } => {
                self.depths.push_outer(*count, *index);
                Ok(())
            }
            ComponentAlias::InstanceExport { name, .. } | ComponentAlias::CoreInstanceExport { name, .. } => {
                self.name(name)
            }
            ComponentAlias::Outer { .. } => Ok(()),
        }
    }

    fn named_type(&mut self, ty: &ComponentTypeRef) {
        match ty {
            ComponentTypeRef::Type(TypeBounds::Eq(index)) => self.depths.push_same(*index),
            ComponentTypeRef::Type(TypeBounds::SubResource) => self.depths.push(0),
            _ => {}
        }
    }

    fn name(&self, name: &str) -> Result<(), LoadError> {
        at_most("name_bytes", name.len() as u64, self.limits.name_bytes)
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), LoadError> {
        let limits = self.limits;
        at_most("body_bytes", body.as_bytes().len() as u64, limits.body_bytes)?;
        let bulk = self.signatures.measure(body).map_err(malformed)?;
        at_most("locals", bulk.locals, limits.locals)?;
        at_most("blocks", bulk.blocks, limits.blocks)?;
        at_most("block_variables", bulk.block_variables, limits.block_variables)?;
        at_most("passed_values", bulk.passed_values, limits.passed_values)?;
        add!(self.passed_values_all += bulk.passed_values)?;
        at_most("control_depth", bulk.control_depth, limits.control_depth)?;
        at_most("br_table_targets", bulk.br_table_targets, limits.br_table_targets)
    }
}
