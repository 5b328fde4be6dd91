//! What its author wrote about a component: the doc comments of its world, which the custom section `package-docs` keeps.
//! They are foreign text and say nothing that anybody checked; whoever shows them escapes them.

use std::collections::BTreeMap;

use wit_parser::{Resolve, TypeDefKind, World, WorldItem};

use crate::text::clean;

/// Longest comment that is kept, characters: as much as a page has.
const COMMENT_CHARS_MAX: usize = 4_000;
/// Most characters of all comments of a world: a descriptor carries those of its entries, and is read by everybody.
const COMMENTS_CHARS_MAX: usize = 32_000;

/// Doc comments of a world. Where there is too much of them there are none.
#[derive(Debug, Default)]
pub(crate) struct Docs {
    /// Of exported functions, by name.
    pub(crate) functions: BTreeMap<String, String>,
    /// Of types, by name. Of two types of one name, which only different interfaces have, the later one's.
    pub(crate) types: BTreeMap<String, TypeDocs>,
}

/// Doc comments of a type.
#[derive(Debug, Default)]
pub(crate) struct TypeDocs {
    /// Of the type itself.
    pub(crate) about: Option<String>,
    /// Of its fields, cases or flags, by name.
    pub(crate) members: BTreeMap<String, String>,
}

impl Docs {
    pub(crate) fn of(resolve: &Resolve, world: &World) -> Self {
        let mut docs = Self::default();
        for (key, item) in &world.exports {
            if let WorldItem::Function(function) = item {
                let text = kept(&function.docs);
                docs.functions.extend(text.map(|text| (resolve.name_world_key(key), text)));
            }
        }
        for (_, ty) in resolve.types.iter() {
            let Some(name) = &ty.name else { continue };
            let found = TypeDocs { about: kept(&ty.docs), members: members(&ty.kind) };
            if found.about.is_some() || !found.members.is_empty() {
                docs.types.insert(name.clone(), found);
            }
        }
        if docs.chars() > COMMENTS_CHARS_MAX { Self::default() } else { docs }
    }

    fn chars(&self) -> usize {
        let of_types = self.types.values().flat_map(|docs| docs.about.iter().chain(docs.members.values()));
        self.functions.values().chain(of_types).map(|text| text.chars().count()).sum()
    }
}

fn members(kind: &TypeDefKind) -> BTreeMap<String, String> {
    let named: Vec<(&String, &wit_parser::Docs)> = match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| (&field.name, &field.docs)).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (&flag.name, &flag.docs)).collect(),
        _ => Vec::new(),
    };
    named.into_iter().filter_map(|(name, docs)| Some((name.clone(), kept(docs)?))).collect()
}

/// A comment in its lines, bounded, without what could pass for the end of a line.
fn kept(docs: &wit_parser::Docs) -> Option<String> {
    let text = docs.contents.as_deref()?;
    let short: String = text.chars().take(COMMENT_CHARS_MAX).collect();
    let lines: Vec<String> = short.lines().map(|line| clean(line, COMMENT_CHARS_MAX)).collect();
    let lines = lines.join("\n");
    (!lines.trim().is_empty()).then_some(lines)
}
