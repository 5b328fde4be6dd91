//! One pass over the bytes that counts everything against its limit, before anything is validated, resolved or printed.
//! Says nothing about validity; allocates nothing that the file's own size does not bound.

use iog_bulk::Signatures;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ComponentDefinedType, ComponentExport, ComponentExternalKind,
    ComponentImport, ComponentType, ComponentTypeDeclaration, ComponentTypeRef, Encoding, FunctionBody,
    ImportSectionReader, InstanceTypeDeclaration, Parser, Payload, TypeBounds, TypeSectionReader,
};

use crate::error::{InspectError, at_most};
use crate::facts::CoreFacts;
use crate::limits::InspectLimits;
use crate::text::clean;

/// Counts the component and refuses it at the first limit it passes.
pub(crate) fn scan(wasm: &[u8], limits: &InspectLimits) -> Result<CoreFacts, InspectError> {
    at_most("bytes", wasm.len() as u64, limits.component_bytes)?;
    check_magic(wasm)?;
    let mut scan =
        Scan { limits, facts: CoreFacts::default(), totals: Totals::default(), signatures: Signatures::default() };
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| InspectError::invalid(&error))?;
        scan.payload(&payload, wasm)?;
    }
    Ok(scan.facts)
}

fn check_magic(wasm: &[u8]) -> Result<(), InspectError> {
    if Parser::is_component(wasm) {
        return Ok(());
    }
    Err(InspectError::NotAComponent(if Parser::is_core_wasm(wasm) {
        "it is a core module; wrap it with `iog module build`"
    } else if wasm.starts_with(b"\0asm") {
        "its version or layer is unknown"
    } else if std::str::from_utf8(wasm.get(..64).unwrap_or(wasm)).is_ok_and(|head| head.trim_start().starts_with('(')) {
        "it is WebAssembly text, not binary"
    } else {
        "it does not begin with the magic bytes of WebAssembly"
    }))
}

/// Running totals that are not worth telling.
#[derive(Default)]
struct Totals {
    element_segments: u64,
    component_items: u64,
    custom_bytes: u64,
    nested_types: u64,
    imports: u64,
    table_elements: u64,
    passed_values: u64,
    /// How many components and modules are open.
    open: u64,
}

struct Scan<'l> {
    limits: &'l InspectLimits,
    facts: CoreFacts,
    totals: Totals,
    /// Of the core module that is being read.
    signatures: Signatures,
}

