//! Value types of a component as plain data, read from a resolved WIT world within bounds. Handles, futures, streams and
//! error contexts are not values and are refused.

use serde::Serialize;
use wit_parser::{Resolve, Type, TypeDefKind, TypeId};

use crate::error::{InspectError, at_most};
use crate::limits::InspectLimits;

/// A WIT value type with everything it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum WitTypeFact {
    Bool,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F32,
    F64,
    Char,
    String,
    List {
        item: Box<Self>,
    },
    Option {
        some: Box<Self>,
    },
    Result {
        ok: Option<Box<Self>>,
        err: Option<Box<Self>>,
    },
    Tuple {
        items: Vec<Self>,
    },
    Record {
        name: String,
        fields: Vec<(String, Self)>,
    },
    Variant {
        name: String,
        cases: Vec<(String, Option<Self>)>,
    },
    Enum {
        name: String,
        cases: Vec<String>,
    },
    Flags {
        name: String,
        names: Vec<String>,
    },
    /// A primitive type under a name of the world's own: the same values, and the name may say what they count.
    Named {
        name: String,
        of: Box<Self>,
    },
}

impl WitTypeFact {
    /// The name of a type that has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Record { name, .. }
            | Self::Variant { name, .. }
            | Self::Enum { name, .. }
            | Self::Flags { name, .. }
            | Self::Named { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The type itself, without the name that a primitive one was given.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Named { of, .. } => of,
            other => other,
        }
    }

    /// The same type without the names that primitive ones were given, everywhere in it: its values.
    #[must_use]
    pub fn unnamed(&self) -> Self {
        let boxed = |ty: &Self| Box::new(ty.unnamed());
        match self {
            Self::List { item } => Self::List { item: boxed(item) },
            Self::Option { some } => Self::Option { some: boxed(some) },
            Self::Result { ok, err } => Self::Result { ok: ok.as_deref().map(boxed), err: err.as_deref().map(boxed) },
            Self::Tuple { items } => Self::Tuple { items: items.iter().map(Self::unnamed).collect() },
            Self::Record { name, fields } => {
                let fields = fields.iter().map(|(field, ty)| (field.clone(), ty.unnamed())).collect();
                Self::Record { name: name.clone(), fields }
            }
            Self::Variant { name, cases } => {
                let cases = cases.iter().map(|(case, ty)| (case.clone(), ty.as_ref().map(Self::unnamed))).collect();
                Self::Variant { name: name.clone(), cases }
            }
            other => other.bare().clone(),
        }
    }

    /// The types directly inside.
    #[must_use]
    pub fn parts(&self) -> Vec<&Self> {
        match self {
            Self::List { item } => vec![item],
            Self::Option { some } => vec![some],
            Self::Result { ok, err } => ok.iter().chain(err).map(AsRef::as_ref).collect(),
            Self::Tuple { items } => items.iter().collect(),
            Self::Record { fields, .. } => fields.iter().map(|(_, ty)| ty).collect(),
            Self::Variant { cases, .. } => cases.iter().filter_map(|(_, ty)| ty.as_ref()).collect(),
            Self::Named { of, .. } => vec![of],
            _ => Vec::new(),
        }
    }
}

/// Reads types of one world, counting what it has read. How wide each is [`check_size`] has bounded before.
pub(crate) struct TypeReader<'a> {
    resolve: &'a Resolve,
    limits: &'a InspectLimits,
    nodes: u64,
}

impl<'a> TypeReader<'a> {
    pub(crate) const fn new(resolve: &'a Resolve, limits: &'a InspectLimits) -> Self {
        Self { resolve, limits, nodes: 0 }
    }

    /// Starts a new function: what it may hold is counted for it alone.
    pub(crate) const fn restart(&mut self) {
        self.nodes = 0;
    }

    /// The type, if it is a value within bounds; `function` is named in the error.
    pub(crate) fn read(&mut self, ty: &Type, function: &str) -> Result<WitTypeFact, InspectError> {
        self.at(ty, function, 1)
    }

