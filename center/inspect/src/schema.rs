//! JSON Schema (2020-12) of parameters and results, for exactly the JSON form that the sandbox reads and writes: 64-bit
//! integers beyond 2⁵³ as decimal texts, NaN and infinities as texts, bytes as base64, options as null.

use serde_json::{Map, Value, json};

use crate::types::WitTypeFact;

/// Largest integer that every JSON reader keeps exactly: 2⁵³ − 1.
const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Schema of the object that holds the parameters by name. Parameters of an option type may be left out.
pub(crate) fn params_schema(params: &[(String, WitTypeFact)]) -> Value {
    let mut writer = Writer::default();
    let object = writer.object(params);
    writer.finish(object)
}

/// Schema of a result; a function without one returns null.
pub(crate) fn result_schema(result: Option<&WitTypeFact>) -> Value {
    let mut writer = Writer::default();
    let schema = result.map_or_else(|| json!({"type": "null"}), |ty| writer.schema(ty));
    writer.finish(schema)
}

/// Writes schemas and gathers the definitions of named types.
#[derive(Default)]
struct Writer<'a> {
    definitions: Vec<(String, &'a WitTypeFact, Value)>,
}

impl<'a> Writer<'a> {
    fn finish(self, schema: Value) -> Value {
        let mut root = Map::new();
        root.insert("$schema".into(), DIALECT.into());
        if let Value::Object(members) = schema {
            root.extend(members);
        }
        if !self.definitions.is_empty() {
            let definitions = self.definitions.into_iter().map(|(name, _, schema)| (name, schema));
            root.insert("$defs".into(), Value::Object(definitions.collect()));
        }
        Value::Object(root)
    }

    fn schema(&mut self, ty: &'a WitTypeFact) -> Value {
        match ty {
            WitTypeFact::Bool => json!({"type": "boolean"}),
            WitTypeFact::U8 => integer(0, u8::MAX.into()),
            WitTypeFact::U16 => integer(0, u16::MAX.into()),
            WitTypeFact::U32 => integer(0, u32::MAX.into()),
            WitTypeFact::S8 => integer(i8::MIN.into(), i8::MAX.into()),
            WitTypeFact::S16 => integer(i16::MIN.into(), i16::MAX.into()),
            WitTypeFact::S32 => integer(i32::MIN.into(), i32::MAX.into()),
            WitTypeFact::U64 => wide(0, "^(0|[1-9][0-9]{0,19})$"),
            WitTypeFact::S64 => wide(-SAFE_INTEGER_MAX, "^(0|-?[1-9][0-9]{0,18})$"),
            WitTypeFact::F32 | WitTypeFact::F64 => {
                json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
            }
            WitTypeFact::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
            WitTypeFact::String => json!({"type": "string"}),
            WitTypeFact::List { item } if *item.bare() == WitTypeFact::U8 => {
                json!({"type": "string", "contentEncoding": "base64"})
            }
            WitTypeFact::List { item } => json!({"type": "array", "items": self.schema(item)}),
            WitTypeFact::Option { some } => self.option(some),
            WitTypeFact::Tuple { items } => self.tuple(items),
            WitTypeFact::Named { of, .. } => self.schema(of),
            WitTypeFact::Result { ok, err } => {
                let ok = self.payload("ok", ok.as_deref());
                let err = self.payload("err", err.as_deref());
                json!({"oneOf": [ok, err]})
            }
            WitTypeFact::Record { name, .. }
            | WitTypeFact::Variant { name, .. }
            | WitTypeFact::Enum { name, .. }
            | WitTypeFact::Flags { name, .. } => self.named(name, ty),
        }
    }

    fn option(&mut self, some: &'a WitTypeFact) -> Value {
        let inner = self.schema(some);
        if matches!(some, WitTypeFact::Option { .. }) {
            return json!({"anyOf": [{"type": "null"}, member("some", inner)]});
        }
        json!({"anyOf": [{"type": "null"}, inner]})
    }

    fn tuple(&mut self, items: &'a [WitTypeFact]) -> Value {
        let items: Vec<_> = items.iter().map(|item| self.schema(item)).collect();
        let count = items.len();
        json!({"type": "array", "prefixItems": items, "minItems": count, "maxItems": count})
    }

    fn payload(&mut self, name: &str, payload: Option<&'a WitTypeFact>) -> Value {
        let schema = payload.map_or_else(|| json!({"type": "null"}), |ty| self.schema(ty));
        member(name, schema)
    }

    /// A reference to a definition, made on first use. Two types of one name get different definitions.
    fn named(&mut self, name: &str, ty: &'a WitTypeFact) -> Value {
        if let Some((known, ..)) = self.definitions.iter().find(|(_, definition, _)| *definition == ty) {
            return json!({"$ref": format!("#/$defs/{known}")});
        }
        let same = |other: &str| other == name || other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let used = self.definitions.iter().filter(|(other, ..)| same(other)).count();
        let name = if used == 0 { name.to_owned() } else { format!("{name}.{}", used + 1) };
        let place = self.definitions.len();
        self.definitions.push((name.clone(), ty, Value::Null));
        self.definitions[place].2 = match ty {
            WitTypeFact::Record { fields, .. } => self.object(fields),
            WitTypeFact::Variant { cases, .. } => self.variant(cases),
            WitTypeFact::Enum { cases, .. } => json!({"enum": cases}),
            WitTypeFact::Flags { names, .. } => json!({"type": "array", "items": {"enum": names}, "uniqueItems": true}),
            _ => Value::Bool(true),
        };
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn object(&mut self, fields: &'a [(String, WitTypeFact)]) -> Value {
        let needed = fields.iter().filter(|(_, ty)| !matches!(ty, WitTypeFact::Option { .. }));
        let required: Vec<_> = needed.map(|(name, _)| name.as_str()).collect();
        let properties: Map<_, _> = fields.iter().map(|(name, ty)| (name.clone(), self.schema(ty))).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    fn variant(&mut self, cases: &'a [(String, Option<WitTypeFact>)]) -> Value {
        let case = |(name, payload): &'a (String, Option<WitTypeFact>)| match payload {
            None => json!({"const": name}),
            Some(ty) => member(name, self.schema(ty)),
        };
        let cases: Vec<_> = cases.iter().map(case).collect();
        json!({"oneOf": cases})
    }
}

fn integer(min: i64, max: i64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

fn wide(min: i64, pattern: &str) -> Value {
    json!({"anyOf": [integer(min, SAFE_INTEGER_MAX), {"type": "string", "pattern": pattern}]})
}

/// An object with exactly this member.
fn member(name: &str, schema: Value) -> Value {
    let properties: Map<_, _> = [(name.to_owned(), schema)].into_iter().collect();
    json!({"type": "object", "properties": properties, "required": [name], "additionalProperties": false})
}
