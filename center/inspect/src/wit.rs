//! WIT text: of one signature with the types it needs, and of the whole world. For people and for the catalog.

use std::collections::BTreeSet;
use std::fmt;

use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve};

use crate::docs::{Docs, TypeDocs};
use crate::error::InspectError;
use crate::types::WitTypeFact;

/// The world of a component as WIT text.
pub(crate) fn world_text(resolve: &Resolve, package: PackageId) -> Result<String, InspectError> {
    let mut printer = WitPrinter::default();
    printer.print(resolve, package, &[]).map_err(|error| InspectError::interface(&error.to_string()))?;
    Ok(printer.output.to_string())
}

/// A function's signature, preceded by the named types in it, each once, what is used before what uses it, all with the
/// comments of their author.
pub(crate) fn signature(
    docs: &Docs,
    name: &str,
    params: &[(String, WitTypeFact)],
    result: Option<&WitTypeFact>,
) -> String {
    let mut definitions = Definitions { docs, known: BTreeSet::new(), texts: Vec::new() };
    for ty in params.iter().map(|(_, ty)| ty).chain(result) {
        definitions.collect(ty);
    }
    let params: Vec<_> = params.iter().map(|(name, ty)| format!("{}: {}", escape(name), reference(ty))).collect();
    let result = result.map(|ty| format!(" -> {}", reference(ty))).unwrap_or_default();
    let function =
        format!("{}{}: func({}){result};\n", comment(docs.functions.get(name), ""), escape(name), params.join(", "));
    definitions.texts.into_iter().chain([function]).collect()
}

struct Definitions<'a> {
    docs: &'a Docs,
    known: BTreeSet<String>,
    texts: Vec<String>,
}

impl Definitions<'_> {
    fn collect(&mut self, ty: &WitTypeFact) {
        ty.parts().into_iter().for_each(|part| self.collect(part));
        let Some(name) = ty.name() else { return };
        if self.known.insert(name.to_owned()) {
            let empty = TypeDocs::default();
            self.texts.push(definition(self.docs.types.get(name).unwrap_or(&empty), name, ty));
        }
    }
}

fn definition(docs: &TypeDocs, name: &str, ty: &WitTypeFact) -> String {
    let (keyword, lines): (_, Vec<(&str, String)>) = match ty {
        WitTypeFact::Record { fields, .. } => {
            let field = |(name, ty): &'_ (String, WitTypeFact)| format!("{}: {}", escape(name), reference(ty));
            ("record", fields.iter().map(|f| (f.0.as_str(), field(f))).collect())
        }
        WitTypeFact::Variant { cases, .. } => {
            ("variant", cases.iter().map(|(name, payload)| (name.as_str(), case(name, payload.as_ref()))).collect())
        }
        WitTypeFact::Enum { cases, .. } => ("enum", cases.iter().map(|case| (case.as_str(), escape(case))).collect()),
        WitTypeFact::Flags { names, .. } => ("flags", names.iter().map(|name| (name.as_str(), escape(name))).collect()),
        WitTypeFact::Named { of, .. } => {
            return format!("{}type {} = {};\n", comment(docs.about.as_ref(), ""), escape(name), reference(of));
        }
        _ => return String::new(),
    };
    let line = |(name, line): &(&str, String)| format!("{}    {line},\n", comment(docs.members.get(*name), "    "));
    let lines: String = lines.iter().map(line).collect();
    format!("{}{keyword} {} {{\n{lines}}}\n", comment(docs.about.as_ref(), ""), escape(name))
}

/// A doc comment in its lines; none where the author wrote none.
fn comment(text: Option<&String>, indent: &str) -> String {
    let line = |line: &str| format!("{}\n", format!("{indent}/// {line}").trim_end());
    text.map(|text| text.lines().map(line).collect()).unwrap_or_default()
}

fn case(name: &str, payload: Option<&WitTypeFact>) -> String {
    let payload = payload.map(|ty| format!("({})", reference(ty))).unwrap_or_default();
    format!("{}{payload}", escape(name))
}

impl fmt::Display for WitTypeFact {
    /// As it is written where it is used: by its name where it has one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reference(self))
    }
}

/// How a type is written where it is used.
pub(crate) fn reference(ty: &WitTypeFact) -> String {
    let primitive = match ty {
        WitTypeFact::Bool => "bool",
        WitTypeFact::U8 => "u8",
        WitTypeFact::U16 => "u16",
        WitTypeFact::U32 => "u32",
        WitTypeFact::U64 => "u64",
        WitTypeFact::S8 => "s8",
        WitTypeFact::S16 => "s16",
        WitTypeFact::S32 => "s32",
        WitTypeFact::S64 => "s64",
        WitTypeFact::F32 => "f32",
        WitTypeFact::F64 => "f64",
        WitTypeFact::Char => "char",
        WitTypeFact::String => "string",
        WitTypeFact::List { item } => return format!("list<{}>", reference(item)),
        WitTypeFact::Option { some } => return format!("option<{}>", reference(some)),
        WitTypeFact::Tuple { items } => {
            return format!("tuple<{}>", items.iter().map(reference).collect::<Vec<_>>().join(", "));
        }
        WitTypeFact::Result { ok, err } => return result_reference(ok.as_deref(), err.as_deref()),
        WitTypeFact::Record { name, .. }
        | WitTypeFact::Variant { name, .. }
        | WitTypeFact::Enum { name, .. }
        | WitTypeFact::Flags { name, .. }
        | WitTypeFact::Named { name, .. } => return escape(name),
    };
    primitive.to_owned()
}

fn result_reference(ok: Option<&WitTypeFact>, err: Option<&WitTypeFact>) -> String {
    match (ok, err) {
        (None, None) => "result".to_owned(),
        (Some(ok), None) => format!("result<{}>", reference(ok)),
        (ok, Some(err)) => format!("result<{}, {}>", ok.map_or_else(|| "_".to_owned(), reference), reference(err)),
    }
}

/// A name, with `%` before it where WIT has a keyword of that name.
fn escape(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "as",
        "async",
        "bool",
        "borrow",
        "char",
        "constructor",
        "enum",
        "error-context",
        "export",
        "f32",
        "f64",
        "flags",
        "from",
        "func",
        "future",
        "import",
        "include",
        "interface",
        "list",
        "map",
        "option",
        "own",
        "package",
        "record",
        "resource",
        "result",
        "s16",
        "s32",
        "s64",
        "s8",
        "static",
        "stream",
        "string",
        "tuple",
        "type",
        "u16",
        "u32",
        "u64",
        "u8",
        "use",
        "variant",
        "with",
        "world",
    ];
    if KEYWORDS.contains(&name) { format!("%{name}") } else { name.to_owned() }
}