impl Scan<'_> {
    fn payload(&mut self, payload: &Payload<'_>, wasm: &[u8]) -> Result<(), InspectError> {
        let limits = self.limits;
        match payload {
            Payload::Version { encoding, .. } => self.version(*encoding),
            Payload::CustomSection(section) => {
                self.name(section.name())?;
                let size = section.data().len() + section.name().len();
                add(&mut self.totals.custom_bytes, size as u64, "bytes of custom sections", limits.custom_bytes)
            }
            Payload::InstanceSection(section) => {
                add(&mut self.facts.instances, section.count().into(), "core instances", limits.core_instances)
            }
            Payload::CoreTypeSection(section) => self.types(section.count()),
            Payload::ComponentTypeSection(section) => {
                self.nested_types(wasm.get(section.range()).unwrap_or_default())?;
                self.types(section.count())?;
                section.clone().into_iter().try_for_each(|ty| self.component_type(&read(ty)?))
            }
            Payload::ComponentImportSection(section) => {
                self.imports(section.count())?;
                let outermost = self.totals.open == 1;
                section.clone().into_iter().try_for_each(|item| {
                    let item = read(item)?;
                    self.name(item.name.name)?;
                    import(&item, outermost)
                })
            }
            Payload::ComponentExportSection(section) => {
                at_most("exports", section.count().into(), limits.exports)?;
                let outermost = self.totals.open == 1;
                section.clone().into_iter().try_for_each(|item| {
                    let item = read(item)?;
                    self.name(item.name.name)?;
                    export(&item, outermost)
                })
            }
            Payload::End(_) => {
                self.totals.open = self.totals.open.saturating_sub(1);
                Ok(())
            }
            Payload::ComponentInstanceSection(section) => self.items(section.count()),
            Payload::ComponentAliasSection(section) => {
                self.items(section.count())?;
                section.clone().into_iter().try_for_each(|alias| match read(alias)? {
                    ComponentAlias::InstanceExport { name, .. } | ComponentAlias::CoreInstanceExport { name, .. } => {
                        self.name(name)
                    }
                    ComponentAlias::Outer { .. } => Ok(()),
                })
            }
            Payload::ComponentCanonicalSection(section) => {
                self.items(section.count())?;
                section.clone().into_iter().try_for_each(|function| canonical(&read(function)?))
            }
            _ => self.core(payload),
        }
    }

    fn core(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        let (limits, facts, totals) = (self.limits, &mut self.facts, &mut self.totals);
        match payload {
            Payload::TypeSection(section) => self.core_types(section),
            Payload::ImportSection(section) => self.core_imports(section),
            Payload::FunctionSection(section) => {
                add(&mut facts.functions, section.count().into(), "functions", limits.functions)?;
                for ty in section.clone() {
                    self.signatures.define(read(ty)?);
                }
                Ok(())
            }
            Payload::TableSection(section) => {
                add(&mut facts.tables, section.count().into(), "tables", limits.tables)?;
                section.clone().into_iter().try_for_each(|table| {
                    let size = read(table)?.ty.initial;
                    add(&mut totals.table_elements, size, "table elements", limits.table_elements)
                })
            }
            Payload::MemorySection(section) => {
                add(&mut facts.memories, section.count().into(), "memories", limits.memories)
            }
            Payload::GlobalSection(section) => {
                add(&mut facts.globals, section.count().into(), "globals", limits.globals)
            }
            Payload::ExportSection(section) => {
                at_most("exports", section.count().into(), limits.exports)?;
                section.clone().into_iter().try_for_each(|item| self.name(read(item)?.name))
            }
            Payload::ElementSection(section) => {
                let count = section.count().into();
                add(&mut totals.element_segments, count, "element segments", limits.element_segments)
            }
            Payload::DataSection(section) => {
                add(&mut facts.data_segments, section.count().into(), "data segments", limits.data_segments)
            }
            Payload::CodeSectionEntry(body) => self.body(body),
            _ => Ok(()),
        }
    }

    fn version(&mut self, encoding: Encoding) -> Result<(), InspectError> {
        let (facts, limits) = (&mut self.facts, self.limits);
        self.totals.open += 1;
        self.signatures = Signatures::default();
        match encoding {
            Encoding::Module => add(&mut facts.modules, 1, "core modules", limits.core_modules),
            Encoding::Component => add(&mut facts.components, 1, "nested components", limits.nested_components + 1),
        }
    }

    fn types(&mut self, count: u32) -> Result<(), InspectError> {
        add(&mut self.facts.types, count.into(), "types", self.limits.types)
    }

    fn core_types(&mut self, section: &TypeSectionReader<'_>) -> Result<(), InspectError> {
        self.types(section.count())?;
        for group in section.clone() {
            let widest = self.signatures.declare(&read(group)?);
            at_most("parameters or results of a function", widest, self.limits.record_fields)?;
        }
        Ok(())
    }

    fn core_imports(&mut self, section: &ImportSectionReader<'_>) -> Result<(), InspectError> {
        section.clone().into_imports().try_for_each(|import| {
            self.imports(1)?;
            self.signatures.import(&read(import)?);
            Ok(())
        })
    }

    fn imports(&mut self, count: u32) -> Result<(), InspectError> {
        add(&mut self.totals.imports, count.into(), "imports", self.limits.imports)
    }

    fn items(&mut self, count: u32) -> Result<(), InspectError> {
        let limit = self.limits.component_items;
        add(&mut self.totals.component_items, count.into(), "instances, aliases and adapters", limit)
    }

    /// A type inside another is the byte 1 (declaration of a type) followed by the byte of a component or instance type,
    /// so the count of such pairs bounds how deep the reader can be made to recurse, whatever else the bytes mean.
    fn nested_types(&mut self, section: &[u8]) -> Result<(), InspectError> {
        let pairs = section.windows(2).filter(|pair| pair[0] == 1 && matches!(pair[1], 0x41 | 0x42)).count();
        add(&mut self.totals.nested_types, pairs as u64, "types inside types", self.limits.nested_types)
    }

    fn component_type(&mut self, ty: &ComponentType<'_>) -> Result<(), InspectError> {
        match ty {
            ComponentType::Instance(declarations) => {
                self.types(u32::try_from(declarations.len()).unwrap_or(u32::MAX))?;
                declarations.iter().try_for_each(|declaration| match declaration {
                    InstanceTypeDeclaration::Type(ty) => self.component_type(ty),
                    _ => Ok(()),
                })
            }
            ComponentType::Component(declarations) => {
                self.types(u32::try_from(declarations.len()).unwrap_or(u32::MAX))?;
                declarations.iter().try_for_each(|declaration| match declaration {
                    ComponentTypeDeclaration::Type(ty) => self.component_type(ty),
                    _ => Ok(()),
                })
            }
            ComponentType::Func(function) => {
                at_most("parameters of a function", function.params.len() as u64, self.limits.record_fields)?;
                function.params.iter().try_for_each(|(name, _)| self.name(name))
            }
            ComponentType::Defined(ComponentDefinedType::Record(fields)) => {
                fields.iter().try_for_each(|(name, _)| self.name(name))
            }
            ComponentType::Defined(ComponentDefinedType::Variant(cases)) => {
                cases.iter().try_for_each(|case| self.name(case.name))
            }
            ComponentType::Defined(ComponentDefinedType::Enum(names) | ComponentDefinedType::Flags(names)) => {
                names.iter().try_for_each(|name| self.name(name))
            }
            _ => Ok(()),
        }
    }

    fn name(&self, name: &str) -> Result<(), InspectError> {
        at_most("bytes in a name", name.len() as u64, self.limits.name_bytes)
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), InspectError> {
        let limits = self.limits;
        let range = body.range();
        let size = (range.end - range.start) as u64;
        self.facts.code_bytes += size;
        at_most("bytes in a function", size, limits.body_bytes)?;
        let bulk = read(self.signatures.measure(body))?;
        at_most("locals in a function", bulk.locals, limits.locals)?;
        at_most("blocks in a function", bulk.blocks, limits.blocks)?;
        at_most("variables times blocks in a function", bulk.block_variables, limits.block_variables)?;
        at_most("values passed in a function", bulk.passed_values, limits.passed_values)?;
        let (all, most) = (&mut self.totals.passed_values, limits.passed_values_all);
        add(all, bulk.passed_values, "values passed in all functions", most)?;
        at_most("nested blocks", bulk.control_depth, limits.control_depth)?;
        at_most("targets of a br_table", bulk.br_table_targets, limits.br_table_targets)
    }
}

