//! JSON to component values, guided by the WIT type. The inverse of [`crate::json_out`]; `docs/spec/` lays the mapping
//! down. It accepts exactly the forms written there and says where a value does not fit. Every value is charged to an
//! allowance before it is made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use wasmtime::component::Val;

use crate::allowance::{Allowance, NoMore, Origin};
use crate::spec::ValueError;
use crate::text::clean;
use crate::wit_type::WitType;

/// Why JSON does not become values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is not of the type.
    Misfit(ValueError),
    /// There is no room for the values, or no time.
    NoMore(NoMore),
}

type Read<T> = Result<T, Unread>;

/// The arguments of a call, in order, from an object with one member a parameter.
pub(crate) fn params(types: &[(String, WitType)], json: &Value, room: &mut Allowance<'_>) -> Read<Vec<Val>> {
    let Value::Object(members) = json else {
        return Err(mismatch("an object with the parameters by name", json));
    };
    room.record(types.len())?;
    fields(types, members, "a parameter of the entry", room, |_, val| val).map_err(rooted)
}

/// One value of a type.
pub(crate) fn value(ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    room.values(1)?;
    read(ty, json, room).map_err(rooted)
}

fn rooted(unread: Unread) -> Unread {
    unread.within(|error| error.path.insert(0, '$'))
}

fn read(ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    let fit = match (ty, json) {
        (WitType::Bool, Value::Bool(b)) => Some(Val::Bool(*b)),
        (WitType::Char, Value::String(s)) => one_char(s).map(Val::Char),
        (WitType::String, Value::String(s)) => {
            room.text(s)?;
            Some(Val::String(s.clone()))
        }
        (WitType::F32 | WitType::F64, _) => float(ty, json),
        (WitType::List(inner), _) => return list(inner, ty, json, room),
        (WitType::Record(types), Value::Object(members)) => {
            room.record(types.len())?;
            return fields(types, members, "a field of the record", room, |name, val| (name.to_owned(), val))
                .map(Val::Record);
        }
        (WitType::Tuple(types), Value::Array(items)) if types.len() == items.len() => {
            return side_by_side(types.iter().zip(items), room).map(Val::Tuple);
        }
        (WitType::Variant(cases), _) => return variant(cases, ty, json, room),
        (WitType::Enum(names), Value::String(s)) if names.contains(s) => {
            room.text(s)?;
            Some(Val::Enum(s.clone()))
        }
        (WitType::Option(inner), _) => return option(inner, ty, json, room),
        (WitType::Result { ok, err }, Value::Object(_)) => {
            let sides = Sides { ok: ok.as_deref(), err: err.as_deref() };
            return result(&sides, ty, json, room);
        }
        (WitType::Flags(names), Value::Array(items)) => return flags(names, items, room),
        _ => integer(ty, json),
    };
    fit.ok_or_else(|| mismatch(&expected(ty), json))
}

/// The values of a list or tuple, in room of exactly their number.
fn side_by_side<'v>(
    items: impl ExactSizeIterator<Item = (&'v WitType, &'v Value)>,
    room: &mut Allowance<'_>,
) -> Read<Vec<Val>> {
    room.values(items.len())?;
    let mut out = Vec::with_capacity(items.len());
    for (i, (ty, json)) in items.enumerate() {
        out.push(read(ty, json, room).map_err(|e| e.at_index(i))?);
    }
    Ok(out)
}

