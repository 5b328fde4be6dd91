//! How deep and wide component types are, for the structural limits. It follows type indices as far as the bytes say;
//! a type taken from an instance counts as depth 0 (the engine knows more, and entries are measured again when read).

use wasmparser::{
    ComponentDefinedType, ComponentType, ComponentTypeDeclaration, ComponentTypeRef, ComponentValType,
    InstanceTypeDeclaration, TypeBounds,
};

use crate::config::{LoadError, StructureLimits, at_most};

/// The depth of each type index, for every scope that is open.
pub(crate) struct Depths<'l> {
    scopes: Vec<Scope>,
    limits: &'l StructureLimits,
}

struct Scope {
    component: bool,
    depths: Vec<u64>,
}

impl<'l> Depths<'l> {
    pub(crate) fn new(limits: &'l StructureLimits) -> Self {
        Self { scopes: Vec::new(), limits }
    }

    pub(crate) fn enter(&mut self, component: bool) {
        self.scopes.push(Scope { component, depths: Vec::new() });
    }

    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    pub(crate) fn push(&mut self, depth: u64) {
        if let Some(scope) = self.scopes.last_mut().filter(|s| s.component) {
            scope.depths.push(depth);
        }
    }

    pub(crate) fn push_same(&mut self, index: u32) {
        self.push(self.at(0, index));
    }

    pub(crate) fn push_outer(&mut self, count: u32, index: u32) {
        self.push(self.at(count, index));
    }

    fn at(&self, outer: u32, index: u32) -> u64 {
        let scope = self.scopes.len().checked_sub(1 + outer as usize).and_then(|at| self.scopes.get(at));
        scope.and_then(|s| s.depths.get(index as usize)).copied().unwrap_or(0)
    }

    fn value(&self, ty: &ComponentValType) -> u64 {
        match ty {
            ComponentValType::Primitive(_) => 0,
            ComponentValType::Type(index) => self.at(0, *index),
        }
    }

    fn deepest<'t>(&self, types: impl IntoIterator<Item = &'t ComponentValType>) -> Result<u64, LoadError> {
        let inner = types.into_iter().map(|t| self.value(t)).max().unwrap_or(0);
        at_most("type_depth", inner + 1, self.limits.type_depth)?;
        Ok(inner + 1)
    }
}

/// The number of types in one declaration and its depth.
pub(crate) fn declared(
    ty: &ComponentType<'_>,
    depths: &mut Depths<'_>,
    limits: &StructureLimits,
) -> Result<(u64, u64), LoadError> {
    match ty {
        ComponentType::Defined(defined) => Ok((1, defined_depth(defined, depths, limits)?)),
        ComponentType::Func(func) => {
            at_most("record_fields", func.params.len() as u64, limits.record_fields)?;
            func.params.iter().try_for_each(|(name, _)| name_of(name, limits))?;
            Ok((1, 0))
        }
        ComponentType::Resource { .. } => Ok((1, 0)),
        ComponentType::Component(declarations) => scoped(depths, declarations.iter(), |d, depths| match d {
            ComponentTypeDeclaration::Type(ty) => inner(ty, depths, limits),
            ComponentTypeDeclaration::Export { ty, .. } => Ok(named(ty, depths)),
            ComponentTypeDeclaration::Import(import) => Ok(named(&import.ty, depths)),
            ComponentTypeDeclaration::Alias(alias) => Ok(aliased(alias, depths)),
            ComponentTypeDeclaration::CoreType(_) => Ok(1),
        }),
        ComponentType::Instance(declarations) => scoped(depths, declarations.iter(), |d, depths| match d {
            InstanceTypeDeclaration::Type(ty) => inner(ty, depths, limits),
            InstanceTypeDeclaration::Export { ty, .. } => Ok(named(ty, depths)),
            InstanceTypeDeclaration::Alias(alias) => Ok(aliased(alias, depths)),
            InstanceTypeDeclaration::CoreType(_) => Ok(1),
        }),
    }
}

fn scoped<D>(
    depths: &mut Depths<'_>,
    declarations: impl Iterator<Item = D>,
    mut each: impl FnMut(D, &mut Depths<'_>) -> Result<u64, LoadError>,
) -> Result<(u64, u64), LoadError> {
    depths.enter(true);
    let mut types = 1;
    for declaration in declarations {
        types += each(declaration, depths)?;
    }
    depths.leave();
    Ok((types, 0))
}

fn inner(ty: &ComponentType<'_>, depths: &mut Depths<'_>, limits: &StructureLimits) -> Result<u64, LoadError> {
    let (types, depth) = declared(ty, depths, limits)?;
    depths.push(depth);
    Ok(types)
}

fn named(ty: &ComponentTypeRef, depths: &mut Depths<'_>) -> u64 {
    match ty {
        ComponentTypeRef::Type(TypeBounds::Eq(index)) => depths.push_same(*index),
        ComponentTypeRef::Type(TypeBounds::SubResource) => depths.push(0),
        _ => {}
    }
    1
}

fn aliased(alias: &wasmparser::ComponentAlias<'_>, depths: &mut Depths<'_>) -> u64 {
    use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind};
    match alias {
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Type, .. } => depths.push(0),
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count, index } => {
            depths.push_outer(*count, *index)
        }
        _ => {}
    }
    1
}

fn name_of(name: &str, limits: &StructureLimits) -> Result<(), LoadError> {
    at_most("name_bytes", name.len() as u64, limits.name_bytes)
}

fn defined_depth(
    ty: &ComponentDefinedType<'_>,
    depths: &Depths<'_>,
    limits: &StructureLimits,
) -> Result<u64, LoadError> {
    use ComponentDefinedType as T;
    match ty {
        T::Primitive(_) | T::Own(_) | T::Borrow(_) => Ok(0),
        T::Record(fields) => {
            at_most("record_fields", fields.len() as u64, limits.record_fields)?;
            fields.iter().try_for_each(|(name, _)| name_of(name, limits))?;
            depths.deepest(fields.iter().map(|(_, t)| t))
        }
        T::Tuple(types) => {
            at_most("record_fields", types.len() as u64, limits.record_fields)?;
            depths.deepest(types.iter())
        }
        T::Variant(cases) => {
            at_most("variant_cases", cases.len() as u64, limits.variant_cases)?;
            cases.iter().try_for_each(|case| name_of(case.name, limits))?;
            depths.deepest(cases.iter().filter_map(|c| c.ty.as_ref()))
        }
        T::Enum(names) => {
            at_most("variant_cases", names.len() as u64, limits.variant_cases)?;
            names.iter().try_for_each(|name| name_of(name, limits))?;
            Ok(1)
        }
        T::Flags(names) => {
            at_most("flags", names.len() as u64, limits.flags)?;
            names.iter().try_for_each(|name| name_of(name, limits))?;
            Ok(1)
        }
        T::List(t) | T::Option(t) | T::FixedLengthList(t, _) => depths.deepest([t]),
        T::Map(k, v) => depths.deepest([k, v]),
        T::Result { ok, err } => depths.deepest(ok.iter().chain(err.iter())),
        T::Future(t) | T::Stream(t) => depths.deepest(t.iter()),
    }
}
