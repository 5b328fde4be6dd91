//! The types of an entry's parameters and result, read once when a module is loaded. Only types that have a value form
//! exist here: resources, streams, futures, error contexts, maps and fixed lists are refused while reading.

use std::fmt;

use wasmtime::component::Type;

/// Nodes a whole entry may have, so that shared types cannot blow up when written out.
const NODES_MAX: usize = 4_096;
/// How deep a type may nest.
const DEPTH_MAX: usize = 16;

/// A WIT value type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WitType {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Box<Self>),
    /// `record`: fields in order.
    Record(Vec<(String, Self)>),
    /// `tuple<…>`
    Tuple(Vec<Self>),
    /// `variant`: cases in order.
    Variant(Vec<(String, Option<Self>)>),
    /// `enum`: cases in order.
    Enum(Vec<String>),
    /// `option<T>`
    Option(Box<Self>),
    /// `result<T, E>`
    Result {
        /// The type of success, where it has one.
        ok: Option<Box<Self>>,
        /// The type of failure, where it has one.
        err: Option<Box<Self>>,
    },
    /// `flags`: names in order.
    Flags(Vec<String>),
}

impl WitType {
    /// Whether some value of the type is written as JSON `null`; an option of such a type wraps its value.
    pub fn nullable(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// A short name for messages: no fields, no cases.
    pub fn short(&self) -> String {
        match self {
            Self::Record(_) => "record".into(),
            Self::Variant(_) => "variant".into(),
            Self::Enum(_) => "enum".into(),
            Self::Flags(_) => "flags".into(),
            Self::Tuple(types) => format!("tuple of {}", types.len()),
            Self::List(inner) => format!("list<{}>", inner.short()),
            Self::Option(inner) => format!("option<{}>", inner.short()),
            Self::Result { ok, err } => {
                let name = |t: &Option<Box<Self>>| t.as_ref().map_or_else(|| "_".to_owned(), |t| t.short());
                format!("result<{}, {}>", name(ok), name(err))
            }
            scalar => scalar.to_string(),
        }
    }
}

impl fmt::Display for WitType {
    /// Writes the type inline, the way WIT would if it had no names: `record { at: s64, who: option<string> }`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(inner) => write!(f, "list<{inner}>"),
            Self::Option(inner) => write!(f, "option<{inner}>"),
            Self::Tuple(types) => {
                f.write_str("tuple<")?;
                commas(f, types, |f, t| write!(f, "{t}"))?;
                f.write_str(">")
            }
            Self::Record(fields) => {
                f.write_str("record { ")?;
                commas(f, fields, |f, (name, t)| write!(f, "{name}: {t}"))?;
                f.write_str(" }")
            }
            Self::Variant(cases) => {
                f.write_str("variant { ")?;
                commas(f, cases, |f, (name, t)| match t {
                    Some(t) => write!(f, "{name}({t})"),
                    None => f.write_str(name),
                })?;
                f.write_str(" }")
            }
            Self::Enum(names) => write!(f, "enum {{ {} }}", names.join(", ")),
            Self::Flags(names) => write!(f, "flags {{ {} }}", names.join(", ")),
            Self::Result { ok, err } => match (ok, err) {
                (None, None) => f.write_str("result"),
                (Some(ok), None) => write!(f, "result<{ok}>"),
                (None, Some(err)) => write!(f, "result<_, {err}>"),
                (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
            },
        }
    }
}

fn commas<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

/// Reads types of one entry within the limits. An error is the name of what has no value form.
#[derive(Default)]
pub(crate) struct TypeReader {
    nodes: usize,
}

impl TypeReader {
    pub(crate) fn read(&mut self, ty: &Type) -> Result<WitType, String> {
        self.at(ty, 1)
    }

    fn at(&mut self, ty: &Type, depth: usize) -> Result<WitType, String> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(format!("more than {NODES_MAX} types"));
        }
        if depth > DEPTH_MAX {
            return Err(format!("a type nested deeper than {DEPTH_MAX}"));
        }
        Ok(match ty {
            Type::Bool => WitType::Bool,
            Type::S8 => WitType::S8,
            Type::U8 => WitType::U8,
            Type::S16 => WitType::S16,
            Type::U16 => WitType::U16,
            Type::S32 => WitType::S32,
            Type::U32 => WitType::U32,
            Type::S64 => WitType::S64,
            Type::U64 => WitType::U64,
            Type::Float32 => WitType::F32,
            Type::Float64 => WitType::F64,
            Type::Char => WitType::Char,
            Type::String => WitType::String,
            other => return self.composite(other, depth),
        })
    }

    fn composite(&mut self, ty: &Type, depth: usize) -> Result<WitType, String> {
        let mut inner = |ty: &Type| self.at(ty, depth + 1);
        Ok(match ty {
            Type::List(t) => WitType::List(Box::new(inner(&t.ty())?)),
            Type::Option(t) => WitType::Option(Box::new(inner(&t.ty())?)),
            Type::Record(t) => WitType::Record(
                t.fields().map(|f| Ok((f.name.to_owned(), inner(&f.ty)?))).collect::<Result<_, String>>()?,
            ),
            Type::Tuple(t) => WitType::Tuple(t.types().map(|t| inner(&t)).collect::<Result<_, _>>()?),
            Type::Variant(t) => WitType::Variant(
                t.cases()
                    .map(|c| Ok((c.name.to_owned(), c.ty.as_ref().map(&mut inner).transpose()?)))
                    .collect::<Result<_, String>>()?,
            ),
            Type::Enum(t) => WitType::Enum(t.names().map(str::to_owned).collect()),
            Type::Flags(t) => WitType::Flags(t.names().map(str::to_owned).collect()),
            Type::Result(t) => WitType::Result {
                ok: t.ok().map(|t| inner(&t)).transpose()?.map(Box::new),
                err: t.err().map(|t| inner(&t)).transpose()?.map(Box::new),
            },
            Type::Own(_) | Type::Borrow(_) => return Err("a resource".into()),
            Type::Future(_) => return Err("future".into()),
            Type::Stream(_) => return Err("stream".into()),
            Type::ErrorContext => return Err("error-context".into()),
            Type::Map(_) => return Err("map".into()),
            Type::FixedLengthList(_) => return Err("a list of fixed length".into()),
            _ => return Err("an unknown type".into()),
        })
    }
}