/// A payload in its box.
fn boxed(ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Box<Val>> {
    room.boxed()?;
    read(ty, json, room).map(Box::new)
}

fn integer(ty: &WitType, json: &Value) -> Option<Val> {
    Some(match ty {
        WitType::S8 => Val::S8(json.as_i64()?.try_into().ok()?),
        WitType::U8 => Val::U8(json.as_u64()?.try_into().ok()?),
        WitType::S16 => Val::S16(json.as_i64()?.try_into().ok()?),
        WitType::U16 => Val::U16(json.as_u64()?.try_into().ok()?),
        WitType::S32 => Val::S32(json.as_i64()?.try_into().ok()?),
        WitType::U32 => Val::U32(json.as_u64()?.try_into().ok()?),
        WitType::S64 => Val::S64(json.as_i64().or_else(|| decimal(json)?.parse().ok())?),
        WitType::U64 => Val::U64(json.as_u64().or_else(|| decimal(json)?.parse().ok())?),
        _ => return None,
    })
}

/// A string that is a canonical decimal integer: no sign but `-`, no leading zero, no `-0`.
fn decimal(json: &Value) -> Option<&str> {
    let text = json.as_str()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" && text == "0" || !digits.is_empty() && !digits.starts_with('0');
    (canonical && digits.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn float(ty: &WitType, json: &Value) -> Option<Val> {
    let value = match json {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) => match s.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return None,
        },
        _ => return None,
    };
    if *ty == WitType::F64 {
        return Some(Val::Float64(value));
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is what is wanted")]
    let narrow = value as f32;
    (narrow.is_infinite() == value.is_infinite()).then_some(Val::Float32(narrow))
}

fn one_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

fn list(inner: &WitType, ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    match (inner, json) {
        (WitType::U8, Value::String(s)) => {
            // The bytes themselves are there for a moment only, and never more than the text is long.
            room.values(s.len() / 4 * 3)?;
            match STANDARD.decode(s) {
                Ok(bytes) => Ok(Val::List(bytes.into_iter().map(Val::U8).collect())),
                Err(_) => Err(mismatch(&expected(ty), json)),
            }
        }
        (WitType::U8, _) => Err(mismatch(&expected(ty), json)),
        (_, Value::Array(items)) => side_by_side(items.iter().map(|item| (inner, item)), room).map(Val::List),
        _ => Err(mismatch(&expected(ty), json)),
    }
}

/// Members of an object in the order of `types`; only options may be absent, and nothing else may be there.
fn fields<T>(
    types: &[(String, WitType)],
    members: &Map<String, Value>,
    what: &str,
    room: &mut Allowance<'_>,
    each: impl Fn(&str, Val) -> T,
) -> Read<Vec<T>> {
    let mut known = 0;
    let mut out = Vec::with_capacity(types.len());
    for (name, ty) in types {
        let val = match members.get(name) {
            Some(json) => {
                known += 1;
                room.field(name, Origin::Written)?;
                read(ty, json, room).map_err(|e| e.in_field(name))?
            }
            None if matches!(ty, WitType::Option(_)) => {
                room.field(name, Origin::Implied)?;
                Val::Option(None)
            }
            None => return Err(misfit(expected(ty), "nothing".into()).in_field(name)),
        };
        out.push(each(name, val));
    }
    if known == members.len() {
        return Ok(out);
    }
    let unknown = members.keys().find(|k| types.iter().all(|(name, _)| name != *k)).map_or("", String::as_str);
    let names: Vec<_> = types.iter().map(|(name, _)| name.as_str()).collect();
    let expected = format!("{what} (`{}`)", clean(&names.join("`, `"), 300));
    Err(misfit(expected, "an unknown name".into()).in_field(unknown))
}

fn variant(cases: &[(String, Option<WitType>)], ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    let fit = match json {
        Value::String(name) => cases.iter().find(|(n, t)| n == name && t.is_none()).map(|_| (name, None)),
        Value::Object(members) if members.len() == 1 => members.iter().next().and_then(|(name, payload)| {
            cases.iter().find(|(n, _)| n == name).and_then(|(_, t)| Some((name, Some((t.as_ref()?, payload)))))
        }),
        _ => None,
    };
    match fit {
        Some((name, None)) => {
            room.text(name)?;
            Ok(Val::Variant(name.clone(), None))
        }
        Some((name, Some((ty, payload)))) => {
            room.text(name)?;
            Ok(Val::Variant(name.clone(), Some(boxed(ty, payload, room).map_err(|e| e.in_field(name))?)))
        }
        None => Err(mismatch(&expected(ty), json)),
    }
}

fn option(inner: &WitType, ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    if json.is_null() {
        return Ok(Val::Option(None));
    }
    if !inner.nullable() {
        return Ok(Val::Option(Some(boxed(inner, json, room)?)));
    }
    match json.as_object().filter(|m| m.len() == 1).and_then(|m| m.get("some")) {
        Some(json) => Ok(Val::Option(Some(boxed(inner, json, room).map_err(|e| e.in_field("some"))?))),
        None => Err(mismatch(&expected(ty), json)),
    }
}

/// The types of the two sides of a result, where they have one.
struct Sides<'t> {
    ok: Option<&'t WitType>,
    err: Option<&'t WitType>,
}

fn result(sides: &Sides<'_>, ty: &WitType, json: &Value, room: &mut Allowance<'_>) -> Read<Val> {
    let mut side = |side: Option<&WitType>, name: &str, payload: &Value| match side {
        Some(ty) => boxed(ty, payload, room).map(Some).map_err(|e| e.in_field(name)),
        None if payload.is_null() => Ok(None),
        None => Err(mismatch("null", payload).in_field(name)),
    };
    let only = json.as_object().filter(|members| members.len() == 1).and_then(|members| members.iter().next());
    match only {
        Some((name, payload)) if name == "ok" => Ok(Val::Result(Ok(side(sides.ok, name, payload)?))),
        Some((name, payload)) if name == "err" => Ok(Val::Result(Err(side(sides.err, name, payload)?))),
        _ => Err(mismatch(&expected(ty), json)),
    }
}

fn flags(names: &[String], items: &[Value], room: &mut Allowance<'_>) -> Read<Val> {
    let mut set = vec![false; names.len()];
    for (i, item) in items.iter().enumerate() {
        let at = item.as_str().and_then(|s| names.iter().position(|n| n == s));
        match at {
            Some(at) if !set[at] => set[at] = true,
            Some(_) => return Err(mismatch("each flag once", item).at_index(i)),
            None => return Err(mismatch(&format!("one of `{}`", clean(&names.join("`, `"), 300)), item).at_index(i)),
        }
    }
    let named = || names.iter().zip(&set).filter(|(_, set)| **set).map(|(name, _)| name);
    room.flags(items.len(), named().map(String::len).sum())?;
    let mut out = Vec::with_capacity(items.len());
    out.extend(named().cloned());
    Ok(Val::Flags(out))
}

/// What belongs there, in words a caller can act on.
fn expected(ty: &WitType) -> String {
    match ty {
        WitType::S64 | WitType::U64 => format!("{} (a number, or a decimal string beyond 2^53)", ty.short()),
        WitType::F32 | WitType::F64 => format!("{} (a number, `NaN`, `Infinity` or `-Infinity`)", ty.short()),
        WitType::Char => "char (a string of one character)".into(),
        WitType::List(inner) if **inner == WitType::U8 => "list<u8> (a base64 string)".into(),
        WitType::List(_) => format!("{} (an array)", ty.short()),
        WitType::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            format!("record (an object with `{}`)", clean(&names.join("`, `"), 300))
        }
        WitType::Tuple(types) => format!("tuple (an array of {})", types.len()),
        WitType::Enum(names) => format!("one of `{}`", clean(&names.join("`, `"), 300)),
        WitType::Flags(names) => format!("flags (an array of some of `{}`)", clean(&names.join("`, `"), 300)),
        WitType::Result { .. } => "result (`{\"ok\": …}` or `{\"err\": …}`)".into(),
        WitType::Option(inner) if inner.nullable() => "option of an option (null or `{\"some\": …}`)".into(),
        WitType::Variant(cases) => {
            let forms: Vec<_> = cases
                .iter()
                .map(|(name, ty)| if ty.is_some() { format!("{{\"{name}\": …}}") } else { format!("\"{name}\"") })
                .collect();
            format!("one of {}", clean(&forms.join(", "), 300))
        }
        other => other.short(),
    }
}

fn mismatch(expected: &str, json: &Value) -> Unread {
    let found = match json {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the string `{}`", clean(s, 60)),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(members) => match members.keys().next() {
            Some(first) => format!("an object with `{}`", clean(first, 60)),
            None => "an empty object".into(),
        },
    };
    misfit(expected.to_owned(), found)
}

fn misfit(expected: String, found: String) -> Unread {
    Unread::Misfit(ValueError { path: String::new(), expected, found })
}

impl Unread {
    fn at_index(self, index: usize) -> Self {
        self.within(|error| error.path.insert_str(0, &format!("[{index}]")))
    }

    fn in_field(self, name: &str) -> Self {
        self.within(|error| error.path.insert_str(0, &format!(".{}", clean(name, 60))))
    }

    /// Says where a value is that does not fit; where the room ends is nobody's place.
    fn within(mut self, say: impl FnOnce(&mut ValueError)) -> Self {
        if let Self::Misfit(error) = &mut self {
            say(error);
        }
        self
    }
}

impl From<NoMore> for Unread {
    fn from(no_more: NoMore) -> Self {
        Self::NoMore(no_more)
    }
}