/// Of what the component itself imports, things that its world would not even show.
fn import(import: &ComponentImport<'_>, outermost: bool) -> Result<(), InspectError> {
    match import.ty {
        ComponentTypeRef::Instance(_) | ComponentTypeRef::Func(_) | ComponentTypeRef::Type(TypeBounds::Eq(_)) => Ok(()),
        _ if outermost => Err(InspectError::Import { name: clean(import.name.name, 120) }),
        _ => Ok(()),
    }
}

/// The same for what it exports.
fn export(export: &ComponentExport<'_>, outermost: bool) -> Result<(), InspectError> {
    let what = match export.kind {
        ComponentExternalKind::Module => "the core module",
        ComponentExternalKind::Component => "the component",
        ComponentExternalKind::Value => "the value",
        ComponentExternalKind::Instance | ComponentExternalKind::Func | ComponentExternalKind::Type => return Ok(()),
    };
    if outermost { Err(InspectError::Export { name: clean(export.name.name, 120), what }) } else { Ok(()) }
}

/// Only lifting, lowering and dropping of handles, and only with UTF-8.
fn canonical(function: &CanonicalFunction) -> Result<(), InspectError> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
        CanonicalFunction::ResourceDrop { .. } => return Ok(()),
        CanonicalFunction::ResourceNew { .. } | CanonicalFunction::ResourceRep { .. } => {
            return Err(InspectError::Feature("resources of the module's own".to_owned()));
        }
        _ => return Err(InspectError::Feature("component async or threads".to_owned())),
    };
    options.iter().try_for_each(|option| match option {
        CanonicalOption::UTF16 => Err(InspectError::Encoding("UTF-16")),
        CanonicalOption::CompactUTF16 => Err(InspectError::Encoding("Latin-1 or UTF-16")),
        CanonicalOption::Async | CanonicalOption::Callback(_) => {
            Err(InspectError::Feature("component async".to_owned()))
        }
        _ => Ok(()),
    })
}

fn add(total: &mut u64, more: u64, what: &'static str, max: u64) -> Result<(), InspectError> {
    *total = total.saturating_add(more);
    at_most(what, *total, max)
}

fn read<T>(item: wasmparser::Result<T>) -> Result<T, InspectError> {
    item.map_err(|error| InspectError::invalid(&error))
}
