//! Whether parameters are of the types that an entry takes, said before anybody is asked: one message here instead of one
//! refusal from every provider. Pure; a gateway judges for itself all the same.

use iog_inspect::{ExportFact, WitTypeFact as Fact};
use iog_module::value_type;
use iog_sandbox::{Misfit, ValueError, params_fit};
use serde_json::{Map, Value, json};

/// Longest text of a type in a message, characters.
const TYPE_CHARS_MAX: usize = 200;

/// Parameters that do not fit their entry: the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsMisfit {
    /// Some that the entry needs are not there.
    #[error("missing {missing}; for example {example}")]
    Missing {
        /// Each with its type in WIT and, where that has an end, the values that it has.
        missing: String,
        /// How they could be written.
        example: String,
    },
    /// One has a value that is not of its type.
    #[error("the parameter `{name}: {ty}` does not fit: {problem}; for example {example}")]
    Value {
        /// Its name.
        name: String,
        /// Its type in WIT.
        ty: String,
        /// What was expected where, and what was found.
        problem: String,
        /// How it could be written.
        example: String,
    },
    /// One that the entry does not have.
    #[error("the entry has no parameter `{name}`; {known}")]
    Unknown {
        /// Its name.
        name: String,
        /// Those that it has.
        known: String,
    },
    /// They are not an object.
    #[error("the parameters do not fit: {problem}")]
    Shape {
        /// What they are.
        problem: String,
    },
}

/// Whether `params` fit `entry`.
///
/// # Errors
/// [`ParamsMisfit`]: the first that does not.
pub fn check(entry: &ExportFact, params: &Value) -> Result<(), ParamsMisfit> {
    let types: Vec<_> = entry.params.iter().map(|(name, ty)| (name.clone(), value_type(ty))).collect();
    match params_fit(&types, params) {
        // How much they may take is for each gateway to say.
        Ok(()) | Err(Misfit::Large(_)) => Ok(()),
        Err(Misfit::Type(error)) => Err(misfit(entry, params, error)),
        Err(other) => Err(ParamsMisfit::Shape { problem: other.to_string() }),
    }
}

/// The parameters that an entry needs, each as a shell takes it behind `--param`.
#[must_use]
pub fn example_of(entry: &ExportFact) -> Vec<String> {
    needed(entry).map(|(name, ty)| argument(name, &written(&example(ty)))).collect()
}

/// The parameters that cannot be left out.
fn needed(entry: &ExportFact) -> impl Iterator<Item = &(String, Fact)> {
    entry.params.iter().filter(|(_, ty)| !matches!(ty, Fact::Option { .. }))
}

fn misfit(entry: &ExportFact, params: &Value, error: ValueError) -> ParamsMisfit {
    let Value::Object(given) = params else {
        return ParamsMisfit::Shape { problem: format!("expected {}, found {}", error.expected, error.found) };
    };
    // The parameters are looked at in the order of the entry, what is not one of them at the end.
    let path = error.path.strip_prefix("$.").unwrap_or_default();
    let Some((name, ty)) = entry.params.iter().find(|(name, _)| begins(path, name)) else {
        return ParamsMisfit::Unknown { name: path.to_owned(), known: known(entry) };
    };
    let Some(found) = given.get(name) else { return missing(entry, given) };
    let inside = if path == name { String::new() } else { format!(" at `{path}`") };
    let problem = format!("expected {}{inside}, found {}", error.expected, error.found);
    let inner: &Fact = if let Fact::Option { some } = ty { some } else { ty };
    let example = match (inner.bare(), found) {
        // What looks like a number or a word of JSON counts as such until it is quoted.
        (Fact::String, Value::Number(_) | Value::Bool(_) | Value::Null) => json!(found.to_string()).to_string(),
        _ => written(&example(ty)),
    };
    let (name, ty, example) = (name.clone(), shortened(&ty.to_string()), format!("`{}`", argument(name, &example)));
    ParamsMisfit::Value { name, ty, problem, example }
}

/// All that the entry needs and that are not there, in one message.
fn missing(entry: &ExportFact, given: &Map<String, Value>) -> ParamsMisfit {
    let missing: Vec<_> = needed(entry).filter(|(name, _)| !given.contains_key(name)).collect();
    let told = missing.iter().map(|(name, ty)| {
        let choices = choices(ty).map(|choices| format!(" (one of {choices})")).unwrap_or_default();
        format!("`{name}: {}`{choices}", shortened(&ty.to_string()))
    });
    let examples = missing.iter().map(|(name, ty)| format!("`{}`", argument(name, &written(&example(ty)))));
    ParamsMisfit::Missing {
        missing: told.collect::<Vec<_>>().join(" and "),
        example: examples.collect::<Vec<_>>().join(" "),
    }
}

/// The values of a type that has few.
fn choices(ty: &Fact) -> Option<String> {
    match ty {
        Fact::Enum { cases, .. } => Some(shortened(&format!("`{}`", cases.join("`, `")))),
        _ => None,
    }
}

/// A parameter as a shell takes it.
fn argument(name: &str, value: &str) -> String {
    let plain = value.chars().all(|c| c.is_alphanumeric() || "-_.:/".contains(c));
    if plain { format!("{name}={value}") } else { format!("'{name}={value}'") }
}