    fn at(&mut self, ty: &Type, function: &str, depth: u64) -> Result<WitTypeFact, InspectError> {
        self.nodes += 1;
        at_most("nodes in the types of a function", self.nodes, self.limits.type_nodes)?;
        at_most("levels of a type", depth, self.limits.type_depth)?;
        Ok(match ty {
            Type::Bool => WitTypeFact::Bool,
            Type::U8 => WitTypeFact::U8,
            Type::U16 => WitTypeFact::U16,
            Type::U32 => WitTypeFact::U32,
            Type::U64 => WitTypeFact::U64,
            Type::S8 => WitTypeFact::S8,
            Type::S16 => WitTypeFact::S16,
            Type::S32 => WitTypeFact::S32,
            Type::S64 => WitTypeFact::S64,
            Type::F32 => WitTypeFact::F32,
            Type::F64 => WitTypeFact::F64,
            Type::Char => WitTypeFact::Char,
            Type::String => WitTypeFact::String,
            Type::ErrorContext => return Err(refused(function, "error-context")),
            Type::Id(id) => self.defined(*id, function, depth)?,
        })
    }

    fn defined(&mut self, id: TypeId, function: &str, depth: u64) -> Result<WitTypeFact, InspectError> {
        let resolve = self.resolve;
        let mut definition = &resolve.types[id];
        while let TypeDefKind::Type(Type::Id(next)) = &definition.kind {
            definition = &resolve.types[*next];
        }
        let name = || definition.name.clone().unwrap_or_default();
        Ok(match &definition.kind {
            TypeDefKind::Type(inner) => {
                let of = self.at(inner, function, depth)?;
                match &definition.name {
                    Some(name) => WitTypeFact::Named { name: name.clone(), of: Box::new(of) },
                    None => of,
                }
            }
            TypeDefKind::List(item) => WitTypeFact::List { item: self.boxed(item, function, depth)? },
            TypeDefKind::Option(some) => WitTypeFact::Option { some: self.boxed(some, function, depth)? },
            TypeDefKind::Result(result) => {
                let mut side = |ty: Option<&Type>| ty.map(|ty| self.boxed(ty, function, depth)).transpose();
                WitTypeFact::Result { ok: side(result.ok.as_ref())?, err: side(result.err.as_ref())? }
            }
            TypeDefKind::Tuple(tuple) => {
                let items = tuple.types.iter().map(|ty| self.at(ty, function, depth + 1)).collect::<Result<_, _>>()?;
                WitTypeFact::Tuple { items }
            }
            TypeDefKind::Record(record) => {
                let field =
                    |field: &wit_parser::Field| Ok((field.name.clone(), self.at(&field.ty, function, depth + 1)?));
                WitTypeFact::Record { name: name(), fields: record.fields.iter().map(field).collect::<Result<_, _>>()? }
            }
            TypeDefKind::Variant(variant) => {
                let case = |case: &wit_parser::Case| {
                    let payload = case.ty.as_ref().map(|ty| self.at(ty, function, depth + 1)).transpose()?;
                    Ok((case.name.clone(), payload))
                };
                WitTypeFact::Variant { name: name(), cases: variant.cases.iter().map(case).collect::<Result<_, _>>()? }
            }
            TypeDefKind::Enum(cases) => {
                WitTypeFact::Enum { name: name(), cases: cases.cases.iter().map(|case| case.name.clone()).collect() }
            }
            TypeDefKind::Flags(flags) => {
                WitTypeFact::Flags { name: name(), names: flags.flags.iter().map(|flag| flag.name.clone()).collect() }
            }
            other => return Err(refused(function, kind_name(other))),
        })
    }

    fn boxed(&mut self, ty: &Type, function: &str, depth: u64) -> Result<Box<WitTypeFact>, InspectError> {
        self.at(ty, function, depth + 1).map(Box::new)
    }
}

fn refused(function: &str, what: &'static str) -> InspectError {
    InspectError::Type { function: crate::text::clean(function, 80), what }
}

const fn kind_name(kind: &TypeDefKind) -> &'static str {
    match kind {
        TypeDefKind::Resource | TypeDefKind::Handle(_) => "resource",
        TypeDefKind::Future(_) => "future",
        TypeDefKind::Stream(_) => "stream",
        TypeDefKind::Map(..) => "map",
        TypeDefKind::FixedLengthList(..) => "fixed-length list",
        _ => "type of unknown kind",
    }
}