/// Whether a place is a parameter, or something inside it.
fn begins(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn known(entry: &ExportFact) -> String {
    let one = |(name, ty): &(String, Fact)| format!("`{name}: {}`", shortened(&ty.to_string()));
    match entry.params.as_slice() {
        [] => "it takes none".to_owned(),
        some => format!("it takes {}", some.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(TYPE_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A value as it is typed behind `NAME=`.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Some value of a type; what stands for a text is in capitals.
fn example(ty: &Fact) -> Value {
    match ty {
        Fact::Bool => json!(true),
        Fact::F32 | Fact::F64 => json!(0.5),
        Fact::Char => json!("x"),
        Fact::String => json!("TEXT"),
        Fact::List { item } if *item.bare() == Fact::U8 => json!("aGVsbG8="),
        Fact::List { item } => json!([example(item)]),
        Fact::Option { some } if matches!(**some, Fact::Option { .. }) => json!({ "some": example(some) }),
        Fact::Option { some } => example(some),
        Fact::Result { ok, .. } => json!({ "ok": ok.as_deref().map(example) }),
        Fact::Tuple { items } => items.iter().map(example).collect(),
        Fact::Record { fields, .. } => {
            let needed = fields.iter().filter(|(_, ty)| !matches!(ty, Fact::Option { .. }));
            Value::Object(needed.map(|(name, ty)| (name.clone(), example(ty))).collect::<Map<_, _>>())
        }
        Fact::Variant { cases, .. } => match cases.first() {
            Some((name, Some(ty))) => json!({ name: example(ty) }),
            Some((name, None)) => json!(name),
            None => Value::Null,
        },
        Fact::Enum { cases, .. } => json!(cases.first()),
        Fact::Flags { names, .. } => json!([names.first()]),
        Fact::Named { name, of } => match name.as_str() {
            "asn" => json!(64500),
            "time-us" => json!(1_767_225_600_000_000_u64),
            _ => example(of),
        },
        _ => json!(1),
    }
}

#[cfg(test)]
mod tests {
    use iog_inspect::InspectLimits;

    use super::*;

    const TALKERS: &[u8] = include_bytes!("../../../modules/prebuilt/top-talkers.wasm");

    fn judged(params: &Value) -> Result<(), String> {
        let facts = iog_inspect::inspect(TALKERS, &InspectLimits::default()).unwrap();
        check(facts.export("top").unwrap(), params).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn what_does_not_fit_is_named_with_what_would() {
        assert_eq!(judged(&json!({"side": "source", "measure": "bytes", "n": 5})), Ok(()));
        let told = [
            (
                json!({"side": "src", "measure": "bytes"}),
                "the parameter `side: side` does not fit: expected one of `source`, `destination`, found the string `src`; \
                 for example `side=source`",
            ),
            (
                json!({"n": 5}),
                "missing `side: side` (one of `source`, `destination`) and `measure: measure` (one of `bytes`, `packets`, \
                 `flows`); for example `side=source` `measure=bytes`",
            ),
            (
                json!({"side": "source", "measure": "bytes", "v4-length": 300}),
                "the parameter `v4-length: option<u8>` does not fit: expected u8, found the number 300; for example \
                 `v4-length=1`",
            ),
        ];
        for (params, message) in told {
            assert_eq!(judged(&params).unwrap_err(), message);
        }
        let unknown = judged(&json!({"side": "source", "measure": "bytes", "top": 5})).unwrap_err();
        assert!(unknown.starts_with("the entry has no parameter `top`; it takes `side: side`, "), "{unknown}");
        assert!(judged(&json!([])).unwrap_err().starts_with("the parameters do not fit: expected an object"));
    }

    #[test]
    fn what_is_a_number_only_for_want_of_quotes_is_shown_with_them() {
        let params =
            vec![("id".to_owned(), Fact::String), ("names".to_owned(), Fact::List { item: Fact::String.into() })];
        let entry = ExportFact { name: "e".into(), params, result: None, wit: String::new() };
        let told = |params| check(&entry, &params).unwrap_err().to_string();
        let message = told(json!({"id": 5, "names": []}));
        assert!(message.ends_with("found the number 5; for example `'id=\"5\"'`"), "{message}");
        let message = told(json!({"id": "5"}));
        assert_eq!(message, "missing `names: list<string>`; for example `'names=[\"TEXT\"]'`");
    }

    #[test]
    fn every_example_fits_its_type() {
        let boxed = |ty: Fact| Box::new(ty);
        let named = |name: &str, of| Fact::Named { name: name.into(), of: Box::new(of) };
        let types = [
            Fact::Bool,
            Fact::S8,
            Fact::U64,
            Fact::F32,
            Fact::Char,
            Fact::String,
            named("asn", Fact::U32),
            named("time-us", Fact::S64),
            named("other", Fact::F64),
            Fact::List { item: boxed(Fact::U8) },
            Fact::List { item: boxed(Fact::Char) },
            Fact::Option { some: boxed(Fact::Option { some: boxed(Fact::Bool) }) },
            Fact::Result { ok: None, err: Some(boxed(Fact::String)) },
            Fact::Tuple { items: vec![Fact::U8, Fact::String] },
            Fact::Record { name: "r".into(), fields: vec![("a".into(), Fact::U8)] },
            Fact::Variant { name: "v".into(), cases: vec![("a".into(), Some(Fact::U8))] },
            Fact::Enum { name: "e".into(), cases: vec!["a".into()] },
            Fact::Flags { name: "f".into(), names: vec!["a".into()] },
        ];
        for ty in types {
            let params = json!({ "p": example(&ty) });
            params_fit(&[("p".to_owned(), value_type(&ty))], &params).unwrap_or_else(|e| panic!("{ty:?}: {e}"));
        }
    }
}