/// Bounds what printing the whole world can cost: every type once, anonymous ones written out. And holds every type to the
/// bounds of a single one, also those that no function uses: the engine, which compiles all of them, does so too.
pub(crate) fn check_size(resolve: &Resolve, limits: &InspectLimits) -> Result<(), InspectError> {
    let mut sizes = Sizes { resolve, known: vec![None; resolve.types.len()] };
    let mut total = 0_u64;
    for (id, _) in resolve.types.iter() {
        total = total.saturating_add(sizes.written_out(id, limits.type_depth + 1)?);
        at_most("nodes of types", total, limits.world_nodes)?;
    }
    let mut depths = Depths { resolve, limits, known: vec![None; resolve.types.len()] };
    for (id, definition) in resolve.types.iter() {
        check_width(&definition.kind, limits)?;
        depths.of(id, limits.type_depth)?;
    }
    Ok(())
}

/// Bounds how many parts a type has.
fn check_width(kind: &TypeDefKind, limits: &InspectLimits) -> Result<(), InspectError> {
    let (what, found, max) = match kind {
        TypeDefKind::Tuple(tuple) => ("elements of a tuple", tuple.types.len(), limits.record_fields),
        TypeDefKind::Record(record) => ("fields of a record", record.fields.len(), limits.record_fields),
        TypeDefKind::Variant(variant) => ("cases of a variant", variant.cases.len(), limits.variant_cases),
        TypeDefKind::Enum(cases) => ("cases of an enum", cases.cases.len(), limits.variant_cases),
        TypeDefKind::Flags(flags) => ("names of a flags type", flags.flags.len(), limits.flags),
        _ => return Ok(()),
    };
    at_most(what, found as u64, max)
}

/// How many levels types have, named ones written out too.
struct Depths<'a> {
    resolve: &'a Resolve,
    limits: &'a InspectLimits,
    known: Vec<Option<u64>>,
}

impl Depths<'_> {
    /// Levels of a type, of which there may be `most`; that bounds the recursion too.
    fn of(&mut self, id: TypeId, most: u64) -> Result<u64, InspectError> {
        let (resolve, mut id) = (self.resolve, id);
        while let TypeDefKind::Type(Type::Id(next)) = &resolve.types[id].kind {
            id = *next;
        }
        let max = self.limits.type_depth;
        let too_deep = InspectError::Limit { what: "levels of a type", found: max.saturating_add(1), max };
        let levels = match self.known.get(id.index()).copied().flatten() {
            Some(levels) => levels,
            None => {
                let Some(inside) = most.checked_sub(1) else { return Err(too_deep) };
                let kind = &resolve.types[id].kind;
                // A primitive type under another name is one level.
                let parts = if matches!(kind, TypeDefKind::Type(_)) { Vec::new() } else { parts(kind) };
                let mut deepest = 0;
                for part in parts {
                    let levels = match part {
                        Type::Id(inner) => self.of(inner, inside)?,
                        _ => 1,
                    };
                    deepest = levels.max(deepest);
                }
                deepest + 1
            }
        };
        if levels > most {
            return Err(too_deep);
        }
        if let Some(place) = self.known.get_mut(id.index()) {
            *place = Some(levels);
        }
        Ok(levels)
    }
}

struct Sizes<'a> {
    resolve: &'a Resolve,
    known: Vec<Option<u64>>,
}

impl Sizes<'_> {
    /// Nodes of a type with its anonymous parts; `levels` bounds the recursion.
    fn written_out(&mut self, id: TypeId, levels: u64) -> Result<u64, InspectError> {
        if let Some(size) = self.known.get(id.index()).copied().flatten() {
            return Ok(size);
        }
        let resolve = self.resolve;
        let parts = parts(&resolve.types[id].kind);
        let mut size = 1_u64;
        for part in parts {
            size = size.saturating_add(match part {
                Type::Id(inner) if resolve.types[inner].name.is_none() => {
                    let left = levels.checked_sub(1).ok_or(InspectError::Limit {
                        what: "levels of a type",
                        found: crate::limits::TYPE_DEPTH_MAX + 1,
                        max: crate::limits::TYPE_DEPTH_MAX,
                    })?;
                    self.written_out(inner, left)?
                }
                _ => 1,
            });
        }
        if let Some(slot) = self.known.get_mut(id.index()) {
            *slot = Some(size);
        }
        Ok(size)
    }
}

fn parts(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Result(result) => result.ok.iter().chain(&result.err).copied().collect(),
        _ => Vec::new(),
    }
}
